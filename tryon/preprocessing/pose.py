"""Poses: the keypoint list of the project, heatmaps to keypoints, and drawing."""

from collections.abc import Callable

import cv2
import numpy as np
import torch

PoseDetector = Callable[[np.ndarray], np.ndarray]
"""(S, S, 3) uint8 RGB -> (18, 3) float32 pose of the main person, all zeros if there is none."""

KEYPOINTS = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
"""OpenPose's order of 18. A pose is (18, 3) float32: x, y in [0, 1] of a square frame and confidence in [0, 1].

A joint that is missing or outside the frame is (0, 0, 0). Left and right are the person's own.
"""

KEYPOINT = {name: index for index, name in enumerate(KEYPOINTS)}
"""Row of a keypoint in a pose, by name."""

LIMBS = (
    ("neck", "right_shoulder"),
    ("neck", "left_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("neck", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("neck", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("neck", "nose"),
    ("nose", "right_eye"),
    ("right_eye", "right_ear"),
    ("nose", "left_eye"),
    ("left_eye", "left_ear"),
)
"""Pairs of keypoints that a drawn skeleton joins."""


def _mirrored(name: str) -> str:
    if name.startswith("left_"):
        return name.replace("left_", "right_")
    return name.replace("right_", "left_")


MIRRORED = np.array([KEYPOINT[_mirrored(name)] for name in KEYPOINTS])
"""Rows of a pose in the order that a mirrored picture needs; see `mirror_pose`."""


def mirror_pose(pose: np.ndarray) -> np.ndarray:
    """The pose of the mirrored picture: x turned round, left and right joints exchanged.

    Args:
        pose: (18, 3) float32: x, y in [0, 1], confidence; missing joints are zeros.

    Returns:
        (18, 3) float32 of the same kind.
    """
    mirrored = pose[MIRRORED].copy()
    found = mirrored[:, 2] > 0
    mirrored[found, 0] = 1 - mirrored[found, 0]
    return mirrored


def decode_heatmaps(logits: torch.Tensor | np.ndarray, *, threshold: float = 0.2) -> np.ndarray:
    """The pose in a stack of heatmaps: the highest cell of each, refined between the cells.

    The maps are trained towards Gaussians, whose logarithm is a parabola: its apex through the highest cell and that
    cell's neighbours is the position.

    Args:
        logits: (18, H, W) or (N, 18, H, W) float: logits of the probability that the joint is in the cell.
        threshold: joints whose peak probability is below it are missing.

    Returns:
        (18, 3) or (N, 18, 3) float32: x, y in [0, 1] of the map, peak probability; missing joints are zeros.
    """
    maps = torch.as_tensor(logits).detach().float().cpu()
    log_probability = torch.nn.functional.logsigmoid(maps).numpy()
    height, width = log_probability.shape[-2:]
    flat = log_probability.reshape(-1, height, width)
    peak = flat.reshape(len(flat), -1).argmax(1)
    row, column = np.divmod(peak, width)
    index = np.arange(len(flat))

    def apex(before: np.ndarray, at: np.ndarray, after: np.ndarray) -> np.ndarray:
        curvature = np.minimum(before + after - 2 * at, -1e-6)
        return np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)

    at = flat[index, row, column]
    left, right = flat[index, row, np.maximum(column - 1, 0)], flat[index, row, np.minimum(column + 1, width - 1)]
    above, below = flat[index, np.maximum(row - 1, 0), column], flat[index, np.minimum(row + 1, height - 1), column]
    pose = np.stack(
        [
            (column + 0.5 + apex(left, at, right)) / width,
            (row + 0.5 + apex(above, at, below)) / height,
            np.exp(at),
        ],
        axis=1,
    ).astype(np.float32)
    pose[:, :2] = np.minimum(pose[:, :2], 1 - 1e-6)
    pose[pose[:, 2] < threshold] = 0
    return pose.reshape(*log_probability.shape[:-2], 3)


def draw_pose(pose: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    """Draw a skeleton over a picture.

    Args:
        pose: (18, 3) float32: x, y in [0, 1] of the square frame, confidence; missing joints are zeros.
        canvas: (S, S, 3) uint8 RGB to draw on; left as it is.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    drawn = canvas.copy()
    size = canvas.shape[0]
    # cv2 takes fixed-point positions: 4 fractional bits keep the lines anti-aliased at small sizes
    points = [tuple(round(16 * (float(value) * size - 0.5)) for value in joint[:2]) for joint in pose]
    thickness = max(1, size // 100)
    for limb, (start, end) in enumerate(LIMBS):
        a, b = KEYPOINT[start], KEYPOINT[end]
        if pose[a, 2] > 0 and pose[b, 2] > 0:
            cv2.line(drawn, points[a], points[b], _hue(limb / len(LIMBS)), thickness, cv2.LINE_AA, 4)
    for joint, point in enumerate(points):
        if pose[joint, 2] > 0:
            colour = _hue(joint / len(KEYPOINTS))
            cv2.circle(drawn, point, 16 * max(2, size // 80), colour, -1, cv2.LINE_AA, 4)
    return drawn


def _hue(turn: float) -> tuple[int, int, int]:
    colour = cv2.cvtColor(np.uint8([[[turn * 179, 255, 255]]]), cv2.COLOR_HSV2RGB)[0, 0]
    return int(colour[0]), int(colour[1]), int(colour[2])
