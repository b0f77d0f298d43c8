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
    (0.797, -0.357, -0.440),  # log_aspect
    (-3.231, 1.398, 1.833),  # log_aspect_squared
    (1.078, -1.356, 0.278),  # width_0
    (1.560, 0.765, -2.325),  # width_1
    (-1.014, 0.520, 0.494),  # width_2
    (-1.006, 0.324, 0.682),  # width_3
    (-0.266, -1.459, 1.725),  # covered_0
    (5.236, 2.082, -7.318),  # covered_1
    (-2.473, 2.147, 0.326),  # covered_2
    (-1.434, 0.085, 1.349),  # covered_3
    (-7.289, -5.877, 13.165),  # apart_0
    (-5.863, 0.979, 4.884),  # apart_1
    (1.866, 2.739, -4.606),  # apart_2
    (0.730, 4.421, -5.151),  # apart_3
    (-0.071, 1.934, -1.863),  # fill_of_hull
    (-1.162, 1.641, -0.479),  # top_at_sides
    (-0.584, -0.881, 1.466),  # top_at_shoulders
    (-0.511, 0.562, -0.051),  # top_beside_middle
    (3.774, 1.755, -5.529),  # top_in_middle
    (1.173, -0.645, -0.529),  # votes_upper
    (-1.072, 1.335, -0.263),  # votes_lower
    (-0.529, -0.570, 1.099),  # votes_dress
    (1.182, -6.452, 5.271),  # constant
)
COEFFICIENTS = np.array(_TABLE).T
