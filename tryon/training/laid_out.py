"""From a garment on a mannequin to the same garment as people lay it on a table.

The studio's product pictures show a garment with a body's curves. A shirt on a table is a flat bag: its sides are
straight, it is as wide as half its girth, and its sleeves are wide and lie at any angle. Networks that never saw that
take it for a very wide shirt on a very wide body. Here trunk and sleeves are cut apart, each is moved as a whole, and
the picture, its joints and the places that a flow points to move together, so that all stay true of each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

ARMS = ((2, 3, 4), (5, 6, 7))  # shoulder, elbow, wrist
UNDERARM = 0.42  # torso lengths below the neck
SLEEVE = 0.26  # torso lengths from the arm's bones that a sleeve reaches at most
LEAST_SLEEVE = 0.03  # of the garment; less is the edge of an armhole
OVERLAP = 0.08  # torso lengths of a sleeve that go on beneath the trunk, so that turning it tears nothing
BORDER = 0.02  # of the picture that stays free around the garment
FIRST_BELOW_ARM = 2  # of the heights of a trunk with sleeves
_AS_IT_IS = np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True)
class Trunk:
    """Every row is made wider or narrower about a middle line.

    Attributes:
        heights: (K,) of the rows that `middles`, `limits` and `factors` are given for, rising, in [0, 1].
        middles: (K,) x of the middle.
        limits: (K,) how far from it the trunk reaches; beyond are sleeves.
        factors: (K,) by which the row is wider.
    """

    heights: np.ndarray
    middles: np.ndarray
    limits: np.ndarray
    factors: np.ndarray

    def at(self, name: str, heights: np.ndarray) -> np.ndarray:
        """Values of an attribute at other heights."""
        return np.interp(heights, self.heights, getattr(self, name))

    def moved(self, places: np.ndarray) -> np.ndarray:
        """(..., 2) places and where they go."""
        x, y = places[..., 0], places[..., 1]
        middle = self.at("middles", y)
        return np.stack([middle + (x - middle) * self.at("factors", y), y], axis=-1)

    def origin(self, places: np.ndarray) -> np.ndarray:
        """(..., 2) places and where they come from."""
        x, y = places[..., 0], places[..., 1]
        middle = self.at("middles", y)
        return np.stack([middle + (x - middle) / self.at("factors", y), y], axis=-1)


@dataclass(frozen=True)
class Layout:
    """How a garment comes to lie.

    Attributes:
        trunk: of all that is no sleeve.
        sleeves: of the right and of the left arm, (2, 3) affine maps of places in [0, 1]; empty without sleeves.
        arms: (3, 2) places of shoulder, elbow and wrist in each sleeve.
        torso: length of the torso, in [0, 1] of the picture.
        fit: scale and shift, (3,), that keep the garment in the picture.
    """

    trunk: Trunk
    sleeves: tuple[np.ndarray, ...]
    arms: tuple[np.ndarray, ...]
    torso: float
    fit: np.ndarray

    def places(self, places: np.ndarray) -> np.ndarray:
        """(N, 2) places of the garment's cloth in [0, 1] of the picture, and where they go."""
        out = self.trunk.moved(places)
        for sleeve, arm in zip(self.sleeves, self.arms, strict=True):
            own = self.in_sleeve(places, arm)
            out[own] = places[own] @ sleeve[:, :2].T + sleeve[:, 2]
        return out * self.fit[0] + self.fit[1:]

    def pose(self, pose: np.ndarray) -> np.ndarray:
        """(18, 3) joints: those of arms move with their sleeves; what leaves the picture is missing, as everywhere."""
        out = pose.copy()
        moved = self.trunk.moved(pose[:, :2])
        for arm, sleeve in zip(ARMS, self.sleeves, strict=False):
            moved[list(arm)] = pose[list(arm), :2] @ sleeve[:, :2].T + sleeve[:, 2]
        out[:, :2] = moved * self.fit[0] + self.fit[1:]
        out[(pose[:, 2] == 0) | ((out[:, :2] < 0) | (out[:, :2] >= 1)).any(1)] = 0
        return out

    def pictures(self, image: np.ndarray, parsing: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
        """The garment, (S, S, 3) and (S, S) uint8, as it lies; all around it is white and background."""
        side = len(image)
        axis = (np.arange(side, dtype=np.float32) + 0.5) / side
        here = np.stack(np.meshgrid(axis, axis), axis=-1)
        there = ((here - self.fit[1:]) / self.fit[0]).astype(np.float32)
        picture, labels = np.full_like(image, 255), np.zeros_like(parsing)
        cloth = parsing == label
        origins = []
        for sleeve, arm in zip(self.sleeves, self.arms, strict=True):
            origin = cv2.transform(there, cv2.invertAffineTransform(sleeve))
            origins.append((origin, self.in_sleeve(origin, arm, OVERLAP)))
        origin = self.trunk.origin(there)
        in_sleeves = [self.in_sleeve(origin, arm) for arm in self.arms]
        origins.append((origin, ~np.logical_or.reduce(in_sleeves, initial=False) & np.ones((side, side), bool)))
        for origin, own in origins:  # the trunk lies on top
            at = (origin * side - 0.5).astype(np.float32)
            shown = own & (cv2.remap(cloth.astype(np.uint8), at, None, cv2.INTER_NEAREST) > 0)
            moved = cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            picture[shown], labels[shown] = moved[shown], label
        return picture, labels

    def in_sleeve(self, places: np.ndarray, arm: np.ndarray, overlap: float = 0.0) -> np.ndarray:
        """Whether places, (..., 2), are beyond the trunk and near the arm; at the armhole the sleeve goes on inside."""
        x, y = places[..., 0], places[..., 1]
        off = (x - self.trunk.at("middles", y)) * (np.sign(arm[0, 0] - self.trunk.at("middles", arm[0, 1])) or 1.0)
        beneath = np.where(y < self.trunk.heights[FIRST_BELOW_ARM], overlap * self.torso, 0)
        near = np.full(x.shape, np.inf)
        for start, end in ((arm[0], arm[1]), (arm[1], arm[1] + 1.3 * (arm[2] - arm[1]))):
            bone = end - start
            along = np.clip(((x - start[0]) * bone[0] + (y - start[1]) * bone[1]) / max(bone @ bone, 1e-9), 0, 1)
            near = np.minimum(near, np.hypot(x - start[0] - along * bone[0], y - start[1] - along * bone[1]))
        return (off > self.trunk.at("limits", y) - beneath) & (near < SLEEVE * self.torso)


def random_layout(outline: np.ndarray, pose: np.ndarray, category: str, rng: np.random.Generator) -> Layout | None:
    """Some way to lay this garment down.

    Args:
        outline: (S, S) bool, the garment.
        pose: (18, 3) joints in its picture.
        category: one of `tryon.conditions.CATEGORIES`.
        rng: of how far and how.

    Returns:
        None if the joints that it takes are not in the picture.
    """
    layout = _bottom(outline, rng) if category == "lower" else _top(outline, pose, rng)
    if layout is None:
        return None
    rows, columns = np.nonzero(outline)
    side = len(outline)
    moved = layout.places(np.stack([columns + 0.5, rows + 0.5], axis=1) / side)
    low, high = moved.min(0), moved.max(0)
    scale = min(1.0, (1 - 2 * BORDER) / float((high - low).max()))
    half = scale * (high - low) / 2
    middle = np.clip((low + high) / 2, BORDER + half, 1 - BORDER - half)
    fit = np.array([scale, *(middle - scale * (low + high) / 2)])
    return replace(layout, fit=fit)


def _top(outline: np.ndarray, pose: np.ndarray, rng: np.random.Generator) -> Layout | None:
    """A top or a dress: straight sides, sleeves wide and anyhow."""
    if not (pose[[1, 2, 5, 8, 11], 2] > 0).all():
        return None
    neck, hips = pose[1, :2], pose[[8, 11], :2].mean(0)
    torso = float(np.linalg.norm(hips - neck))
    shoulders = abs(pose[2, 0] - pose[5, 0]) / 2
    heights, halves = _sides(outline, neck, hips, 1.15 * shoulders)
    if len(heights) < 2:
        return None
    straightness, ease = rng.uniform(0.3, 1.0), rng.uniform(1.0, 1.2)
    chest = halves[0] * ease
    wanted = halves + straightness * (np.maximum(halves, chest) - halves)
    above = np.array([neck[1] - 0.3 * torso, pose[[2, 5], 1].mean()])
    growth = wanted[0] / halves[0]
    trunk = Trunk(
        heights=np.r_[above, heights],
        middles=np.interp(np.r_[above, heights], [neck[1], hips[1]], [neck[0], hips[0]]),
        limits=np.r_[1.0, 1.02 * shoulders, halves + 0.01],
        factors=np.r_[1.0, 1 + 0.5 * (growth - 1), wanted / halves],
    )
    turn, widen = rng.uniform(-10, 45), rng.uniform(1.0, 1.45)
    sleeves, arms = [], []
    for joints in ARMS:
        shoulder, elbow, wrist = pose[list(joints), :2]
        if pose[joints[1], 2] == 0:
            return Layout(trunk, (), (), torso, _AS_IT_IS)
        if pose[joints[2], 2] == 0:
            wrist = 2 * elbow - shoulder
        side = float(np.sign(shoulder[0] - neck[0])) or 1.0
        sleeves.append(_sleeve(shoulder, elbow, trunk, side * math.radians(turn + rng.normal(0, 4)), widen))
        arms.append(np.stack([shoulder, elbow, wrist]))
    layout = Layout(trunk, tuple(sleeves), tuple(arms), torso, _AS_IT_IS)
    rows, columns = np.nonzero(outline)
    cloth = np.stack([columns + 0.5, rows + 0.5], axis=1) / len(outline)
    if any(layout.in_sleeve(cloth, arm).mean() < LEAST_SLEEVE for arm in arms):
        return Layout(trunk, (), (), torso, _AS_IT_IS)
    return layout


def _sleeve(shoulder: np.ndarray, elbow: np.ndarray, trunk: Trunk, turn: float, widen: float) -> np.ndarray:
    """(2, 3) affine map: wider across the arm, turned about the shoulder, which moves with the trunk."""
    along = (elbow - shoulder) / max(float(np.linalg.norm(elbow - shoulder)), 1e-6)
    across = np.array([-along[1], along[0]])
    wider = np.outer(along, along) + widen * np.outer(across, across)
    # y points down, so this turns the sleeve at larger x up for a positive angle
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    linear = rotation @ wider
    return np.c_[linear, trunk.moved(shoulder) - linear @ shoulder]


def _sides(outline: np.ndarray, neck: np.ndarray, hips: np.ndarray, widest: float) -> tuple[np.ndarray, np.ndarray]:
    """Heights from below the arms down to the hem, and half the width of the trunk there, all in [0, 1].

    Above the hips it is not wider than `widest`: what is there is a sleeve that touches it.
    """
    side = len(outline)
    lowest = np.nonzero(outline.any(1))[0].max() / side
    torso = hips[1] - neck[1]
    top = neck[1] + UNDERARM * torso
    found = []
    # not the hem itself, whose corners are round
    for height in np.linspace(top, max(lowest - 0.1 * torso, top + 0.2 * torso), 7):
        row = outline[min(int(height * side), side - 1)]
        middle = np.interp(height, [neck[1], hips[1]], [neck[0], hips[0]])
        if not row[int(middle * side)]:  # open in front, or a hem that is higher in the middle
            continue
        gaps = np.nonzero(~row)[0] / side
        half = (gaps[gaps > middle].min(initial=1.0) - gaps[gaps < middle].max(initial=0.0)) / 2
        found.append((height, min(half, widest) if height < hips[1] else half))
    return tuple(np.array(found).reshape(-1, 2).T)


def _bottom(outline: np.ndarray, rng: np.random.Generator) -> Layout:
    """Trousers or a skirt: legs laid closer or apart, all a little wider."""
    rows, columns = np.nonzero(outline)
    side = len(outline)
    middle = (columns.min() + columns.max() + 1) / 2 / side
    heights = np.array([rows.min(), rows.max() + 1]) / side
    wider = rng.uniform(1.0, 1.2)
    trunk = Trunk(
        heights=heights,
        middles=np.full(2, middle),
        limits=np.ones(2),
        factors=np.array([wider, wider * (1 + rng.uniform(-0.45, 0.15))]),
    )
    return Layout(trunk, (), (), 1.0, _AS_IT_IS)
