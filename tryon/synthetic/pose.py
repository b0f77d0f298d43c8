"""Poses: random and chosen ones, the skeleton they give, and the skin that follows it."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numba
import numpy as np

from tryon.synthetic.asset import load_body

_UP = np.array([0.0, 1.0, 0.0])
_RIGHT = np.array([1.0, 0.0, 0.0])
_FORWARD = np.array([0.0, 0.0, 1.0])

# Directions of upper arm and forearm of the left arm (x outwards, y up, z forwards), and how
# often each is drawn.
ARM_PRESETS = {
    "down": ((0.22, -1, 0.0), (0.10, -1, 0.18), 4),
    "away": ((0.5, -1, 0), (0.35, -1, 0.2), 3),
    "hip": ((0.80, -0.72, -0.30), (-0.80, -0.42, 0.40), 3),
    "forward": ((0.25, -0.95, 0.15), (0.05, -0.25, 1), 1.2),
    "up": ((0.75, 0.7, 0.1), (0.0, 1, 0.1), 0.8),
    "sideways": ((1, 0.05, 0), (1, 0.1, 0.1), 0.5),
    "head": ((0.85, 0.5, -0.05), (-0.75, 0.62, -0.05), 0.7),
    "chest": ((0.35, -0.92, 0.12), (-0.55, 0.35, 0.72), 1),
    "pocket": ((0.42, -0.95, -0.22), (-0.05, -0.95, 0.30), 2),
    "behind": ((0.42, -0.92, -0.38), (-0.35, -0.9, -0.12), 0.8),
    "hair": ((0.62, -0.05, 0.72), (-0.42, 0.9, -0.12), 0.7),
    "belly": ((0.3, -0.95, 0.1), (-0.72, -0.28, 0.66), 1.2),
    "point": ((0.9, -0.3, 0.3), (0.9, 0.2, 0.4), 0.6),
    "a_pose": ((0.62, -0.78, 0), (0.55, -0.8, 0.15), 1.5),
}

# Both arms in front of the body, one before the other: directions as above, the arm in front first,
# and how often each is drawn.
ARM_PAIRS = {
    "crossed": (((0.12, -0.88, 0.46), (-0.96, 0.16, 0.42)), ((0.16, -0.88, 0.40), (-0.97, -0.02, 0.24)), 2),
    "clasped": (((0.2, -0.97, 0.16), (-0.6, -0.58, 0.62)), ((0.2, -0.97, 0.14), (-0.56, -0.66, 0.52)), 1.5),
    "holding_wrist": (((0.24, -0.95, 0.12), (-0.8, -0.32, 0.6)), ((0.16, -0.98, 0.1), (-0.3, -0.82, 0.48)), 1),
}
_PAIR_SHARE = 0.13  # of all poses
# Arms of people who sit: hands on thighs or knees, or as above; and how often each is drawn.
_SEATED_ARMS = {
    "thigh": ((0.2, -0.93, 0.3), (-0.28, -0.4, 0.85), 4),
    "knee": ((0.2, -0.85, 0.5), (-0.15, -0.48, 0.88), 3),
    **{name: ARM_PRESETS[name] for name in ("hip", "forward", "head", "chest", "hair", "belly")},
}
# Thigh and shin of the left leg and of the right, and how often each is drawn; mirrored half the time.
_STANCES = (
    (((0.0, -1, 0.0), (0.0, -1, 0.0)), ((0.0, -1, 0.0), (0.0, -1, 0.0)), 5),  # at ease
    (((0.05, -1, 0.2), (0.0, -1, -0.26)), ((-0.02, -1, 0.0), (-0.02, -1, 0.0)), 2),  # one knee bent
    (((-0.04, -1, 0.36), (-0.04, -1, -0.02)), ((-0.04, -1, -0.16), (-0.04, -1, -0.5)), 2),  # a step
    (((0.12, -1, 0.05), (0.1, -1, 0.0)), ((0.12, -1, 0.0), (0.1, -1, -0.05)), 1),  # feet apart
)


@dataclass(frozen=True)
class Pose:
    """Directions of the limbs and bends of the trunk; left before right, angles in radians.

    Attributes:
        arms: per side, directions of upper arm and forearm; x points away from the body.
        legs: per side, directions of thigh and shin; x points away from the body.
        spine, head: bends about x (forwards), y (turn to the left) and z (to the side).
        yaw: turn of the whole body about y.
        curl: bend of every finger joint.
        shrug: lift of the shoulders.
        seat: seed of what they sit on; None stands.
    """

    arms: tuple[tuple[np.ndarray, np.ndarray], ...]
    legs: tuple[tuple[np.ndarray, np.ndarray], ...]
    spine: np.ndarray
    head: np.ndarray
    yaw: float = 0.0
    curl: float = 0.4
    shrug: float = 0.0
    seat: int | None = None


class Skeleton(NamedTuple):
    """A posed rig: (B, 3, 4) float32 transforms of unposed vertices, (B, 3) bone beginnings."""

    transforms: np.ndarray
    joints: np.ndarray


def arm_preset(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Directions of upper arm and forearm of one of `ARM_PRESETS`."""
    upper, fore, _ = ARM_PRESETS[name]
    return np.array(upper, float), np.array(fore, float)


def _random_arms(
    rng: np.random.Generator, presets: dict[str, tuple] = ARM_PRESETS
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    if rng.random() < _PAIR_SHARE:
        odds = np.array([row[2] for row in ARM_PAIRS.values()])
        before, behind, _ = ARM_PAIRS[str(rng.choice(list(ARM_PAIRS), p=odds / odds.sum()))]
        pair = (before, behind) if rng.random() < 0.5 else (behind, before)
        return tuple(tuple(np.array(limb) + rng.normal(0, 0.03, 3) for limb in arm) for arm in pair)
    names = list(presets)
    odds = np.array([presets[name][2] for name in names])
    odds /= odds.sum()
    left = rng.choice(names, p=odds)
    right = left if rng.random() < 0.35 else rng.choice(names, p=odds)
    return tuple(tuple(limb + rng.normal(0, 0.07, 3) for limb in presets[name][:2]) for name in (left, right))


def _random_legs(rng: np.random.Generator) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    odds = np.array([row[2] for row in _STANCES])
    left, right, _ = _STANCES[int(rng.choice(len(_STANCES), p=odds / odds.sum()))]
    spread = rng.uniform(0.03, 0.16)
    legs = tuple(
        (
            np.add(thigh, (spread + rng.normal(0, 0.03), 0, rng.normal(0, 0.05))),
            np.add(shin, (spread * 0.6 + rng.normal(0, 0.03), 0, -abs(rng.normal(0, 0.08)))),
        )
        for thigh, shin in (left, right)
    )
    return legs if rng.random() < 0.5 else legs[::-1]


def _random_turn(rng: np.random.Generator) -> tuple[float, float]:
    """Turn of the body, and how much of it the head takes back: frontal, three-quarter, a little from behind."""
    kind, sign = rng.random(), rng.choice([-1, 1])
    if kind < 0.8:
        return float(np.clip(rng.normal(0, 0.3), -0.7, 0.7)), 0.0
    yaw = sign * (rng.uniform(0.55, 1.1) if kind < 0.97 else rng.uniform(1.1, 1.9))
    return float(yaw), float(-np.sign(yaw) * min(0.5 * abs(yaw), 0.8))


def random_pose(rng: np.random.Generator) -> Pose:
    """A standing pose as in fashion photographs; half the time both arms differ."""
    arms, legs = _random_arms(rng), _random_legs(rng)
    yaw, back = _random_turn(rng)
    return Pose(
        arms=arms,
        legs=legs,
        spine=rng.normal(0, [0.05, 0.07, 0.05]),
        head=rng.normal((0, back, 0), (0.08, 0.22, 0.05)),
        yaw=yaw,
        curl=float(rng.uniform(0.15, 0.6)),
        shrug=float(rng.normal(0, 0.03)),
    )


def random_seated_pose(rng: np.random.Generator) -> Pose:
    """Somebody on a seat: thighs forwards, shins down, hands mostly on thighs and knees."""
    standing = random_pose(rng)
    spread, rise, back = rng.uniform(0.03, 0.3), rng.uniform(-0.1, 0.08), rng.uniform(-0.25, 0.15)
    legs = tuple(
        (
            np.array([spread + rng.normal(0, 0.04), rise + rng.normal(0, 0.02), 1.0]),
            np.array([spread * 0.3 + rng.normal(0, 0.05), -1.0, back + rng.normal(0, 0.08)]),
        )
        for _ in range(2)
    )
    yaw = float(np.clip(rng.normal(0, 0.5), -1.1, 1.1))
    seat = int(rng.integers(1 << 30))
    return replace(
        standing, arms=_random_arms(rng, _SEATED_ARMS), legs=legs, yaw=yaw, head=standing.head * [1, 0.5, 1], seat=seat
    )


def display_pose(rng: np.random.Generator) -> Pose:
    """The straight pose of the mannequin that product pictures are taken on."""
    arm = (np.array([0.42, -1, 0.0]), np.array([0.40, -1, 0.05]))
    leg = (np.array([0.1, -1, 0.0]), np.array([0.08, -1, 0.0]))
    return Pose((arm, arm), (leg, leg), np.zeros(3), np.zeros(3), shrug=float(rng.normal(0, 0.03)))


@numba.njit(cache=True)
def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt((vector * vector).sum())


@numba.njit(cache=True)
def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


@numba.njit(cache=True)
def _rodrigues(x: float, y: float, z: float, sine: float, versine: float) -> np.ndarray:
    cross = np.zeros((3, 3))
    cross[0, 1], cross[0, 2], cross[1, 2] = -z, y, -x
    cross[1, 0], cross[2, 0], cross[2, 1] = z, -y, x
    return np.eye(3) + sine * cross + versine * (cross @ cross)


@numba.njit(cache=True)
def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """(3, 3) turn by `angle` radians about `axis`, (3,) float, which need not have unit length."""
    x, y, z = _unit(axis)
    return _rodrigues(x, y, z, np.sin(angle), 1 - np.cos(angle))


@numba.njit(cache=True)
def rotation_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(3, 3) shortest turn that points `start` along `end`, both (3,) float."""
    a, b = _unit(start), _unit(end)
    x, y, z = _cross(a, b)
    # 1.0001 keeps opposite directions finite.
    return _rodrigues(x, y, z, 1.0, 1 / (1.0001 + (a * b).sum()))


def _bend(angles: np.ndarray) -> np.ndarray:
    """Half of a bend about y, x and z: it is given to several bones in a row."""
    x, y, z = angles / 2
    return rotation(_UP, y) @ rotation(_RIGHT, x) @ rotation(_FORWARD, z)


class _Rig:
    """The bones of one morphed body, and the local turns a pose gives them."""

    def __init__(self, vertices: np.ndarray) -> None:
        self.body = load_body()
        self.head = np.asarray(self.body.head_map @ vertices, np.float64)
        self.tail = np.asarray(self.body.tail_map @ vertices, np.float64)
        self.local = np.tile(np.eye(3), (len(self.body.bones), 1, 1))

    def at(self, name: str) -> np.ndarray:
        return self.head[self.body.bone[name]]

    def turn(self, name: str, local: np.ndarray) -> None:
        self.local[self.body.bone[name]] = local

    def pose_arm(self, side: str, mirror: float, pose: Pose) -> None:
        upper, fore = (d * [mirror, 1, 1] for d in pose.arms[0 if side == "l" else 1])
        # A raised arm lifts the collar bone with it.
        lift = np.clip(_unit(upper)[1] + 0.55, 0, 1.6) * 0.38 + pose.shrug
        clavicle = rotation(_FORWARD, mirror * lift * 0.8)
        rest_upper = self.at(f"lowerarm_{side}") - self.at(f"upperarm_{side}")
        rest_fore = self.at(f"hand_{side}") - self.at(f"lowerarm_{side}")
        shoulder = rotation_between(rest_upper, clavicle.T @ upper)
        total = clavicle @ shoulder
        # Twist the upper arm so that the elbow bends the way it naturally can.
        axis = _unit(upper)
        current, wanted = (v - axis * (v @ axis) for v in (total @ rest_fore, fore))
        if np.linalg.norm(wanted) > 0.12 * np.linalg.norm(fore):
            current, wanted = _unit(current), _unit(wanted)
            angle = np.arctan2(axis @ _cross(current, wanted), current @ wanted)
            total = rotation(axis, np.clip(angle, -1.5, 1.5) * 0.85) @ total
            shoulder = clavicle.T @ total
        self.turn(f"clavicle_{side}", clavicle)
        self.turn(f"upperarm_{side}", shoulder)
        self.turn(f"lowerarm_{side}", rotation_between(rest_fore, total.T @ fore))
        self._pose_hand(side, mirror, rest_fore, pose.curl)

    def _pose_hand(self, side: str, mirror: float, rest_fore: np.ndarray, curl: float) -> None:
        along = self.at(f"middle_01_{side}") - self.at(f"hand_{side}")
        straight = _unit(along) * 0.6 + _unit(rest_fore) * 0.4
        self.turn(f"hand_{side}", rotation_between(along, straight))
        across = self.at(f"index_01_{side}") - self.at(f"pinky_01_{side}")
        palm = _cross(across, along) * mirror
        for finger in ("index", "middle", "ring", "pinky"):
            for k in (1, 2, 3):
                bone = self.body.bone[f"{finger}_0{k}_{side}"]
                axis = _cross(self.tail[bone] - self.head[bone], palm)
                self.local[bone] = rotation(axis, -curl * (0.6 if k == 1 else 0.9))

    def pose_leg(self, side: str, mirror: float, pose: Pose) -> None:
        upper, lower = (d * [mirror, 1, 1] for d in pose.legs[0 if side == "l" else 1])
        thigh = rotation_between(self.at(f"calf_{side}") - self.at(f"thigh_{side}"), upper)
        shin = self.at(f"foot_{side}") - self.at(f"calf_{side}")
        knee = rotation_between(shin, thigh.T @ lower)
        self.turn(f"thigh_{side}", thigh)
        self.turn(f"calf_{side}", knee)
        # Feet stay flat on the floor, toes slightly outwards.
        self.turn(f"foot_{side}", (thigh @ knee).T @ rotation(_UP, -mirror * 0.1))

    def skeleton(self) -> Skeleton:
        count = len(self.head)
        turns, joints = np.zeros((count, 3, 3)), np.zeros((count, 3))
        for i, parent in enumerate(self.body.parents):
            if parent < 0:
                turns[i], joints[i] = self.local[i], self.head[i]
            else:
                turns[i] = turns[parent] @ self.local[i]
                offset = self.head[i] - self.head[parent]
                joints[i] = turns[parent] @ offset + joints[parent]
        shift = joints - np.einsum("bij,bj->bi", turns, self.head)
        return Skeleton(np.concatenate([turns, shift[..., None]], 2).astype(np.float32), joints)


def pose_skeleton(vertices: np.ndarray, pose: Pose) -> Skeleton:
    """The rig of a morphed body in a pose.

    Args:
        vertices: (V, 3) unposed, morphed vertices.
        pose: directions and angles.

    Returns:
        Transforms and joints of all bones, in dm.
    """
    rig = _Rig(vertices)
    for name in ("spine_01", "spine_02", "spine_03"):
        rig.turn(name, _bend(pose.spine))
    for name in ("neck_01", "head"):
        rig.turn(name, _bend(pose.head))
    for side, mirror in (("l", 1.0), ("r", -1.0)):
        rig.pose_arm(side, mirror, pose)
        rig.pose_leg(side, mirror, pose)
    rig.turn("pelvis", rotation(_UP, pose.yaw))
    return rig.skeleton()


@numba.njit(cache=True, fastmath=True)
def _blend(
    vertices: np.ndarray,
    index: np.ndarray,
    weight: np.ndarray,
    transforms: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(vertices.shape[0]):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        for k in range(index.shape[1]):
            w = weight[i, k]
            if w > 0:
                m = transforms[index[i, k]]
                for row in range(3):
                    out[i, row] += w * (m[row, 0] * x + m[row, 1] * y + m[row, 2] * z + m[row, 3])


def skin_vertices(vertices: np.ndarray, index: np.ndarray, weight: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Linear blend skinning: (n, 3) unposed vertices -> (n, 3) float32 posed ones."""
    out = np.zeros(vertices.shape, np.float32)
    _blend(np.ascontiguousarray(vertices, np.float32), index, weight, skeleton.transforms, out)
    return out
