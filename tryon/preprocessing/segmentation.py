"""Where a garment lies in a product photograph: the annotator's guess sharpened by the colours of this very picture.

The annotator knows what garments look like, but was trained on renders; the picture knows its own colours. Most
shop pictures have a plain background, which a smooth colour surface through the border describes better than any
network; on floors and carpets colour mixtures of garment and surroundings (GrabCut) draw the outline.
"""

import cv2
import numpy as np

WORKING_SIDE = 224  # pixels of the longer side: enough for an outline, and GrabCut takes a few tenths of a second
FINER = 2.0  # how many times as many pixels in a row the last outline has
BAND = 2.5  # pixels that the first outline may be off
COLOUR_WEIGHT = 2.5  # of what colours say at most; the annotator's word weighs about as much
COLOUR_BINS = 24  # of each axis of CIELAB
LIGHTNESS = 0.6  # of a difference counts: shadows and uneven light change lightness more than hue
SHADE = (0.2, 1.0)  # how much of the light may be left where something casts a shadow
GAMMA = 2.2  # of the pictures
CERTAIN = 0.97  # the annotator's probability above which colours are no reason for doubt
CORE = 9  # pixels: the side of a square that must be certain for that
HOLE = 0.93  # the annotator's mean probability in a hole above which it is a print, and no hole


def segment_garment(image: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Outline the one garment of a product photograph.

    Args:
        image: (H, W, 3) uint8 RGB, the photograph without any padding.
        prior: (H, W) float32 in [0, 1]: the annotator's probability that a pixel is garment.

    Returns:
        (H, W) bool; empty if there is nothing that stands out.
    """
    height, width = prior.shape
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = (max(8, round(width * scale)), max(8, round(height * scale)))
    pixels = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    belief = cv2.resize(prior.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    contrast, plainness = _contrast(pixels, belief)
    logit = 0.8 * np.clip(np.log((belief + 1e-3) / (1 - belief + 1e-3)), -3, 3) + contrast
    border = _ring(belief.shape) & (belief < 0.6)
    total = logit
    for _ in range(2):  # colours learnt from what was believed, and again from what they made of it
        inside, outside = total > 1, (total < -1) | border
        if min(inside.sum(), outside.sum()) < 60:
            break
        total = logit + np.clip(colour_logit(pixels, inside, outside), -COLOUR_WEIGHT, COLOUR_WEIGHT)
    # White stripes on a white table go with the table in any mixture of colours.
    certain = cv2.erode((belief > CERTAIN).astype(np.uint8), np.ones((CORE, CORE), np.uint8)) > 0
    certain &= (total > 0) & (plainness > 0.5)
    mask = grab_cut(pixels, np.where(certain, np.inf, total), sure=4.0)
    if mask.sum() < 0.3 * (logit > 0).sum():  # cloth whose colours are all around it
        total, mask = logit, grab_cut(pixels, logit, sure=2.2)
    return _enlarged(_outlined_finely(image, _main_parts(mask, total, belief)), width, height)


def _contrast(pixels: np.ndarray, belief: np.ndarray) -> tuple[np.ndarray, float]:
    """What likeness to the background says, (H, W) float32, above 0 for garment; and how plain the background is.

    Being unlike the background says more than being like it, for white shirts lie on white tables; and neither
    overrules an annotator that is certain: next to shirts there are shadows and tags.
    """
    distance, in_shadow, plainness = background_distance(pixels, belief)
    # A dark garment is like a shadow too.
    distance = in_shadow + np.interp(belief, (0.3, 0.7), (0, 1)) * (distance - in_shadow)
    least, most = np.interp(belief, (0.8, 1.0), (-2.2, -0.6)), np.interp(belief, (0.02, 0.2), (1.5, 4))
    return (plainness * np.clip(distance - 4, least, most)).astype(np.float32), plainness


def refine_mask(image: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Move the outline of something to where the colours change.

    Args:
        image: (H, W, 3) uint8 RGB.
        probability: (H, W) float32 in [0, 1] that a pixel belongs to it, roughly outlined.

    Returns:
        (H, W) bool; what is outlined too vaguely for that is returned where it is likelier than not.
    """
    height, width = probability.shape
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = (max(8, round(width * scale)), max(8, round(height * scale)))
    belief = cv2.resize(probability.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    logit = 5 * (belief - 0.5)
    mask = grab_cut(cv2.resize(image, small, interpolation=cv2.INTER_AREA), logit, sure=1.9)
    return _enlarged(_main_parts(mask, logit, belief), width, height)


def _outlined_finely(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An outline drawn again in a finer picture, where only pixels near it are questioned.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (h, w) bool, in fewer pixels.

    Returns:
        (H', W') bool, `FINER` times as large, or as large as the picture if that is smaller.
    """
    scale = min(FINER, image.shape[1] / mask.shape[1])
    if scale <= 1 or not mask.any():
        return mask
    size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
    element = np.ones((2 * round(BAND * scale) + 1,) * 2, np.uint8)
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    core, reach = cv2.erode(inside, element), cv2.dilate(inside, element)
    logit = np.where(core > 0, 3.0, np.where(reach > 0, 2.0 * inside - 1, -3.0))
    fine = grab_cut(cv2.resize(image, size, interpolation=cv2.INTER_AREA), logit, sure=2)
    return cv2.medianBlur(fine.astype(np.uint8), 3) > 0


def _enlarged(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    soft = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(soft, (0, 0), max(0.5, 0.6 * max(width, height) / max(mask.shape))) > 0.5


def _ring(shape: tuple[int, int]) -> np.ndarray:
    """The border of a picture, (H, W) bool."""
    margin = max(2, round(0.05 * max(shape)))
    ring = np.ones(shape, bool)
    ring[margin:-margin, margin:-margin] = False
    return ring


def colour_logit(image: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """How much more common every pixel's colour is inside than outside.

    Args:
        image: (H, W, 3) uint8 RGB.
        inside: (H, W) bool: samples of one side.
        outside: (H, W) bool: samples of the other.

    Returns:
        (H, W) float32: logarithm of the ratio of the two histograms, above 0 where the colour is rather inside's.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    bins = (lab.astype(int) * COLOUR_BINS) // 256 @ (COLOUR_BINS**2, COLOUR_BINS, 1)
    densities = []
    for samples in (inside, outside):
        histogram = np.bincount(bins[samples], minlength=COLOUR_BINS**3).astype(np.float32)
        histogram = histogram.reshape((COLOUR_BINS,) * 3)
        for axis in range(3):  # a neighbouring bin is nearly the same colour
            histogram = 0.5 * histogram + 0.25 * (np.roll(histogram, 1, axis) + np.roll(histogram, -1, axis))
        densities.append((histogram + 1e-3 * samples.sum() / 100) / samples.sum())
    ratio = np.log(densities[0]) - np.log(densities[1])
    return ratio.ravel()[bins].astype(np.float32)


def background_distance(image: np.ndarray, belief: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """How unlike the picture's border every pixel is, and how far to trust that.

    A colour that varies linearly over the picture (uneven light) is fitted to a ring along the border, ignoring what
    does not follow it (a garment that reaches the edge).

    Args:
        image: (H, W, 3) uint8 RGB.
        belief: (H, W) float in [0, 1]: probability that a pixel is no background.

    Returns:
        distance: (H, W) float32, in standard deviations of the border's colours.
        in_shadow: (H, W) float32, the same from the background in a shadow as deep as fits the pixel best.
        plainness: in [0, 1], 1 for a uniform background, 0 for a patterned one.
    """
    height, width = belief.shape
    lab = _weighed_lab(image.astype(np.float32) / 255)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    surface = np.stack([np.ones_like(x), x / width - 0.5, y / height - 0.5], axis=2)
    ring = _ring((height, width))
    basis, colours = surface[ring], lab[ring]
    weight = np.clip(1 - belief[ring], 0.05, 1)
    for _ in range(8):
        scaled = basis * weight[:, None]
        coefficients = np.linalg.lstsq(scaled.T @ basis + 1e-3 * np.eye(3), scaled.T @ colours, rcond=None)[0]
        residual = np.linalg.norm(colours - basis @ coefficients, axis=1)
        weight = np.clip(1 - belief[ring], 0.05, 1) / (1 + (residual / 5) ** 2)
    spread = float(np.sqrt(np.average(residual**2, weights=weight)))
    outliers = float(np.mean(residual > 12))
    plainness = float(np.clip((9 - spread) / 5, 0, 1) * np.clip((0.6 - outliers) / 0.3, 0, 1))
    plain = (surface @ coefficients).astype(np.float32)
    distance = np.linalg.norm(lab - plain, axis=2)
    in_shadow = np.linalg.norm(lab - _weighed_lab(_shaded(plain, image)), axis=2)
    unit = max(spread, 2.0)
    return (distance / unit).astype(np.float32), (np.minimum(in_shadow, distance) / unit).astype(np.float32), plainness


def _weighed_lab(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 RGB in [0, 1] -> CIELAB in which lightness counts less."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB) * np.float32([LIGHTNESS, 1, 1])


def _shaded(plain: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A background, (H, W, 3) as `_weighed_lab` gives it, darkened to an image: (H, W, 3) float32 RGB in [0, 1]."""
    background = cv2.cvtColor(plain / np.float32([LIGHTNESS, 1, 1]), cv2.COLOR_LAB2RGB).clip(0, 1) ** GAMMA
    shown = (image.astype(np.float32) / 255) ** GAMMA
    light = (shown * background).sum(-1) / np.maximum((background**2).sum(-1), 1e-4)
    return (background * np.clip(light, *SHADE)[..., None]) ** np.float32(1 / GAMMA)


def grab_cut(image: np.ndarray, logit: np.ndarray, sure: float) -> np.ndarray:
    """Outline by colour mixtures (GrabCut, Rother et al. 2004), started from what is believed.

    Args:
        image: (H, W, 3) uint8 RGB.
        logit: (H, W), above 0 where the object is believed to be.
        sure: beliefs beyond plus or minus this are not questioned.

    Returns:
        (H, W) bool; the belief if the mixtures fail.
    """
    start = np.where(logit > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    start[logit > sure] = cv2.GC_FGD
    start[logit < -sure] = cv2.GC_BGD
    edge = np.ones(start.shape, bool)
    edge[2:-2, 2:-2] = False
    start[edge & (logit < 0.5)] = cv2.GC_BGD
    foreground = (start == cv2.GC_FGD) | (start == cv2.GC_PR_FGD)
    if foreground.sum() < 20 or (~foreground).sum() < 20:
        return logit > 0
    labels = start.copy()
    # GrabCut seeds its colour clusters from OpenCV's one random state; fix it so that a picture has one outline
    cv2.setRNGSeed(0)
    mixtures = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(image[..., ::-1]), labels, None, *mixtures, 3, cv2.GC_INIT_WITH_MASK)
    mask = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if not 0.4 < mask.sum() / max(int((logit > 0).sum()), 1) < 2.5:
        return logit > 0
    return mask


def _main_parts(mask: np.ndarray, logit: np.ndarray, belief: np.ndarray) -> np.ndarray:
    """The largest part and others not much smaller, without specks, pinholes and prints that look like the table."""
    mask = cv2.medianBlur(mask.astype(np.uint8), 5)
    count, parts = cv2.connectedComponents(mask, connectivity=8)
    if count < 2:
        return mask > 0
    strength = np.bincount(parts.ravel(), np.clip(logit, 0.1, 4).ravel(), count)
    strength[0] = 0
    kept = np.isin(parts, np.nonzero(strength > 0.2 * strength.max())[0])
    count, holes, sizes, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    for label in range(1, count):
        hole = holes == label
        if sizes[label, cv2.CC_STAT_AREA] < 0.004 * kept.sum() or belief[hole].mean() > HOLE:
            kept |= hole
    return kept
