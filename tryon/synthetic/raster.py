"""Rasterisation: which triangle each sample sees, and what the light sees."""

from typing import NamedTuple

import numba
import numpy as np


class Fragments(NamedTuple):
    """What each of N x N samples sees.

    Attributes:
        triangle: (N, N) int32, index of the triangle or -1.
        second, third: (N, N) float32, barycentric weights of its second and third corner.
        depth: (N, N) float32, dm from the camera; meaningless where `triangle` is -1.
    """

    triangle: np.ndarray
    second: np.ndarray
    third: np.ndarray
    depth: np.ndarray

    def strided(self, step: int) -> "Fragments":
        """Every `step`-th sample along both axes, from the middle of each block."""
        middle = slice(step // 2, None, step)
        return Fragments(*(field[middle, middle].copy() for field in self))


@numba.njit(cache=True, fastmath=True)
def _rasterise(
    x: np.ndarray,
    y: np.ndarray,
    inverse_depth: np.ndarray,
    triangles: np.ndarray,
    out: Fragments,
) -> None:
    height, width = out.depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        xa, ya, xb, yb, xc, yc = x[a], y[a], x[b], y[b], x[c], y[c]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if -1e-9 < area < 1e-9:
            continue
        left = max(0, int(np.ceil(min(xa, min(xb, xc)) - 0.5)))
        right = min(width - 1, int(np.floor(max(xa, max(xb, xc)) - 0.5)))
        top = max(0, int(np.ceil(min(ya, min(yb, yc)) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(ya, max(yb, yc)) - 0.5)))
        inverse = 1.0 / area
        za, zb, zc = inverse_depth[a], inverse_depth[b], inverse_depth[c]
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                w1 = ((px - xa) * (yc - ya) - (xc - xa) * (py - ya)) * inverse
                w2 = ((xb - xa) * (py - ya) - (px - xa) * (yb - ya)) * inverse
                w0 = 1.0 - w1 - w2
                if w0 < -1e-6 or w1 < -1e-6 or w2 < -1e-6:
                    continue
                nearness = w0 * za + w1 * zb + w2 * zc
                if nearness > out.depth[row, column]:
                    out.depth[row, column] = nearness
                    out.triangle[row, column] = t
                    out.second[row, column] = w1 * zb / nearness  # perspective-correct
                    out.third[row, column] = w2 * zc / nearness


def rasterise(points: np.ndarray, depth: np.ndarray, triangles: np.ndarray, samples: int) -> Fragments:
    """Draw triangles into a z-buffer.

    Args:
        points: (V, 2) positions in the frame, in [0, 1] from the top left corner.
        depth: (V,) dm from the camera, positive.
        triangles: (T, 3) int32.
        samples: N, samples along each side of the frame.

    Returns:
        The nearest triangle at each sample.
    """
    shape = (samples, samples)
    fragments = Fragments(
        np.full(shape, -1, np.int32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),  # holds 1 / depth while drawing
    )
    x, y = (samples * points).astype(np.float32).T
    inverse_depth = (1 / depth).astype(np.float32)
    _rasterise(np.ascontiguousarray(x), np.ascontiguousarray(y), inverse_depth, triangles, fragments)
    np.divide(1, np.maximum(fragments.depth, 1e-6), out=fragments.depth)
    return fragments


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


@numba.njit(cache=True, fastmath=True)
def _highest(x: np.ndarray, y: np.ndarray, z: np.ndarray, triangles: np.ndarray, out: np.ndarray) -> None:
    height, width = out.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        xa, ya, xb, yb, xc, yc = x[a], y[a], x[b], y[b], x[c], y[c]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if -1e-9 < area < 1e-9:
            continue
        left = max(0, int(np.ceil(min(xa, min(xb, xc)) - 0.5)))
        right = min(width - 1, int(np.floor(max(xa, max(xb, xc)) - 0.5)))
        top = max(0, int(np.ceil(min(ya, min(yb, yc)) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(ya, max(yb, yc)) - 0.5)))
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                w1 = ((px - xa) * (yc - ya) - (xc - xa) * (py - ya)) / area
                w2 = ((xb - xa) * (py - ya) - (px - xa) * (yb - ya)) / area
                if w1 >= 0 and w2 >= 0 and w1 + w2 <= 1:
                    value = z[a] * (1 - w1 - w2) + z[b] * w1 + z[c] * w2
                    out[row, column] = max(out[row, column], value)


def cast_shadows(vertices: np.ndarray, triangles: np.ndarray, towards: np.ndarray, size: int) -> ShadowMap:
    """The shadow map of a mesh.

    Args:
        vertices: (V, 3) float32.
        triangles: (T, 3) int32.
        towards: (3,) unit vector to the light.
        size: side of the map.
    """
    right = np.cross([0, 1.0, 0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    x, y, z = (vertices @ axis.astype(np.float32) for axis in (right, up, towards))
    centre_right, centre_up = (x.max() + x.min()) / 2, (y.max() + y.min()) / 2
    extent = max(x.max() - x.min(), y.max() - y.min()) * 1.04
    lowest = z.min()
    height = np.zeros((size, size), np.float32)
    columns = ((x - centre_right) / extent + 0.5) * size
    rows = ((y - centre_up) / extent + 0.5) * size
    _highest(columns, rows, z - lowest + 1, triangles, height)
    return ShadowMap(
        height,
        right,
        up,
        np.asarray(towards, float),
        float(centre_right),
        float(centre_up),
        float(extent),
        float(lowest),
    )
