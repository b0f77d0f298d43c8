"""Which points are nearest: a grid of cells, much faster than a tree for points on surfaces that are close by."""

import numba
import numpy as np


@numba.njit(cache=True)
def _sort_into_cells(
    points: np.ndarray, low: np.ndarray, shape: tuple[int, int, int], cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where the points of each cell begin in a list of them, and that list."""
    number = np.empty(len(points), np.int32)
    begin = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int32)
    for i in range(len(points)):
        place = 0
        for axis in range(3):
            place = place * shape[axis] + min(int((points[i, axis] - low[axis]) / cell), shape[axis] - 1)
        number[i] = place
        begin[place + 1] += 1
    for place in range(len(begin) - 1):
        begin[place + 1] += begin[place]
    filled, listed = begin.copy(), np.empty(len(points), np.int32)
    for i in range(len(points)):
        listed[filled[number[i]]] = i
        filled[number[i]] += 1
    return begin, listed


@numba.njit(cache=True, fastmath={"nsz", "arcp", "contract", "reassoc"})
def _search(
    points: np.ndarray,
    queries: np.ndarray,
    low: np.ndarray,
    shape: tuple[int, int, int],
    cell: float,
    begin: np.ndarray,
    listed: np.ndarray,
    reach: float,
    square: np.ndarray,
    index: np.ndarray,
) -> None:
    count, rings = square.shape[1], int(np.ceil(reach / cell))
    for q in range(len(queries)):
        best, which = square[q], index[q]
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        a, b = int(np.floor((x - low[0]) / cell)), int(np.floor((y - low[1]) / cell))
        c = int(np.floor((z - low[2]) / cell))
        for ring in range(rings + 1):
            if ring > 0 and best[count - 1] <= ((ring - 1) * cell) ** 2:
                break
            for i in range(max(a - ring, 0), min(a + ring, shape[0] - 1) + 1):
                for j in range(max(b - ring, 0), min(b + ring, shape[1] - 1) + 1):
                    inside = abs(i - a) < ring and abs(j - b) < ring
                    step = max(2 * ring, 1) if inside else 1  # of an inner column only both ends are new
                    for k in range(c - ring, c + ring + 1, step):
                        if k < 0 or k >= shape[2]:
                            continue
                        place = (i * shape[1] + j) * shape[2] + k
                        for at in range(begin[place], begin[place + 1]):
                            p = listed[at]
                            dx, dy, dz = points[p, 0] - x, points[p, 1] - y, points[p, 2] - z
                            here = dx * dx + dy * dy + dz * dz
                            if here >= best[count - 1]:
                                continue
                            slot = count - 1
                            while slot > 0 and best[slot - 1] > here:
                                best[slot], which[slot] = best[slot - 1], which[slot - 1]
                                slot -= 1
                            best[slot], which[slot] = here, p


def nearest(
    points: np.ndarray, queries: np.ndarray, count: int, reach: float, cell: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of some points.

    Args:
        points: (n, 3) float32.
        queries: (m, 3) float32.
        count: how many points to find for each query.
        reach: points must be nearer than this.
        cell: side of the grid's cells, about twice the distance between neighbours; changes only the speed.

    Returns:
        (m, count) float32 distances, rising, and (m, count) indices; infinity and n where there is none.
    """
    points, queries = (np.ascontiguousarray(array, np.float32) for array in (points, queries))
    low = points.min(0)
    shape = tuple(int(side) for side in (points.max(0) - low) / np.float32(cell) + 1)
    begin, listed = _sort_into_cells(points, low, shape, np.float32(cell))
    square = np.full((len(queries), count), np.float32(reach) ** 2, np.float32)
    index = np.full((len(queries), count), len(points), np.int32)
    _search(points, queries, low, shape, np.float32(cell), begin, listed, np.float32(reach), square, index)
    return np.where(index < len(points), np.sqrt(square), np.float32(np.inf)), index
