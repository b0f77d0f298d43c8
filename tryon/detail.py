"""The garment's own detail in the large result: its pixels, looked up where the networks found the cloth.

The networks see the garment at 256 x 256 pixels, in which small letters, fine checks and the weave are gone, and where
they are unsure they paint the mean of what might be there. But they say where in the garment picture the cloth of each
pixel lies, and that map is smooth: it can be read at any size. So the garment's own photograph gives colour and print,
and the networks give the light that falls on it and its outline (`tryon.ends`); `tryon.finish` adds the rest of the
picture. Not in the paper, whose last stage is to recover detail from the 256 x 256 result alone.
"""

import torch
import torch.nn.functional as F

from tryon.ends import blurred, outline
from tryon.models.locate import enlarge, sample_at

LIGHT_SCALE = 0.04  # of the picture: coarser changes of brightness come from the networks, finer ones from the cloth
LIGHT_SIDE = 128  # pixels at which light is compared; it is smooth
MAX_LIGHT = 2.5  # factor on the cloth's brightness, or its inverse
POSITION_SCALE = 0.012  # of the picture: finer waves of the positions are guesses, and small print would show them
INSIDE_SCALE = 0.004  # of the picture: finer jags at the edge of a garment's inside are pixels of its mask
INSIDE_SHARPNESS = 3.0  # factor on how far such an edge is from one half


def lay_cloth(
    result: torch.Tensor,
    cloth: torch.Tensor,
    position: torch.Tensor,
    garment_logit: torch.Tensor,
    ends: torch.Tensor | None = None,
    inside: torch.Tensor | None = None,
    hidden: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The garment's own picture as it lies on the person, in the light of a result.

    Args:
        result: (N, 3, S, S) in [-1, 1].
        cloth: (N, 3, T, T) in [-1, 1], the garment picture, cloth up to its edges (`spread_cloth`).
        position: (N, 2, h, w): x, y in [0, 1] of the garment picture, where the cloth of each pixel was found.
        garment_logit: (N, 1, h, w): logit of the share of garment in each pixel.
        ends: (N, 1, h, w): the same, corrected (`tryon.ends`): where the cloth is to end. None is as it was guessed.
        inside: (N, 1, T, T) in [0, 1], of `cloth`: where the garment shows its inside, which covers nothing.
        hidden: (N, 1, h, w) bool: what the networks painted; elsewhere the result shows the photograph, and light is
            not taken from a white shirt that ends where trousers begin. None is all.

    Returns:
        cloth: (N, 3, S, S) float32 in [-1, 1], continued beyond the garment's outline.
        share: (N, 1, S, S) float32 in [0, 1], how much of each pixel it covers.
        mistaken: (N, 1, S, S) float32 in [0, 1], how much of each pixel the networks took the inside for: what is seen
            there on a wearer is what it lies behind.
    """
    size = result.shape[-1]
    result, position, logit = result.float(), position.float(), garment_logit.float()
    position = enlarge(_steadied(position, (logit + 1).sigmoid()), size)
    share = outline(logit if ends is None else ends, size)
    mistaken = torch.zeros_like(share) if inside is None else share * _with_clear_edge(sample_at(inside, position))
    lit = sample_at(cloth, position)
    seen = logit.sigmoid() if hidden is None else logit.sigmoid() * hidden
    lit = ((lit + 1) * _light(result, lit, seen) - 1).clamp(-1, 1)
    return lit, share - mistaken, mistaken


def _steadied(position: torch.Tensor, cloth: torch.Tensor) -> torch.Tensor:
    """Positions, (N, 2, h, w), without fine waves; `cloth`, (N, 1, h, w) in [0, 1], tells where they mean anything.

    What is averaged is how far they are from one affine map of the whole garment, or its edge would be drawn inwards.
    """
    height, width = position.shape[-2:]
    y, x = ((torch.arange(n, device=position.device) + 0.5) / n for n in (height, width))
    y, x = torch.meshgrid(y, x, indexing="ij")
    place = torch.stack([x, y, torch.ones_like(x)], dim=-1).flatten(0, 1)  # (h w, 3)
    weight = cloth.flatten(2).transpose(1, 2) + 1e-3  # (N, h w, 1)
    found = position.flatten(2).transpose(1, 2)
    affine = torch.linalg.solve(place.T @ (weight * place), place.T @ (weight * found))  # (N, 3, 2)
    map_ = (place @ affine).transpose(1, 2).unflatten(2, (height, width))
    weight = weight.transpose(1, 2).unflatten(2, (height, width))
    return map_ + blurred((position - map_) * weight, POSITION_SCALE) / blurred(weight, POSITION_SCALE)


def _with_clear_edge(mask: torch.Tensor) -> torch.Tensor:
    """(N, 1, S, S) in [0, 1] -> the same with a smooth edge that is a few pixels wide: looked-up ones are jagged."""
    return (0.5 + INSIDE_SHARPNESS * (blurred(mask, INSIDE_SCALE) - 0.5)).clamp(0, 1)


def _light(result: torch.Tensor, cloth: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """(N, 3, S, S) factor that gives `cloth` the brightness and tint of `result`, both (N, 3, S, S)."""
    seen = (_resized(share, LIGHT_SIDE) > 0.5).float()
    means = [_mean_where((_resized(p, LIGHT_SIDE) + 1) / 2, seen, LIGHT_SCALE) for p in (result, cloth)]
    (painted, support), (looked_up, _) = means
    factor = ((painted + 0.02) / (looked_up + 0.02)).clamp(1 / MAX_LIGHT, MAX_LIGHT)
    return enlarge(torch.where(support > 1e-3, factor, torch.ones_like(factor)), result.shape[-1])


def _mean_where(picture: torch.Tensor, mask: torch.Tensor, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Gaussian mean of the masked pixels of (N, C, h, w) around each pixel, and how much of the mask is there."""
    support = blurred(mask, scale)
    return blurred(picture * mask, scale) / support.clamp(min=1e-5), support


def _resized(picture: torch.Tensor, side: int) -> torch.Tensor:
    """(N, C, h, w) -> (N, C, side, side), antialiased."""
    if picture.shape[-1] == side:
        return picture
    return F.interpolate(picture, size=(side, side), mode="bilinear", antialias=True)
