"""Where a garment that nobody wears shows its inside: the back of its neck, seen through the front."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from tryon.models.layers import ConvBlock


class GarmentInside(nn.Module):
    """A head on the annotator's trunk, which stays as it is; `tryon.training.fit_garment_inside` trains it.

    The trunk knows collars from sleeves at four and more pixels a cell; edges come from the picture itself.

    Args:
        block_out_channels: of the trunk's levels, finest first.
        norm_num_groups: groups of every group normalisation.
    """

    hidden_dim, fine_dim = 32, 16

    def __init__(self, block_out_channels: Sequence[int], norm_num_groups: int) -> None:
        super().__init__()
        hidden, fine, groups = self.hidden_dim, self.fine_dim, norm_num_groups
        self.enter = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(groups, width), nn.ReLU(), nn.Conv2d(width, hidden, 1))
            for width in block_out_channels
        )
        self.blocks = nn.Sequential(ConvBlock(hidden, groups), ConvBlock(hidden, groups))
        self.to_fine = nn.Conv2d(hidden, fine, 1)
        self.fine = nn.Conv2d(3 * 4, fine, 3, padding=1)
        self.block = ConvBlock(fine, groups)
        self.norm_out = nn.GroupNorm(groups, fine)
        self.to_logit = nn.Conv2d(fine, 1, 3, padding=1)
        nn.init.zeros_(self.to_logit.weight)
        nn.init.constant_(self.to_logit.bias, -3.0)  # little of a garment is inside: start from that prior

    def forward(self, sample: torch.Tensor, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits of the share of inside.

        Args:
            sample: (N, 3, H, W) in [-1, 1], garments cut out on grey (0).
            features: (N, C, H / 4, W / 4) and on, what the trunk sees of them, finest first.

        Returns:
            (N, 1, H / 2, W / 2).
        """
        size = features[0].shape[2:]
        hidden_states = sum(
            F.interpolate(enter(level), size, mode="bilinear")
            for enter, level in zip(self.enter, features, strict=True)
        )
        coarse = F.interpolate(self.to_fine(self.blocks(hidden_states)), scale_factor=2.0, mode="bilinear")
        fine = self.block(coarse + self.fine(F.pixel_unshuffle(sample, 2)))
        return self.to_logit(F.relu(self.norm_out(fine)))
