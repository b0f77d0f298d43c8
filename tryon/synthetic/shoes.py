"""Shoes: a last lofted around each foot, with a sole."""

from typing import NamedTuple

import numpy as np

from tryon.preprocessing.parsing import LABEL
from tryon.synthetic import mesh, parts
from tryon.synthetic.asset import load_body
from tryon.synthetic.picture import Surface
from tryon.synthetic.pose import Skeleton
from tryon.synthetic.quality import Quality
from tryon.synthetic.shade import PLAIN

_CLEARANCE = 0.06  # dm between foot and shoe
_SMOOTHED = 24  # stations from which on the last is smoothed as much
_COLLAR = 0.80  # dm, height of the shoe at the ankle
_SOLE = 0.17  # dm
_SOLE_COLOUR = np.array([0.62, 0.60, 0.56])


class _Last(NamedTuple):
    """Half widths, centres and heights of a shoe at stations along the foot, all in dm."""

    along: np.ndarray
    centre: np.ndarray
    half: np.ndarray
    height: np.ndarray


def _smooth(values: np.ndarray, rounds: int) -> np.ndarray:
    for _ in range(rounds):
        values = np.convolve(np.pad(values, 1, "edge"), [0.25, 0.5, 0.25], "valid")
    return values


def _fit_last(along: np.ndarray, across: np.ndarray, height: np.ndarray, count: int) -> _Last:
    """The last around a foot given as points in its own frame (floor at height 0), at `count` stations."""
    heel, toe = along.min() - 1.5 * _CLEARANCE, along.max() + 2 * _CLEARANCE
    stations = heel + (toe - heel) * (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, count)))
    near = np.abs(along[None] - stations[:, None]) < 0.22
    few = count < _SMOOTHED
    left = _smooth(np.where(near, across, np.inf).min(1), 1 if few else 3)
    right = _smooth(np.where(near, across, -np.inf).max(1), 1 if few else 3)
    top = _smooth(np.minimum(np.where(near, height, 0).max(1), _COLLAR), 2 if few else 5)
    top = np.minimum(top + _CLEARANCE, _COLLAR)
    # Round heel and toe cap.
    ends = np.minimum((stations - heel) / 0.45, (toe - stations) / 0.75)
    cap = np.sqrt(np.clip(1 - (1 - np.clip(ends, 0, 1)) ** 2, 0, 1))
    return _Last(stations, (left + right) / 2, ((right - left) / 2 + _CLEARANCE) * cap, top * (0.45 + 0.55 * cap))


def _loft(last: _Last, height: np.ndarray, widen: float, around: int) -> tuple[np.ndarray, np.ndarray]:
    """Closed tube along a last: (n, 3) points (across, up, along) and its triangles."""
    angle = np.linspace(0, np.pi, around - 4)
    cosine, sine = np.cos(angle), np.sin(angle)
    profile_x = np.concatenate([np.sign(cosine) * np.abs(cosine) ** 0.6, np.linspace(-1, 1, 6)[1:-1]])
    profile_y = np.concatenate([np.abs(sine) ** 0.75, np.zeros(4)])
    x = last.centre[:, None] + (last.half[:, None] + widen * np.sign(last.half[:, None])) * profile_x
    y = height[:, None] * profile_y
    points = np.stack([x, y, np.broadcast_to(last.along[:, None], x.shape)], -1)
    points = np.concatenate([points, points[:, :1]], 1)  # close the tube
    return points.reshape(-1, 3), mesh.split_quads(mesh.grid_quads(len(last.along), around + 1))


def make_shoes(colour: np.ndarray, posed: np.ndarray, skeleton: Skeleton, quality: Quality) -> list[Surface]:
    """A pair of low shoes.

    Args:
        colour: (3,) linear RGB of the upper.
        posed: (V, 3) posed body.
        skeleton: its pose.
        quality: number of points.

    Returns:
        Uppers and soles of both shoes, labelled left and right.
    """
    body = load_body()
    stations, around = quality.shoe_grid
    index = parts.feet().vertices
    left = body.vertices[index, 0] > 0
    surfaces = []
    for side, chosen in (("left", left), ("right", ~left)):
        foot = posed[index[chosen]]
        ankle, ball = (skeleton.joints[body.bone[f"{bone}_{side[0]}"]] for bone in ("foot", "ball"))
        forwards = (ball - ankle) * [1, 0, 1]
        forwards /= np.linalg.norm(forwards)
        sideways = np.cross([0, 1.0, 0], forwards)
        origin = np.array([ankle[0], foot[:, 1].min() - 0.02, ankle[2]])
        axes = np.stack([sideways, [0, 1.0, 0], forwards])
        across, height, along = ((foot - origin) @ axes.T).T
        last = _fit_last(along, across, height, stations)
        shapes = (("shoes", last.height, 0.0, colour), ("soles", np.full(stations, _SOLE), 0.03, _SOLE_COLOUR))
        for name, heights, widen, dye in shapes:
            points, triangles = _loft(last, heights, widen, around)
            surfaces.append(
                Surface(
                    name=name,
                    kind=PLAIN,
                    vertices=(points @ axes + origin).astype(np.float32),
                    triangles=triangles,
                    label=LABEL[f"{side}_shoe"],
                    colour=dye,
                    specular=0.25,
                )
            )
    return surfaces
