"""Made-up places for a figure to stand in, and cloth-like unevenness for it to wear, cheap enough for a data loader."""

import math
from collections.abc import Callable

import cv2
import numpy as np

Patch = Callable[[], np.ndarray]


def cloudy(shape: tuple[int, int], rng: np.random.Generator, roughness: float) -> np.ndarray:
    """(h, w, 3) float32 noise of about unit spread, from coarse to fine.

    Args:
        shape: h, w.
        rng: source of chance.
        roughness: how much weaker each octave is than the one twice as coarse; 1 is as strong, 0 smooth.
    """
    height, width = shape
    total, strength, cells = np.zeros((height, width, 3), np.float32), 1.0, 2
    # one colour mostly, as light and dirt change the brightness of a surface more than its hue
    while cells <= min(height, width) // 4 and strength > 0.05:
        octave = rng.standard_normal((cells, cells, 1), np.float32)
        octave = octave + 0.3 * rng.standard_normal((cells, cells, 3), np.float32)
        total += strength * cv2.resize(octave, (width, height), interpolation=cv2.INTER_LINEAR)
        strength, cells = strength * roughness, cells * 2
    return total


def background(size: int, patch: Patch, rng: np.random.Generator) -> np.ndarray:
    """A wall, a room, a street or a table, as far as their colours and edges go.

    Args:
        size: side in pixels.
        patch: draws a (size, size, 3) uint8 close-up of something.
        rng: source of chance.

    Returns:
        (size, size, 3) uint8.
    """
    canvas = _surface(size, patch, rng)
    if rng.random() < 0.4:  # a floor
        edge, tilt = rng.integers(size // 2, size), rng.integers(-size // 12, size // 12 + 1)
        corners = np.array([[0, edge - tilt], [size, edge + tilt], [size, size], [0, size]], np.int32)
        _fill(canvas, [corners], _surface(size, patch, rng))
    things = int(rng.integers(1, 9)) if rng.random() < 0.6 else 0
    for _ in range(things):
        _fill(canvas, [_outline(size, rng)], _surface(size, patch, rng))
    if rng.random() < 0.3:  # posts, railings, window frames
        slant, colour = rng.normal(0, 0.15), rng.integers(256, size=3).tolist()
        upright, thickness = rng.random() < 0.7, int(rng.integers(1, size // 12))
        for start in np.cumsum(rng.uniform(size / 20, size / 3, 8)) - size / 10:
            ends = [(start, 0), (start + slant * size, size)]
            ends = [(round(x), round(y)) if upright else (round(y), round(x)) for x, y in ends]
            cv2.line(canvas, *ends, colour, thickness, cv2.LINE_AA)
    if rng.random() < 0.3:  # out of focus
        canvas = cv2.GaussianBlur(canvas, (0, 0), math.exp(rng.uniform(-0.5, 1.6)))
    return canvas


def cover(image: np.ndarray, parsing: np.ndarray, patch: Patch, rng: np.random.Generator) -> None:
    """Hold some thing (a bag, a phone, a table's edge) before the figure, in place; it is background.

    Args:
        image: (H, W, 3) uint8.
        parsing: (h, w) uint8, h a whole part of H.
        patch: as for `background`.
        rng: source of chance.
    """
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_outline(size, rng, 0.12)], 1)
    image[mask > 0] = _surface(size, patch, rng)[mask > 0]
    parsing[cv2.resize(mask, parsing.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0] = 0


def _surface(size: int, patch: Patch, rng: np.random.Generator) -> np.ndarray:
    """(size, size, 3) uint8: a plain colour, an uneven one, a gradient or a close-up."""
    kind = rng.random()
    if kind < 0.3:
        return patch()
    colour = rng.integers(256, size=3) if rng.random() < 0.5 else rng.integers(256) + rng.normal(0, 8, 3)
    if kind < 0.5:
        return np.broadcast_to(np.clip(colour, 0, 255).astype(np.uint8), (size, size, 3)).copy()
    uneven = cloudy((size, size), rng, rng.uniform(0, 0.9)) * rng.uniform(5, 45)
    return np.clip(colour + uneven, 0, 255).astype(np.uint8)


def _outline(size: int, rng: np.random.Generator, scale: float = 0.25) -> np.ndarray:
    """(k, 2) int32 corners of something with straight or round sides, about `scale` of the picture large."""
    corners = int(rng.choice([4, 4, 5, 24]))
    angles = np.sort(np.arange(corners) * 2 * math.pi / corners + rng.normal(0, 0.15, corners)) + rng.uniform(0, 7)
    reach = size * scale * np.exp(rng.normal(0, 0.6, 2))
    points = rng.uniform(0, size, 2) + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
    return points.astype(np.int32)


def _fill(canvas: np.ndarray, polygons: list[np.ndarray], surface: np.ndarray) -> None:
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, polygons, 1)
    np.copyto(canvas, surface, where=mask[..., None] > 0)
