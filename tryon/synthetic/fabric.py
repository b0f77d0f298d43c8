"""Fabrics: what a garment is made of, painted on a flat square of 14.5 x 14.5 dm, both sides.

To add a pattern, write a function that paints `Cloth` and add a row to `PATTERNS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from tryon.synthetic.noise import fractal_noise, random_dye, random_hue
from tryon.synthetic.prints import MOTIFS, WORDS, add_print

WIDTH = 14.5  # dm; u runs from -7.25 to 7.25 and v from 6.5 (top) to -8
_CHEST = ("print", "text")
_PRINTABLE = ("plain", "gradient", "colourblock")


@dataclass(frozen=True)
class Cloth:
    """An undyed square: its side in pixels, two colours, further ones if given, and the dice for its pattern."""

    size: int
    base: np.ndarray
    accent: np.ndarray
    others: Sequence[np.ndarray]
    rng: np.random.Generator

    @property
    def pixels_per_dm(self) -> float:
        """Pixels in a decimetre."""
        return self.size / WIDTH

    def another(self) -> np.ndarray:
        """One of the further colours, or any if none are given."""
        if len(self.others):
            return self.others[int(self.rng.integers(len(self.others)))]
        return random_hue(self.rng)

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates u and v of every pixel, in dm."""
        rows, columns = np.mgrid[0 : self.size, 0 : self.size].astype(np.float32)
        return (columns / self.size - 0.5) * WIDTH, 6.5 - rows / self.size * WIDTH

    def mixed(self, share: np.ndarray) -> np.ndarray:
        """(n, n, 3): base where `share` is 0, accent where it is 1."""
        share = share[..., None]
        return self.base * (1 - share) + self.accent * share


def _plain(cloth: Cloth) -> np.ndarray:
    return np.broadcast_to(cloth.base, (cloth.size, cloth.size, 3))


def _striped(cloth: Cloth, along: np.ndarray) -> np.ndarray:
    width = cloth.rng.uniform(0.12, 0.9)
    phase = np.abs(along / width % 1 - 0.5)
    half = 0.25 if cloth.rng.random() < 0.6 else 0.38
    return cloth.mixed(np.clip((phase - half) * cloth.pixels_per_dm * width * 0.5 + 0.5, 0, 1))


def _stripes(cloth: Cloth) -> np.ndarray:
    return _striped(cloth, cloth.grid[1])


def _vertical_stripes(cloth: Cloth) -> np.ndarray:
    return _striped(cloth, cloth.grid[0])


def _check(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    width = cloth.rng.uniform(0.3, 1.0)
    share = ((u / width) % 1 < 0.5) * 0.5 + ((v / width) % 1 < 0.5) * 0.5
    pattern = cloth.mixed(share)
    if cloth.rng.random() < 0.5:
        line = ((u / width + 0.25) % 1 < 0.07) | ((v / width + 0.25) % 1 < 0.07)
        pattern = np.where(line[..., None], random_dye(cloth.rng), pattern)
    return pattern


def _dots(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    width = cloth.rng.uniform(0.25, 0.8)
    radius = cloth.rng.uniform(0.2, 0.38)
    row = np.floor(v / width) % 2
    distance = np.hypot((u / width + 0.5 * row) % 1 - 0.5, (v / width) % 1 - 0.5)
    return cloth.mixed(np.clip((radius - distance) * cloth.pixels_per_dm * width + 0.5, 0, 1))


def _floral(cloth: Cloth) -> np.ndarray:
    rng, sides = cloth.rng, []
    for _ in range(2):
        image = np.tile(cloth.base.astype(np.float32), (cloth.size, cloth.size, 1))
        for _ in range(int(rng.integers(90, 260))):
            centre = rng.uniform(0, cloth.size, 2)
            radius = rng.uniform(0.12, 0.45) * cloth.pixels_per_dm
            colour = cloth.accent if rng.random() < 0.5 else cloth.another()
            petals, turn = int(rng.integers(4, 8)), rng.uniform(0, 6)
            for j in range(petals):
                angle = turn + j * 6.283 / petals
                petal = centre + radius * 0.6 * np.array([np.cos(angle), np.sin(angle)])
                _dot(image, petal, radius * 0.42, colour)
            _dot(image, centre, radius * 0.28, (0.7, 0.5, 0.05))
        sides.append(image)
    return np.stack(sides)


def _dot(image: np.ndarray, centre: np.ndarray, radius: float, colour: Sequence[float]) -> None:
    fixed = tuple(int(c) for c in np.int32(8 * centre))
    cv2.circle(image, fixed, int(8 * radius), tuple(map(float, colour)), -1, cv2.LINE_AA, 3)


def _gradient(cloth: Cloth) -> np.ndarray:
    return cloth.mixed(np.clip((cloth.grid[1] + 1) / 6, 0, 1))


def _colourblock(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    if cloth.rng.random() < 0.6:
        return cloth.mixed((v > cloth.rng.uniform(2, 4.2)) * 1.0)
    return cloth.mixed((u > 0) * 1.0)


def _tie_dye(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    noise = fractal_noise(cloth.rng, cloth.size, 4, 10)
    return cloth.mixed(np.clip(np.sin(np.hypot(u, v - 3) * 2.2 + noise * 1.2) * 0.8 + 0.5, 0, 1))


def _camouflage(cloth: Cloth) -> np.ndarray:
    noise = fractal_noise(cloth.rng, cloth.size, 4, 10)[..., None]
    pattern = np.where(noise > 0.3, cloth.accent, cloth.base)
    pattern = np.where(noise > 0.9, cloth.accent * 0.4, pattern)
    return np.where(noise < -1.1, cloth.base * 0.5, pattern)


# Pattern -> painter and how often it is drawn. A painter returns one (n, n, 3) image for both
# sides or (2, n, n, 3) for front and back.
PATTERNS: dict[str, tuple[Callable[[Cloth], np.ndarray], float]] = {
    "plain": (_plain, 0.16),
    "print": (_plain, 0.20),
    "text": (_plain, 0.12),
    "stripes": (_stripes, 0.11),
    "vertical_stripes": (_vertical_stripes, 0.04),
    "check": (_check, 0.09),
    "dots": (_dots, 0.07),
    "floral": (_floral, 0.08),
    "gradient": (_gradient, 0.03),
    "colourblock": (_colourblock, 0.04),
    "tie_dye": (_tie_dye, 0.03),
    "camouflage": (_camouflage, 0.03),
}


def _draw_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two dyes that can be told apart."""
    base, accent = random_dye(rng), random_dye(rng)
    for _ in range(4):
        if np.abs(base - accent).sum() > 0.35:
            break
        accent = random_dye(rng)
    return base, accent


def make_fabric(
    rng: np.random.Generator,
    size: int,
    pattern: str | None = None,
    *,
    colours: tuple[np.ndarray, np.ndarray] | None = None,
    others: Sequence[np.ndarray] = (),
    words: Sequence[str] = WORDS["train"],
    motifs: Sequence[str] = tuple(MOTIFS),
    printed: bool = True,
) -> np.ndarray:
    """Weave, dye and print a fabric.

    Args:
        rng: source of everything not given.
        size: side in pixels.
        pattern: key of `PATTERNS`; None draws one.
        colours: two (3,) linear RGB colours, cloth and pattern; None draws them.
        others: further (3,) colours for patterns with many; none means any.
        words: what may be printed on it.
        motifs: which motifs may be printed on it.
        printed: False draws no pattern with a picture or word on the chest.

    Returns:
        (2, size, size, 3) float32 linear RGB in [0, 0.95]: front and back.

    Raises:
        ValueError: there is no such pattern.
    """
    base, accent = colours or _draw_colours(rng)
    if pattern is None:
        odds = np.array([odds * (printed or name not in _CHEST) for name, (_, odds) in PATTERNS.items()])
        pattern = str(rng.choice(list(PATTERNS), p=odds / odds.sum()))
    if pattern not in PATTERNS:
        raise ValueError(f"There is no pattern {pattern!r}: choose one of {', '.join(PATTERNS)}.")
    image = PATTERNS[pattern][0](Cloth(size, base, accent, others, rng))
    fabric = np.broadcast_to(image, (2, size, size, 3)).astype(np.float32)
    if pattern in _CHEST or (printed and colours is None and pattern in _PRINTABLE and rng.random() < 0.25):
        sides = [0] if rng.random() < 0.75 else [0, 1]
        for side in sides:
            fabric[side] = add_print(fabric[side], pattern, (base, accent), words, motifs, others, rng)
    return np.clip(fabric, 0, 0.95)
