"""Draping: cloth that hangs, wrinkles and stays outside the body.

A garment keeps the lengths of the body it was cut for, so on another wearer it stretches or hangs
loose. Relaxation follows position-based dynamics (Mueller et al. 2007): edges, bends, gravity and
contact with tangent planes of the body, a few dozen steps, no self-collision.
"""

from typing import NamedTuple

import numba
import numpy as np

from tryon.synthetic.asset import load_body
from tryon.synthetic.garment import Garment
from tryon.synthetic.garments import KINDS
from tryon.synthetic.mesh import neighbour_mean, vertex_normals
from tryon.synthetic.nearest import nearest
from tryon.synthetic.pose import Skeleton, skin_vertices
from tryon.synthetic.quality import Quality

SKIN_GAP = 0.07  # dm between skin and the cloth on it
_LAYER_GAP = 0.05  # dm between the layers of a garment
_COVERED = 1.6  # dm between a garment and the skin it covers, on the unmorphed body
_TUCKED = 0.6  # dm from a garment within which what it covers may lie
_INSIDE = 0.3  # dm from the borders of a garment, nobody sees the skin on which it lies
_LOOSE = 0.2  # dm under the cloth skin is seen through openings, as an arm in a wide sleeve is
_DEEPEST = 0.8  # dm, cloth deeper in an obstacle is on its other side
_TOUCHING = 0.9  # dm within which obstacles count
_FAR_BELOW = ((0.0, -1e3, 0.0), (0.0, 1.0, 0.0))  # a plane for cloth with no obstacle near
_TRUNK_LEVELS = ("calf_l", "thigh_l", "spine_01", "spine_02", "spine_03")


class Springs(NamedTuple):
    """Pairs of cloth vertices and the lengths they want: threads, and bends across a thread."""

    edges: np.ndarray
    edge_length: np.ndarray
    bends: np.ndarray
    bend_length: np.ndarray


class Obstacle(NamedTuple):
    """(n, 3) points and unit normals cloth must stay in front of."""

    points: np.ndarray
    normals: np.ndarray

    def joined(self, other: "Obstacle | None") -> "Obstacle":
        """Both obstacles as one."""
        if other is None:
            return self
        return Obstacle(*(np.concatenate(both) for both in zip(self, other, strict=True)))


class Fit(NamedTuple):
    """Who wears a garment: its cutter's body, the wearer's, both (V, 3) unposed, and the pose."""

    cut_for: np.ndarray
    wearer: np.ndarray
    skeleton: Skeleton


@numba.njit(cache=True, fastmath=True)
def _pull(x: np.ndarray, pairs: np.ndarray, length: np.ndarray, push: float, gain: float) -> None:
    """Move each pair towards its length; `push` is how strongly short pairs are pushed apart."""
    half, tiny = np.float32(0.5) * gain, np.float32(1e-9)
    for e in range(pairs.shape[0]):
        a, b = pairs[e, 0], pairs[e, 1]
        dx, dy, dz = x[b, 0] - x[a, 0], x[b, 1] - x[a, 1], x[b, 2] - x[a, 2]
        distance = np.sqrt(dx * dx + dy * dy + dz * dz) + tiny
        share = half * (distance - length[e]) / distance
        if distance < length[e]:
            share *= push
        x[a, 0] += dx * share
        x[a, 1] += dy * share
        x[a, 2] += dz * share
        x[b, 0] -= dx * share
        x[b, 1] -= dy * share
        x[b, 2] -= dz * share


@numba.njit(cache=True, fastmath=True)
def _relax(
    x: np.ndarray,
    previous: np.ndarray,
    springs: Springs,
    held: np.ndarray,
    target: np.ndarray,
    plane: np.ndarray,
    normal: np.ndarray,
    gap: float,
    gravity: float,
    steps: int,
) -> None:
    one, stiff, soft = np.float32(1), np.float32(0.7), np.float32(0.12)
    for _ in range(steps):
        for i in range(x.shape[0]):
            for k in range(3):
                if held[i] > 0:
                    x[i, k] = target[i, k]
                    previous[i, k] = target[i, k]
                else:
                    velocity = (x[i, k] - previous[i, k]) * np.float32(0.92)
                    previous[i, k] = x[i, k]
                    x[i, k] += velocity
            if held[i] <= 0:
                x[i, 1] -= gravity
        _pull(x, springs.edges, springs.edge_length, stiff, one)
        _pull(x, springs.bends, springs.bend_length, one, soft)
        for i in range(x.shape[0]):
            for k in range(plane.shape[1]):
                depth = -gap
                for axis in range(3):
                    depth += (x[i, axis] - plane[i, k, axis]) * normal[i, k, axis]
                if -_DEEPEST < depth < 0:
                    for axis in range(3):
                        x[i, axis] -= depth * normal[i, k, axis]
                        previous[i, axis] += (x[i, axis] - previous[i, axis]) * np.float32(0.5)  # friction


@numba.njit(cache=True, fastmath=True)
def _lengths(points: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    out = np.empty(len(pairs), np.float32)
    for e in range(len(pairs)):
        a, b = pairs[e, 0], pairs[e, 1]
        x, y, z = points[a, 0] - points[b, 0], points[a, 1] - points[b, 1], points[a, 2] - points[b, 2]
        out[e] = np.sqrt(x * x + y * y + z * z)
    return out


def unposed(garment: Garment, vertices: np.ndarray) -> np.ndarray:
    """(n, 3) float32: a garment sewn for the unposed body `vertices`, before it hangs."""
    body = load_body()
    position = np.asarray(garment.weights @ vertices, np.float32)
    normal = vertex_normals(position, garment.triangles)
    if KINDS[garment.kind].loose_hem:  # a longer trunk does not lengthen the shirt as much
        bones = [body.bone[name] for name in _TRUNK_LEVELS]
        levels = np.asarray(body.head_map @ vertices)[bones, 1]
        height = garment.position[:, 1]
        level = np.interp(height, body.rest_joints[bones, 1], levels)
        position[:, 1] += (level - position[:, 1]) * np.clip((3.2 - height) / 1.4, 0, 1)
    return (position + normal * garment.ease[:, None]).astype(np.float32)


def body_obstacle(posed: np.ndarray, normals: np.ndarray, quality: Quality) -> Obstacle:
    """The parts of a posed body cloth may lie on."""
    index = load_body().collision_vertices[:: quality.collision_stride]
    return Obstacle(posed[index], normals[index])


def drape(
    garment: Garment,
    fit: Fit,
    obstacle: Obstacle,
    rng: np.random.Generator,
    quality: Quality,
    *,
    gap: float = SKIN_GAP,
) -> np.ndarray:
    """Hang a garment on a posed body.

    Args:
        garment: what is worn.
        fit: whose size the garment has, who wears it, and the pose.
        obstacle: the posed body and what it wears underneath.
        rng: source of the wrinkles.
        quality: how carefully.
        gap: dm between obstacle and cloth.

    Returns:
        (n, 3) float32 posed vertices of the garment.
    """
    own_size = unposed(garment, fit.cut_for)
    fitted = own_size if fit.cut_for is fit.wearer else unposed(garment, fit.wearer)
    springs = Springs(
        garment.edges,
        _lengths(own_size, garment.edges),
        garment.bends,
        _lengths(own_size, garment.bends),
    )
    target = skin_vertices(fitted, garment.skin_index, garment.skin_weight, fit.skeleton)
    previous = target.copy()
    x = target + rng.normal(0, 0.01, target.shape).astype(np.float32)
    steps = round(KINDS[garment.kind].drape_steps * quality.drape_effort)
    rounds = max(2, steps // 20)
    for _ in range(rounds):
        planes = _planes(x, obstacle, garment.lift, quality.collision_neighbours)
        numbers = (np.float32(gap), np.float32(quality.gravity), steps // rounds)
        _relax(x, previous, springs, garment.pinned, target, *planes, *numbers)
    if quality.cloth_smoothing:
        x = _smooth(x, garment, quality.cloth_smoothing)
    for _ in range(4 + 4 * quality.cloth_smoothing):  # even hems
        x[garment.border] = 0.4 * x[garment.border] + 0.6 * (garment.border_mean @ x)
    held = garment.pinned > 0
    x[held] = target[held]
    return _settle(x, garment) if garment.under.any() else x


def _planes(x: np.ndarray, obstacle: Obstacle, lift: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, count, 3) points and normals of the planes that cloth vertices must stay in front of."""
    near = nearest(obstacle.points, x, count, _TOUCHING)[1]
    points, normals = (np.append(array, [last], 0) for array, last in zip(obstacle, _FAR_BELOW, strict=True))
    normals = np.ascontiguousarray(normals, np.float32)[near]
    return np.ascontiguousarray(points, np.float32)[near] + lift[:, None, None] * normals, normals


def _settle(x: np.ndarray, garment: Garment) -> np.ndarray:
    """Push what lies under the rest of a garment back under it."""
    outer = np.flatnonzero(~garment.under)
    under = np.flatnonzero(garment.under)
    near = nearest(x[outer], x[under], 1, 0.4)[1][:, 0]
    under, near = under[near < len(outer)], outer[near[near < len(outer)]]
    normal = vertex_normals(x, garment.triangles)[near]
    height = ((x[under] - x[near]) * normal).sum(1)
    x[under] -= np.maximum(height + np.float32(_LAYER_GAP), 0)[:, None] * normal
    return x


def _smooth(x: np.ndarray, garment: Garment, rounds: int) -> np.ndarray:
    """Even out the wrinkles of a few threads' width that relaxation leaves in fine cloth."""
    mean = neighbour_mean(garment.triangles, len(x))
    inner = np.ones(len(x), bool)
    inner[garment.border] = False
    for _ in range(rounds):
        x = np.where(inner[:, None], 0.5 * x + 0.5 * (mean @ x), x).astype(np.float32)
    return x


def tuck(
    points: np.ndarray, unmorphed: np.ndarray, cloth: np.ndarray, garment: Garment, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Push what lies just outside a garment back under it, so that nothing shows through.

    Args:
        points: (n, 3) skin or cloth underneath.
        unmorphed: (n, 3) where these points are on the unmorphed body: a hand beside a skirt is not under it.
        cloth: (m, 3) draped vertices of `garment`.
        garment: what is worn on top.
        gap: dm by which the points shall lie under the cloth.

    Returns:
        (n, 3) moved copy of `points`, of which those at a hem stay, and (n,) bool, which of them touch the garment from
        below so far from its borders that they cannot be seen.
    """
    low, high = garment.position.min(0) - _COVERED, garment.position.max(0) + _COVERED
    index = np.flatnonzero(((unmorphed > low) & (unmorphed < high)).all(1))
    distance, near = nearest(cloth, points[index], 3, _TUCKED)
    found = near[:, 2] < len(cloth)
    tucked, hidden = points.copy(), np.zeros(len(points), bool)
    normals = vertex_normals(cloth, garment.triangles)
    table = (unmorphed, cloth, normals, garment.position, garment.opening, garment.hem)
    _push_under(tucked, hidden, index[found], distance[found], near[found], *table, np.float32(gap))
    return tucked, hidden


@numba.njit(cache=True, fastmath=True)
def _push_under(
    points: np.ndarray,
    hidden: np.ndarray,
    index: np.ndarray,
    distance: np.ndarray,
    near: np.ndarray,
    unmorphed: np.ndarray,
    cloth: np.ndarray,
    normals: np.ndarray,
    position: np.ndarray,
    opening: np.ndarray,
    border: np.ndarray,
    gap: float,
) -> None:
    for i in range(len(index)):
        p, total, hem, inside = index[i], 0.0, 0.0, border[near[i, 0]]
        centre, outwards, offset = np.zeros(3), np.zeros(3), np.zeros(3)
        for k in range(near.shape[1]):
            share = 1 / (distance[i, k] + 0.02) ** 2
            total += share
            hem += share * opening[near[i, k]]
            inside = min(inside, border[near[i, k]])
            for axis in range(3):
                centre[axis] += share * cloth[near[i, k], axis]
                outwards[axis] += share * normals[near[i, k], axis]
        hem /= total
        length = np.sqrt((outwards**2).sum()) + 1e-9
        apart, height = 0.0, 0.0
        for axis in range(3):
            outwards[axis] /= length
            offset[axis] = points[p, axis] - centre[axis] / total
            height += offset[axis] * outwards[axis]
            apart += (unmorphed[p, axis] - position[near[i, 0], axis]) ** 2
        beside = np.sqrt(((offset - height * outwards) ** 2).sum())
        covered = hem > 0.02 and apart < _COVERED**2 and height < 0.3 and beside < 0.35
        wanted = gap * min(max(hem / 0.1, 0.0), 1.0)  # skin comes out at the hem itself
        hidden[p] = covered and inside > _INSIDE and height > -_LOOSE
        if covered and height > -wanted:
            for axis in range(3):
                points[p, axis] -= outwards[axis] * (height + wanted)
