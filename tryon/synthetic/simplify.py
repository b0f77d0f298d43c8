"""Fewer triangles for small pictures: edges too short to be seen are collapsed, vertices stay where they are."""

import numpy as np

_FLATTEST = 0.5  # cosine between a triangle's normal before and after a collapse
_ROUNDS = 40


def _normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)


def _borders(triangles: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """(V,) bool: vertices on open edges, or between triangles of different groups."""
    sides = np.sort(np.stack([triangles, np.roll(triangles, -1, 1)], -1).reshape(-1, 2), 1)
    _, edge, uses = np.unique(sides[:, 0] * count + sides[:, 1], return_inverse=True, return_counts=True)
    fixed = np.zeros(count, bool)
    fixed[sides[uses[edge] == 1]] = True
    low, high = np.full(count, group.max()), np.full(count, group.min())
    np.minimum.at(low, triangles, group[:, None])
    np.maximum.at(high, triangles, group[:, None])
    return fixed | (low < high)


def simplify(
    vertices: np.ndarray, triangles: np.ndarray, group: np.ndarray, length: np.ndarray, fixed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Collapse short edges where the surface stays what it is.

    Args:
        vertices: (V, 3) positions.
        triangles: (T, 3) of these.
        group: (T,) int; borders between groups stay where they are.
        length: (V,), in the unit of the vertices; counts where an edge begins that is collapsed onto its end.
        fixed: (V,) bool, vertices that stay.

    Returns:
        (t, 3) triangles over the same vertices, and (t,) which triangle each one was.
    """
    count, source = len(vertices), np.arange(len(triangles))
    fixed = fixed | _borders(triangles, group, count)
    barred = np.empty(0, np.int64)  # collapses that would fold the surface, as removed * V + kept
    for _ in range(_ROUNDS):
        sides = np.stack([triangles, np.roll(triangles, -1, 1)], -1).reshape(-1, 2)
        sides = np.concatenate([sides, sides[:, ::-1]])
        cost = np.linalg.norm(vertices[sides[:, 0]] - vertices[sides[:, 1]], axis=1)
        able = (cost < length[sides[:, 0]]) & ~fixed[sides[:, 0]] & ~np.isin(sides[:, 0] * count + sides[:, 1], barred)
        if not able.any():
            break
        sides, cost = sides[able], cost[able]
        order = np.lexsort((sides[:, 1], sides[:, 0], cost))[::-1]
        onto, price = np.full(count, -1), np.full(count, np.inf)
        onto[sides[order, 0]], price[sides[order, 0]] = sides[order, 1], np.arange(len(order))[::-1]
        # No triangle takes part in two collapses at once: the cheapest wins.
        cheapest = price[triangles].min(1)
        winning = np.isfinite(price)
        losing = price[triangles] > cheapest[:, None]
        winning[triangles[losing]] = False
        target = np.where(winning, onto, np.arange(count))
        moved = target[triangles]
        whole = (moved[:, 0] != moved[:, 1]) & (moved[:, 1] != moved[:, 2]) & (moved[:, 2] != moved[:, 0])
        changed = whole & (moved != triangles).any(1)
        turned = np.zeros(len(triangles), bool)
        before, after = (_normals(vertices, faces[changed]) for faces in (triangles, moved))
        turned[changed] = (before * after).sum(1) < _FLATTEST
        folding = triangles[turned]
        folding = np.unique(folding[target[folding] != folding])
        barred = np.concatenate([barred, folding * count + onto[folding]])
        target[folding] = folding
        moved = target[triangles]
        whole = (moved[:, 0] != moved[:, 1]) & (moved[:, 1] != moved[:, 2]) & (moved[:, 2] != moved[:, 0])
        triangles, source = moved[whole], source[whole]
    return triangles, source
