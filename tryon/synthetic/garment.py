"""Sewing: from the cut pieces of a kind to a garment that can be draped and drawn.

`tailor` makes the numbered garments of the studio's wardrobe; a garment's number and kind fix its
cut at every level of detail.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numba
import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from tryon.synthetic.asset import load_body
from tryon.synthetic.cuts import Piece
from tryon.synthetic.details import Detail
from tryon.synthetic.garments import KINDS, GarmentKind, Pattern
from tryon.synthetic.mesh import distance_to, edges_of, row_mean, vertex_normals

_WAIST = 1.5  # dm, height on the unmorphed body


@dataclass(frozen=True)
class Garment:
    """A sewn garment on the unmorphed body; n vertices.

    Attributes:
        kind: key of `KINDS`.
        triangles: (T, 3) int32.
        weights: (n, V) sparse float32 map onto the vertices of the body asset.
        ease: (n,) float32, dm between body and cloth.
        piece: (n,) int, the piece a vertex belongs to.
        skin_index, skin_weight: (n, 6) bones that move a vertex.
        position: (n, 3) vertices on the unmorphed body.
        edges, bends: (E, 2) and (B, 2) int32, neighbours and next-but-one neighbours.
        border: indices of the vertices on hems and necklines.
        border_mean: (len(border), n) sparse, mean of a border vertex's border neighbours.
        pinned: (n,) float32, 1 where the garment is held by the waist, or is too stiff to hang.
        lift: (n,) float32, dm by which it stays further off the body than other cloth.
        under: (n,) bool, what lies under the rest of the garment.
        front: (n,) float32, z of the normal: which of the two textures a vertex shows.
        hem: (n,) float32, dm to the nearest border of the same piece, but for the seam at a waist.
        opening: (n,) float32, dm to the nearest border that skin comes out of.
        uv: (n, 2) float32, dm on the flat pattern.
        details: what is drawn on its fabric.
    """

    kind: str
    triangles: np.ndarray
    weights: sparse.csr_matrix
    ease: np.ndarray
    piece: np.ndarray
    skin_index: np.ndarray
    skin_weight: np.ndarray
    position: np.ndarray
    edges: np.ndarray
    bends: np.ndarray
    border: np.ndarray
    border_mean: sparse.csr_matrix
    pinned: np.ndarray
    lift: np.ndarray
    under: np.ndarray
    front: np.ndarray
    hem: np.ndarray
    opening: np.ndarray
    uv: np.ndarray
    details: tuple[Detail, ...]

    @cached_property
    def corner_uv(self) -> np.ndarray:
        """(T, 3, 2) float32: `uv` of the corners of every triangle."""
        return self.uv[self.triangles]

    @cached_property
    def extra(self) -> np.ndarray:
        """(n, 3) float32: what `shade.Mesh` wants to know of cloth."""
        return np.stack([self.front, self.hem, self.hem], 1).astype(np.float32)

    @property
    def category(self) -> str:
        """The category of the garment's kind."""
        return KINDS[self.kind].category


@numba.njit(cache=True)
def _strongest(share: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the `count` largest numbers of every row, falling, and these numbers."""
    index = np.zeros((len(share), count), np.int32)
    value = np.zeros((len(share), count), np.float32)
    for i in range(len(share)):
        for column in range(share.shape[1]):
            here, k = share[i, column], count - 1
            if here <= value[i, k]:
                continue
            while k > 0 and value[i, k - 1] < here:
                index[i, k], value[i, k] = index[i, k - 1], value[i, k - 1]
                k -= 1
            index[i, k], value[i, k] = column, here
    return index, value


def _skin(weights: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """The six strongest bones of every vertex and their shares."""
    index, share = _strongest(weights @ load_body().bone_weight, 6)
    return index, share / share.sum(1, keepdims=True)


def _threads(triangles: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges, bending pairs (the corners opposite an inner edge) and border edges."""
    edges, opposite, uses = edges_of(triangles, count)
    return edges, opposite[uses == 2], edges[uses == 1]


def _pins(
    kind: GarmentKind, held: np.ndarray, position: np.ndarray, piece: np.ndarray, border: np.ndarray
) -> np.ndarray:
    """1 for vertices that are held in place by the waist or, as `held` ones, by their stiffness."""
    pinned = held.astype(np.float32)
    if kind.waist_piece is None:
        return pinned
    band = border[(piece[border] == kind.waist_piece) & (position[border, 1] > 0)]
    distance = cKDTree(position[band]).query(position)[0]
    pinned[(piece == kind.waist_piece) & (distance < 0.22)] = 1
    if kind.shoulder_piece is not None:  # the bodice of a dress is sewn to its skirt
        pinned[(piece == kind.shoulder_piece) & (position[:, 1] < _WAIST)] = 1
    return pinned


def _distance(position: np.ndarray, others: np.ndarray) -> np.ndarray:
    return distance_to(position.astype(np.float32), others.astype(np.float32))


def _per_vertex(pieces: list[Piece], attribute: str) -> np.ndarray:
    return np.concatenate([np.full(piece.weights.shape[0], getattr(piece, attribute)) for piece in pieces])


def _is_seam(kind: GarmentKind, position: np.ndarray) -> np.ndarray:
    """Borders at which two pieces overlap: the waist of a dress."""
    joined = kind.waist_piece is not None and kind.shoulder_piece is not None
    return joined & (np.abs(position[:, 1] - _WAIST) < 0.4)


def _pattern(position: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(n, 2) float32, dm: planar front and back, widened towards the silhouette."""
    uv = position[:, :2].astype(np.float32)
    steep = np.clip(0.75 - np.abs(normal[:, 2]), 0, 1) * 0.35 * np.abs(position[:, 2] - 0.1)
    uv[:, 0] += np.sign(position[:, 0]) * steep
    return uv


def _hem(position: np.ndarray, piece: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Distance to the borders of a vertex's own piece."""
    hem = np.empty(len(position), np.float32)
    for number in np.unique(piece):
        own, rim = piece == number, border[piece[border] == number]
        hem[own] = _distance(position[own], position[rim]) if len(rim) else 9.0
    return hem


def sew(kind_name: str, pattern: Pattern) -> Garment:
    """Join cut pieces into a garment."""
    kind, pieces = KINDS[kind_name], pattern.pieces
    sizes = [piece.weights.shape[0] for piece in pieces]
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    triangles = np.concatenate(
        [piece.triangles + offset for piece, offset in zip(pieces, offsets, strict=True)]
    ).astype(np.int32)
    weights = sparse.vstack([piece.weights for piece in pieces]).tocsr().astype(np.float32)
    ease = np.concatenate([piece.ease for piece in pieces]).astype(np.float32)
    number = np.repeat(np.arange(len(pieces)), sizes)
    position = np.asarray(weights @ load_body().vertices)
    normal = vertex_normals(position, triangles)
    if kind.shoulder_piece is not None:  # no ease where the garment rests on the shoulders
        fade = np.clip(0.15 + (5.3 - position[:, 1]) / 1.2 * 0.85, 0.15, 1)
        ease = ease * np.where(number == kind.shoulder_piece, fade, 1).astype(np.float32)
    edges, bends, rim = _threads(triangles, len(position))
    border = np.unique(rim)
    pairs = np.concatenate([rim, rim[:, ::-1]])
    neighbours = sparse.csr_matrix((np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), (len(position),) * 2)
    skin_index, skin_weight = _skin(weights)
    under = _per_vertex(pieces, "under")
    seam = _is_seam(kind, position[border])
    place = np.repeat([piece.place for piece in pieces], sizes, axis=0)
    # Relaxation goes edge by edge; a shuffled order spreads a pull evenly. The order is part of
    # the garment, not chance.
    shuffled = np.random.default_rng(0).permutation(len(edges))
    return Garment(
        kind=kind_name,
        triangles=triangles,
        weights=weights,
        ease=ease,
        piece=number,
        skin_index=skin_index,
        skin_weight=skin_weight,
        position=position,
        edges=np.ascontiguousarray(edges[shuffled]),
        bends=bends,
        border=border,
        border_mean=row_mean(neighbours)[border].astype(np.float32),
        pinned=_pins(kind, _per_vertex(pieces, "held"), position, number, border),
        lift=_per_vertex(pieces, "lift").astype(np.float32),
        under=under,
        front=np.where(under, 1, normal[:, 2]).astype(np.float32),
        hem=_hem(position, number, border[~seam]),
        opening=_distance(position, position[border[~seam & _per_vertex(pieces, "opens")[border]]]),
        uv=(_pattern(position, normal) + place).astype(np.float32),
        details=pattern.details,
    )


@lru_cache(maxsize=1024)
def tailor(kind_name: str, number: int, level: int) -> Garment:
    """Garment `number` of a kind, sewn at `level` Catmull-Clark steps; kept for later calls.

    Raises:
        ValueError: there is no such kind.
    """
    if kind_name not in KINDS:
        raise ValueError(f"There is no garment {kind_name!r}: choose one of {', '.join(KINDS)}.")
    rng = np.random.default_rng(zlib.crc32(repr((kind_name, number, 1)).encode()))
    return sew(kind_name, KINDS[kind_name].cut(rng, level))
