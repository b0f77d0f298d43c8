"""Where the new garment ends: the networks' guess, corrected by the two photographs, with a clear edge.

Small networks blur outlines. The photograph of the person shows how wide the body is, and the picture of the garment
shows its neckline. Not in the paper, whose networks are large enough.
"""

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tryon.models.locate import enlarge, sample_at

FITTING = 0.02  # of the picture: how far the old garment's outline may be from where the new one's was guessed
NECKLINE = 0.025  # of the garment picture: how far from its edge a place must be to count as much as a logit of 1
NECKLINE_LIMIT = 2.0  # largest logit that a place in the garment picture may count as
NECK_REACH = 0.08  # of the picture: how far from face and neck it counts in full; as far again, less and less
OUTLINE_SCALE = 0.008  # of the picture: standard deviation of a blur; finer waves of an outline are guesses
EDGE_WIDTH = 0.0025  # of the picture: how far the outline takes from nothing to all


def with_neckline(
    logit: torch.Tensor, position: torch.Tensor, garment_mask: torch.Tensor, neck: torch.Tensor
) -> torch.Tensor:
    """Near the neck, cloth from inside of the garment picture's outline is more likely, and from outside of it less.

    Elsewhere the networks know better: where a garment wraps a body its outline in the picture is not where it ends.

    Args:
        logit: (N, 1, h, w) float32: logit of the share of garment in each pixel.
        position: (N, 2, h, w) float32: x, y in [0, 1] of the garment picture, where the cloth of each pixel was found.
        garment_mask: (N, 1, T, T) in [0, 1]: where the garment picture shows the garment.
        neck: (N, 1, h, w) bool: face and neck that the photograph shows.

    Returns:
        (N, 1, h, w) float32 logit.
    """
    shown = garment_mask > 0.5
    depth = (distance_to(~shown) - distance_to(shown)) / shown.shape[-1]
    told = (sample_at(depth, position) / NECKLINE).clamp(-NECKLINE_LIMIT, NECKLINE_LIMIT)
    near = (2 - distance_to(neck) / (NECK_REACH * logit.shape[-1])).clamp(0, 1)
    return logit + near * told


def fitted(logit: torch.Tensor, worn: torch.Tensor) -> torch.Tensor:
    """The outline moved to that of what was worn wherever the two are no further apart than `FITTING`.

    The old outline is the body's and was seen, while the new one was guessed. The gap between them is measured across,
    or a wide skirt would fill the gap between the legs of new trousers.

    Args:
        logit: (N, 1, h, w) float32: logit of the share of garment in each pixel.
        worn: (N, 1, h, w) bool: the garment that is taken off.

    Returns:
        (N, 1, h, w) float32 logit.
    """
    reach = FITTING * logit.shape[-1] + 1  # between the centres of the pixels on both sides of the gap
    to_new, to_old = distance_to(logit > 0), distance_to(worn)
    grown = worn & (to_new + distance_to(~worn) <= reach)
    cut = ~worn & (to_old + distance_to(logit <= 0) <= reach)
    return torch.where(grown, logit.clamp(min=2), torch.where(cut, logit.clamp(max=-2), logit))


def outline(logit: torch.Tensor, size: int) -> torch.Tensor:
    """(N, 1, h, w) logit of a share -> (N, 1, size, size) share in [0, 1] with a clear outline.

    It is as narrow where a small network is unsure: cloth ends somewhere, and never in a mist.
    """
    logit = enlarge(blurred(logit, OUTLINE_SCALE), size)
    slope = torch.stack(torch.gradient(logit, dim=(2, 3))).norm(dim=0)
    distance = logit / slope.clamp(min=1e-6)  # to the outline, in pixels, to first order
    return (0.5 + distance / max(EDGE_WIDTH * size, 1)).clamp(0, 1)


def distance_to(mask: torch.Tensor) -> torch.Tensor:
    """(N, 1, h, w) bool -> (N, 1, h, w) float32: pixels to the nearest one that is True, 0 on it; without one, huge."""
    others = (~mask[:, 0]).to("cpu", torch.uint8).numpy()
    maps = [cv2.distanceTransform(other, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for other in others]
    return torch.from_numpy(np.stack(maps))[:, None].to(mask.device)


def blurred(picture: torch.Tensor, scale: float) -> torch.Tensor:
    """Gaussian blur of (N, C, h, w) by a standard deviation of `scale` pictures; edges are continued."""
    channels, side = picture.shape[1], picture.shape[-1]
    sigma = scale * side
    reach = max(1, min(math.ceil(3 * sigma), side - 1))
    steps = torch.arange(-reach, reach + 1, device=picture.device, dtype=torch.float32)
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).expand(channels, 1, 1, -1)
    picture = F.pad(picture, (reach, reach, reach, reach), mode="replicate")
    picture = F.conv2d(picture, weights, groups=channels)
    return F.conv2d(picture, weights.transpose(2, 3), groups=channels)
