"""What stands behind people and lies under garments in pictures to look at: paper, walls, rooms, streets, tables.

A painter colours points of a `studio.Stage`. To add a set, write one and add a row to `SETS`.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from tryon.synthetic.noise import fractal_noise
from tryon.synthetic.studio import Stage

Paint = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
_OAK, _PALE_OAK, _WALNUT = np.array([0.34, 0.20, 0.10]), np.array([0.56, 0.41, 0.27]), np.array([0.13, 0.07, 0.04])
_LEAF, _GLASS, _IRON = np.array([0.035, 0.09, 0.03]), np.array([0.10, 0.13, 0.16]), np.array([0.03, 0.03, 0.035])

_PAINTS = np.array([(0.52, 0.19, 0.10), (0.10, 0.22, 0.24), (0.62, 0.44, 0.20), (0.30, 0.36, 0.26), (0.66, 0.55, 0.46)])


class Set(NamedTuple):
    """A row of `SETS`: its painter, where the wall is (dm from the person), its blur, and how it takes shadows."""

    paint: Paint
    wall: float
    blur: float
    catches: float = 1.0
    has_floor: bool = True


def _smooth(edge: np.ndarray, width: float) -> np.ndarray:
    """0 below zero, 1 above `width`."""
    share = np.clip(edge / width, 0, 1)
    return share * share * (3 - 2 * share)


def _box(x: np.ndarray, y: np.ndarray, middle: tuple[float, float], half: tuple[float, float]) -> np.ndarray:
    """(H, W, 1): 1 within a rectangle."""
    return ((np.abs(x - middle[0]) < half[0]) & (np.abs(y - middle[1]) < half[1]))[..., None]


def _noise(rng: np.random.Generator, shape: tuple[int, int], octaves: int, cells: int) -> np.ndarray:
    return cv2.resize(fractal_noise(rng, 256, octaves, cells), shape[::-1], interpolation=cv2.INTER_CUBIC)


def _planks(x: np.ndarray, z: np.ndarray, wood: np.ndarray, rng: np.random.Generator, width: float) -> np.ndarray:
    """Boards along z with their grain and joints."""
    board = np.floor(x / width).astype(int)
    tint = rng.normal(1, 0.10, 512)[board % 512]
    start = rng.uniform(0, 14, 512)[board % 512]
    grain = np.sin(x / width * 23 + 5 * np.sin(z * 0.35 + start) + 2 * np.sin(x * 9 + start))
    grain = 1 + 0.05 * grain + 0.03 * np.sin(x * 71 + z * 0.7 + start)
    joint = np.abs(x / width % 1 - 0.5) > 0.485
    joint |= np.abs((z + start) / 14 % 1 - 0.5) > 0.497
    return wood * (tint * grain * np.where(joint, 0.55, 1))[..., None]


def _slabs(x: np.ndarray, z: np.ndarray, stone: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """Square slabs with joints."""
    number = np.floor(x / size).astype(int) * 37 + np.floor(z / size).astype(int) * 101
    tint = rng.normal(1, 0.05, 997)[number % 997]
    joint = (np.abs(x / size % 1 - 0.5) > 0.49) | (np.abs(z / size % 1 - 0.5) > 0.485)
    return stone * (tint * np.where(joint, 0.7, 1))[..., None]


def _paper(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Seamless paper that runs from the wall onto the floor, brightest behind the person."""
    x, y, z = np.moveaxis(points, 2, 0)
    glow = np.exp(-((x / 11) ** 2) - ((y - 11) / 11) ** 2)
    shade = np.where(is_floor, 0.90 + 0.10 * _smooth(z, 9), 0.90 + 0.12 * glow)
    shade = cv2.GaussianBlur(shade.astype(np.float32), (0, 0), len(shade) * 0.02)
    return colour * shade[..., None]


def _plaster(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A plastered wall over a floor of concrete."""
    x, y, z = np.moveaxis(points, 2, 0)
    stains = _noise(rng, x.shape, 6, 3)
    wall = colour * (1 + 0.045 * stains + 0.02 * _noise(rng, x.shape, 3, 40) - 0.012 * (x - 4))[..., None]
    floor = np.array([0.42, 0.40, 0.38]) * (1 + 0.05 * stains + 0.1 * _smooth(z, 8))[..., None]
    wall = np.where((y < 0.9)[..., None], 0.82 * wall, wall)
    return np.where(is_floor[..., None], floor, wall)


def _room(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A living room: skirting, pictures, a sideboard or a plant, light from a window, boards."""
    x, y, z = np.moveaxis(points, 2, 0)
    side = float(rng.choice([-1, 1]))
    wall = colour * (1 - 0.02 * side * x + 0.01 * _noise(rng, x.shape, 4, 4))[..., None]
    slanted = x + 0.35 * (y - 10) * side  # what the window throws on the wall
    for k in (-1, 1):
        pane = _box(slanted, y, (side * -3.5 + 1.7 * k, 11.5), (1.45, 5.5))
        wall = wall * (1 + 0.28 * pane * np.array([1.1, 1.0, 0.8]))
    for place, half in ((side * 6.3, (1.9, 2.5)), (side * 10.8, (1.7, 1.7))):
        art = _PAINTS[rng.choice(len(_PAINTS), 2, replace=False)]
        wall = np.where(_box(x, y, (place, 15), half), _WALNUT, wall)
        wall = np.where(_box(x, y, (place, 15), (half[0] - 0.14, half[1] - 0.14)), 0.82, wall)
        wall = np.where(_box(x, y, (place, 15), (half[0] - 0.6, half[1] - 0.6)), art[0], wall)
        hill = _box(x, y, (place, 15), (half[0] - 0.6, half[1] - 0.6)) & (y < 14.6 + np.sin(x * 1.7))[..., None]
        wall = np.where(hill, art[1], wall)
    board = side * 8.0
    for middle, half, wood in (
        ((board, 3.9), (4.6, 2.6), _OAK),
        ((board, 6.55), (4.8, 0.12), _OAK * 1.25),
        ((board - 3.9, 0.6), (0.18, 0.8), _WALNUT),
        ((board + 3.9, 0.6), (0.18, 0.8), _WALNUT),
        *(((board + 2.3 * k, 3.9), (0.03, 2.6), _WALNUT) for k in (-1, 0, 1)),
    ):
        wall = np.where(_box(x, y, middle, half), wood, wall)
    wall = _plant(wall, x, y, (board - 2.6 * side, 6.6), rng)
    wall = np.where((y < 1.0)[..., None] & ~_box(x, y, (board, 0.6), (4.1, 0.8)), 0.80, wall)
    wall = np.where((np.abs(y - 1.02) < 0.06)[..., None], 0.5, wall)
    return np.where(is_floor[..., None], _planks(x, z, _PALE_OAK, rng, 1.4), wall)


def _plant(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, foot: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """A pot at `foot` with long leaves."""
    for _ in range(26):
        angle, length = rng.normal(0, 0.75), rng.uniform(1.6, 3.4)
        along = ((x - foot[0]) * np.sin(angle) + (y - foot[1] - 1) * np.cos(angle)) / length
        across = (x - foot[0]) * np.cos(angle) - (y - foot[1] - 1) * np.sin(angle)
        width = 0.34 * np.sqrt(np.clip(along * (1 - along), 0, 1))
        leaf = ((np.abs(across) < width) & (along > 0) & (along < 1))[..., None]
        image = np.where(leaf, _LEAF * rng.uniform(0.6, 2.2), image)
    return np.where(_box(x, y, (foot[0], foot[1] + 0.75), (0.8, 0.75)), np.array([0.62, 0.56, 0.48]), image)


def _brick(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A painted wall of bricks over dark boards."""
    x, y, z = np.moveaxis(points, 2, 0)
    row = np.floor(y / 0.75).astype(int)
    shifted = x / 2.5 + 0.5 * (row % 2)
    number = (row * 131 + np.floor(shifted).astype(int) * 17) % 997
    tint = rng.normal(1, 0.05, 997)[number] + 0.04 * _noise(rng, x.shape, 5, 12)
    joint = _smooth(np.minimum(0.5 - np.abs(shifted % 1 - 0.5), (0.5 - np.abs(y / 0.75 % 1 - 0.5)) * 0.3), 0.03)
    wall = colour * (tint * (0.80 + 0.20 * joint) * (1.03 - 0.012 * (x - 4)))[..., None]
    return np.where(is_floor[..., None], _planks(x, z, _OAK, rng, 1.6), wall)


def _street(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The other side of a street: houses with shops, doors and windows; slabs of stone."""
    x, y, z = np.moveaxis(points, 2, 0)
    image = np.ones((*x.shape, 1)) * colour
    left = -75.0 + rng.uniform(0, 10)
    while left < 75:
        width = rng.uniform(22, 38)
        own = colour * rng.uniform(0.55, 1.15) * (1 + rng.normal(0, 0.07, 3))
        image = np.where(_box(x, y, (left + width / 2, 50), (width / 2, 80)), own, image)
        image = np.where(_box(x, y, (left + width / 2, 31), (width / 2, 0.7)), own * 1.15, image)
        shop = rng.uniform(0.03, 0.3, 3)
        image = np.where(_box(x, y, (left + width / 2, 27.5), (width / 2 - 1, 2.2)), shop, image)
        image = np.where(_box(x, y, (left + width / 2, 13), (width / 2 - 1.5, 12)), _GLASS, image)
        for _ in range(9):  # what stands in the windows
            middle = left + rng.uniform(3, width - 3), rng.uniform(3, 22)
            lamp = np.array([1.0, 0.75, 0.45]) * rng.uniform(0.15, 0.95)
            image = np.where(_box(x, y, middle, tuple(rng.uniform(0.4, 2.2, 2))), lamp, image)
        image = np.where(_box(x, y, (left + width * 0.35, 14), (0.5, 13)), own * 0.5, image)
        for k in range(3):
            window = left + width * (k + 0.5) / 3
            image = np.where(_box(x, y, (window, 40), (2.6, 5.4)), 0.75, image)
            image = np.where(_box(x, y, (window, 40), (2.2, 5.0)), _GLASS * 2, image)
        left += width
    for place in rng.uniform(-45, 45, 3):  # posts and passers-by
        image = np.where(_box(x, y, (place, 20), (0.5, 30)), _IRON, image)
    far = _slabs(x, z, np.array([0.40, 0.385, 0.37]), rng, 6.0) * (0.85 + 0.2 * _smooth(z, 40))[..., None]
    far = np.where(((z > 6) & (z < 22))[..., None], np.array([0.16, 0.16, 0.165]), far)  # the carriageway
    return np.where(is_floor[..., None], far, image)


def _park(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Trees in the sun beyond a lawn and a path."""
    x, y, z = np.moveaxis(points, 2, 0)
    leaves, trees = _noise(rng, x.shape, 5, 9), _noise(rng, x.shape, 3, 3)
    green = _LEAF * 1.6 + np.array([0.20, 0.30, 0.07]) * np.clip(0.42 + 0.22 * leaves + 0.2 * trees, 0, 1)[..., None]
    sun = np.clip((leaves + 0.8 * trees - 1.1) * 1.4 + 0.02 * (y - 24), 0, 1)[..., None]
    image = green * (1 - sun) + sun * np.array([0.86, 0.90, 0.72])
    for place in rng.uniform(-40, 40, 5):
        image = np.where(_box(x + 0.02 * y, y, (place, 14), (rng.uniform(0.6, 1.5), 22)), _WALNUT * 0.8, image)
    lawn = np.array([0.13, 0.22, 0.05]) * (1 + 0.15 * leaves)[..., None]
    image = np.where((y < 2.5)[..., None], lawn * 0.9, image)
    path = colour * (0.95 + 0.05 * leaves + 0.1 * _smooth(z - 20, 20))[..., None]
    return np.where(is_floor[..., None], np.where((z < 26)[..., None], lawn, path), image)


def _table(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boards seen from above."""
    x, y, _ = np.moveaxis(points, 2, 0)
    return _planks(x + 0.35, y, colour, rng, 1.5)


def _linen(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cloth, not quite smooth."""
    x, y, _ = np.moveaxis(points, 2, 0)
    folds = _noise(rng, x.shape, 3, 2)
    weave = 0.012 * np.sin(x * 55) + 0.012 * np.sin(y * 55)
    return colour * (1 + 0.03 * folds + weave)[..., None]


def _sheet(points: np.ndarray, is_floor: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Evenly lit white or coloured board."""
    return np.broadcast_to(colour, points.shape)


SETS: dict[str, Set] = {
    "paper": Set(_paper, -9.0, 0.0),
    "plaster": Set(_plaster, -5.0, 0.0015),
    "brick": Set(_brick, -6.0, 0.003),
    "room": Set(_room, -16.0, 0.006),
    "street": Set(_street, -70.0, 0.013, 0.85),
    "park": Set(_park, -80.0, 0.016, 0.85),
    "white": Set(_sheet, -4.0, 0.0, 0.3, False),
    "sheet": Set(_sheet, 0.0, 0.0, 1.0, False),
    "table": Set(_table, 0.0, 0.0, 1.0, False),
    "linen": Set(_linen, 0.0, 0.0, 1.0, False),
}


def build_set(name: str, colour: np.ndarray, floor: float, behind: float, rng: np.random.Generator) -> Stage:
    """A stage.

    Args:
        name: key of `SETS`.
        colour: (3,) linear RGB of its main surface.
        floor: height of what is stood on, dm.
        behind: z of what stands before it, dm.
        rng: everything else.

    Raises:
        ValueError: there is no such set.
    """
    if name not in SETS:
        raise ValueError(f"There is no set {name!r}: choose one of {', '.join(SETS)}.")
    row = SETS[name]

    def paint(points: np.ndarray, is_floor: np.ndarray) -> np.ndarray:
        return row.paint(points, is_floor, colour, rng)

    floor_ = floor if row.has_floor else None
    return Stage(paint, floor_, behind + row.wall, row.blur, row.catches, seamless=row.paint is _paper)
