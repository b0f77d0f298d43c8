"""From a garment on a mannequin to the same garment as people lay it on a table.

The studio's product pictures show a garment with a body's curves. A shirt on a table is a flat bag: its sides are
straight, it is as wide as half its girth, and its sleeves are wide, bent or not, and lie at any angle: also along its
sides, on it or half beneath it. Networks that never saw that take it for a very wide shirt on a very wide body. Here
trunk, upper and lower sleeves are cut apart, each is moved as a whole, and the picture, its joints and the places that
a flow points to move together, so that all stay true of each other.
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
SLACK = 0.12  # torso lengths of a lower sleeve that go on beneath the upper one, so that bending it tears nothing
NO_PIECE = -1
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
class Sleeve:
    """A sleeve and how it comes to lie.

    Attributes:
        arm: (3, 2) places of shoulder, elbow and wrist.
        upper: (2, 3) affine map of places in [0, 1] down to the elbow.
        lower: the same of all beyond it.
    """

    arm: np.ndarray
    upper: np.ndarray
    lower: np.ndarray

    def beyond_elbow(self, places: np.ndarray) -> np.ndarray:
        """How far (..., 2) places are beyond the line that halves the angle of the elbow."""
        bones = np.diff(self.arm, axis=0)
        along = (bones / np.maximum(np.linalg.norm(bones, axis=1, keepdims=True), 1e-6)).sum(0)
        return (places - self.arm[1]) @ (along / max(float(np.linalg.norm(along)), 1e-6))

    def moved(self, places: np.ndarray) -> np.ndarray:
        """(N, 2) places in this sleeve, and where they go."""
        upper, lower = (places @ m[:, :2].T + m[:, 2] for m in (self.upper, self.lower))
        return np.where(self.beyond_elbow(places)[:, None] > 0, lower, upper)


@dataclass(frozen=True)
class Layout:
    """How a garment comes to lie.

    Attributes:
        trunk: of all that is no sleeve.
        sleeves: of the right and of the left arm; empty without sleeves.
        torso: length of the torso, in [0, 1] of the picture.
        fit: scale and shift, (3,), that keep the garment in the picture.
        on_top: whether the sleeves lie on the trunk, not it on them.
    """

    trunk: Trunk
    sleeves: tuple[Sleeve, ...]
    torso: float
    fit: np.ndarray
    on_top: bool = False

    def pieces(self, places: np.ndarray) -> np.ndarray:
        """(N,) number of the piece that each of (N, 2) places belongs to; the trunk is 0."""
        out = np.zeros(len(places), int)
        for i, sleeve in enumerate(self.sleeves):
            own = self.in_sleeve(places, sleeve.arm)
            out[own] = np.where(sleeve.beyond_elbow(places[own]) > 0, 2 * i + 2, 2 * i + 1)
        return out

    def places(self, places: np.ndarray) -> np.ndarray:
        """(N, 2) places of the garment's cloth in [0, 1] of the picture, and where they go."""
        out = self.trunk.moved(places)
        for sleeve in self.sleeves:
            own = self.in_sleeve(places, sleeve.arm)
            out[own] = sleeve.moved(places[own])
        return out * self.fit[0] + self.fit[1:]

    def pose(self, pose: np.ndarray) -> np.ndarray:
        """(18, 3) joints: those of arms move with their sleeves; what leaves the picture is missing, as everywhere."""
        out = pose.copy()
        moved = self.trunk.moved(pose[:, :2])
        for arm, sleeve in zip(ARMS, self.sleeves, strict=False):
            moved[list(arm)] = sleeve.moved(pose[list(arm), :2])
        out[:, :2] = moved * self.fit[0] + self.fit[1:]
        out[(pose[:, 2] == 0) | ((out[:, :2] < 0) | (out[:, :2] >= 1)).any(1)] = 0
        return out

    def pictures(self, image: np.ndarray, parsing: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The garment as it lies.

        Args:
            image: (S, S, 3) uint8.
            parsing: (S, S) uint8.
            label: of the garment.

        Returns:
            picture: (S, S, 3) uint8, white around it.
            labels: (S, S) uint8, background around it.
            shown: (S, S) number of the piece on top, as in `pieces`, `NO_PIECE` around the garment.
        """
        side = len(image)
        axis = (np.arange(side, dtype=np.float32) + 0.5) / side
        here = np.stack(np.meshgrid(axis, axis), axis=-1)
        there = ((here - self.fit[1:]) / self.fit[0]).astype(np.float32)
        picture, labels = np.full_like(image, 255), np.zeros_like(parsing)
        top = np.full(parsing.shape, NO_PIECE)
        cloth = (parsing == label).astype(np.uint8)
        layers = []
        for i, sleeve in enumerate(self.sleeves):
            for number, affine in ((2 * i + 2, sleeve.lower), (2 * i + 1, sleeve.upper)):
                origin = cv2.transform(there, cv2.invertAffineTransform(affine))
                beyond = sleeve.beyond_elbow(origin)
                own = beyond > -SLACK * self.torso if affine is sleeve.lower else beyond <= 0
                layers.append((number, origin, own & self.in_sleeve(origin, sleeve.arm, OVERLAP)))
        origin = self.trunk.origin(there)
        own = np.ones((side, side), bool)
        for sleeve in self.sleeves:
            own &= ~self.in_sleeve(origin, sleeve.arm)
        layers.insert(0 if self.on_top else len(layers), (0, origin, own))
        for number, origin, own in layers:
            at = (origin * side - 0.5).astype(np.float32)
            shown = own & (cv2.remap(cloth, at, None, cv2.INTER_NEAREST) > 0)
            moved = cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            picture[shown], labels[shown], top[shown] = moved[shown], label, number
        return picture, labels, top

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
    """A top or a dress: straight sides, sleeves wide, bent and anyhow."""
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
    turn, bend, widen = rng.uniform(-20, 45), rng.uniform(-25, 15), rng.uniform(1.0, 1.45)
    sleeves = []
    for joints in ARMS:
        shoulder, elbow, wrist = pose[list(joints), :2]
        if pose[joints[1], 2] == 0:
            return Layout(trunk, (), torso, _AS_IT_IS)
        if pose[joints[2], 2] == 0:
            wrist = 2 * elbow - shoulder
        side = float(np.sign(shoulder[0] - neck[0])) or 1.0
        angles = side * np.radians(np.array([turn, bend]) + rng.normal(0, 4, 2))
        sleeves.append(_sleeve(np.stack([shoulder, elbow, wrist]), trunk, *angles, widen))
    layout = Layout(trunk, tuple(sleeves), torso, _AS_IT_IS, bool(rng.random() < 0.5))
    rows, columns = np.nonzero(outline)
    cloth = np.stack([columns + 0.5, rows + 0.5], axis=1) / len(outline)
    if any(layout.in_sleeve(cloth, sleeve.arm).mean() < LEAST_SLEEVE for sleeve in sleeves):
        return Layout(trunk, (), torso, _AS_IT_IS)
    return layout


def _sleeve(arm: np.ndarray, trunk: Trunk, turn: float, bend: float, widen: float) -> Sleeve:
    """Wider across the arm, turned about the shoulder, which moves with the trunk, and bent at the elbow."""
    shoulder, elbow, _ = arm
    along = (elbow - shoulder) / max(float(np.linalg.norm(elbow - shoulder)), 1e-6)
    across = np.array([-along[1], along[0]])
    linear = _rotation(turn) @ (np.outer(along, along) + widen * np.outer(across, across))
    upper = np.c_[linear, trunk.moved(shoulder) - linear @ shoulder]
    moved_elbow, linear = linear @ elbow + upper[:, 2], _rotation(bend) @ linear
    return Sleeve(arm, upper, np.c_[linear, moved_elbow - linear @ elbow])


def _rotation(angle: float) -> np.ndarray:
    """(2, 2); y points down, so this turns a sleeve at larger x up for a positive angle."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


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
    return Layout(trunk, (), 1.0, _AS_IT_IS)
