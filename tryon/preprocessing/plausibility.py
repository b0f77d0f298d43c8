"""What a body can be: limbs of human length, left and right in their places, clothes within reach of the joints.

A small network takes beams for arms now and then. These rules know nothing about pictures and a little about people.
"""

import cv2
import numpy as np

from tryon.preprocessing.pose import KEYPOINT, MIRRORED

# Bones as shares of the torso (neck to the middle of the hips), to judge its length from whichever are seen.
_TORSO_BONES = (
    ("neck", "right_hip", 1.03),
    ("neck", "left_hip", 1.03),
    ("right_hip", "right_knee", 0.85),
    ("left_hip", "left_knee", 0.85),
    ("right_shoulder", "left_shoulder", 0.62),
    ("nose", "neck", 0.42),
)
# Joints from the trunk outwards, the one each hangs on, and the longest bone that a body has there, in torsos.
_LONGEST = (
    ("shoulder", "neck", 0.55),
    ("hip", "neck", 1.4),
    ("elbow", "shoulder", 0.9),
    ("wrist", "elbow", 0.85),
    ("knee", "hip", 1.25),
    ("ankle", "knee", 1.25),
    ("eye", "nose", 0.3),
    ("ear", "nose", 0.45),
)
_SIDES = ("right", "left")
ASSUMED = 0.3  # confidence of a joint put where the body's symmetry wants it
LEAST_THIGH = 0.5  # torso lengths below the hips that make a leg
SEATED = 0.45  # torso lengths from the hips down to the knees; standing it is .85


def torso_length(pose: np.ndarray) -> float:
    """Length of the torso, neck to middle of the hips, in units of the frame, from whichever bones are seen.

    Foreshortening only shrinks a bone, so the largest estimate is the best; one far beyond the others is a mistake.

    Args:
        pose: (18, 3) float32.
    """
    estimates = []
    for start, end, share in _TORSO_BONES:
        a, b = pose[KEYPOINT[start]], pose[KEYPOINT[end]]
        if a[2] > 0 and b[2] > 0:
            estimates.append(float(np.linalg.norm(a[:2] - b[:2])) / share)
    if not estimates:
        return 0.05
    return max(e for e in estimates if e <= 2 * np.median(estimates))


def plausible_pose(pose: np.ndarray) -> np.ndarray:
    """`pose` without joints that cannot be where they are, and with arms and legs on one side of the body each.

    Args:
        pose: (18, 3) float32: x, y in [0, 1] of a square frame, confidence; missing joints are zeros.

    Returns:
        (18, 3) float32; a joint that hangs on one that was dropped stays, as it may well be right. Where one shoulder
        or hip is missing, it is put opposite the other.
    """
    pose = pose.copy()
    unit = torso_length(pose)
    neck = pose[KEYPOINT["neck"]]
    for name in ("right_hip", "left_hip"):  # nobody is dressed upside down
        if neck[2] > 0 and pose[KEYPOINT[name], 1] < neck[1] + 0.2 * unit:
            pose[KEYPOINT[name]] = 0
    for outer, inner, longest in _LONGEST:
        for side in _SIDES:
            joint = KEYPOINT[f"{side}_{outer}"]
            base = pose[KEYPOINT.get(inner, KEYPOINT.get(f"{side}_{inner}"))]
            if base[2] > 0 and np.linalg.norm(pose[joint, :2] - base[:2]) > longest * unit:
                pose[joint] = 0
    if _facing(pose, "shoulder") * _facing(pose, "hip") < 0:  # a spine does not turn that far
        legs = [KEYPOINT[f"{side}_{part}"] for side in _SIDES for part in ("hip", "knee", "ankle")]
        pose[legs] = pose[MIRRORED][legs]
    if neck[2] > 0:
        for part, height in (("shoulder", 2 * neck[1]), ("hip", 0)):
            _complete(pose, part, 2 * neck[0], height)
    return pose


def _complete(pose: np.ndarray, part: str, across: float, down: float) -> None:
    """Put a shoulder or hip that is not seen opposite the one that is: mirrored about the neck, or beside the other.

    Without it there would be no trunk to dress.
    """
    right, left = (KEYPOINT[f"{side}_{part}"] for side in _SIDES)
    if (pose[right, 2] > 0) == (pose[left, 2] > 0):
        return
    seen, missing = (right, left) if pose[right, 2] > 0 else (left, right)
    x, y = across - pose[seen, 0], down - pose[seen, 1] if down else pose[seen, 1]
    if 0 <= x < 1 and 0 <= y < 1:
        pose[missing] = x, y, ASSUMED


def _facing(pose: np.ndarray, part: str) -> int:
    """1 if the person's left is on the right of the picture, as in a front view, -1 the other way round, 0 unknown."""
    right, left = (pose[KEYPOINT[f"{side}_{part}"]] for side in _SIDES)
    if min(right[2], left[2]) == 0 or abs(left[0] - right[0]) < 0.15 * torso_length(pose):
        return 0
    return 1 if left[0] > right[0] else -1


def seen_from_behind(pose: np.ndarray) -> bool:
    """Whether the shoulders are the wrong way round and no eye and no nose is seen."""
    face = pose[[KEYPOINT[name] for name in ("nose", "right_eye", "left_eye")], 2]
    return _facing(pose, "shoulder") < 0 and not face.any()


def _heights(pose: np.ndarray, part: str) -> np.ndarray:
    """Y of those of a pair of joints that are seen."""
    pair = pose[[KEYPOINT[f"{side}_{part}"] for side in _SIDES]]
    return pair[pair[:, 2] > 0, 1]


def legs_are_seen(pose: np.ndarray, bottom: float) -> bool:
    """Whether there is anything to put trousers on: a knee, or much of the thighs.

    Args:
        pose: (18, 3) float32.
        bottom: y of the photograph's lower edge in the same units.
    """
    hips, knees = _heights(pose, "hip"), _heights(pose, "knee")
    if len(knees):
        return True
    return len(hips) > 0 and min(bottom, 1) - hips.mean() > LEAST_THIGH * torso_length(pose)


def stands(pose: np.ndarray, bottom: float) -> bool:
    """Whether the knees are well below the hips; where no knee is seen although it would be in the picture, no.

    Args:
        pose: (18, 3) float32.
        bottom: y of the photograph's lower edge in the same units.
    """
    unit = torso_length(pose)
    hips, knees = _heights(pose, "hip"), _heights(pose, "knee")
    if len(hips) == 0:
        return True
    if len(knees) == 0:
        return min(bottom, 1) - hips.mean() < unit
    return knees.max() - hips.mean() > SEATED * unit


def body_reach(pose: np.ndarray, size: int) -> np.ndarray:
    """Where the body and what it wears can be.

    Args:
        pose: (18, 3) float32, with a neck or a shoulder; around joints that are missing, room is left for the limb.
        size: side of the result in pixels.

    Returns:
        (size, size) bool; all True if no joint of the trunk is known.
    """
    unit = torso_length(pose) * size
    points = {name: pose[row, :2] * size for name, row in KEYPOINT.items() if pose[row, 2] > 0}
    shoulders = [points[n] for n in ("right_shoulder", "left_shoulder") if n in points]
    hips = [points[n] for n in ("right_hip", "left_hip") if n in points]
    if "neck" not in points and not shoulders:
        return np.ones((size, size), bool)
    neck = points.get("neck", np.mean(shoulders, axis=0) if shoulders else None)
    down = np.array([0, unit])
    waist = np.mean(hips, axis=0) if hips else neck + down
    canvas = np.zeros((size, size), np.uint8)

    def disc(centre: np.ndarray, radius: float) -> None:
        cv2.circle(canvas, tuple(np.round(centre).astype(int).tolist()), max(1, round(radius * unit)), 1, -1)

    def stroke(start: np.ndarray, end: np.ndarray, width: float) -> None:
        ends = (tuple(np.round(point).astype(int).tolist()) for point in (start, end))
        cv2.line(canvas, *ends, 1, max(1, round(width * unit)))

    head = points.get("nose", neck - 0.42 * down)
    disc(head, 0.62)  # a hat or long hair included
    stroke(head, neck, 0.7)
    stroke(neck, waist + 0.2 * down, 1.25)  # a coat is wider than a chest
    for side in _SIDES:
        shoulder = points.get(f"{side}_shoulder", neck)
        elbow, wrist = points.get(f"{side}_elbow"), points.get(f"{side}_wrist")
        if elbow is None:
            disc(shoulder, 0.8)
        else:
            stroke(shoulder, elbow, 0.5)
        if wrist is not None:
            stroke(shoulder if elbow is None else elbow, wrist, 0.5)
            disc(wrist, 0.4)
        elif elbow is not None:
            disc(elbow, 0.75)
        hip = points.get(f"{side}_hip", waist)
        knee = points.get(f"{side}_knee", hip + 0.85 * down)
        ankle = points.get(f"{side}_ankle", knee + 0.9 * down)
        stroke(hip, knee, 0.75)
        stroke(knee, ankle, 0.75)
        disc(ankle, 0.5)
    knees = [points.get(f"{side}_knee", waist + 0.85 * down) for side in _SIDES]
    ankles = [points.get(f"{side}_ankle", knee + 0.9 * down) for side, knee in zip(_SIDES, knees, strict=True)]
    hull = cv2.convexHull(np.round([waist, *knees, *ankles]).astype(np.int32))  # a skirt spans the legs
    cv2.fillConvexPoly(canvas, hull, 1)
    return canvas > 0
