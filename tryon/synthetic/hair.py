"""Hair: a shell lifted off the scalp, with a curtain of strands or a bun for longer styles."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from tryon.synthetic import mesh, parts
from tryon.synthetic.asset import load_body
from tryon.synthetic.pose import Skeleton
from tryon.synthetic.quality import Quality

STYLES = ("bald", "buzz", "short", "bob", "long", "bun")
_STYLE_ODDS = {
    "female": (0.01, 0.03, 0.14, 0.27, 0.42, 0.13),
    "male": (0.04, 0.14, 0.34, 0.16, 0.24, 0.08),
}
COLOURS = {  # linear RGB
    "black": (0.035, 0.028, 0.022),
    "dark brown": (0.06, 0.04, 0.028),
    "brown": (0.13, 0.075, 0.04),
    "light brown": (0.25, 0.15, 0.07),
    "blond": (0.45, 0.31, 0.15),
    "fair": (0.55, 0.45, 0.30),
    "red": (0.28, 0.10, 0.04),
    "grey": (0.45, 0.44, 0.42),
}
_COLOUR_ODDS = (0.27, 0.22, 0.18, 0.12, 0.08, 0.05, 0.04, 0.04)
# Height of the hairline over z (nape ... forehead) on the unmorphed head.
_HAIRLINE = (
    (-1, 0.05, 0.35, 0.62, 0.8, 1.0, 1.2, 1.5),
    (6.55, 6.62, 7.0, 7.35, 7.62, 7.88, 8.0, 8.1),
)
_CROWN_POINTS = 14  # points of a strand that lie on the head before it falls free


@dataclass(frozen=True)
class Hair:
    """How hair is worn: style out of `STYLES`, linear RGB colour, lengths in dm.

    `seed` fixes the strands, so that a person keeps the same hair in every picture.
    """

    style: str
    colour: np.ndarray
    thickness: float = 0.2
    length: float = 3.0
    wave: float = 0.05
    seed: int = 0


class HairMesh(NamedTuple):
    """Posed hair: (n, 3) vertices, (T, 3) triangles, (n, 2) position across and along strands."""

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray


class _Head(NamedTuple):
    """Ellipsoid around the unposed head: centre and radii."""

    centre: np.ndarray
    radii: np.ndarray


def random_hair(rng: np.random.Generator, gender: float) -> Hair:
    """Hair of a random person; `gender` as in `BodyShape`."""
    style = str(rng.choice(STYLES, p=_STYLE_ODDS["male" if gender > 0.5 else "female"]))
    colour = np.array(list(COLOURS.values()))[rng.choice(len(COLOURS), p=_COLOUR_ODDS)]
    colour = colour * rng.uniform(0.8, 1.2)
    return Hair(
        style=style,
        colour=colour,
        thickness=float(rng.uniform(0.10, 0.28)),
        length=float(rng.uniform(2.2, 4.2)),
        seed=int(rng.integers(1 << 30)),
        wave=float(rng.uniform(0, 0.12)),
    )


def above_hairline(point: np.ndarray) -> np.ndarray:
    """(n,) dm above the hairline, for (n, 3) points of the unmorphed head."""
    return point[:, 1] - np.interp(point[:, 2], *_HAIRLINE)


@cache
def _scalp(level: int) -> tuple[np.ndarray, sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Triangles, map, height above the hairline and strand coordinates of the hairy scalp."""
    body = load_body()
    quads = body.quads["body"]
    centre = body.vertices[quads].mean(1)
    bald = parts.ear_mask()[quads].any(1) | (np.abs(centre[:, 0]) >= 0.95)
    quads, used = mesh.compact(quads[(centre[:, 1] > 6.3) & ~bald])
    weights = mesh.selection(used, len(body.vertices))
    for _ in range(level):
        quads, weights = mesh.subdivide(quads, weights)
    x, y, z = np.asarray(weights @ body.vertices).T
    ragged = 0.03 * np.sin(x * 17) * np.sin(y * 13 + z * 11)
    field = above_hairline(np.stack([x, y, z], 1)) + ragged
    triangles, weights = mesh.clip(mesh.split_quads(quads), weights, field)
    point = np.asarray(weights @ body.vertices)
    middle = np.array([0, 7.45, 0.25])
    around = np.arctan2(point[:, 0], -(point[:, 2] - middle[2]))
    height = (point[:, 1] - middle[1]) / np.linalg.norm(point - middle, axis=1)
    down = np.arccos(np.clip(height, -1, 1))
    uv = np.stack([around * 1.1, down], 1).astype(np.float32)
    return triangles, weights.astype(np.float32), above_hairline(point), uv


def _cap(
    hair: Hair, unposed: np.ndarray, level: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, _Head]:
    """The shell on the scalp, unposed, and the head it sits on."""
    triangles, weights, above, uv = _scalp(level)
    point = np.asarray(weights @ unposed, np.float32)
    top = point[:, 1].max()
    depth = (point[:, 2].max() + point[:, 2].min()) / 2
    middle = np.array([0, top - 1.0, depth], np.float32)
    outwards = point - middle
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    normal = 0.25 * mesh.vertex_normals(point, triangles) + 0.75 * outwards
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    thickness = 0.03 if hair.style == "buzz" else hair.thickness
    inner = np.clip(above / 0.55, 0, 1)
    inner = inner * inner * (3 - 2 * inner)
    phase = rng.uniform(0, 6), rng.uniform(0, 6)
    waves = 0.5 + 0.5 * np.sin(uv[:, 0] * 9 + phase[0]) * np.sin(uv[:, 1] * 7 + phase[1])
    lift = thickness * (0.08 + 0.92 * inner) * (0.9 + 0.15 * waves)
    if hair.style == "short":  # fuller on the crown
        lift = lift * (1 + 0.5 * np.clip((point[:, 1] - top + 0.8) / 0.8, 0, 1))
    half = (point.max(0) - point.min(0)) / 2 + thickness * 0.9
    head = _Head(middle, np.array([half[0], 1.0 + thickness, half[2]]))
    return point + normal * lift[:, None], triangles, uv, head


def _strands(
    hair: Hair, head: _Head, grid: tuple[int, int], layer: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(strands, points, 3) unposed strands from the crown over the back of the head; angles."""
    count, points = grid
    angle = np.linspace(-2.0, 2.0, count) + rng.normal(0, 0.01, count)
    length = 1.5 if hair.style == "bob" else hair.length
    uneven = np.interp(np.arange(count), np.linspace(0, count - 1, 12), rng.uniform(0, 1, 12))
    length = length * (0.88 + 0.12 * uneven) + rng.normal(0, 0.02, count)
    strands = np.zeros((count, points, 3))
    rx, ry, rz = head.radii
    inner = 1 - 0.07 * layer
    for j, a in enumerate(np.linspace(0.25, 1, _CROWN_POINTS) * 1.62):
        strands[:, j, 0] = head.centre[0] + rx * inner * np.sin(a) * np.sin(angle)
        strands[:, j, 1] = head.centre[1] + ry * inner * np.cos(a)
        strands[:, j, 2] = head.centre[2] - rz * inner * np.sin(a) * np.cos(angle)
    root = strands[:, _CROWN_POINTS - 1]
    for j in range(_CROWN_POINTS, points):
        share = (j - _CROWN_POINTS + 1) / (points - _CROWN_POINTS)
        inwards = 1 - 0.12 * share
        wave = hair.wave * np.sin(share * 7 + angle * 3) * share
        strands[:, j, 0] = root[:, 0] * inwards + wave * np.cos(angle) + 0.05 * share * np.sin(angle * 11)
        strands[:, j, 1] = root[:, 1] - length * share
        strands[:, j, 2] = (root[:, 2] - head.centre[2]) * inwards + head.centre[2] + wave * 0.5
    return strands, angle


@cache
def _shoulders() -> np.ndarray:
    """Vertices that long hair lies on."""
    body = load_body()
    index = body.collision_vertices
    x, y = body.vertices[index, 0], body.vertices[index, 1]
    return index[(y > 2.2) & (np.abs(x) < 2.6)]


def _lay_on_shoulders(
    points: np.ndarray,
    posed: np.ndarray,
    normals: np.ndarray,
    *,
    clearance: float,
    rounds: int,
) -> np.ndarray:
    """Push hair that would hang through neck, shoulders or back out of them."""
    shoulders = _shoulders()
    tree = cKDTree(posed[shoulders])
    for _ in range(rounds):
        distance, nearest = tree.query(points, eps=0.2)
        nearest = shoulders[nearest]
        normal = normals[nearest]
        depth = ((points - posed[nearest]) * normal).sum(1) - clearance
        push = np.where((depth < 0) & (distance < 0.45), np.maximum(depth, -0.25), 0)
        points = points - normal * push[:, None] * np.clip(1.2 + normal[:, 1:2] * 3, 0, 1)
    return points


def _bun(head: _Head) -> HairMesh:
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0.02, np.pi - 0.02, 13), indexing="ij")
    vertices = np.stack(
        [
            0.46 * np.sin(down) * np.cos(around),
            0.42 * np.cos(down) + head.centre[1] + 1.1,
            0.46 * np.sin(down) * np.sin(around) + head.centre[2] - 0.4,
        ],
        -1,
    ).reshape(-1, 3)
    uv = np.stack([(around + down).ravel(), down.ravel()], 1)
    return HairMesh(vertices, mesh.split_quads(mesh.grid_quads(25, 13)), uv)


def _join(sheets: list[HairMesh]) -> HairMesh:
    offsets = np.concatenate([[0], np.cumsum([len(sheet.vertices) for sheet in sheets])])
    triangles = [s.triangles + offset for s, offset in zip(sheets, offsets, strict=False)]
    return HairMesh(
        np.concatenate([sheet.vertices for sheet in sheets]).astype(np.float32),
        np.concatenate(triangles).astype(np.int32),
        np.concatenate([sheet.uv for sheet in sheets]).astype(np.float32),
    )


def grow_hair(
    hair: Hair,
    unposed: np.ndarray,
    skeleton: Skeleton,
    posed: np.ndarray,
    normals: np.ndarray,
    quality: Quality,
) -> HairMesh | None:
    """Hair on a posed head.

    Args:
        hair: how it is worn.
        unposed: (V, 3) morphed body.
        skeleton: the pose.
        posed: (V, 3) the body in that pose, to lie on.
        normals: (V, 3) its normals.
        quality: number of strands.

    Returns:
        The posed hair, or None for a bald head.
    """
    if hair.style == "bald":
        return None
    rng = np.random.default_rng(hair.seed)
    transform = skeleton.transforms[load_body().bone["head"]]
    turn, shift = transform[:, :3], transform[:, 3]
    point, triangles, uv, head = _cap(hair, unposed, quality.hair_level, rng)
    sheets = [HairMesh(point @ turn.T + shift, triangles, uv)]
    if hair.style == "bun":
        bun = _bun(head)
        sheets.append(bun._replace(vertices=bun.vertices @ turn.T + shift))
    if hair.style in ("bob", "long"):
        count, points = quality.hair_grid
        for layer in range(2):
            strands, angle = _strands(hair, head, quality.hair_grid, layer, rng)
            fallen = (strands.reshape(-1, 3) @ turn.T + shift).reshape(strands.shape)
            # Free ends follow the head by half and gravity by half.
            root = slice(_CROWN_POINTS - 1, _CROWN_POINTS)
            free = slice(_CROWN_POINTS, None)
            fallen[:, free] = (
                fallen[:, root]
                + 0.5 * (fallen[:, free] - fallen[:, root])
                + 0.5 * (strands[:, free] - strands[:, root])
            )
            vertices = _lay_on_shoulders(
                fallen.reshape(-1, 3),
                posed,
                normals,
                clearance=0.10 - 0.05 * layer,
                rounds=quality.hair_rounds,
            )
            across = np.repeat(angle * 1.1, points) + layer * 0.37
            along = np.tile(np.linspace(0.3, 3.5, points), count)
            sheet = mesh.split_quads(mesh.grid_quads(count, points))
            sheets.append(HairMesh(vertices, sheet, np.stack([across, along], 1)))
    return _join(sheets)


@cache
def strand_texture(number: int) -> np.ndarray:
    """(256, 1024) float32 in [-2, 2]: light and dark strands, one of a few variants."""
    rng = np.random.default_rng(number)
    fine = rng.standard_normal((32, 1024)).astype(np.float32)
    fine = cv2.resize(fine, (1024, 256), interpolation=cv2.INTER_CUBIC)
    locks = cv2.GaussianBlur(rng.standard_normal((8, 1024)).astype(np.float32), (0, 0), 6) * 3
    return np.clip(0.6 * fine + 0.5 * cv2.resize(locks, (1024, 256)), -2, 2)
