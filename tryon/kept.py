"""The outline of what stays in the photograph, hands, hair and the other garments, at the photograph's own size.

Labels are a quarter as large as the result. Enlarged, they make stairs of a hem that the photograph shows as a line.
"""

import cv2
import numpy as np

from tryon.preprocessing.agnostic import KEPT, TAKEN_OFF
from tryon.preprocessing.parsing import label_mask

BAND = 1.5  # pixels of the labels: how far an outline may be from where they have it
WINDOW = 2.0  # pixels of the labels: half a side of the squares in which colours are compared
CONTRAST = 1e-4  # variance of colours in [0, 1] below which a square shows no outline


def may_change(
    photo: np.ndarray, parsing: np.ndarray, hidden: np.ndarray, opened: np.ndarray, category: str
) -> np.ndarray:
    """The hidden region without what stays: along its border the colours of the photograph decide what that is.

    Args:
        photo: (S, S, 3) uint8 RGB.
        parsing: (s, s) uint8 labels of it.
        hidden: (s, s) bool: what the networks repaint.
        opened: (s, s) bool: what is to be replaced whatever it shows.
        category: of the new garment, one of `tryon.conditions.CATEGORIES`.

    Returns:
        (S, S) bool; False outside of the hidden region.
    """
    size, cell = len(photo), len(photo) / len(parsing)
    around = np.ones((3, 3), np.uint8)
    # The agnostic picture hides what touches the old garment, for traces of it; most of that pixel is what it is.
    touching, shown = (
        cv2.dilate(mask.astype(np.uint8), around) > 0 for mask in (label_mask(parsing, TAKEN_OFF[category]), ~hidden)
    )
    kept = label_mask(parsing, KEPT[category]) & (~hidden | (touching & shown)) & ~opened
    share = cv2.resize(kept.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    rough = (share > 0.5).astype(np.uint8)
    stays = rough > 0
    from_border = [cv2.distanceTransform(side, cv2.DIST_L2, 5) for side in (rough, 1 - rough)]
    rows, columns = np.nonzero(np.maximum(*from_border) < BAND * cell)
    if len(rows):
        margin = int(2 * WINDOW * cell) + 1
        top, left = (max(0, where.min() - margin) for where in (rows, columns))
        part = np.s_[top : rows.max() + margin + 1, left : columns.max() + margin + 1]
        stays[rows, columns] = _guided(share[part], photo[part], round(WINDOW * cell))[rows - top, columns - left] > 0.5
    return enlarged(hidden, size) & ~stays


def enlarged(mask: np.ndarray, size: int) -> np.ndarray:
    """(s, s) bool -> (size, size) bool, with a smooth outline."""
    return cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR) > 0.5


def _guided(mask: np.ndarray, picture: np.ndarray, radius: int) -> np.ndarray:
    """Guided filter (He, Sun and Tang 2010): (H, W) float32, in every square the linear function of the colours of
    (H, W, 3) `picture` that is closest to `mask`.
    """
    guide = picture.astype(np.float32) / 255

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values.reshape(*mask.shape, -1), (2 * radius + 1,) * 2).reshape(values.shape)

    colour, level = mean(guide), mean(mask)
    spread = mean(guide[..., None] * guide[..., None, :]) - colour[..., None] * colour[..., None, :]
    together = mean(guide * mask[..., None]) - colour * level[..., None]
    slope = np.linalg.solve(spread + CONTRAST * np.eye(3, dtype=np.float32), together[..., None])[..., 0]
    return (mean(slope) * guide).sum(-1) + mean(level - (slope * colour).sum(-1))
