"""Skin texture: tone, lips, brows, stubble and the mottling of real skin."""

from functools import cache

import cv2
import numpy as np
from scipy.spatial import cKDTree

from tryon.synthetic.asset import load_body
from tryon.synthetic.hair import Hair, above_hairline
from tryon.synthetic.noise import fractal_noise
from tryon.synthetic.raster import empty_frame, rasterise

TONES = np.array(  # linear RGB
    [
        [0.74, 0.52, 0.42],
        [0.68, 0.45, 0.34],
        [0.58, 0.36, 0.25],
        [0.45, 0.27, 0.17],
        [0.31, 0.17, 0.10],
        [0.19, 0.10, 0.06],
        [0.12, 0.065, 0.04],
        [0.78, 0.58, 0.49],
    ]
)
_BLUSH = (((0.5, 6.95, 1.15), 0.02), ((-0.5, 6.95, 1.15), 0.02), ((0, 6.9, 1.65), 0.012))
_CHIN = (0, 6.35, 1.35)


def random_tone(rng: np.random.Generator) -> np.ndarray:
    """(3,) linear RGB between two neighbours of `TONES`."""
    index, share = rng.integers(len(TONES)), rng.uniform()
    return TONES[index] * (1 - 0.3 * share) + TONES[(index + 1) % 7] * 0.3 * share


def _uv_near(point: tuple[float, float, float]) -> np.ndarray:
    """Texture coordinate of the body vertex nearest to a point of the unmorphed body."""
    body = load_body()
    index = body.body_vertices
    distance = ((body.vertices[index] - np.array(point)) ** 2).sum(1)
    return body.vertex_uv[index[np.argmin(distance)]]


@cache
def _scalp_map(size: int) -> np.ndarray:
    """(size, size) float32: dm above the hairline for every texel, -1 off the skin."""
    body = load_body()
    corners = body.body_corner_uv.reshape(-1, 2) * [1, -1] + [0, 1]
    triangles = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    seen = empty_frame(size)
    rasterise(seen, corners, np.ones(len(corners)), triangles)
    height = above_hairline(body.vertices)[body.triangles[seen.triangle]]
    height = (
        height[..., 0] * (1 - seen.second - seen.third) + height[..., 1] * seen.second + height[..., 2] * seen.third
    )
    return np.where(seen.triangle >= 0, height, -1).astype(np.float32)


@cache
def _brow_line(side: int) -> np.ndarray:
    """(14, 2) texture coordinates along a brow from the nose outwards; side is 1 or -1."""
    body = load_body()
    x = np.linspace(0.12, 0.62, 14)
    arch = 0.74 + 0.22 * np.sin(np.clip((x - 0.12) / 0.5, 0, 1) * 2.6)
    index = body.body_vertices
    _, y, z = body.vertices[index].T
    index = index[(y > 7.2) & (y < 7.95) & (z > 0.7)]
    line = np.stack([x * side, 7.28 + 0.30 * arch], 1)
    distance, nearest = cKDTree(body.vertices[index][:, :2]).query(line, k=4)
    share = 1 / (distance + 1e-3) ** 2
    share /= share.sum(1, keepdims=True)
    uv = (body.vertex_uv[index[nearest]] * share[..., None]).sum(1)
    along = np.linspace(-1, 1, len(uv))
    return np.stack([np.polyval(np.polyfit(along, axis, 2), along) for axis in uv.T], 1)


def _draw_brow(canvas: np.ndarray, side: int, strength: float, rng: np.random.Generator) -> None:
    """Paint a brow into a uint8 canvas: a tapered band, then single hairs."""
    size = len(canvas)
    uv = _brow_line(side)
    line = np.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size], 1)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.stack([along[:, 1], -along[:, 0]], 1)
    taper = np.interp(np.linspace(0, 1, len(line)), [0, 0.3, 1], [0.9, 1, 0.15])[:, None]
    half = size * 0.0022 * strength * taper
    outline = np.concatenate([line + across * half, (line - across * half)[::-1]])
    cv2.fillPoly(canvas, [np.int32(8 * outline)], 170, cv2.LINE_AA, 3)
    for _ in range(90):
        position = rng.uniform(0, len(line) - 2)
        i = int(position)
        root = line[i] * (1 - position + i) + line[i + 1] * (position - i)
        step = line[i + 1] - line[i]
        step /= np.linalg.norm(step) + 1e-6
        up = np.array([step[1], -step[0]])
        up *= np.sign(-up[1]) if up[1] else 1
        width = size * 0.0030 * strength * np.interp(position, np.arange(len(line)), taper[:, 0])
        root = root + up * np.clip(rng.normal(0, 0.4), -0.7, 0.7) * width
        tip = root + step * size * 0.005 + up * size * 0.0018
        start, end = (tuple(int(c) for c in 8 * p) for p in (root, tip))
        cv2.line(canvas, start, end, 255, 1, cv2.LINE_AA, 3)


def skin_texture(rng: np.random.Generator, tone: np.ndarray, hair: Hair, gender: float, size: int) -> np.ndarray:
    """Paint the skin of one person.

    Args:
        rng: source of everything personal in it.
        tone: (3,) linear RGB.
        hair: gives the colour of brows and stubble, and of the scalp under it.
        gender: as in `BodyShape`; only men have stubble, only women painted lips.
        size: side in pixels.

    Returns:
        (size, size, 3) float32 linear RGB in [0, 1] over the body's texture space.
    """
    masks = load_body().masks
    male = gender > 0.5

    def mask(name: str) -> np.ndarray:
        resized = cv2.resize(masks[name], (size, size))
        return cv2.GaussianBlur(resized, (0, 0), size / 512)[..., None] / 255.0

    skin = np.tile(tone.astype(np.float32), (size, size, 1))
    skin *= (1 + 0.045 * fractal_noise(rng, size, 6, 6))[..., None]
    mottling = fractal_noise(rng, size, 4, 5)
    skin[..., 0] *= 1 + 0.03 * mottling
    skin[..., 2] *= 1 - 0.02 * mottling
    lip_colour = tone * np.array([0.95, 0.60, 0.60]) * (1 if male else rng.uniform(0.75, 1.0))
    if gender < 0.5 and rng.random() < 0.35:
        lip_colour = np.array([0.45, 0.06, 0.08]) * rng.uniform(0.6, 1.2)
    lips = mask("lips")
    skin = skin * (1 - lips) + lip_colour * lips
    skin *= 1 - mask("ears") * np.array([0, 0.10, 0.10])
    nails = 0.4 * mask("fingernails")
    skin = skin * (1 - nails) + nails * (tone * 1.2 + 0.05)
    skin *= 1 - mask("eyelids") * np.array([0.18, 0.22, 0.2]) * (1 if male else 1.5)

    rows, columns = np.mgrid[0:size, 0:size] / size
    for point, radius in _BLUSH:
        u, v = _uv_near(point)
        squared = (columns - u) ** 2 + (rows - (1 - v)) ** 2
        blush = np.exp(-squared / (2 * radius**2))[..., None]
        skin *= 1 - blush * 0.12 * np.array([0, 1, 0.9])
    if male and rng.random() < 0.6:
        u, v = _uv_near(_CHIN)
        beard = ((columns - u) / 0.07) ** 2 + ((rows - (1 - v)) / 0.035) ** 2
        beard = np.exp(-beard)[..., None] * (1 - lips)
        skin = skin * (1 - beard * rng.uniform(0.1, 0.5))
        skin += beard * hair.colour * 0.3 * rng.uniform(0.1, 0.5)

    if hair.style != "bald":  # a soft hairline
        roots = np.clip((_scalp_map(size) + 0.04 + 0.03 * mottling) / 0.2, 0, 1)[..., None] * 0.8
        skin = skin * (1 - roots) + roots * hair.colour * 0.8
    canvas = np.zeros((size, size), np.uint8)
    strength = rng.uniform(0.7, 1.3)
    for side in (1, -1):
        _draw_brow(canvas, side, strength, rng)
    brows = cv2.GaussianBlur(canvas, (0, 0), size / 1500 + 0.3)[..., None] / 255.0
    skin = skin * (1 - 0.85 * brows) + 0.85 * brows * hair.colour * 0.6
    return np.clip(skin, 0, 1).astype(np.float32)
