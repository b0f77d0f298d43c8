"""What comes to light where the old garment was and the new one is not: the wall behind it, trousers, bare arms.

The networks paint this too, but at 256 x 256 pixels, and the smaller they are the more it is a blur, next to a sharp
photograph. What they know better than any rule is where skin is bared; the rest is continued from what the photograph
shows around it. Not in the paper, whose networks are large enough to paint it.
"""

import cv2
import numpy as np

from tryon.preprocessing.parsing import SKIN, label_mask
from tryon.replaced import MARGIN, disc, enlarged

SMOOTHING = (0.004, 0.015)  # of the square: blur of what is continued, little near its source and more far from it
SKIN_REACH = (0.02, 0.06, 0.2)  # of the square: standard deviations at which bare skin lends its colour
SKIN_SIDE = 256  # pixels at which colours of skin are spread; they are smooth
SHADING_SCALE = 0.012  # of the square: finer shading is not the networks' to give
SHADING = (0.75, 1.25)  # factors of brightness that the networks may give to skin


def uncover(
    photo: np.ndarray,
    parsing: np.ndarray,
    gone: np.ndarray,
    skin: np.ndarray,
    painted: np.ndarray,
) -> np.ndarray:
    """The photograph without what is taken off.

    Args:
        photo: (S, S, 3) uint8 RGB, the person in a square frame.
        parsing: (s, s) uint8 labels of it.
        gone: (S, S) bool: pixels that must not be seen any more, from `taken_off`.
        skin: (S, S) float32 in [0, 1]: how likely each of them shows bare skin instead.
        painted: (S, S, 3) uint8 RGB, the networks' picture: the skin's shading is taken from it, and all where there is
            nothing to continue.

    Returns:
        (S, S, 3) uint8 RGB, equal to `photo` where nothing is gone.
    """
    bare = enlarged(label_mask(parsing, SKIN), len(photo)) & ~gone
    person = enlarged(label_mask(parsing, (*SKIN, "hair")), len(photo))
    around = cv2.dilate(person.astype(np.uint8), disc(MARGIN * len(photo))) > 0
    free = ~gone & ~around
    continued = _continued(photo, free, gone) if free.any() else painted.astype(np.float32)
    share = np.where(gone, skin, 0).astype(np.float32)[..., None]
    if share.max() > 0.05 and bare.any():
        continued = continued + share * (_skin(photo, bare, painted, share) - continued)
    return np.where(gone[..., None], np.clip(np.rint(continued), 0, 255), photo).astype(np.uint8)


def _continued(photo: np.ndarray, source: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(S, S, 3) float32: wanted pixels as the mirror image of the nearest source, more blurred the farther it is."""
    size = len(photo)
    distance, nearest = cv2.distanceTransformWithLabels(
        (~source).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    at = np.zeros((nearest.max() + 1, 2), np.int32)
    at[nearest[source]] = np.argwhere(source)
    rows, columns = np.nonzero(wanted)
    border = at[nearest[rows, columns]]
    mirrored = 2 * border - np.stack([rows, columns], axis=1)
    inside = ((mirrored >= 0) & (mirrored < size)).all(1)
    mirrored = np.where(inside[:, None], mirrored, border)
    usable = source[mirrored[:, 0], mirrored[:, 1]]
    mirrored = np.where(usable[:, None], mirrored, border)
    filled = photo.astype(np.float32)
    filled[rows, columns] = photo[mirrored[:, 0], mirrored[:, 1]]
    # Only what is continued and its source may mix, or the old garment would come back as a haze.
    weight = (source | wanted).astype(np.float32)
    result = filled.copy()
    for scale in SMOOTHING:
        smooth = _mean(filled, weight, scale * size)
        far = np.clip(distance / (4 * scale * size) - 0.5, 0, 1)[..., None]
        result += far * (smooth - result)
    return result


def _skin(photo: np.ndarray, bare: np.ndarray, painted: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(S, S, 3) float32: colours of the person's own skin, shaded as the networks painted it."""
    size, small = len(photo), (SKIN_SIDE, SKIN_SIDE)
    inner = cv2.erode(bare.astype(np.uint8), disc(MARGIN * size))  # outlines are half something else
    seen = cv2.resize((inner if inner.any() else bare).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    colours, shown = (cv2.resize(p, small, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (photo, painted))
    tone = np.broadcast_to(np.average(colours, axis=(0, 1), weights=seen), colours.shape).astype(np.float32)
    for reach in reversed(SKIN_REACH):
        support = np.clip(10 * cv2.GaussianBlur(seen, (0, 0), reach * SKIN_SIDE), 0, 1)[..., None]
        tone = tone + support * (_mean(colours, seen, reach * SKIN_SIDE) - tone)
    there = cv2.resize(share[..., 0], small, interpolation=cv2.INTER_AREA)
    # The patches in which the networks see would show as a weave.
    light = cv2.GaussianBlur(shown.mean(-1), (0, 0), SHADING_SCALE * SKIN_SIDE)[..., None] + 8
    shading = light / np.maximum(_mean(light, there, 0.05 * SKIN_SIDE), 1)
    lit = tone * np.clip(shading, *SHADING)
    return cv2.resize(lit, (size, size), interpolation=cv2.INTER_CUBIC)


def _mean(picture: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(S, S, C) Gaussian mean of the weighted pixels around each pixel."""
    blurred = cv2.GaussianBlur(picture * weight[..., None], (0, 0), sigma)
    blurred = blurred.reshape(picture.shape)
    return blurred / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-4)[..., None]
