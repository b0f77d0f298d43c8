"""Prints: motifs and words on the chest of a garment.

A motif draws itself into one side of a fabric. To add one, write a function with the signature of
the others and add it to `MOTIFS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tryon.synthetic.noise import fractal_noise, random_hue

WORDS = {  # by split: no printed word is seen in both
    "train": (
        *(
            "NORTH",
            "ROAM",
            "MUSE",
            "1987",
            "COAST",
            "LUMEN",
            "ECHO",
            "ATLAS",
            "FIELD",
            "NOVA",
            "ORBIT",
            "TIDE",
            "BLOOM",
        ),
        *("CLUB", "42", "SOUTH", "WILD", "HAVEN", "PULSE", "DRIFT", "RIO", "KYOTO", "OSLO", "LIMA", "ZERO"),
    ),
    "heldout": (
        *("VEGA", "EAST", "RIVER", "2001", "SOLO", "AMBER", "CEDAR", "LUNA", "DELTA", "FJORD", "77", "PARIS", "QUIET"),
        *("GROVE", "MISTRAL"),
    ),
}
_FONTS = (
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_SHIFT = 3  # drawing coordinates have three binary places


@dataclass(frozen=True)
class Spot:
    """Where and in which colours a motif goes: centre x, y and half size in pixels."""

    x: float
    y: float
    size: float
    colours: tuple[np.ndarray, np.ndarray, np.ndarray]  # main, second, cloth

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """Points given in half sizes from the centre, as fixed-point pixels."""
        return np.int32((1 << _SHIFT) * (np.array([self.x, self.y]) + np.array(points) * self.size))


def _colour(rgb: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, rgb))


def _disc(image: np.ndarray, spot: Spot, radius: float, rgb: np.ndarray) -> None:
    centre = tuple(int(c * (1 << _SHIFT)) for c in (spot.x, spot.y))
    size = int(spot.size * radius * (1 << _SHIFT))
    cv2.circle(image, centre, size, _colour(rgb), -1, cv2.LINE_AA, _SHIFT)


def _fill(image: np.ndarray, spot: Spot, outline: np.ndarray, rgb: np.ndarray) -> None:
    cv2.fillPoly(image, [spot.fixed(outline)], _colour(rgb), cv2.LINE_AA, _SHIFT)


def _circle(image: np.ndarray, spot: Spot, rng: np.random.Generator) -> None:
    _disc(image, spot, 1, spot.colours[0])
    _disc(image, spot, 5 / 8, spot.colours[1])


def _star(image: np.ndarray, spot: Spot, rng: np.random.Generator) -> None:
    corners = np.arange(2 * int(rng.integers(3, 8)))
    angle = corners * 2 * np.pi / len(corners) - np.pi / 2
    radius = np.where(corners % 2, rng.uniform(0.4, 0.95), 1)
    outline = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    _fill(image, spot, outline, spot.colours[0])


def _heart(image: np.ndarray, spot: Spot, rng: np.random.Generator) -> None:
    a = np.linspace(0, 6.28, 80)
    x = 16 * np.sin(a) ** 3
    y = 13 * np.cos(a) - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a)
    _fill(image, spot, 0.062 * np.stack([x, -y], 1), spot.colours[0])


def _sun(image: np.ndarray, spot: Spot, rng: np.random.Generator) -> None:
    for angle in np.arange(12) * np.pi / 6:
        start, end = spot.fixed([(0, 0), (np.cos(angle), np.sin(angle))])
        width = max(1, int(spot.size * 0.1))
        ends = tuple(map(int, start)), tuple(map(int, end))
        cv2.line(image, *ends, _colour(spot.colours[0]), width, cv2.LINE_AA, _SHIFT)
    _disc(image, spot, 0.55, spot.colours[1])


def _photo(image: np.ndarray, spot: Spot, rng: np.random.Generator) -> None:
    half = int(spot.size)
    noise = fractal_noise(rng, max(8, 2 * half), 4, 3)
    first, second = random_hue(rng), random_hue(rng)
    share = np.clip(noise * 0.4 + 0.5, 0, 1)[..., None]
    block = (first * share + second * (1 - share)).astype(np.float32)
    top, left = max(0, int(spot.y - half)), max(0, int(spot.x - half))
    area = image[top : top + 2 * half, left : left + 2 * half]
    area[:] = block[: area.shape[0], : area.shape[1]]


def _rings(image: np.ndarray, spot: Spot, rng: np.random.Generator) -> None:
    for k in range(5):
        _disc(image, spot, 1 - k * 0.19, spot.colours[0 if k % 2 == 0 else 2])


def _mountains(image: np.ndarray, spot: Spot, rng: np.random.Generator) -> None:
    for rgb in (spot.colours[0], spot.colours[1], spot.colours[0] * 0.5):
        x = rng.uniform(-0.6, 0.6)
        peak = rng.uniform(0.3, 1)
        _fill(image, spot, [(x - 0.8, 0.6), (x, -peak), (x + 0.8, 0.6)], rgb)


MOTIFS: dict[str, Callable[[np.ndarray, Spot, np.random.Generator], None]] = {
    "circle": _circle,
    "star": _star,
    "polygon": _star,
    "heart": _heart,
    "sun": _sun,
    "photo": _photo,
    "rings": _rings,
    "mountains": _mountains,
}


def _write(
    image: np.ndarray,
    spot: Spot,
    pixels_per_dm: float,
    below: bool,
    words: Sequence[str],
    rng: np.random.Generator,
) -> np.ndarray:
    """A word at the spot, or below it."""
    word, font = str(rng.choice(words)), int(rng.choice(_FONTS))
    (width, height), _ = cv2.getTextSize(word, font, 1, 2)
    scale = 2.6 * pixels_per_dm / width * rng.uniform(0.6, 1.05)
    y = spot.y + (spot.size + height * scale * 1.4 if below else 0)
    ink = np.zeros(image.shape[:2], np.uint8)
    thickness = max(1, int(scale * rng.uniform(2, 5)))
    origin = (int(spot.x - width * scale / 2), int(y))
    cv2.putText(ink, word, origin, font, scale, 255, thickness, cv2.LINE_AA)
    share = ink[..., None] / 255.0
    return (image * (1 - share) + spot.colours[0] * share).astype(np.float32)


def add_print(
    image: np.ndarray,
    kind: str,
    colours: tuple[np.ndarray, np.ndarray],
    words: Sequence[str],
    motifs: Sequence[str],
    others: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Print a motif, a word or both on the chest of one side of a fabric.

    Args:
        image: (n, n, 3) float32 linear RGB, one side of a fabric of 14.5 x 14.5 dm.
        kind: "text" for a word alone; "print" for a motif; else a word, or rarely a small motif.
        colours: colour of the cloth, and of the print.
        words: what may be written.
        motifs: which of `MOTIFS` may be drawn.
        others: second colour of a motif, if any; none means any.
        rng: chooses the rest.

    Returns:
        A printed copy of `image`.
    """
    image = image.copy()
    n = len(image)
    pixels_per_dm = n / 14.5
    x = n / 2 + rng.normal(0, 0.06) * pixels_per_dm
    y = (6.5 - rng.uniform(2.9, 3.7)) * pixels_per_dm
    size = rng.uniform(0.7, 1.5) * pixels_per_dm
    small = rng.random() < 0.2
    if small:  # on the left or right breast
        size *= 0.33
        x += rng.choice([-1, 1]) * 0.85 * pixels_per_dm
        y = (6.5 - 3.9) * pixels_per_dm
    cloth, ink = colours
    spot = Spot(x, y, size, (ink, ink, cloth))
    if kind == "print" or small:
        motif = MOTIFS[str(rng.choice(motifs))]
        second = others[0] if len(others) else random_hue(rng)
        spot = Spot(x, y, size, (ink, second, cloth))
        motif(image, spot, rng)
    if kind == "text" or rng.random() < 0.25:
        image = _write(image, spot, pixels_per_dm, kind != "text", words, rng)
    return image
