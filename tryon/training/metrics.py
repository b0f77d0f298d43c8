"""Figures of merit over a region of a picture: pure functions of arrays."""

import cv2
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


def region_psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Peak signal-to-noise ratio over a region, in dB; at most 60, where pictures are equal to the eye.

    Args and errors are those of `colour_error`.
    """
    if not mask.any():
        raise ValueError("The region has no pixels.")
    error = np.mean((image[mask].astype(float) - truth[mask]) ** 2)
    return float(min(60.0, 10 * np.log10(255**2 / max(error, 1e-9))))


def print_correlation(image: np.ndarray, garment: np.ndarray, flow: np.ndarray) -> float | None:
    """How well the print of the garment picture is found again on the person, at the very place where it belongs.

    Args:
        image: (S, S, 3) uint8 sRGB, a result.
        garment: (S, S, 3) uint8 sRGB, the garment picture.
        flow: (F, F, 3): x, y in [0, 1] of `garment` and visibility of the cloth that each cell of the true picture
            shows; x = -1 where there is none.

    Returns:
        Pearson correlation in [-1, 1] of the colours less their mean, over all cells whose cloth both pictures show;
        None for a garment without a print (spread under 6 of 255) or with fewer than 50 such cells.
    """
    side = flow.shape[0]
    seen = (flow[..., 0] >= 0) & (flow[..., 2] > 0.5)
    cells = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(float)[seen]
    small = cv2.resize(garment, (2 * side, 2 * side), interpolation=cv2.INTER_AREA)
    x, y = (flow[..., :2].astype(np.float32) * (2 * side) - 0.5).transpose(2, 0, 1)
    cloth = cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(float)[seen]
    if len(cloth) < 50 or cloth.std(0).mean() < 6:
        return None
    cells, cloth = cells - cells.mean(0), cloth - cloth.mean(0)
    return float((cells * cloth).sum() / max(np.sqrt((cells**2).sum() * (cloth**2).sum()), 1e-9))


def confidence_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (normal approximation)."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def kernel_distance(features: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Kernel distance (KID, arXiv:1801.01401) of two sets of pictures: squared MMD, cubic polynomial kernel, unbiased.

    The i-th pictures of both sets may show the same, as results and their truths do; such pairs are left out. Features
    are standardised by the truth's. Around 0, also below, for sets of one kind.

    Args:
        features: (N, D) of results.
        truth: (N, D) of true pictures.

    Returns:
        Distance and half-width of its 95 % interval (jackknife); both NaN for fewer than 4 pictures.
    """
    n = len(features)
    if n < 4:
        return float("nan"), float("nan")
    mean, spread = truth.mean(0), truth.std(0) + 1e-6
    x, y = ((np.asarray(f, float) - mean) / spread for f in (features, truth))
    within, across = ((x @ x.T, y @ y.T), x @ y.T)
    terms = sum((k / x.shape[1] + 1) ** 3 for k in within)
    terms = terms - (across / x.shape[1] + 1) ** 3 - (across.T / x.shape[1] + 1) ** 3
    np.fill_diagonal(terms, 0)
    without = (terms.sum() - 2 * terms.sum(0)) / ((n - 1) * (n - 2))
    half = 1.96 * np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return float(terms.sum() / (n * (n - 1))), float(half)
