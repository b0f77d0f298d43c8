"""The annotator's labels of a person, corrected by the colours of the photograph: pure functions of arrays."""

import cv2
import numpy as np

from tryon.preprocessing.parsing import LABEL, label_mask
from tryon.preprocessing.segmentation import grab_cut

OUTLINE_REACH = 0.02  # of the square: how far the annotator's outline may be off
SKIN_TOLERANCE = 16.0  # CIE76 with lightness counted 0.35; shaded arms stay below, most cloth lies above


def with_sharp_outline(parsing: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The same labels with the figure's outline moved to where the colours change.

    Args:
        parsing: (S, S) uint8, values index `LABELS`.
        square: (S, S, 3) uint8 RGB, the picture that it labels.

    Returns:
        (S, S) uint8; equal to `parsing` but for a ring around the outline.
    """
    figure = (parsing != LABEL["background"]).astype(np.uint8)
    reach = max(2, round(OUTLINE_REACH * len(parsing)))
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inside, within = cv2.erode(figure, ellipse), cv2.dilate(figure, ellipse, iterations=2)
    belief = np.where(figure > 0, 1.0, -1.0)
    belief[inside > 0], belief[within == 0] = 3.0, -3.0
    sharp = grab_cut(square, belief, sure=2.0)
    result = np.where(sharp, parsing, LABEL["background"])
    if not result.any():
        return parsing
    _, nearest = cv2.distanceTransformWithLabels(
        (result == LABEL["background"]).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of = np.zeros(nearest.max() + 1, np.uint8)
    label_of[nearest[result > 0]] = result[result > 0]
    return np.where(sharp, label_of[nearest], LABEL["background"]).astype(np.uint8)


def sleeves_are_no_skin(parsing: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Arms, hands, neck and legs whose colour is far from the face's are cloth: of the garment that is worn there.

    A sleeve that is taken for an arm would stay in the picture under a garment without sleeves.

    Args:
        parsing: (S, S) uint8, values index `LABELS`.
        square: (S, S, 3) uint8 RGB, the picture that it labels.

    Returns:
        (S, S) uint8; equal to `parsing` if too little of a face is seen to know the skin's colour.
    """
    face = cv2.erode(label_mask(parsing, ("face",)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if face.sum() < 40:
        return parsing
    lab = cv2.cvtColor(cv2.medianBlur(square, 5).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    # Shading changes lightness far more than hue.
    offset = (lab - np.median(lab[face], axis=0)) * np.array([0.35, 1, 1], np.float32)
    cloth = (np.linalg.norm(offset, axis=-1) > SKIN_TOLERANCE).astype(np.uint8)
    cloth = cv2.morphologyEx(cloth, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
    result = parsing.copy()
    for skin, garment in (
        (("torso_skin", "left_arm", "right_arm", "left_hand", "right_hand"), "upper"),
        (("left_leg", "right_leg"), "lower"),
    ):
        worn = garment if (parsing == LABEL[garment]).sum() >= (parsing == LABEL["dress"]).sum() else "dress"
        result[cloth & label_mask(parsing, skin)] = LABEL[worn]
    return result
