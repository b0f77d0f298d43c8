"""Rasterisation: which triangle each sample sees, and what the light sees."""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np


class Fragments(NamedTuple):
    """What each of N x N samples sees.

    Attributes:
        triangle: (N, N) int32, index of the triangle or -1.
        second, third: (N, N) float32, barycentric weights of its second and third corner.
        depth: (N, N) float32, dm from the camera; infinite where `triangle` is -1.
    """

    triangle: np.ndarray
    second: np.ndarray
    third: np.ndarray
    depth: np.ndarray

    def strided(self, step: int) -> "Fragments":
        """Every `step`-th sample along both axes, from the middle of each block."""
        middle = slice(step // 2, None, step)
        return Fragments(*(field[middle, middle].copy() for field in self))


class Window(NamedTuple):
    """Part of a frame, in samples; `bottom` and `right` are the first ones outside."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def empty(self) -> bool:
        """Whether no sample is inside."""
        return self.top >= self.bottom or self.left >= self.right


_HALF, _ONE, _THIN = np.float32(0.5), np.float32(1), np.float32(1e-9)
_OUTSIDE = np.float32(-1e-5)  # rounding: no crack between neighbours


@numba.njit(inline="always")
def _samples_within(low: float, high: float, count: int) -> tuple[int, int]:
    """First and last of `count` samples whose middles may lie in an interval."""
    return int(max(low + np.float32(0.4999), np.float32(0))), min(count - 1, int(high - _HALF))


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _rasterise(
    x: np.ndarray,
    y: np.ndarray,
    inverse_depth: np.ndarray,
    triangles: np.ndarray,
    first: int,
    closed: bool,
    out: Fragments,
) -> None:
    height, width = out.depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        xa, xb, xc, ya, yb, yc = x[a], x[b], x[c], y[a], y[b], y[c]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if -_THIN < area < _THIN or (closed and area > 0):
            continue
        top, bottom = _samples_within(min(ya, min(yb, yc)), max(ya, max(yb, yc)), height)
        left, right = _samples_within(min(xa, min(xb, xc)), max(xa, max(xb, xc)), width)
        if top > bottom or left > right:
            continue
        inverse = _ONE / area
        # Weights of the second and third corner grow evenly along rows and columns.
        right1, down1 = (yc - ya) * inverse, (xa - xc) * inverse
        right2, down2 = (ya - yb) * inverse, (xb - xa) * inverse
        za, zb, zc = inverse_depth[a], inverse_depth[b], inverse_depth[c]
        dx = np.float32(left) + _HALF - xa
        for row in range(top, bottom + 1):
            dy = np.float32(row) + _HALF - ya
            w1 = dx * right1 + dy * down1
            w2 = dx * right2 + dy * down2
            for column in range(left, right + 1):
                w0 = _ONE - w1 - w2
                if min(w0, min(w1, w2)) >= _OUTSIDE:
                    nearness = w0 * za + w1 * zb + w2 * zc
                    if nearness * out.depth[row, column] > _ONE:
                        far = _ONE / nearness
                        out.depth[row, column] = far
                        out.triangle[row, column] = first + t
                        out.second[row, column] = w1 * zb * far  # perspective-correct
                        out.third[row, column] = w2 * zc * far
                w1 += right1
                w2 += right2


def empty_frame(samples: int) -> Fragments:
    """Fragments that show nothing, N = `samples`."""
    shape = (samples, samples)
    return Fragments(
        np.full(shape, -1, np.int32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.full(shape, np.inf, np.float32),
    )


def rasterise(
    fragments: Fragments,
    points: np.ndarray,
    depth: np.ndarray,
    triangles: np.ndarray,
    *,
    first: int = 0,
    closed: bool = False,
) -> Window:
    """Draw triangles wherever they are nearer than what is there.

    Args:
        fragments: (N, N), see `empty_frame`; changed in place.
        points: (V, 2) positions in the frame, in [0, 1] from the top left corner.
        depth: (V,) dm from the camera, positive.
        triangles: (T, 3) int32.
        first: index under which the first of them is drawn.
        closed: leave out triangles seen from behind: the surface hides them all.

    Returns:
        The part of the frame outside which nothing was drawn.
    """
    samples = len(fragments.depth)
    x, y = np.ascontiguousarray((samples * points).astype(np.float32).T)
    ends = x.min(), y.min(), x.max() + 1, y.max() + 1
    left, top, right, bottom = (int(min(max(end, 0), samples)) for end in ends)
    window = Window(top, bottom, left, right)
    if not window.empty:
        _rasterise(x, y, (1 / depth).astype(np.float32), triangles, first, closed, fragments)
    return window


class ShadowMap(NamedTuple):
    """The scene as the light sees it.

    Attributes:
        height: (K, K) float32, dm towards the light above the lowest point plus 1; 0 is empty.
        right, up, towards: (3,) axes of the light's view.
        centre_right, centre_up, extent, lowest: the part of that view the map covers, in dm.
    """

    height: np.ndarray
    right: np.ndarray
    up: np.ndarray
    towards: np.ndarray
    centre_right: float
    centre_up: float
    extent: float
    lowest: float


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _highest(x: np.ndarray, y: np.ndarray, z: np.ndarray, triangles: np.ndarray, closed: bool, out: np.ndarray) -> None:
    height, width = out.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        xa, xb, xc, ya, yb, yc = x[a], x[b], x[c], y[a], y[b], y[c]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if -_THIN < area < _THIN or (closed and area < 0):
            continue
        top, bottom = _samples_within(min(ya, min(yb, yc)), max(ya, max(yb, yc)), height)
        left, right = _samples_within(min(xa, min(xb, xc)), max(xa, max(xb, xc)), width)
        if top > bottom or left > right:
            continue
        inverse = _ONE / area
        # Weights of the second and third corner grow evenly along rows and columns.
        right1, down1 = (yc - ya) * inverse, (xa - xc) * inverse
        right2, down2 = (ya - yb) * inverse, (xb - xa) * inverse
        za, zb, zc = z[a], z[b] - z[a], z[c] - z[a]
        dx = np.float32(left) + _HALF - xa
        for row in range(top, bottom + 1):
            dy = np.float32(row) + _HALF - ya
            w1 = dx * right1 + dy * down1
            w2 = dx * right2 + dy * down2
            for column in range(left, right + 1):
                if min(_ONE - w1 - w2, min(w1, w2)) >= _OUTSIDE:
                    out[row, column] = max(out[row, column], za + zb * w1 + zc * w2)
                w1 += right1
                w2 += right2


@numba.njit(cache=True, fastmath=True)
def _turn(vertices: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(3, V) float32 coordinates along three axes."""
    out = np.empty((3, len(vertices)), np.float32)
    for k in range(3):
        x, y, z = axes[k]
        for i in range(len(vertices)):
            out[k, i] = vertices[i, 0] * x + vertices[i, 1] * y + vertices[i, 2] * z
    return out


class Caster(NamedTuple):
    """A mesh that casts shadows: (V, 3) float32, (T, 3) int32, and whether only its lit side counts."""

    vertices: np.ndarray
    triangles: np.ndarray
    closed: bool


def cast_shadows(
    casters: Sequence[Caster], towards: np.ndarray, size: int, seen: np.ndarray | None = None
) -> ShadowMap:
    """The shadow map of some meshes.

    Args:
        casters: the meshes.
        towards: (3,) unit vector to the light.
        size: side of the map.
        seen: (n, 3) corners of a convex body if only what lies in it will ask whether it is lit.
    """
    right = np.array([towards[2], 0.0, -towards[0]])
    right /= np.linalg.norm(right)
    up = np.array([towards[1] * right[2], towards[2] * right[0] - towards[0] * right[2], -towards[1] * right[0]])
    axes = np.array([right, up, towards], np.float32)
    turned = [_turn(caster.vertices, axes) for caster in casters]
    low, high = np.min([view.min(1) for view in turned], 0), np.max([view.max(1) for view in turned], 0)
    if seen is not None:
        corners = _turn(np.ascontiguousarray(seen, np.float32), axes)[:2]
        low[:2], high[:2] = np.maximum(low[:2], corners.min(1)), np.minimum(high[:2], corners.max(1))
    centre, lowest = (low + high) / 2, np.float32(low[2])
    extent = np.float32((high - low)[:2].max() * 1.04)
    height = np.zeros((size, size), np.float32)
    scale = np.float32(size) / extent
    left, bottom = (np.float32(c) - np.float32(0.5) * extent for c in centre[:2])
    for caster, (x, y, z) in zip(casters, turned, strict=True):
        _highest((x - left) * scale, (y - bottom) * scale, z - lowest + 1, caster.triangles, caster.closed, height)
    return ShadowMap(height, *axes, float(centre[0]), float(centre[1]), float(extent), float(lowest))
