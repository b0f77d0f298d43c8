"""Dressing: garments with a size and a fabric, draped on people and on the mannequin."""

from dataclasses import dataclass, replace

import numpy as np

from tryon.preprocessing.parsing import LABEL
from tryon.synthetic import parts
from tryon.synthetic.asset import load_body
from tryon.synthetic.details import decorate
from tryon.synthetic.drape import SKIN_GAP, Fit, Obstacle, body_obstacle, drape, tuck
from tryon.synthetic.garment import Garment
from tryon.synthetic.mesh import vertex_normals
from tryon.synthetic.person import Person, skin_surface, worn_always
from tryon.synthetic.picture import Surface
from tryon.synthetic.pose import Pose, Skeleton, display_pose, pose_skeleton, skin_vertices
from tryon.synthetic.quality import Quality
from tryon.synthetic.seats import place_seat
from tryon.synthetic.shade import CLOTH

# Lowest point on the unmorphed body at which lower garments lie under a shirt, dm.
_OVERLAP = -1.2


@dataclass(frozen=True)
class Outfit:
    """What is worn: a lower garment and a top, or a dress as `top`.

    Attributes:
        top, lower: garments, or None.
        top_size, lower_size: (V, 3) unposed bodies the garments were cut for.
    """

    top: Garment | None
    top_size: np.ndarray | None
    lower: Garment | None = None
    lower_size: np.ndarray | None = None

    def in_slot(self, slot: str) -> Garment | None:
        """The garment in slot "top" or "lower"."""
        return self.top if slot == "top" else self.lower


@dataclass(frozen=True)
class Trim:
    """How a fabric is made up: band along the hems (colour or None, dm wide) and its shine."""

    rib: np.ndarray | None = None
    rib_width: float = 0.15
    specular: float = 0.04


@dataclass(frozen=True)
class Dressed:
    """A posed person, dressed, before fabrics are chosen.

    Attributes:
        posed: (V, 3) body; skin that would show through the clothes is tucked under them.
        joints: (18, 3) OpenPose-18 joints, dm.
        body: surfaces of skin, eyes, hair and shoes.
        cloth: "top" and "lower" -> (n, 3) draped vertices.
        outfit: what they wear.
        bare: what the clothes were hung on.
    """

    posed: np.ndarray
    joints: np.ndarray
    body: list[Surface]
    cloth: dict[str, np.ndarray]
    outfit: Outfit
    bare: "_Bare"


@dataclass(frozen=True)
class _Bare:
    """A person in a pose: the body, what cloth lies on, and what no garment changes.

    `lower` is the lower garment as it hangs before something is put on over it.
    """

    skeleton: Skeleton
    posed: np.ndarray
    obstacle: Obstacle
    surfaces: list[Surface]
    lower: np.ndarray | None = None


def random_trim(rng: np.random.Generator, fabric: np.ndarray) -> Trim:
    """Stitches on every hem, a band in a matching colour on a fifth of the garments."""
    width = float(rng.uniform(0.10, 0.22))
    rib = None
    if rng.random() < 0.2:
        rib = fabric[0, ::8, ::8].reshape(-1, 3).mean(0) * rng.uniform(0.5, 1.2)
    return Trim(rib, width, float(rng.choice([0.02, 0.04, 0.12])))


def _pose_body(vertices: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    body = load_body()
    return skin_vertices(vertices, body.skin_index, body.skin_weight, skeleton)


def _undressed(person: Person, pose: Pose, quality: Quality) -> _Bare:
    skeleton = pose_skeleton(person.vertices, pose)
    posed = _pose_body(person.vertices, skeleton)
    normals = vertex_normals(posed, load_body().triangles)
    smooth = parts.smooth_chest(posed)
    obstacle = body_obstacle(smooth, vertex_normals(smooth, load_body().triangles), quality)
    surfaces = worn_always(person, skeleton, posed, normals, quality)
    if pose.seat is not None:
        seat = place_seat(posed, skeleton, pose)
        surfaces.append(seat.surface)
        obstacle = obstacle.joined(seat.obstacle)
    return _Bare(skeleton, posed, obstacle, surfaces)


def dress(
    person: Person, pose: Pose, outfit: Outfit, rng: np.random.Generator, quality: Quality, other: Dressed | None = None
) -> Dressed:
    """Put clothes on a person and let them fall.

    Args:
        person: who.
        pose: how they stand.
        outfit: what they wear.
        rng: source of the wrinkles.
        quality: how carefully.
        other: the same person in the same pose in another outfit; hair, and a lower garment that they wear in both,
            hang as they do there.
    """
    bare = other.bare if other else _undressed(person, pose, quality)
    posed, obstacle = bare.posed, bare.obstacle
    cloth: dict[str, np.ndarray] = {}
    if outfit.lower is not None:
        lower = bare.lower
        if lower is None or other.outfit.lower is not outfit.lower or other.outfit.lower_size is not outfit.lower_size:
            fit = Fit(outfit.lower_size, person.vertices, bare.skeleton)
            lower = drape(outfit.lower, fit, obstacle, rng, quality, gap=SKIN_GAP - 0.045)
        cloth["lower"] = lower
        bare = replace(bare, lower=lower)
        under = outfit.lower.position[:, 1] > _OVERLAP
        lower_normals = vertex_normals(lower, outfit.lower.triangles)
        obstacle = obstacle.joined(Obstacle(lower[under], lower_normals[under]))
    if outfit.top is not None:
        fit = Fit(outfit.top_size, person.vertices, bare.skeleton)
        cloth["top"] = drape(outfit.top, fit, obstacle, rng, quality, gap=SKIN_GAP - 0.02)
    if len(cloth) == 2:
        cloth["lower"], _ = tuck(cloth["lower"], outfit.lower.position, cloth["top"], outfit.top, 0.06)
    coverable = parts.coverable(quality.skin_detail)
    tucked, hidden = posed[coverable], np.zeros(len(posed), bool)
    for slot, garment in (("lower", outfit.lower), ("top", outfit.top)):
        if garment is not None:
            tucked, under = tuck(tucked, load_body().vertices[coverable], cloth[slot], garment, 0.05)
            hidden[coverable] |= under
    posed = posed.copy()
    posed[coverable] = tucked
    return Dressed(
        posed=posed,
        joints=parts.body_joints(posed, bare.skeleton),
        body=[skin_surface(person, posed, hidden, quality), *bare.surfaces],
        cloth=cloth,
        outfit=outfit,
        bare=bare,
    )


def display(
    garment: Garment, size: np.ndarray, rng: np.random.Generator, quality: Quality
) -> tuple[np.ndarray, np.ndarray]:
    """Put a garment on an invisible mannequin of its own size.

    Returns:
        (n, 3) draped vertices and the (18, 3) joints of the body inside.
    """
    skeleton = pose_skeleton(size, display_pose(rng))
    posed = parts.smooth_chest(_pose_body(size, skeleton))
    obstacle = body_obstacle(posed, vertex_normals(posed, load_body().triangles), quality)
    cloth = drape(garment, Fit(size, size, skeleton), obstacle, rng, quality)
    return cloth, parts.body_joints(posed, skeleton)


def cloth_surface(slot: str, garment: Garment, vertices: np.ndarray, fabric: np.ndarray, trim: Trim) -> Surface:
    """A draped garment made of a fabric, ready to draw.

    Args:
        slot: name of the surface.
        garment: what it is.
        vertices: (n, 3) where it hangs.
        fabric: (2, m, m, 3) front and back, see `make_fabric`.
        trim: its hems.
    """
    return finished_surface(slot, garment, vertices, decorate(fabric, garment.details), trim)


def finished_surface(slot: str, garment: Garment, vertices: np.ndarray, texture: np.ndarray, trim: Trim) -> Surface:
    """As `cloth_surface`, of a fabric that the garment's details are on already."""
    return Surface(
        name=slot,
        kind=CLOTH,
        vertices=vertices,
        triangles=garment.triangles,
        label=LABEL[garment.category],
        corner_uv=garment.corner_uv,
        extra=garment.extra,
        texture=texture,
        specular=trim.specular,
        gloss=8,
        rib=trim.rib,
        rib_width=trim.rib_width,
    )
