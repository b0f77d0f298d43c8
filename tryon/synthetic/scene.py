"""What surrounds a person: camera, light and background."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tryon.synthetic.asset import load_body
from tryon.synthetic.noise import fractal_noise, random_hue
from tryon.synthetic.shade import Light

FRAMINGS = ("waist", "knee", "full")  # what the lower edge of the picture cuts
_SHOULDERS, _HIPS, _KNEES = [2, 5], [8, 11], [9, 12]


@dataclass(frozen=True)
class Camera:
    """A camera that looks along -z.

    Attributes:
        centre: (3,) dm, the point in the middle of the frame.
        distance: dm from the camera to `centre`.
        extent: dm that the frame shows at the distance of `centre`.
    """

    centre: np.ndarray
    distance: float
    extent: float

    @property
    def position(self) -> np.ndarray:
        """(3,) dm."""
        return self.centre + np.array([0, 0, self.distance])

    def depth(self, points: np.ndarray) -> np.ndarray:
        """(n,) dm from the camera along its axis."""
        return self.distance - (points[:, 2] - self.centre[2])

    def project(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) positions of (n, 3) points in the frame: [0, 1] from the top left corner."""
        scale = self.distance / (self.depth(points) * self.extent)
        place = np.empty((len(points), 2), scale.dtype)
        place[:, 0] = 0.5 + (points[:, 0] - self.centre[0]) * scale
        place[:, 1] = 0.5 - (points[:, 1] - self.centre[1]) * scale
        return place

    def frustum(self, back: float, front: float) -> np.ndarray:
        """(8, 3) dm, corners of what the frame shows between two z."""
        corners = []
        for z in (back, front):
            half = 0.5 * self.extent * (self.distance - (z - self.centre[2])) / self.distance
            corners += [(self.centre[0] + i * half, self.centre[1] + j * half, z) for i in (-1, 1) for j in (-1, 1)]
        return np.array(corners)


def frame_person(posed: np.ndarray, joints: np.ndarray, framing: str, rng: np.random.Generator) -> Camera:
    """A camera that shows a person from above the head down to hips, knees or feet.

    Args:
        posed: (V, 3) posed body.
        joints: (18, 3) its joints.
        framing: one of `FRAMINGS`.
        rng: jitter and distance.

    Raises:
        ValueError: there is no such framing.
    """
    body = posed[load_body().body_vertices]
    if framing not in FRAMINGS:
        raise ValueError(f"There is no framing {framing!r}: choose one of {', '.join(FRAMINGS)}.")
    top = body[:, 1].max() + 0.5
    bottom = {
        "waist": joints[_HIPS, 1].mean() - 1.3,
        "knee": joints[_KNEES, 1].mean() - 0.8,
        "full": body[:, 1].min() - 0.6,
    }[framing]
    extent = max((top - bottom) * rng.uniform(1.02, 1.12), 5.0)
    middle = body[:, 0].mean() if framing == "full" else joints[_SHOULDERS, 0].mean()
    centre = [middle + rng.normal(0, 0.12), (top + bottom) / 2 + rng.normal(0, 0.08), 0.0]
    return Camera(np.array(centre), float(rng.uniform(22, 45)), float(extent))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def random_light(rng: np.random.Generator) -> Light:
    """A key light from the front half of the sky, with its white balance."""
    azimuth, elevation = rng.uniform(-1.1, 1.1), rng.uniform(0.25, 0.95)
    direction = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )
    warmth, strength = rng.normal(0, 0.08), rng.uniform(0.5, 1.05)
    return Light(
        direction=_unit(direction),
        key=strength * np.array([1 + warmth, 1, 1 - warmth]),
        sky=np.array([0.5, 0.53, 0.57]) * rng.uniform(0.6, 1.1),
        ground=np.array([0.32, 0.29, 0.27]) * rng.uniform(0.4, 1),
        fill_direction=_unit(np.array([-direction[0], 0.2, 0.8])),
        fill=np.ones(3) * rng.uniform(0.08, 0.35),
    )


def studio_light(azimuth: float, strength: float) -> Light:
    """The soft, colourless light of product pictures; `azimuth` is x towards the light."""
    return Light(
        direction=_unit(np.array([azimuth, 0.6, 0.72])),
        key=np.full(3, float(strength)),
        sky=np.full(3, 0.6),
        ground=np.full(3, 0.45),
        fill_direction=_unit(np.array([-0.4, 0.2, 0.9])),
        fill=np.full(3, 0.15),
    )


@dataclass(frozen=True)
class _Backdrop:
    """A coarse canvas to paint: height and width in pixels, main colour, and the dice."""

    height: int
    width: int
    colour: np.ndarray
    accents: Sequence[np.ndarray]
    rng: np.random.Generator

    def accent(self, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
        """One of the given accents, or any colour within the ranges if there are none."""
        if len(self.accents):
            return self.accents[int(self.rng.integers(len(self.accents)))]
        return random_hue(self.rng, saturation, value)

    @property
    def down(self) -> np.ndarray:
        return np.linspace(0, 1, self.height)[:, None, None]

    @property
    def across(self) -> np.ndarray:
        return np.linspace(0, 1, self.width)[None, :, None]

    def filled(self, image: np.ndarray) -> np.ndarray:
        shape = (self.height, self.width, 3)
        return np.ascontiguousarray(np.broadcast_to(image, shape), np.float32)


def _studio(canvas: _Backdrop) -> np.ndarray:
    vignette = (canvas.down - 0.45) ** 2 + (canvas.across - 0.5) ** 2
    return canvas.filled(canvas.colour * (1.05 - 0.5 * vignette))


def _wall(canvas: _Backdrop) -> np.ndarray:
    floor = canvas.accent((0.1, 0.5), (0.2, 0.7))
    horizon = canvas.rng.uniform(0.72, 0.9)
    wall = canvas.colour * (1 - 0.15 * canvas.down)
    image = np.where(canvas.down < horizon, wall, floor * (0.7 + 0.3 * canvas.down))
    stains = cv2.resize(fractal_noise(canvas.rng, 128, 5, 4), (canvas.width, canvas.height))
    return canvas.filled(image * (1 + 0.05 * stains)[..., None])


def _bokeh(canvas: _Backdrop) -> np.ndarray:
    rng, width, height = canvas.rng, canvas.width, canvas.height
    image = canvas.filled(canvas.colour * 0.4 * (1 + 0.3 * canvas.down))
    for _ in range(int(rng.integers(15, 50))):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height * 0.9)))
        radius = int(width * rng.uniform(0.02, 0.12))
        colour = tuple(map(float, canvas.accent((0.05, 0.7), (0.3, 1))))
        cv2.circle(image, centre, radius, colour, -1)
    return cv2.GaussianBlur(image, (0, 0), width * 0.035)


def _room(canvas: _Backdrop) -> np.ndarray:
    rng, width, height = canvas.rng, canvas.width, canvas.height
    image = canvas.filled(canvas.colour * (0.8 + 0.2 * canvas.down))
    for _ in range(int(rng.integers(4, 12))):
        left, top = rng.uniform(-0.1, 1) * width, rng.uniform(-0.1, 0.8) * height
        corner = (int(left + rng.uniform(0.05, 0.4) * width),)
        corner += (int(top + rng.uniform(0.05, 0.5) * height),)
        colour = tuple(map(float, canvas.accent((0, 0.6), (0.15, 0.95))))
        cv2.rectangle(image, (int(left), int(top)), corner, colour, -1)
    return cv2.GaussianBlur(image, (0, 0), width * rng.uniform(0.006, 0.02))


# Background -> painter and how often it is drawn.
BACKGROUNDS: dict[str, tuple[Callable[[_Backdrop], np.ndarray], float]] = {
    "studio": (_studio, 0.40),
    "wall": (_wall, 0.25),
    "bokeh": (_bokeh, 0.20),
    "room": (_room, 0.15),
}


def random_background(
    rng: np.random.Generator,
    size: int,
    kind: str | None = None,
    *,
    colour: np.ndarray | None = None,
    accents: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Paint a background.

    Args:
        rng: source of everything not given.
        size: side in pixels.
        kind: key of `BACKGROUNDS`; None draws one.
        colour: (3,) linear RGB of wall or backdrop; None draws it.
        accents: (3,) colours of floor and furniture; none means any.

    Returns:
        (size, size, 3) float32 linear RGB.
    """
    if kind is None:
        odds = [odds for _, odds in BACKGROUNDS.values()]
        kind = str(rng.choice(list(BACKGROUNDS), p=odds))
    if colour is None and rng.random() < 0.6:
        colour = np.full(3, rng.uniform(0.3, 0.9)) * (1 + rng.normal(0, 0.05, 3))
    elif colour is None:
        colour = random_hue(rng, (0.1, 0.6), (0.4, 0.95))
    coarse = (size + 3) // 4
    image = BACKGROUNDS[kind][0](_Backdrop(coarse, coarse, colour, accents, rng))
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0.01, 1)


def plain_background(size: int, grey: float) -> np.ndarray:
    """(size, size, 3) float32: one grey, as product pictures have it."""
    return np.full((size, size, 3), grey, np.float32)
