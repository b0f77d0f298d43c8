"""The annotator: one small trunk that finds keypoints and labels every pixel of a person or a garment.

The joints of a garment laid out it tells from the outline (`garment_joints`), for nothing else shows them; where such a
garment shows its inside it tells from what the trunk sees of it (`garment_inside`).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import BaseOutput
from torch import nn

from tryon.models.garment_inside import GarmentInside
from tryon.models.garment_joints import GarmentJoints
from tryon.models.layers import ConvBlock

PRESETS = {
    "small": {"block_out_channels": (64, 128, 128, 128), "layers_per_block": (1, 1, 1, 2)},
    "tiny": {"block_out_channels": (32, 32, 32, 32), "layers_per_block": (1, 1, 1, 1)},
}
"""Constructor keywords by name. `small` is what ships; `tiny` is for tests."""


@dataclass
class AnnotatorOutput(BaseOutput):
    """What an `Annotator` sees, as logits.

    Attributes:
        heatmaps: (N, 18, H / 4, W / 4): logit of the probability that the joint lies in the cell.
        parsing: (N, 15, H / 2, W / 2): logits over `parsing.LABELS`.
    """

    heatmaps: torch.Tensor
    parsing: torch.Tensor


class Attention(nn.Module):
    """Self-attention over all cells, so that left and right are told apart by the whole figure."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        cells = self.norm(hidden_states).flatten(2).transpose(1, 2)  # (N, H * W, C)
        heads = max(cells.shape[2] // 64, 1)
        query, key, value = self.to_qkv(cells).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)  # (N, heads, H * W, C / heads)
        mixed = self.to_out(mixed.transpose(1, 2).flatten(2))
        return hidden_states + mixed.transpose(1, 2).unflatten(2, hidden_states.shape[2:])


class Annotator(ModelMixin, ConfigMixin):
    """Keypoints and parsing of a picture: a U-Net over 4x4 pixel blocks with two heads.

    Args:
        block_out_channels: channels at 1/4, 1/8, 1/16, ... of the picture's resolution.
        layers_per_block: residual blocks per resolution, on the way down and again on the way up.
        num_keypoints: heatmaps to predict.
        num_labels: labels to predict.
        norm_num_groups: groups of every group normalisation.
    """

    @register_to_config
    def __init__(
        self,
        block_out_channels: tuple[int, ...] = (64, 128, 128, 128),
        layers_per_block: tuple[int, ...] = (1, 1, 1, 2),
        num_keypoints: int = 18,
        num_labels: int = 15,
        norm_num_groups: int = 8,
    ) -> None:
        super().__init__()
        widths, groups = block_out_channels, norm_num_groups
        self.stem = nn.Conv2d(3 * 16, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, (width, layers) in enumerate(zip(widths, layers_per_block, strict=True)):
            before = widths[max(level - 1, 0)]
            enter = [nn.Conv2d(before, width, 3, stride=2, padding=1)] if level else []
            self.down.append(nn.Sequential(*enter, *[ConvBlock(width, groups) for _ in range(layers)]))
            if level:
                blocks = [ConvBlock(before, groups) for _ in range(layers_per_block[level - 1])]
                self.up.append(nn.ModuleList([nn.Conv2d(width, before, 1), nn.Sequential(*blocks)]))
        self.middle = Attention(widths[-1], groups)
        self.norm_out = nn.GroupNorm(groups, widths[0])
        self.heatmap_head = nn.Conv2d(widths[0], num_keypoints, 1)
        self.parsing_head = nn.Conv2d(widths[0], 4 * num_labels, 3, padding=1)
        self.garment_joints = GarmentJoints()
        self.garment_inside = GarmentInside(widths, groups)
        nn.init.constant_(self.heatmap_head.bias, -5.0)  # a joint is in few cells: start from that prior

    def forward(self, sample: torch.Tensor) -> AnnotatorOutput:
        """Annotate pictures.

        Args:
            sample: (N, 3, H, W) in [-1, 1], H and W multiples of 32; trained at 256.

        Returns:
            `AnnotatorOutput`.
        """
        hidden_states = F.relu(self.norm_out(self.features(sample)[0]))
        return AnnotatorOutput(
            heatmaps=self.heatmap_head(hidden_states),
            parsing=F.pixel_shuffle(self.parsing_head(hidden_states), 2),
        )

    def find_inside(self, sample: torch.Tensor) -> torch.Tensor:
        """Where garments that nobody wears show their inside.

        Args:
            sample: as in `forward`, of garments cut out on grey.

        Returns:
            (N, 1, H / 2, W / 2): logit of the share of inside in each cell.
        """
        return self.garment_inside(sample, self.features(sample))

    def features(self, sample: torch.Tensor) -> list[torch.Tensor]:
        """What the trunk sees, (N, C, H / 4, W / 4) and on, finest first: all levels on the way up.

        Args:
            sample: as in `forward`.
        """
        *skips, hidden_states = self._encode(sample)
        levels = [hidden_states]
        for narrow, blocks in reversed(self.up):
            hidden_states = F.interpolate(narrow(hidden_states), scale_factor=2.0, mode="nearest")
            hidden_states = blocks(hidden_states + skips.pop())
            levels.append(hidden_states)
        return levels[::-1]

    def describe(self, sample: torch.Tensor) -> torch.Tensor:
        """What the trunk makes of whole pictures, to compare sets of them: means of all levels on the way down.

        Args:
            sample: as in `forward`.

        Returns:
            (N, D) float32, D the sum of `block_out_channels`.
        """
        return torch.cat([level.float().mean((2, 3)) for level in self._encode(sample)], dim=1)

    def _encode(self, sample: torch.Tensor) -> list[torch.Tensor]:
        """(N, C, H / 4, W / 4) and on: the features of every level on the way down, the last one after attention."""
        hidden_states = self.stem(F.pixel_unshuffle(sample, 4))
        levels = []
        for down in self.down:
            hidden_states = down(hidden_states)
            levels.append(hidden_states)
        return [*levels[:-1], self.middle(levels[-1])]
