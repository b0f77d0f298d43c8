"""Training pairs: a person before and after a change of garment, and another picture of it, with all truth.

`render_pair` makes one pair from a seed. `PairStream` makes many, and re-uses bodies in their
draped clothes for several pairs with fresh fabrics, light, camera and background, because draping
costs more than drawing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE
from tryon.synthetic.details import Detail, decorate
from tryon.synthetic.dressing import (
    Dressed,
    Outfit,
    Trim,
    display,
    dress,
    finished_surface,
    random_trim,
)
from tryon.synthetic.fabric import PATTERNS, make_fabric
from tryon.synthetic.garment import Garment, tailor
from tryon.synthetic.garments import KINDS
from tryon.synthetic.person import Person, random_person
from tryon.synthetic.picture import Surface
from tryon.synthetic.pose import Pose, random_pose, random_seated_pose
from tryon.synthetic.prints import WORDS
from tryon.synthetic.quality import quality_for
from tryon.synthetic.shots import (
    FLOW_SIZE,
    Setting,
    Shot,
    arrange,
    photograph_person,
    photograph_product,
    trace_flow,
)

SPLITS = {"train": 0, "heldout": 1}
_GARMENTS_PER_KIND = 40
_FIRST_GARMENT = {"train": 0, "heldout": 1000}
_KINDS = {name: [kind for kind, row in KINDS.items() if row.category == name] for name in CATEGORIES}
_KIND_ODDS = {
    name: np.array([KINDS[kind].odds for kind in kinds]) / sum(KINDS[kind].odds for kind in kinds)
    for name, kinds in _KINDS.items()
}
_CATEGORY_ODDS = (0.54, 0.22, 0.24)
_FRAMINGS = ("waist", "knee", "full")
_FRAMING_ODDS = {"upper": (0.58, 0.34, 0.08), "lower": (0, 0.4, 0.6), "dress": (0.1, 0.4, 0.5)}
_SEATED_SHARE = 0.12  # of those whose clothes let them
_SEATED_FRAMINGS, _SEATED_ODDS = ("knee", "full"), (0.45, 0.55)
_PICTURE_ODDS = (0.5, 0.25, 0.25)
_PEOPLE, _SCENES, _FABRICS = 10, 8, 24


_Sized = tuple[Garment, Person]  # a garment and whom it was cut for


@dataclass(frozen=True)
class RenderedPair:
    """One training example; S is the side of the pictures.

    Attributes:
        image: (S, S, 3) uint8, a person wearing garment G: the target.
        parsing: (S, S) uint8, labels of `image`.
        pose: (18, 3) float32, OpenPose-18 joints in `image`.
        before_image: (S, S, 3) uint8, the same person, pose, light and camera, but in another garment than G.
        before_parsing: (S, S) uint8, labels of `before_image`.
        garment_image: (S, S, 3) uint8, another picture of G.
        garment_parsing, garment_pose: likewise, of `garment_image`.
        flow: (64, 64, 3) float16, see `shots.trace_flow`.
        category: index into `CATEGORIES`.
        kind: index into `KINDS_OF_PICTURE`: what `garment_image` is.
        pattern: index into the keys of `fabric.PATTERNS`: what G is printed or woven with.
    """

    image: np.ndarray
    parsing: np.ndarray
    pose: np.ndarray
    before_image: np.ndarray
    before_parsing: np.ndarray
    garment_image: np.ndarray
    garment_parsing: np.ndarray
    garment_pose: np.ndarray
    flow: np.ndarray
    category: int
    kind: int
    pattern: int


@dataclass(frozen=True)
class RenderedProduct:
    """A garment alone; S is the side of the picture.

    Attributes:
        image: (S, S, 3) uint8.
        parsing: (S, S) uint8, labels of `image`.
        pose: (18, 3) float32, OpenPose-18 joints in it.
        inside: (S, S) bool, where it shows the inside of its cloth.
        category: index into `CATEGORIES`.
    """

    image: np.ndarray
    parsing: np.ndarray
    pose: np.ndarray
    inside: np.ndarray
    category: int


@dataclass(frozen=True)
class _Look:
    """What garments of a pair are made of."""

    fabric: np.ndarray
    pattern: str
    trim: Trim
    textures: dict[tuple[Detail, ...], np.ndarray] = field(default_factory=dict)

    def surface(self, slot: str, garment: Garment, vertices: np.ndarray) -> Surface:
        """A garment made of it; details are drawn once for all pictures of a pair."""
        if garment.details not in self.textures:
            self.textures[garment.details] = decorate(self.fabric, garment.details)
        return finished_surface(slot, garment, vertices, self.textures[garment.details], self.trim)


@dataclass
class _Scene:
    """Who wears what in the pictures of a pair; draped on first use, then kept."""

    category: str
    garment: Garment
    size: np.ndarray  # (V, 3), the body the garment was cut for
    people: dict[str, Person]
    outfits: dict[str, Outfit]
    poses: dict[str, Pose]
    framings: dict[str, str]
    kind: str
    uses: int = 0
    dressed: dict[str, Dressed] = field(default_factory=dict)
    displayed: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def slot(self) -> str:
        return "lower" if self.category == "lower" else "top"

    @property
    def other_slot(self) -> str:
        return "top" if self.category == "lower" else "lower"


class PairStream:
    """Endless pairs; the same arguments give the same pairs.

    Args:
        seed: where to begin, one number or several.
        size: side of the pictures, a multiple of 64.
        split: "train" or "heldout"; the two share no body, garment, fabric or printed word.
        reuse: how often a draped scene is photographed; 1 makes every pair independent.

    Raises:
        ValueError: an unknown split, or a size that is no multiple of 64.
    """

    def __init__(self, seed: int | Sequence[int], size: int, split: str = "train", *, reuse: int = 6) -> None:
        if split not in SPLITS:
            raise ValueError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
        if size < FLOW_SIZE or size % FLOW_SIZE:
            raise ValueError(f"Pictures have sides of a multiple of {FLOW_SIZE} px, not {size}.")
        self.size, self.split, self.reuse = size, split, reuse
        self.quality = quality_for(size)
        self._rng = np.random.default_rng([SPLITS[split], *np.atleast_1d(seed)])
        self._people: list[Person | None] = [None] * _PEOPLE
        self._scenes: list[_Scene | None] = [None] * _SCENES
        self._fabrics: dict[bool, list[tuple[np.ndarray, str] | None]] = {
            printed: [None] * _FABRICS for printed in (True, False)
        }

    def __iter__(self) -> Iterator[RenderedPair]:
        while True:
            yield self.draw()

    def draw(self) -> RenderedPair:
        """Render the next pair."""
        scene = self._next_scene()
        look = self._look(scene.garment)
        calm = self._look(calm=True)  # of whatever else is worn
        looks = {scene.slot: look, scene.other_slot: calm}
        setting = arrange(self._dressed(scene, "target"), scene.framings["target"], self.size, self._rng, self.quality)
        target = self._photograph(scene, "target", looks, setting)
        garment_before = scene.outfits["before"].in_slot(scene.slot)
        worn_before = self._look(garment_before)
        while worn_before.fabric is look.fabric:  # nothing may tell what the next garment is made of
            worn_before = self._look(garment_before)
        before = self._photograph(scene, "before", {**looks, scene.slot: worn_before}, setting)
        if scene.kind == "worn":
            calm = self._look(calm=True)
            source = self._photograph(scene, "source", {scene.slot: look, scene.other_slot: calm})
        else:
            source = self._photograph_alone(scene, look)
        return RenderedPair(
            image=target.picture.image,
            parsing=target.picture.parsing,
            pose=target.pose,
            before_image=before.picture.image,
            before_parsing=before.picture.parsing,
            garment_image=source.picture.image,
            garment_parsing=source.picture.parsing,
            garment_pose=source.pose,
            flow=trace_flow(target, source),
            category=CATEGORIES.index(scene.category),
            kind=KINDS_OF_PICTURE.index(scene.kind),
            pattern=list(PATTERNS).index(look.pattern),
        )

    def draw_product(self) -> RenderedProduct:
        """Render the next picture of a garment alone; pairs that are drawn later are not those of `draw` alone."""
        scene = self._next_scene()
        shot = self._photograph_alone(scene, self._look(scene.garment))
        picture = shot.picture
        return RenderedProduct(
            picture.image, picture.parsing, shot.pose, shot.inside(), CATEGORIES.index(scene.category)
        )

    def _next_scene(self) -> _Scene:
        index = int(self._rng.integers(_SCENES))
        scene = self._scenes[index]
        if scene is None or scene.uses >= self.reuse:
            scene = self._scenes[index] = self._new_scene()
        scene.uses += 1
        return scene

    def _dressed(self, scene: _Scene, role: str) -> Dressed:
        if role not in scene.dressed:
            worn = (scene.people[role], scene.poses[role], scene.outfits[role])
            after = scene.dressed.get("target") if role == "before" else None
            scene.dressed[role] = dress(*worn, self._rng, self.quality, after)
        return scene.dressed[role]

    def _photograph(self, scene: _Scene, role: str, looks: dict[str, _Look], setting: Setting | None = None) -> Shot:
        dressed, outfit = self._dressed(scene, role), scene.outfits[role]
        if setting is None:
            setting = arrange(dressed, scene.framings[role], self.size, self._rng, self.quality)
        clothes = [
            looks[slot].surface(slot, garment, dressed.cloth[slot])
            for slot, garment in (("lower", outfit.lower), ("top", outfit.top))
            if garment is not None
        ]
        return photograph_person(dressed, clothes, scene.slot, setting, self.size, self.quality)

    def _photograph_alone(self, scene: _Scene, look: _Look) -> Shot:
        if scene.displayed is None:
            scene.displayed = display(scene.garment, scene.size, self._rng, self.quality)
        vertices, joints = scene.displayed
        surface = look.surface(scene.slot, scene.garment, vertices)
        flat = scene.kind == "flat"
        return photograph_product(surface, joints, scene.category, flat, self.size, self._rng, self.quality)

    def _new_scene(self) -> _Scene:
        rng = self._rng
        if rng.random() < 0.15:
            self._people[int(rng.integers(_PEOPLE))] = None
        category = str(rng.choice(CATEGORIES, p=_CATEGORY_ODDS))
        first = self._person()
        second = first if rng.random() < 0.4 else self._person()
        sizer = first if rng.random() < 0.6 else self._person()
        garment = self._garment(category)
        others = [None if category == "dress" else self._other(category, person) for person in (first, second)]
        outfits = {
            "target": _outfit(category, (garment, sizer), others[0]),
            "before": self._worn_before(category, first, others[0]),
            "source": _outfit(category, (garment, sizer), others[1]),
        }
        pose, framing = self._pose(category, outfits["target"], outfits["before"])
        pose_there, framing_there = self._pose(category, outfits["source"])
        return _Scene(
            category=category,
            garment=garment,
            size=sizer.vertices,
            people={"target": first, "before": first, "source": second},
            outfits=outfits,
            poses={"target": pose, "before": pose, "source": pose_there},
            framings={"target": framing, "source": framing_there},
            kind=str(rng.choice(KINDS_OF_PICTURE, p=_PICTURE_ODDS)),
        )

    def _pose(self, category: str, *outfits: Outfit) -> tuple[Pose, str]:
        """How somebody stands, or sits if all outfits let them, and the framing that shows it."""
        rng = self._rng
        if rng.random() < _SEATED_SHARE and all(_lets_sit(outfit) for outfit in outfits):
            return random_seated_pose(rng), str(rng.choice(_SEATED_FRAMINGS, p=_SEATED_ODDS))
        return random_pose(rng), str(rng.choice(_FRAMINGS, p=_FRAMING_ODDS[category]))

    def _other(self, category: str, person: Person) -> _Sized:
        return self._garment("lower" if category == "upper" else "upper"), person

    def _worn_before(self, category: str, person: Person, other: _Sized | None) -> Outfit:
        """Another garment of the category; for a dress just as often a top and a bottom."""
        if category == "dress" and self._rng.random() < 0.5:
            category, other = "upper", self._other("upper", person)
        sizer = person if self._rng.random() < 0.6 else self._person()
        return _outfit(category, (self._garment(category), sizer), other)

    def _person(self) -> Person:
        index = int(self._rng.integers(_PEOPLE))
        person = self._people[index]
        if person is None:
            person = self._people[index] = random_person(self._rng, self.quality)
        return person

    def _garment(self, category: str) -> Garment:
        kind = str(self._rng.choice(_KINDS[category], p=_KIND_ODDS[category]))
        number = int(self._rng.integers(_GARMENTS_PER_KIND)) + _FIRST_GARMENT[self.split]
        return tailor(kind, number, self.quality.cloth_level)

    def _look(self, garment: Garment | None = None, calm: bool = False) -> _Look:
        fabric, pattern = self._fabric(garment is None or KINDS[garment.kind].printed, calm)
        return _Look(fabric, pattern, random_trim(self._rng, fabric))

    def _fabric(self, printed: bool, calm: bool) -> tuple[np.ndarray, str]:
        """A fabric and its pattern from the shelf, or a new one; calm ones let the other garment speak."""
        rng, side, words = self._rng, self.quality.fabric_texture, WORDS[self.split]
        if calm and rng.random() < 0.5:
            pattern = str(rng.choice(["plain", "check", "stripes"], p=[0.7, 0.15, 0.15]))
            return make_fabric(rng, side, pattern, words=words)
        index, shelf = int(rng.integers(_FABRICS)), self._fabrics[printed]
        fabric = shelf[index]
        if fabric is None or self.reuse == 1 or rng.random() < 0.2:
            fabric = shelf[index] = make_fabric(rng, side, words=words, printed=printed)
        return fabric


def _lets_sit(outfit: Outfit) -> bool:
    """Skirts and dresses do not: many would part on the lap, or stand off it like wings."""
    return outfit.lower is not None and outfit.lower.kind != "skirt"


def _outfit(category: str, main: _Sized, other: _Sized | None) -> Outfit:
    """A garment of a category and what else is worn, each with whom it was cut for."""
    (garment, sizer), (rest, wearer) = main, other or (None, None)
    main, rest = (garment, sizer.vertices), (rest, wearer and wearer.vertices)
    return Outfit(*rest, *main) if category == "lower" else Outfit(*main, *rest)


def render_pair(seed: int, size: int = 256, split: str = "train") -> RenderedPair:
    """Render one pair.

    Args:
        seed: same seed, same pixels.
        size: side of the pictures, a multiple of 64.
        split: "train" or "heldout".

    Raises:
        ValueError: an unknown split, or a size that is no multiple of 64.
    """
    return PairStream(seed, size, split, reuse=1).draw()
