"""Fractal noise and random colours that several textures share."""

import cv2
import numpy as np


def fractal_noise(
    rng: np.random.Generator, size: int, octaves: int = 5, base: int = 4, decay: float = 0.55
) -> np.ndarray:
    """(size, size) float32 noise with standard deviation 1; `base` is the coarsest grid."""
    noise = np.zeros((size, size), np.float32)
    amplitude = 1.0
    for octave in range(octaves):
        cells = min(size, base << octave)
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        noise += amplitude * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        amplitude *= decay
    return noise / noise.std()


def random_hue(
    rng: np.random.Generator,
    saturation: tuple[float, float] = (0.1, 0.9),
    value: tuple[float, float] = (0.15, 0.95),
) -> np.ndarray:
    """(3,) float32 linear RGB of a random hue; the ranges are those of the sRGB colour."""
    hsv = [rng.integers(180), 255 * rng.uniform(*saturation), 255 * rng.uniform(*value)]
    rgb = cv2.cvtColor(np.array([[hsv]]).astype(np.uint8), cv2.COLOR_HSV2RGB)[0, 0] / 255.0
    return rgb.astype(np.float32) ** 2.2 * 0.85 + 0.015


def random_dye(rng: np.random.Generator) -> np.ndarray:
    """(3,) linear RGB of a piece of cloth: white, black and grey are as common as in shops."""
    kind = rng.random()
    if kind < 0.2:
        return np.full(3, rng.uniform(0.55, 0.85)) * np.array([1, 0.99, 0.96])
    if kind < 0.35:
        return np.full(3, rng.uniform(0.012, 0.05))
    if kind < 0.5:
        return np.full(3, rng.uniform(0.08, 0.4))
    if kind < 0.88:  # most dyes are muted
        return random_hue(rng, (0.15, 0.75), (0.2, 0.88))
    return random_hue(rng, (0.5, 0.95), (0.5, 0.95))


def srgb(red: int, green: int, blue: int) -> np.ndarray:
    """(3,) linear RGB of an 8-bit sRGB colour, as cloth reflects it."""
    return (np.array([red, green, blue]) / 255.0) ** 2.2
