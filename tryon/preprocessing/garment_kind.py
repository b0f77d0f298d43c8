"""Top, bottom or dress: told by the outline of a garment laid out and by the annotator's labels.

A multinomial logistic regression over a few measures of the outline, whose coefficients are the table below.
`python -m tryon.training.fit_garment_kind FOLDER` fits it to photographs and prints the table.
"""

from itertools import pairwise

import cv2
import numpy as np

from tryon.conditions import CATEGORIES
from tryon.preprocessing.annotation import Annotation
from tryon.preprocessing.parsing import LABEL

SIDE = 64  # the outline's box is measured at this resolution
BANDS = 4  # horizontal slices of the box
CERTAIN_VOTE = 0.75  # mean probability beyond which the annotator's labels decide alone
FEATURES = (
    "log_aspect",
    "log_aspect_squared",
    *(f"width_{i}" for i in range(BANDS)),
    *(f"covered_{i}" for i in range(BANDS)),
    *(f"apart_{i}" for i in range(BANDS)),
    "fill_of_hull",
    "top_at_sides",
    "top_at_shoulders",
    "top_beside_middle",
    "top_in_middle",
    *(f"votes_{name}" for name in CATEGORIES),
)
"""Names of what `outline_features` returns: width is in heights of the box, covered in widths of it, apart is what of
covered is not connected to the middle (sleeves, legs), top is how far below the box's top the outline begins."""


def outline_features(outline: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """Measures of an outlined garment.

    Args:
        outline: (H, W) bool, not empty.
        votes: (3,) mean probability of each of `CATEGORIES` within the outline.

    Returns:
        (22,) float64, named by `FEATURES`.
    """
    rows, columns = np.nonzero(outline)
    box = outline[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    aspect = box.shape[1] / box.shape[0]
    mask = cv2.resize(box.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0.5
    middle = min(round(float(np.average(np.arange(SIDE), weights=mask.sum(0) + 1e-6))), SIDE - 1)
    # a row's run through the middle: what no gap parts from it
    right = np.cumprod(mask[:, middle:], axis=1).sum(1)
    left = np.cumprod(mask[:, middle::-1], axis=1).sum(1)
    central = np.maximum(left + right - 1, 0).reshape(BANDS, -1).mean(1) / SIDE
    covered = mask.sum(1).reshape(BANDS, -1).mean(1) / SIDE
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(contours))) if contours else 0
    top = np.where(mask.any(0), mask.argmax(0) / SIDE, 1.0)
    edges = [round(SIDE * share) for share in (0, 0.12, 0.3, 0.42, 0.58, 0.7, 0.88, 1)]
    tops = [top[a:b].mean() for a, b in pairwise(edges)]
    word = np.log(votes + 0.02)
    return np.array(
        [
            np.log(aspect),
            np.log(aspect) ** 2,
            *(covered * aspect),
            *covered,
            *(covered - central),
            mask.sum() / max(hull, 1),
            tops[0] + tops[6],
            tops[1] + tops[5],
            tops[2] + tops[4],
            tops[3],
            *(word - word.mean()),
        ]
    )


def category_votes(seen: Annotation, outline: np.ndarray) -> np.ndarray:
    """(3,) mean probability of each of `CATEGORIES` within an outline, (S, S) bool, of the square that was seen."""
    maps = seen.scaled(len(outline))
    return np.array([maps[LABEL[name]][outline].mean() for name in CATEGORIES])


def likely_category(outline: np.ndarray, votes: np.ndarray) -> tuple[str, bool]:
    """The likeliest category of an outlined garment, and whether it is clearly that.

    Args:
        outline: (S, S) bool, not empty.
        votes: as `category_votes` returns them.
    """
    first, second = np.argsort(-votes)[:2]
    if votes[first] > CERTAIN_VOTE and votes[first] > 4 * votes[second]:
        return CATEGORIES[first], True
    logits = COEFFICIENTS @ np.append(outline_features(outline, votes), 1.0)
    best, second = np.argsort(-logits)[:2]
    # nine in ten of those beyond the margin are right, and six in ten of the others
    return CATEGORIES[best], bool(logits[best] - logits[second] > 1.0)


# For each of FEATURES, and the constant: what it says for each of CATEGORIES.
_TABLE = (
    (0.218, 0.133, -0.351),  # log_aspect
    (-0.125, 1.173, -1.048),  # log_aspect_squared
    (0.683, -0.497, -0.186),  # width_0
    (1.435, -0.023, -1.412),  # width_1
    (-0.425, 0.109, 0.316),  # width_2
    (-0.609, 0.929, -0.320),  # width_3
    (0.022, -0.362, 0.339),  # covered_0
    (6.384, -0.059, -6.325),  # covered_1
    (-1.332, 0.211, 1.121),  # covered_2
    (-1.419, 0.580, 0.839),  # covered_3
    (-10.314, -0.521, 10.836),  # apart_0
    (-1.083, 2.317, -1.235),  # apart_1
    (0.211, 2.130, -2.340),  # apart_2
    (0.192, 1.570, -1.763),  # apart_3
    (0.454, 1.940, -2.394),  # fill_of_hull
    (-0.146, 0.209, -0.063),  # top_at_sides
    (0.737, -0.431, -0.306),  # top_at_shoulders
    (1.305, 0.321, -1.627),  # top_beside_middle
    (-1.497, 9.916, -8.419),  # top_in_middle
    (0.771, -0.418, -0.353),  # votes_upper
    (-0.668, 1.015, -0.347),  # votes_lower
    (-0.519, -0.487, 1.006),  # votes_dress
    (-3.175, -3.574, 6.749),  # constant
)
COEFFICIENTS = np.array(_TABLE).T
