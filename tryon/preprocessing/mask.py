"""A mask drawn by hand: which part of the person's photograph may change."""

import cv2
import numpy as np
from PIL import Image

from tryon.images import Frame, InputError
from tryon.preprocessing.parsing import HEAD, label_mask

INVERTED = (
    "The mask leaves the clothes alone and covers everything else, so it seems to be inverted; please give one that "
    "is white where the photo may change and black elsewhere."
)


def read_mask(mask: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Check a mask and take it apart.

    Args:
        mask: picture of any mode; values over 127 may change.
        size: width and height of the person's upright photograph.

    Returns:
        (height, width) bool.

    Raises:
        InputError: it is of another size, empty or white all over.
    """
    if mask.size != size:
        raise InputError(
            f"The mask has {mask.width} x {mask.height} pixels and the person photo, held upright, {size[0]} x "
            f"{size[1]}; please give one of exactly the size of the person photo."
        )
    may_change = np.asarray(mask.convert("L")) > 127
    if not may_change.any():
        raise InputError("The mask is empty; please paint white over what may change.")
    if may_change.all():
        raise InputError("The mask covers the whole photo; please paint only over what may change.")
    return may_change


def hide_masked(
    may_change: np.ndarray, automatic: np.ndarray, parsing: np.ndarray, frame: Frame
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """What a mask hides in the square frame that the networks see.

    Args:
        may_change: (height, width) bool of the whole photograph.
        automatic: (S, S) bool: what would be hidden without a mask.
        parsing: (S, S) uint8, values index `parsing.LABELS`.
        frame: the square.

    Returns:
        hidden: (S, S) bool: every pixel that the mask touches.
        opened: (S, S) bool: those of them that would not have been hidden otherwise.
        warnings: sentences about doubtful masks.

    Raises:
        InputError: the mask misses the square, or is inverted.
    """
    size = len(automatic)
    share = frame.crop_mask(may_change, size)
    hidden = share > 1e-3  # a pixel that mixes masked and unmasked ones shows something of what is to be hidden
    if not hidden.any():
        raise InputError("The mask does not touch the person; please paint over what may change on them.")
    head = label_mask(parsing, HEAD)
    head_covered = float(hidden[head].mean()) if head.any() else 0.0
    clothes_covered = float(hidden[automatic].mean()) if automatic.any() else 1.0
    if clothes_covered < 0.35 and float(hidden[~automatic].mean()) > 0.65:
        raise InputError(INVERTED)
    warnings = []
    if head_covered > 0.3:
        warnings.append("The mask covers the head, which will be painted anew.")
    inside = frame.place_mask(np.ones((1, 1), bool))
    if (may_change & ~inside).sum() > 0.1 * may_change.sum():
        warnings.append("Part of the mask lies far from the body part that is dressed; nothing changes there.")
    # The way to the photograph and back moves outlines by a pixel; that is no one's wish.
    opened = cv2.morphologyEx((hidden & ~automatic).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    return hidden, opened, warnings
