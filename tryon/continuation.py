"""A picture continued beyond what is known of it: as its mirror image, ever more blurred. Nothing about try-on."""

import cv2
import numpy as np

EDGE = 0.006  # of the square: standard deviation at which the edge to mirror at is smoothed; else every jag is two
SMOOTHING = (0.004, 0.015)  # of the square: blur of what is continued, little near its source and more far from it


def continue_picture(picture: np.ndarray, source: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Wanted pixels as the mirror image of the source in its outline, more blurred the farther they are.

    Args:
        picture: (S, S, 3) uint8.
        source: (S, S) bool, the pixels to continue; at least one.
        wanted: (S, S) bool, the pixels to fill, none of the source.

    Returns:
        (S, S, 3) float32, equal to `picture` where nothing is wanted.
    """
    size = len(picture)
    distance, nearest = cv2.distanceTransformWithLabels(
        (~source).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    at = np.zeros((nearest.max() + 1, 2), np.int32)
    at[nearest[source]] = np.argwhere(source)
    rows, columns = np.nonzero(wanted)
    edge = cv2.GaussianBlur(at[nearest].astype(np.float32), (0, 0), EDGE * size)
    border = at[nearest[rows, columns]]
    mirrored = np.rint(2 * edge[rows, columns] - np.stack([rows, columns], axis=1)).astype(np.int32)
    inside = ((mirrored >= 0) & (mirrored < size)).all(1)
    mirrored = np.where(inside[:, None], mirrored, border)
    usable = source[mirrored[:, 0], mirrored[:, 1]]
    mirrored = np.where(usable[:, None], mirrored, border)
    filled = picture.astype(np.float32)
    filled[rows, columns] = picture[mirrored[:, 0], mirrored[:, 1]]
    # Only what is continued and its source may mix, or what lay there before would come back as a haze.
    weight = (source | wanted).astype(np.float32)
    result = filled.copy()
    for scale in SMOOTHING:
        smooth = weighted_blur(filled, weight, scale * size)
        far = np.clip(distance / (4 * scale * size) - 0.5, 0, 1)[..., None]
        result += far * (smooth - result)
    return np.where(wanted[..., None], result, picture).astype(np.float32)


def weighted_blur(picture: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(S, S, C) Gaussian mean of the weighted pixels around each pixel.

    Args:
        picture: (S, S, C) float32.
        weight: (S, S) float32.
        sigma: standard deviation in pixels.
    """
    blurred = cv2.GaussianBlur(picture * weight[..., None], (0, 0), sigma)
    blurred = blurred.reshape(picture.shape)
    return blurred / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-4)[..., None]
