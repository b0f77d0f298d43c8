"""Seats: what people who sit sit on. To add a seat, add its boxes to `SEATS`."""

from typing import NamedTuple

import numpy as np

from tryon.preprocessing.parsing import LABEL
from tryon.synthetic.asset import load_body
from tryon.synthetic.drape import Obstacle
from tryon.synthetic.mesh import split_quads
from tryon.synthetic.noise import random_dye
from tryon.synthetic.picture import Surface
from tryon.synthetic.pose import Pose, Skeleton, rotation
from tryon.synthetic.shade import PLAIN

_Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
_GIVES = 0.1  # dm that thighs sink into a seat
_BACK, _FRONT = -1.7, 0.62  # back edge, dm from the hips; front edge, in lengths of the thigh
_GRID = 0.45  # dm between the points that cloth collides with


def _legs(half: float, thick: float) -> list[_Box]:
    sides, depths = ((-half, thick - half), (half - thick, half)), ((0.02, 0.02 + thick / 5), (0.98 - thick / 5, 0.98))
    return [(x, (0, 0.9), z) for x in sides for z in depths]


# Boxes: from and to along x (dm from the middle), y (0 floor, 1 seat) and z (0 back edge, 1 front edge).
SEATS: dict[str, list[_Box]] = {
    "box": [((-2.0, 2.0), (0, 1), (0, 1))],
    "stool": [((-1.8, 1.8), (0.9, 1), (0, 1)), *_legs(1.7, 0.35)],
    "bench": [((-7, 7), (0.88, 1), (0, 1)), ((-6.2, -5.7), (0, 0.9), (0.1, 0.9)), ((5.7, 6.2), (0, 0.9), (0.1, 0.9))],
    "chair": [((-2.1, 2.1), (0.88, 1), (0, 1)), *_legs(2.1, 0.3), ((-2.1, 2.1), (1.3, 1.95), (-0.1, -0.04))],
    "sofa": [((-8, 8), (0, 1), (0, 1)), ((-8, 8), (0, 1.8), (-0.4, -0.04))],
}
_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))  # seen from outside


class Seat(NamedTuple):
    """A seat under somebody: how it looks, and what cloth lies on."""

    surface: Surface
    obstacle: Obstacle


def place_seat(posed: np.ndarray, skeleton: Skeleton, pose: Pose) -> Seat:
    """The seat of somebody who sits.

    Args:
        posed: (V, 3) posed body.
        skeleton: its rig.
        pose: its pose, with a `seat`.
    """
    body = load_body()
    thighs, knees = (
        np.array([skeleton.joints[body.bone[f"{bone}_{side}"]] for side in "lr"]) for bone in ("thigh", "calf")
    )
    hips, turn = thighs.mean(0), rotation(np.array([0.0, 1.0, 0.0]), pose.yaw)
    local = (posed[body.body_vertices] - hips) @ turn
    front = _FRONT * ((knees.mean(0) - hips) @ turn)[2]
    floor = local[:, 1].min() - 0.04  # the soles
    over = (local[:, 2] > _BACK) & (local[:, 2] < front) & (np.abs(local[:, 0]) < 2.5)
    sitting = body.weight_of(("thigh", "pelvis", "Root"))[body.body_vertices] > 0.5
    top = local[over & sitting, 1].min() + _GIVES
    ends = np.array([[floor, _BACK], [top, front]])

    rng = np.random.default_rng(pose.seat)
    boxes = SEATS[str(rng.choice(list(SEATS)))]
    corners = []
    for box in boxes:
        low, high = np.array(box, float).T
        corner = low + _CORNERS * (high - low)
        corner[:, 1:] = ends[0] + corner[:, 1:] * (ends[1] - ends[0])
        corners.append(corner[np.array(_FACES)].reshape(-1, 3))
    vertices = np.concatenate(corners)
    triangles = split_quads(np.arange(len(vertices)).reshape(-1, 4))  # no two faces share a corner: edges stay sharp
    x, z = np.meshgrid(np.arange(-3, 3, _GRID), np.arange(_BACK, front, _GRID))
    half = boxes[0][0][1]
    x, z = x[np.abs(x) < half], z[np.abs(x) < half]
    points = np.stack([x, np.full(len(x), top), z], 1)
    return Seat(
        Surface(
            name="seat",
            kind=PLAIN,
            vertices=(vertices @ turn.T + hips).astype(np.float32),
            triangles=triangles,
            label=LABEL["background"],
            colour=random_dye(rng),
            specular=0.08,
        ),
        Obstacle(
            (points @ turn.T + hips).astype(np.float32), np.tile(np.array([0, 1, 0], np.float32), (len(points), 1))
        ),
    )
