"""Efficient-UNet: 256 -> 1024 super-resolution without attention, so that it runs on any size.

Source: TryOnDiffusion (arXiv:2306.08276), section 3.3; Imagen (arXiv:2205.11487), appendix B.1 and F.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import BaseOutput
from torch import nn

from tryon.models.layers import ResBlock, ScalarEmbedding, group_norm

# Constructor keywords by name; "paper-1024" is Imagen's 64 -> 256 table with its text attention removed.
PRESETS: dict[str, dict] = {
    "paper-1024": {
        "block_out_channels": (128, 256, 512, 1024),
        "layers_per_block": (2, 4, 8, 8),
        "film_dim": 512,
    },
    "small-1024": {
        "patch_size": 4,
        "block_out_channels": (64, 96),
        "layers_per_block": (1, 1),
        "film_dim": 64,
        "residual": True,
        "normalize": False,
    },
    "tiny-1024": {
        "patch_size": 8,
        "block_out_channels": (16, 16),
        "layers_per_block": (1, 1),
        "film_dim": 16,
        "residual": True,
        "normalize": False,
    },
}


@dataclass
class EfficientUNetOutput(BaseOutput):
    """`sample`: (N, 3, H, W), in the terms of the scheduler's `prediction_type`."""

    sample: torch.Tensor


class EfficientUNet(ModelMixin, ConfigMixin):
    """Fully convolutional UNet: strided convolution before the blocks going down, upsampling after them going up.

    Args:
        patch_size: pictures enter and leave as patches of this side, folded into channels; 1 in the paper.
        block_out_channels: channels of each level, from fine to coarse.
        layers_per_block: blocks of each level, down and up alike.
        film_dim: width of the vector that modulates every block.
        residual: predict the difference to the low-resolution input; the network must predict x0 ("sample").
        normalize: GroupNorm in the blocks (Imagen). Its statistics cover the whole picture, so a tile would not
            come out like the same place of the whole; without it every pixel depends on its surroundings alone.
    """

    @register_to_config
    def __init__(
        self,
        patch_size: int = 1,
        block_out_channels: tuple[int, ...] = (128, 256, 512, 1024),
        layers_per_block: tuple[int, ...] = (2, 4, 8, 8),
        film_dim: int = 512,
        residual: bool = False,
        normalize: bool = True,
    ) -> None:
        super().__init__()
        channels, pixels = tuple(block_out_channels), patch_size**2
        first_stride = 2 if patch_size == 1 else 1
        self.time_embedding = ScalarEmbedding(film_dim)
        self.noise_embedding = ScalarEmbedding(film_dim)
        self.stem = nn.Conv2d(6 * pixels, channels[0], 3, padding=1)
        self.down, self.down_blocks = nn.ModuleList(), nn.ModuleList()
        previous = channels[0]
        for i, (width, count) in enumerate(zip(channels, layers_per_block, strict=True)):
            stride = first_stride if i == 0 else 2
            self.down.append(nn.Conv2d(previous, width, 3, stride=stride, padding=1))
            self.down_blocks.append(nn.ModuleList(ResBlock(width, width, film_dim) for _ in range(count)))
            previous = width
        self.up, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for i in reversed(range(len(channels))):
            width, out = channels[i], channels[max(i - 1, 0)]
            self.up_blocks.append(
                nn.ModuleList(
                    ResBlock(width, width, film_dim, width if j == 0 else 0) for j in range(layers_per_block[i])
                )
            )
            self.up.append(nn.Conv2d(width, out, 3, padding=1))
        self.norm = group_norm(channels[0])
        self.head = nn.Conv2d(channels[0], 3 * pixels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        if not normalize:
            self.norm = nn.Identity()
            for module in self.modules():
                if isinstance(module, ResBlock):
                    module.norm1, module.norm2 = nn.Identity(), nn.Identity()

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        low_res: torch.Tensor,
        conditioning_noise: torch.Tensor,
    ) -> EfficientUNetOutput:
        """One denoising step at full size.

        Args:
            sample: (N, 3, H, W) noisy picture z_t; H and W multiples of patch_size * 2 ** levels.
            timestep: (N,) time, 0 (clean) to 1 (noise).
            low_res: (N, 3, H, W) in [-1, 1], the smaller picture enlarged bilinearly, noised at its level.
            conditioning_noise: (N,) level in [0, 1].
        """
        embedding = F.silu(self.time_embedding(timestep) + self.noise_embedding(conditioning_noise))
        x = self.stem(F.pixel_unshuffle(torch.cat([sample, low_res], dim=1), self.config.patch_size))
        skips = []
        for down, blocks in zip(self.down, self.down_blocks, strict=True):
            x = down(x)
            for block in blocks:
                x = block(x, embedding)
            skips.append(x)
        levels = len(self.up)
        for i, (up, blocks) in enumerate(zip(self.up, self.up_blocks, strict=True)):
            skip = skips.pop() / math.sqrt(2)
            for j, block in enumerate(blocks):
                x = block(x, embedding, skip if j == 0 else None)
            if i < levels - 1 or self.config.patch_size == 1:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = up(x)
        x = F.pixel_shuffle(self.head(F.silu(self.norm(x))), self.config.patch_size)
        return EfficientUNetOutput(x + low_res if self.config.residual else x)
