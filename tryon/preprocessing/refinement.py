"""The annotator's labels of a person, corrected by the colours of the photograph: pure functions of arrays."""

import cv2
import numpy as np

from tryon.preprocessing.parsing import GARMENTS, LABEL, LEGS, SHOES, label_mask
from tryon.preprocessing.plausibility import torso_length
from tryon.preprocessing.segmentation import colour_logit, grab_cut

SPREAD = 0.02  # of the square: how far labels spread over pixels that the annotator took for background
COLOUR_WEIGHT = 2.5  # of what colours say at most; the annotator's word weighs up to 3
SKIN_TOLERANCE = 16.0  # CIE76 with lightness counted 0.35; shaded arms stay below, most cloth lies above


def outlined(probabilities: np.ndarray, reach: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Labels of one figure, outlined by what the annotator believes and by the colours of this very photograph.

    Args:
        probabilities: (15, S, S) float32, over `LABELS`.
        reach: (S, S) bool: where the figure can be at all.
        square: (S, S, 3) uint8 RGB, the picture.

    Returns:
        (S, S) uint8, values index `LABELS`; all background if there is no figure.
    """
    background = LABEL["background"]
    figure = 1 - probabilities[background]
    logit = np.clip(np.log(np.maximum(figure, 1e-3) / np.maximum(1 - figure, 1e-3)), -3, 3)
    logit = np.where(reach, logit, -6)
    inside, outside = logit > 2, logit < -2
    if inside.sum() > 40 and outside.sum() > 40:
        logit = logit + np.clip(colour_logit(square, inside, outside), -COLOUR_WEIGHT, COLOUR_WEIGHT) * reach
    sharp = grab_cut(square, logit, sure=4.0) & reach
    # labels spread from where the annotator sees the figure to where the colours say that it goes on
    weight = cv2.GaussianBlur(figure, (0, 0), SPREAD * len(figure)) + 1e-6
    labels = np.stack([cv2.GaussianBlur(m, (0, 0), SPREAD * len(figure)) / weight for m in probabilities])
    labels = np.where(figure > 0.5, probabilities, labels)
    labels[background] = 0
    return np.where(sharp, labels.argmax(0), background).astype(np.uint8)


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


def head_wears_no_clothes(parsing: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Cloth and legs around the face, above its middle, are hair or a hat, which count as hair.

    Args:
        parsing: (S, S) uint8, values index `LABELS`.
        pose: (18, 3) float32.

    Returns:
        (S, S) uint8; equal to `parsing` if it shows no face.
    """
    face = np.nonzero(parsing == LABEL["face"])
    if len(face[0]) == 0:
        return parsing
    y, x = np.median(face, axis=1)
    rows, columns = np.ogrid[: len(parsing), : len(parsing)]
    around = (rows < y) & (np.abs(columns - x) < 0.5 * torso_length(pose) * len(parsing))
    cloth = label_mask(parsing, (*GARMENTS, *LEGS, *SHOES))
    return np.where(around & cloth, LABEL["hair"], parsing).astype(np.uint8)
