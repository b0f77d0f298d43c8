"""Figures of merit over a region of a picture: pure functions of arrays."""

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity


def colour_error(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Mean CIEDE2000 difference over a region; 0 is equal, about 1 is just visible, 100 is black to white.

    Args:
        image: (H, W, 3) uint8 sRGB.
        truth: (H, W, 3) uint8 sRGB.
        mask: (H, W) bool, at least one pixel.

    Raises:
        ValueError: the mask is empty.
    """
    if not mask.any():
        raise ValueError("The region has no pixels.")
    return float(deltaE_ciede2000(rgb2lab(truth[mask]), rgb2lab(image[mask])).mean())


def region_ssim(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Mean structural similarity over a region, Gaussian windows of sigma 1.5; 1 is equal.

    Pixels outside the region are taken from the truth for both pictures, so that nothing but the region counts.

    Args and errors are those of `colour_error`.
    """
    if not mask.any():
        raise ValueError("The region has no pixels.")
    composed = np.where(mask[..., None], image, truth)
    _, similarity = structural_similarity(
        composed,
        truth,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return float(similarity[mask].mean())


def confidence_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (normal approximation)."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))
