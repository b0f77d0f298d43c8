"""Prints: motifs and words on the chest of a garment.

A motif draws itself into one side of a fabric. To add one, write a function with the signature of
the others and add it to `MOTIFS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

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


def _letters(word: str, height: int, bold: float, spread: float) -> np.ndarray:
    """(h, w) uint8: a word in capitals `height` pixels high, bolder or wider than its type."""
    font = ImageFont.load_default(size=max(height, 12))
    stroke = round(bold * font.size)
    left, top, right, bottom = font.getbbox(word, stroke_width=stroke)
    page = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(page).text((1 - left, 1 - top), word, 255, font, stroke_width=stroke)
    width = max(1, round(page.width * spread * height / max(height, 12)))
    return np.asarray(page.resize((width, max(1, round(page.height * height / max(height, 12)))), Image.LANCZOS))


def _arched(ink: np.ndarray, bend: float) -> np.ndarray:
    """Letters along an arch `bend` times as high as they are."""
    height, width = ink.shape
    rise = round(abs(bend) * height)
    tall = np.pad(ink, ((rise, 0), (0, 0)))
    drop = rise * (1 - np.linspace(-1, 1, width) ** 2) * np.sign(bend)
    rows = (np.arange(rise + height)[:, None] + drop + (rise if bend < 0 else 0)).astype(np.float32)
    columns = np.broadcast_to(np.arange(width, dtype=np.float32), rows.shape)
    return cv2.remap(tall, columns.copy(), rows, cv2.INTER_LINEAR)


def _write(
    image: np.ndarray, spot: Spot, pixels_per_dm: float, below: bool, words: Sequence[str], rng: np.random.Generator
) -> None:
    """One or two words around the spot, or one below it."""
    lines = [str(rng.choice(words))]
    if not below and rng.random() < 0.3:
        lines.append(str(rng.choice(words)))
    widest = rng.uniform(1.6, 2.9) * pixels_per_dm
    bold, spread = float(rng.choice([0.0, 0.05, 0.09])), rng.uniform(0.8, 1.25)
    bend = float(rng.choice([0, 0, 0, rng.uniform(0.4, 0.8)])) if len(lines) == 1 and not below else 0.0
    top = spot.y + spot.size * 1.1 if below else spot.y
    for word in lines:
        size = _letters(word, 40, bold, spread).shape
        ink = _letters(word, max(3, round(40 * min(widest / size[1], 1.1 * pixels_per_dm / size[0]))), bold, spread)
        if bend:
            ink = _arched(ink, bend)
        left, first = round(spot.x - ink.shape[1] / 2), round(top)
        area = image[first : first + ink.shape[0], max(left, 0) : left + ink.shape[1]]
        share = ink[: area.shape[0], max(-left, 0) :][:, : area.shape[1], None] / np.float32(255)
        area += share * (spot.colours[0].astype(np.float32) - area)
        top += ink.shape[0] * 1.25


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
    size = rng.uniform(0.7, 1.7) * pixels_per_dm
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
        _write(image, spot, pixels_per_dm, kind != "text", words, rng)
    return image
