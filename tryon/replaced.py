"""What of the photograph is replaced, and the tone of what replaces it: pure functions of arrays."""

import cv2
import numpy as np

from tryon.kept import enlarged
from tryon.preprocessing.agnostic import TAKEN_OFF
from tryon.preprocessing.parsing import SKIN, label_mask

MARGIN = 0.012  # of the square: how far the outline of what was worn may be off, and its shadow reach
MARGIN_ON_SKIN = 0.007  # of the square: the same towards bare skin
FLECK = 0.02  # of the square: what is smaller and lies within the garment belongs to it
SOFTNESS = 0.003  # of the square: standard deviation of the soft edge of what is replaced
EDGE = 0.001  # of the square: the same where something begins that stays
TONE_SIDE = 128  # pixels at which light is compared
TONE_LIMIT = 24  # of 255: a larger difference is no matter of light


def taken_off(
    parsing: np.ndarray, hidden: np.ndarray, opened: np.ndarray, category: str, free: np.ndarray
) -> np.ndarray:
    """Where the photograph shows what makes room for the new garment.

    Args:
        parsing: (s, s) uint8 labels of the photograph.
        hidden: (s, s) bool: what may change.
        opened: (s, s) bool: what is to be replaced whatever it shows.
        category: of the new garment, one of `tryon.conditions.CATEGORIES`.
        free: (S, S) bool, from `may_change`.

    Returns:
        (S, S) bool; False where nothing may change.
    """
    size = len(free)
    worn = label_mask(parsing, TAKEN_OFF[category]) & hidden
    # Closing: a fleck of the garment that was taken for something else must not stay.
    worn = cv2.morphologyEx((worn | opened).astype(np.uint8), cv2.MORPH_CLOSE, disc(FLECK * len(worn)))
    worn = enlarged(worn > 0, size).astype(np.uint8)
    # Photographs keep as much of an arm as they can: what is made up beside it looks worse than a trace of the sleeve.
    skin = enlarged(label_mask(parsing, SKIN), size)
    far, near = (cv2.dilate(worn, disc(margin * size)) > 0 for margin in (MARGIN, MARGIN_ON_SKIN))
    return (near | (far & ~skin)) & free


def changed_region(gone: np.ndarray, free: np.ndarray, garment: np.ndarray) -> np.ndarray:
    """How much of each pixel of the photograph is replaced: what is taken off and what the new garment covers.

    A network has to paint all that is hidden, but the wall, the arm or the trousers that the photograph shows and the
    garment does not touch are better in the photograph than in any repetition.

    Args:
        gone: (S, S) bool, from `taken_off`.
        free: (S, S) bool, from `may_change`.
        garment: (T, T) float32 in [0, 1], how much of each pixel of the result is the new garment.

    Returns:
        (S, S) float32 in [0, 1], soft at its edge; exactly 0 where nothing may change.
    """
    size = len(gone)
    soft = np.clip(2 * cv2.GaussianBlur(gone.astype(np.float32), (0, 0), SOFTNESS * size) - 1, 0, 1)
    # The outline of the new garment is sharp: no more than its own soft edge is needed around it.
    edge = np.ones((2 * (size // 512) + 1,) * 2, np.uint8)
    garment = cv2.dilate(cv2.resize(garment, (size, size), interpolation=cv2.INTER_LINEAR), edge)
    within = np.clip(2 * cv2.GaussianBlur(free.astype(np.float32), (0, 0), EDGE * size) - 1, 0, 1) * free
    return np.maximum(soft, garment) * within


def match_tone(result: np.ndarray, photo: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Give a result the photograph's light and colour cast, as far as it is told from what both of them show.

    A network repeats what it was shown a little darker, warmer or paler; next to the photograph that would be a seam.

    Args:
        result: (S, S, 3) uint8 RGB.
        photo: (S, S, 3) uint8 RGB, the same square of the photograph.
        hidden: (s, s) bool: where the result is not to be like the photograph.

    Returns:
        (S, S, 3) uint8 RGB; far inside the hidden region equal to `result`.
    """
    small = (TONE_SIDE, TONE_SIDE)
    hidden = cv2.resize(hidden.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    known = (hidden == 0).astype(np.float32)
    shown, painted = (cv2.resize(p, small, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (photo, result))
    difference = np.clip(shown - painted, -TONE_LIMIT, TONE_LIMIT) * known[..., None]
    reach = 0.04 * TONE_SIDE
    offset = cv2.GaussianBlur(difference, (0, 0), reach) / (cv2.GaussianBlur(known, (0, 0), reach) + 0.05)[..., None]
    offset = cv2.resize(offset, result.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(result + offset), 0, 255).astype(np.uint8)


def disc(radius: float) -> np.ndarray:
    """(2 r + 1, 2 r + 1) uint8 element of morphology, r the rounded radius in pixels, at least 1."""
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
