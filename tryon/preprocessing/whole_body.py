"""Whole-body poses, and their drawing in grey as FASHN VTON was trained to read it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tryon.preprocessing.pose import KEYPOINT, LIMBS

RAW = np.linspace(20, 240, 18).astype(int)[:17]  # grey of a limb before it is dimmed
LIMB_DIMMING, JOINT_LIGHTENING = 0.6, 1.3
FINGERS = [(0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)]
FINGER_GREYS = np.linspace(160, 220, 20).astype(int)
HAND_GREY, FACE_GREY = 240, 200
BODY_WIDTH, JOINT_RADIUS, FACE_RADIUS, FINGER_WIDTH = 4, 4, 3, 2


@dataclass(frozen=True)
class WholeBody:
    """The joints of one person; x and y in [0, 1] of the picture, -1 for points that are not seen.

    Attributes:
        body: (18, 2), OpenPose's order as in `pose.KEYPOINTS`.
        hands: (2, 21, 2), left and right, each from the wrist along the fingers.
        face: (68, 2).
    """

    body: np.ndarray
    hands: np.ndarray
    face: np.ndarray

    @classmethod
    def of_body(cls, pose: np.ndarray) -> "WholeBody":
        """A body without hands and face, from (18, 3): x, y and confidence, 0 where a joint is missing."""
        body = np.where(pose[:, 2:] > 0, pose[:, :2], -1.0).astype(np.float64)
        return cls(body, np.full((2, 21, 2), -1.0), np.full((68, 2), -1.0))


WholeBodyDetector = Callable[[np.ndarray], WholeBody | None]
"""(H, W, 3) uint8 RGB -> the main person, or None."""


def draw_grey(pose: WholeBody, size: tuple[int, int]) -> np.ndarray:
    """Draw a pose as FASHN VTON reads it: nothing is anti-aliased, and widths do not depend on the size.

    Args:
        pose: whose joints to draw.
        size: height and width of the photograph.

    Returns:
        (height, width) uint8, black where nothing is drawn.
    """
    height, width = size
    canvas = np.zeros(size, np.uint8)
    body, hands, face = (
        np.trunc(points * (width, height)).astype(int) for points in (pose.body, pose.hands, pose.face)
    )
    seen = pose.body[:, 0] != -1
    limbs = np.zeros(size, np.uint8)
    lightest: dict[int, int] = {}
    for (start, end), raw in zip(LIMBS, RAW.tolist(), strict=True):
        a, b = KEYPOINT[start], KEYPOINT[end]
        for joint in (a, b):
            lightest.setdefault(joint, raw)
        if seen[a] and seen[b]:
            (xa, ya), (xb, yb) = body[a].tolist(), body[b].tolist()
            axes = (int(math.hypot(xa - xb, ya - yb)) // 2, BODY_WIDTH)
            angle = int(math.degrees(math.atan2(ya - yb, xa - xb)))
            outline = cv2.ellipse2Poly(((xa + xb) // 2, (ya + yb) // 2), axes, angle, 0, 360, 1)
            cv2.fillConvexPoly(limbs, outline, raw)
    canvas = np.maximum(canvas, (limbs * LIMB_DIMMING).astype(np.uint8))
    for joint in np.flatnonzero(seen).tolist():
        grey = min(255, int(JOINT_LIGHTENING * lightest[joint]))
        cv2.circle(canvas, tuple(body[joint].tolist()), JOINT_RADIUS, grey, -1)
    for hand in hands:
        for (a, b), grey in zip(FINGERS, FINGER_GREYS.tolist(), strict=True):
            if min(*hand[a], *hand[b]) >= 1:
                cv2.line(canvas, tuple(hand[a].tolist()), tuple(hand[b].tolist()), grey, FINGER_WIDTH)
        _dots(canvas, hand, JOINT_RADIUS, HAND_GREY)
    _dots(canvas, face, FACE_RADIUS, FACE_GREY)
    return canvas


def _dots(canvas: np.ndarray, points: np.ndarray, radius: int, grey: int) -> None:
    for x, y in points.tolist():
        if min(x, y) >= 1:
            cv2.circle(canvas, (x, y), radius, grey, -1)
