"""Meshes in general: normals, neighbours, Catmull-Clark steps and cuts along iso-lines.

Refined and cut meshes are kept as sparse maps onto the vertices of the base mesh, so that one
pattern follows every morph of the body: `vertices = weights @ base_vertices`.
"""

import numba
import numpy as np
from scipy import sparse


def split_quads(quads: np.ndarray) -> np.ndarray:
    """(F, 4) quads -> (2F, 3) int32 triangles; triangle i + F is the other half of triangle i."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def grid_quads(rows: int, columns: int) -> np.ndarray:
    """(F, 4) quads of a rows x columns sheet whose vertices are stored row by row."""
    index = np.arange(rows * columns).reshape(rows, columns)
    corners = [index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]]
    return np.stack(corners, -1).reshape(-1, 4)


def compact(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber `faces` without gaps; also returns the old index of every new vertex."""
    named = np.zeros(faces.max(initial=-1) + 1, bool)
    named[faces] = True
    return (np.cumsum(named, dtype=np.int32) - 1)[faces], np.flatnonzero(named)


def selection(indices: np.ndarray, count: int) -> sparse.csr_matrix:
    """Sparse map that picks rows `indices` of a table with `count` rows."""
    rows = np.arange(len(indices))
    return sparse.csr_matrix((np.ones(len(indices)), (rows, indices)), (len(indices), count))


@numba.njit(cache=True, fastmath=True)
def _add_normals(vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray) -> None:
    normals[:] = 0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for i in range(normals.shape[0]):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        for k in range(3):
            normals[i, k] /= length


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, weighted by triangle area; zero where no triangle touches."""
    normals = np.zeros(vertices.shape, np.float32)
    _add_normals(np.ascontiguousarray(vertices, np.float32), triangles, normals)
    return normals


def neighbour_mean(triangles: np.ndarray, count: int) -> sparse.csr_matrix:
    """(V, V) sparse map from vertices to the mean of their neighbours."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    adjacency = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    adjacency.data[:] = 1
    return row_mean(adjacency)


def row_mean(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    """Scale every row to sum 1; empty rows stay empty."""
    total = np.maximum(np.asarray(weights.sum(1)).ravel(), 1)
    return (sparse.diags(1 / total) @ weights).tocsr()


def subdivide(quads: np.ndarray, weights: sparse.csr_matrix) -> tuple[np.ndarray, sparse.csr_matrix]:
    """One Catmull-Clark step.

    Args:
        quads: (F, 4) int, rows of `weights`.
        weights: (n, V) sparse map onto the base vertices.

    Returns:
        (4F, 4) int32 quads and the (n', V) map of the refined mesh; boundaries stay boundaries.
    """
    n, faces = weights.shape[0], len(quads)
    sides = np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2)
    edges, first, side_edge = np.unique(np.sort(sides, 1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # number the edges as they are met, not by vertex
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    edges, side_edge = edges[order], rank[side_edge.ravel()]
    count = len(edges)

    face_point = sparse.csr_matrix(
        (np.full(faces * 4, 0.25), (np.repeat(np.arange(faces), 4), quads.ravel())), (faces, n)
    )
    rows = np.repeat(np.arange(count), 2)
    edge_middle = sparse.csr_matrix((np.full(count * 2, 0.5), (rows, edges.ravel())), (count, n))
    edge_face = sparse.csr_matrix((np.ones(faces * 4), (side_edge, np.repeat(np.arange(faces), 4))), (count, faces))
    boundary = np.asarray(edge_face.sum(1)).ravel() == 1
    edge_point = sparse.diags(np.where(boundary, 1, 0.5)) @ edge_middle + sparse.diags(np.where(boundary, 0, 0.5)) @ (
        row_mean(edge_face) @ face_point
    )

    vertex_edge = sparse.csr_matrix((np.ones(count * 2), (edges.ravel(), rows)), (n, count))
    vertex_face = sparse.csr_matrix((np.ones(faces * 4), (quads.ravel(), np.repeat(np.arange(faces), 4))), (n, faces))
    valence = np.maximum(np.asarray(vertex_edge.sum(1)).ravel(), 3)
    identity = sparse.eye(n, format="csr")
    inner = (
        sparse.diags(1 / valence) @ (row_mean(vertex_face) @ face_point)
        + sparse.diags(2 / valence) @ (row_mean(vertex_edge) @ edge_middle)
        + sparse.diags((valence - 3) / valence) @ identity
    )
    border = 0.5 * identity + 0.5 * (row_mean((vertex_edge @ sparse.diags(boundary * 1.0)).tocsr()) @ edge_middle)
    on_border = np.zeros(n, bool)
    on_border[edges[boundary].ravel()] = True
    vertex_point = (
        sparse.diags(np.where(on_border, 0, 1.0)) @ inner + sparse.diags(np.where(on_border, 1.0, 0)) @ border
    )

    side_edge = side_edge.reshape(faces, 4)
    centre = np.repeat(n + count + np.arange(faces)[:, None], 4, 1)
    refined = np.stack([quads, n + side_edge, centre, n + np.roll(side_edge, 1, 1)], -1)
    points = sparse.vstack([vertex_point, edge_point, face_point]).tocsr() @ weights
    return refined.reshape(-1, 4).astype(np.int32), points.tocsr()


@numba.njit(cache=True)
def edges_of(triangles: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of (T, 3) int32 triangles over `count` vertices, in the order in which the triangles name them.

    Returns:
        (E, 2) int32 vertices, the lower one first; (E, 2) int32 corners opposite the edge in the first two triangles
        at it, -1 for none; and (E,) int32 number of triangles at it.
    """
    most = 3 * len(triangles)
    edges, opposite = np.empty((most, 2), np.int32), np.full((most, 2), -1, np.int32)
    uses = np.zeros(most, np.int32)
    newest, older = np.full(count, -1, np.int32), np.empty(most, np.int32)  # edges of a lower vertex, as a list
    known = 0
    for t in range(len(triangles)):
        for k in range(3):
            a, b, c = triangles[t, k], triangles[t, (k + 1) % 3], triangles[t, (k + 2) % 3]
            a, b = min(a, b), max(a, b)
            edge = newest[a]
            while edge >= 0 and edges[edge, 1] != b:
                edge = older[edge]
            if edge < 0:
                edge = known
                edges[edge, 0], edges[edge, 1] = a, b
                newest[a], older[edge] = edge, newest[a]
                known += 1
            if uses[edge] < 2:
                opposite[edge, uses[edge]] = c
            uses[edge] += 1
    return edges[:known], opposite[:known], uses[:known]


@numba.njit(cache=True)
def _sides(triangles: np.ndarray, field: np.ndarray, snap: float) -> np.ndarray:
    """1 where `field` is positive, -1 elsewhere, 0 for vertices that the cut goes through, being so near."""
    side = np.where(field > 0, 1, -1)
    for t in range(len(triangles)):
        for k in range(3):
            a, b = triangles[t, k], triangles[t, (k + 1) % 3]
            if (field[a] > 0) != (field[b] > 0):
                place = field[a] / (field[a] - field[b])
                if place < snap:
                    side[a] = 0
                elif place > 1 - snap:
                    side[b] = 0
    return side


@numba.njit(cache=True)
def _cut_triangles(
    triangles: np.ndarray, field: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles of the part where `side` is 1, and the vertices that the cut adds: their edge and place."""
    n = len(field)
    part = 0
    for t in range(len(triangles)):
        of_three = side[triangles[t]]
        part += of_three.max() > 0 and of_three.min() < 0
    faces, count = np.empty((len(triangles) + part, 3), np.int64), 0
    ends, share = np.empty((2 * part, 2), np.int64), np.empty(2 * part)
    newest, older = np.full(n, -1, np.int64), np.empty(2 * part, np.int64)  # cuts of the edges of a lower vertex
    added = 0
    polygon = np.empty(4, np.int64)
    for t in range(len(triangles)):
        if side[triangles[t]].max() <= 0:
            continue
        corners = 0
        for k in range(3):
            a, b = triangles[t, k], triangles[t, (k + 1) % 3]
            if side[a] >= 0:
                polygon[corners] = a
                corners += 1
            if side[a] * side[b] >= 0:
                continue
            low, high = min(a, b), max(a, b)
            cut = newest[low]
            while cut >= 0 and ends[cut, 1] != high:
                cut = older[cut]
            if cut < 0:
                cut = added
                newest[low], older[cut] = cut, newest[low]
                ends[cut, 0], ends[cut, 1], share[cut] = low, high, field[low] / (field[low] - field[high])
                added += 1
            polygon[corners] = n + cut
            corners += 1
        for k in range(1, corners - 1):
            faces[count, 0], faces[count, 1], faces[count, 2] = polygon[0], polygon[k], polygon[k + 1]
            count += 1
    return faces[:count], ends[:added], share[:added]


@numba.njit(cache=True, fastmath=True)
def distance_to(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) float32: from each of (n, 3) points to the nearest of (m, 3) others, which are few."""
    out = np.empty(len(points), np.float32)
    for i in range(len(points)):
        nearest = np.float32(np.inf)
        for j in range(len(others)):
            x, y, z = points[i, 0] - others[j, 0], points[i, 1] - others[j, 1], points[i, 2] - others[j, 2]
            nearest = min(nearest, x * x + y * y + z * z)
        out[i] = np.sqrt(nearest)
    return out


def clip(
    triangles: np.ndarray, weights: sparse.csr_matrix, field: np.ndarray, snap: float = 0.12
) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Keep the part of a mesh where a field is positive.

    Args:
        triangles: (T, 3) int, rows of `weights`.
        weights: (n, V) sparse map onto the base vertices.
        field: (n,) float, linear along edges.
        snap: share of an edge within which the cut moves onto the vertex, so that it leaves no slivers.

    Returns:
        Triangles and map of what is left, renumbered without gaps.
    """
    n = weights.shape[0]
    field = np.asarray(field, float)
    faces, ends, share = _cut_triangles(triangles, field, _sides(triangles, field, snap))
    faces, used = compact(faces)
    whole, added = used[used < n], used[used >= n] - n
    values = np.concatenate([np.ones(len(whole)), np.stack([1 - share[added], share[added]], 1).ravel()])
    begin = np.concatenate([np.arange(len(whole)), len(whole) + 2 * np.arange(len(added) + 1)])
    choice = sparse.csr_matrix((values, np.concatenate([whole, ends[added].ravel()]), begin), (len(used), n))
    return faces, choice @ weights
