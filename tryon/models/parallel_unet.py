"""Parallel-UNet: a person-UNet and a garment-UNet in one pass, joined by cross-attention.

Source: TryOnDiffusion (arXiv:2306.08276), section 3.2, figures 2 and 8, appendix A.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import BaseOutput
from torch import nn

from tryon.models.body_coordinates import CODE_CHANNELS, body_coordinates
from tryon.models.layers import (
    AttentionPool,
    CrossAttention,
    PoseEmbedding,
    ResBlock,
    ScalarEmbedding,
    SelfAttention,
    group_norm,
)
from tryon.models.locate import GarmentLocator, enlarge, sample_at

# Constructor keywords by name. The paper's table (appendix A.1) does not state widths of embeddings or how skips
# and resampling are done; with the choices made here the parameter counts round to the stated 1.13 B and 1.06 B.
PRESETS: dict[str, dict] = {
    "paper-128": {
        "sample_size": 128,
        "block_out_channels": (128, 256, 512, 1024),
        "layers_per_block": (3, 4, 6, 7),
        "self_attention_resolutions": (32, 16),
        "cross_attention_resolutions": (32, 16),
    },
    "paper-256": {
        "sample_size": 256,
        "block_out_channels": (128, 128, 256, 512, 1024),
        "layers_per_block": (2, 3, 4, 7, 7),
        "garment_layers_per_block": (2, 3, 4, 6, 7),
        "self_attention_resolutions": (16,),
        "cross_attention_resolutions": (16,),
        "low_res": True,
    },
    "small-128": {
        "sample_size": 128,
        "patch_size": 4,
        "block_out_channels": (128, 128, 128),
        "layers_per_block": (1, 1, 1),
        "self_attention_resolutions": (16,),
        "cross_attention_resolutions": (16,),
        "attention_head_dim": 128,
        "film_dim": 96,
        "pose_dim": 64,
        "garment_time_conditioning": False,
        "body_coordinates": True,
        "locate_garment": True,
        "scale_sample": True,
    },
    "tiny-128": {
        "sample_size": 128,
        "patch_size": 8,
        "block_out_channels": (16, 32),
        "layers_per_block": (1, 1),
        "self_attention_resolutions": (8,),
        "cross_attention_resolutions": (16, 8),
        "attention_head_dim": 16,
        "film_dim": 32,
        "pose_dim": 16,
        "garment_time_conditioning": False,
        "body_coordinates": True,
        "locate_garment": True,
        "scale_sample": True,
    },
    "tiny-paper-128": {
        "sample_size": 128,
        "patch_size": 8,
        "block_out_channels": (16, 32),
        "layers_per_block": (1, 2),
        "self_attention_resolutions": (8,),
        "cross_attention_resolutions": (8,),
        "attention_head_dim": 16,
        "film_dim": 32,
        "pose_dim": 16,
    },
}
# The paper's first ablation of the same network: no garment-UNet, no look-up of any kind, the garment's picture and
# coordinates beside the person's; as many parameters, spent on width. Compare it after as many pictures.
for _size, _width in (("small", 188), ("tiny", 64)):
    PRESETS[f"{_size}-128-concat"] = {
        **PRESETS[f"{_size}-128"],
        "block_out_channels": (_width,) * len(PRESETS[f"{_size}-128"]["block_out_channels"]),
        "fusion": "concat",
        "locate_garment": False,
    }
for _name in ("small", "tiny"):
    for _end in ("", "-concat"):
        _base = PRESETS[f"{_name}-128{_end}"]
        PRESETS[f"{_name}-256{_end}"] = {
            **_base,
            "sample_size": 256,
            "patch_size": 2 * _base["patch_size"],
            "low_res": True,
        }


FUSIONS = ("cross_attention", "concat")


def sample_weight(timestep: torch.Tensor) -> torch.Tensor:
    """Weight of z_t in the best linear guess of a clean picture that the conditions leave uncertain by 0.25.

    Cosine schedule: alpha s^2 / (alpha^2 s^2 + sigma^2) with s = 0.25, alpha = cos(t pi / 2), sigma = sin(t pi / 2);
    the idea of EDM's c_skip (arXiv:2206.00364, section 5).

    Args:
        timestep: (N,) in [0, 1].

    Returns:
        (N,), 1 at time 0, 0 at time 1.
    """
    alpha, sigma = torch.cos(timestep * (torch.pi / 2)), torch.sin(timestep * (torch.pi / 2))
    return alpha * 0.0625 / (alpha**2 * 0.0625 + sigma**2)


@dataclass
class ParallelUNetOutput(BaseOutput):
    """What the network says.

    Attributes:
        sample: (N, 3, H, W), in the terms of the scheduler's `prediction_type`.
        position: (N, 2, H, W) float32, x, y in [0, 1] of the garment picture where each pixel's cloth was found;
            None unless `locate_garment`.
        coarse_position: the same as `GarmentLocator` says, before the person-UNet's refinement.
        garment_logit: (N, 1, H, W), logit of the share that each pixel takes from the garment's own pixels.
        skin_logit: (N, 1, H, W), logit of the probability that a pixel which the garment leaves free shows bare skin.
        warped: (N, 3, H, W), the garment alone as worn, on white: the cloth looked up, lit and cut out, or what the
            first of two networks painted (`WarpThenBlend`).
    """

    sample: torch.Tensor
    position: torch.Tensor | None = None
    coarse_position: torch.Tensor | None = None
    garment_logit: torch.Tensor | None = None
    skin_logit: torch.Tensor | None = None
    warped: torch.Tensor | None = None

    def picture(self, index: int) -> ParallelUNetOutput:
        """What is said of one picture: a batch of 1, float32, on the CPU."""
        return ParallelUNetOutput(**{name: value[index, None].float().cpu() for name, value in self.items()})


@dataclass(frozen=True)
class GarmentFeatures:
    """All that the garment side contributes.

    Attributes:
        keys_values: of every cross-attention, in order of use.
        position: (N, 2, h, w) float32, x, y in [0, 1] of the garment picture where the cloth of each cell was found;
            this and what follows only with `locate_garment`.
        located: (N, C, h, w) the features behind it.
        warped: (N, 3, H, W) in [-1, 1], the garment picture as seen from those positions.
    """

    keys_values: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    position: torch.Tensor | None = None
    located: torch.Tensor | None = None
    warped: torch.Tensor | None = None


class _PersonLevel(nn.Module):
    """FiLM + ResBlk (+ self-attention) (+ cross-attention), repeated: one resolution in one direction."""

    def __init__(
        self,
        in_channels: list[int],
        channels: int,
        film_dim: int,
        pose_dim: int,
        head_dim: int,
        *,
        self_attention: bool,
        cross_attention: bool,
        code_channels: int,
        skip_channels: list[int] | None = None,
    ) -> None:
        super().__init__()
        skips = skip_channels or [0] * len(in_channels)
        self.blocks = nn.ModuleList(
            ResBlock(c, channels, film_dim, skip) for c, skip in zip(in_channels, skips, strict=True)
        )
        self.self_attention = nn.ModuleList(
            SelfAttention(channels, head_dim, pose_dim) for _ in in_channels if self_attention
        )
        self.cross_attention = nn.ModuleList(
            CrossAttention(channels, head_dim, code_channels) for _ in in_channels if cross_attention
        )


class ParallelUNet(ModelMixin, ConfigMixin):
    """Person-UNet and garment-UNet with implicit warping by cross-attention.

    Args:
        sample_size: side of the pictures in pixels.
        patch_size: pictures enter and leave as patches of this side, folded into channels; 1 in the paper.
        block_out_channels: channels of each level, from fine to coarse.
        layers_per_block: blocks of each level, down and up alike, of the person-UNet.
        garment_layers_per_block: the same for the garment-UNet; None takes the person's.
        self_attention_resolutions: sides of feature maps at which the person-UNet attends to itself and the poses.
        cross_attention_resolutions: sides at which it attends to the garment-UNet.
        attention_head_dim: channels of one attention head.
        film_dim: width of the vector that modulates every block.
        pose_dim: width of pose tokens.
        num_keypoints: joints of a pose.
        low_res: whether the result of the stage before is an input (the 256 network).
        garment_time_conditioning: whether the garment side sees the time (the paper). Without, its features are
            computed once per picture by `encode_garment`, not once per step.
        body_coordinates: give both sides the code of `body_coordinates`, and start cross-attention from it.
        locate_garment: find the cloth of each cell with a `GarmentLocator`, give the person-UNet the garment warped so,
            and offer the garment's own pixels to the output; with it the network must predict x0 ("sample").
        head_channels: channels at full resolution before the output, if `patch_size` is not 1.
        scale_sample: multiply z_t by what it is worth beside the conditions, `sample_weight`, so that there is no noise
            to be unlearnt where z_t is nothing but noise.
        fusion: how the person-UNet sees the garment: "cross_attention", or "concat": the garment's picture and its
            body coordinates enter beside z_t as they are, and there is no garment-UNet (the paper's ablation 1).

    Shapes are those of `forward`. Source: section 3.2 and appendix A.1 of the paper.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 128,
        patch_size: int = 1,
        block_out_channels: tuple[int, ...] = (128, 256, 512, 1024),
        layers_per_block: tuple[int, ...] = (3, 4, 6, 7),
        garment_layers_per_block: tuple[int, ...] | None = None,
        self_attention_resolutions: tuple[int, ...] = (32, 16),
        cross_attention_resolutions: tuple[int, ...] = (32, 16),
        attention_head_dim: int = 64,
        film_dim: int = 512,
        pose_dim: int = 512,
        num_keypoints: int = 18,
        low_res: bool = False,
        garment_time_conditioning: bool = True,
        body_coordinates: bool = False,
        locate_garment: bool = False,
        head_channels: int = 16,
        scale_sample: bool = False,
        fusion: str = "cross_attention",
    ) -> None:
        super().__init__()
        if fusion not in FUSIONS[: 1 + (not locate_garment)]:
            raise ValueError(f"fusion must be one of {', '.join(FUSIONS)}, and not concat with locate_garment.")
        concat = fusion == "concat"
        channels = tuple(block_out_channels)
        layers = tuple(layers_per_block)
        garment_layers = () if concat else tuple(garment_layers_per_block or layers)
        sizes = [sample_size // patch_size // 2**i for i in range(len(channels))]
        code = CODE_CHANNELS if body_coordinates else 0
        pixels = patch_size**2

        def level(i: int, in_channels: list[int], skip_channels: list[int] | None = None) -> _PersonLevel:
            return _PersonLevel(
                in_channels,
                channels[i],
                film_dim,
                pose_dim,
                attention_head_dim,
                self_attention=sizes[i] in self_attention_resolutions,
                cross_attention=sizes[i] in cross_attention_resolutions and not concat,
                code_channels=code,
                skip_channels=skip_channels,
            )

        def garment_level(in_channels: list[int], out: int, skip: int = 0) -> nn.ModuleList:
            return nn.ModuleList(ResBlock(c, out, film_dim, skip) for c in in_channels)

        # Embeddings of time, conditioning noise and poses (section 3.2).
        self.time_embedding = ScalarEmbedding(film_dim)
        self.noise_embedding = nn.ModuleList(ScalarEmbedding(film_dim) for _ in range(3 if low_res else 2))
        self.person_pose_embedding = PoseEmbedding(num_keypoints, pose_dim)
        self.garment_pose_embedding = PoseEmbedding(num_keypoints, pose_dim)
        self.person_pool = AttentionPool(num_keypoints, pose_dim)
        self.garment_pool = AttentionPool(num_keypoints, pose_dim)
        self.person_pool_out = nn.Linear(pose_dim, film_dim)
        self.garment_pool_out = nn.Linear(pose_dim, film_dim)

        # Person-UNet: z_t, agnostic and, for the 256 network, the upsampled 128 result enter together.
        stem = 3 if patch_size <= 4 else 1  # wide patches have their surroundings within
        candidates = 3 * (2 + low_res + (locate_garment or concat))  # z_t, agnostic, low_res, (warped) garment
        codes = 2 * code if concat else code
        self.stem = nn.Conv2d(candidates * pixels + codes, channels[0], stem, padding=stem // 2)
        self.down = nn.ModuleList()
        skips: list[int] = []
        previous = channels[0]
        for i, (width, count) in enumerate(zip(channels, layers, strict=True)):
            self.down.append(level(i, [previous] + [width] * (count - 1)))
            skips += [width] * count
            previous = width
        self.up = nn.ModuleList()
        for i in reversed(range(len(channels))):
            inputs = [previous] + [channels[i]] * (layers[i] - 1)
            self.up.append(level(i, inputs, [skips.pop() for _ in inputs]))
            previous = channels[i]

        # Garment-UNet: as far up as the last cross-attention and no further.
        self.garment_stem = None if concat else nn.Conv2d(3 * pixels + code, channels[0], stem, padding=stem // 2)
        self.garment_down, self.garment_up = nn.ModuleList(), nn.ModuleList()
        previous = channels[0]
        for width, count in zip(channels[: len(garment_layers)], garment_layers, strict=True):
            self.garment_down.append(garment_level([previous] + [width] * (count - 1), width))
            previous = width
        attended = [i for i, size in enumerate(sizes) if size in cross_attention_resolutions]
        for i in reversed(range(min(attended), len(garment_layers))):
            inputs = [previous] + [channels[i]] * (garment_layers[i] - 1)
            self.garment_up.append(garment_level(inputs, channels[i], channels[i]))
            previous = channels[i]

        self.locator, self.located_in = None, None
        if locate_garment:
            if patch_size == 1 or not body_coordinates:
                raise ValueError("locate_garment needs body_coordinates and a patch_size above 1.")
            self.locator = GarmentLocator(sizes[0], num_keypoints=num_keypoints)
            self.located_in = nn.Conv2d(self.locator.channels, channels[0], 1)
        self.head_norm = group_norm(channels[0])
        if patch_size == 1:
            self.head = nn.Conv2d(channels[0], 3, 3, padding=1)
        else:
            self.head = nn.Conv2d(channels[0], head_channels * pixels, 1)
            self.refine = nn.Sequential(
                nn.Conv2d(head_channels + candidates, head_channels, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(head_channels, 9 if locate_garment else 3, 3, padding=1),
            )

    def encode_garment(
        self,
        agnostic: torch.Tensor,
        garment: torch.Tensor,
        person_pose: torch.Tensor,
        garment_pose: torch.Tensor,
        conditioning_noise: torch.Tensor,
        timestep: torch.Tensor | None = None,
    ) -> GarmentFeatures:
        """The garment side's contribution; depends on the time only with `garment_time_conditioning`.

        Only `locate_garment` looks at the agnostic picture, to know how wide the person is.

        Args and ranges are those of `forward`.
        """
        if self.garment_stem is None:
            return GarmentFeatures(())
        embedding, _ = self._embed(person_pose, garment_pose, conditioning_noise, timestep)
        x = F.pixel_unshuffle(garment, self.config.patch_size)
        side = x.shape[-1]
        if self.config.body_coordinates:
            x = torch.cat([x, body_coordinates(garment_pose, side).to(x.dtype)], dim=1)
        x = self.garment_stem(x)
        skips, features = [], []
        for i, blocks in enumerate(self.garment_down):
            x = x if i == 0 else F.avg_pool2d(x, 2)
            outputs = []
            for block in blocks:
                x = block(x, embedding)
                outputs.append(x)
            skips.append(list(outputs))
            features.append(outputs)
        for i, blocks in enumerate(self.garment_up):
            x = x if i == 0 else F.interpolate(x, scale_factor=2.0, mode="nearest")
            outputs = []
            skip = skips.pop()
            for block in blocks:
                x = block(x, embedding, skip.pop())
                outputs.append(x)
            features.append(outputs)
        keys_values = self._project(features, garment_pose)
        if self.locator is None:
            return GarmentFeatures(keys_values)
        position, located = self.locator(agnostic, garment, person_pose, garment_pose)
        warped = sample_at(garment, enlarge(position, garment.shape[-1])).to(garment.dtype)
        return GarmentFeatures(keys_values, position, located, warped)

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        agnostic: torch.Tensor,
        garment: torch.Tensor,
        person_pose: torch.Tensor,
        garment_pose: torch.Tensor,
        conditioning_noise: torch.Tensor,
        low_res: torch.Tensor | None = None,
        garment_features: GarmentFeatures | None = None,
    ) -> ParallelUNetOutput:
        """One denoising step.

        Args:
            sample: (N, 3, H, W) noisy picture z_t.
            timestep: (N,) time, 0 (clean) to 1 (noise).
            agnostic: (N, 3, H, W) in [-1, 1], noised at its level.
            garment: (N, 3, H, W) in [-1, 1], noised at its level.
            person_pose: (N, K, 3): x, y in [0, 1], confidence.
            garment_pose: (N, K, 3).
            conditioning_noise: (N, 2) or, with `low_res`, (N, 3) levels in [0, 1] of agnostic, garment, low_res.
            low_res: (N, 3, H, W) upsampled result of the stage before, noised at its level.
            garment_features: from `encode_garment`, to skip the garment side.

        Returns:
            `ParallelUNetOutput`.
        """
        if garment_features is None:
            time = timestep if self.config.garment_time_conditioning else None
            garment_features = self.encode_garment(
                agnostic, garment, person_pose, garment_pose, conditioning_noise, time
            )
        lookups = iter(garment_features.keys_values)
        embedding, tokens = self._embed(person_pose, garment_pose, conditioning_noise, timestep)

        if self.config.scale_sample:
            sample = sample * sample_weight(timestep).to(sample).view(-1, 1, 1, 1)
        pictures = [sample, agnostic] if low_res is None else [sample, agnostic, low_res]
        entering = pictures
        if self.locator is not None:
            entering = [*pictures, garment_features.warped]
        elif self.garment_stem is None:
            entering = [*pictures, garment]
        x = F.pixel_unshuffle(torch.cat(entering, dim=1), self.config.patch_size)
        codes: dict[int, torch.Tensor | None] = {}
        if self.config.body_coordinates:
            codes = {
                side: body_coordinates(person_pose, side)
                for side in {x.shape[-1], *self.config.cross_attention_resolutions}
            }
            told = [codes[x.shape[-1]]]
            if self.garment_stem is None:
                told.append(body_coordinates(garment_pose, x.shape[-1]))
            x = torch.cat([x, *(code.to(x.dtype) for code in told)], dim=1)

        x = self.stem(x)
        if self.located_in is not None:
            x = x + self.located_in(garment_features.located)
        skips: list[torch.Tensor] = []
        for i, level in enumerate(self.down):
            x = x if i == 0 else F.avg_pool2d(x, 2)
            x = self._run(level, x, embedding, tokens, lookups, codes, skips, push=True)
        for i, level in enumerate(self.up):
            x = x if i == 0 else F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self._run(level, x, embedding, tokens, lookups, codes, skips, push=False)
        x = self.head(F.silu(self.head_norm(x)))
        if self.config.patch_size == 1:
            return ParallelUNetOutput(x)
        x = F.pixel_shuffle(x, self.config.patch_size)
        if self.locator is None:
            return ParallelUNetOutput(self.refine(torch.cat([x, *entering], dim=1)))
        return self._dress(x, pictures, garment, garment_features.position)

    def _embed(
        self,
        person_pose: torch.Tensor,
        garment_pose: torch.Tensor,
        conditioning_noise: torch.Tensor,
        timestep: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """FiLM vector (N, film_dim), already through a swish, and pose tokens (N, 2K, pose_dim)."""
        person = self.person_pose_embedding(person_pose)
        garment = self.garment_pose_embedding(garment_pose)
        embedding = self.person_pool_out(self.person_pool(person))
        embedding = embedding + self.garment_pool_out(self.garment_pool(garment))
        for i, embed in enumerate(self.noise_embedding):
            embedding = embedding + embed(conditioning_noise[:, i])
        if timestep is not None:
            embedding = embedding + self.time_embedding(timestep)
        return F.silu(embedding), torch.cat([person, garment], dim=1)

    def _run(
        self,
        level: _PersonLevel,
        x: torch.Tensor,
        embedding: torch.Tensor,
        tokens: torch.Tensor,
        lookups: object,
        codes: dict[int, torch.Tensor | None],
        skips: list[torch.Tensor],
        *,
        push: bool,
    ) -> torch.Tensor:
        """All blocks of one person level; pushes skips on the way down, pops them on the way up."""
        for i, block in enumerate(level.blocks):
            x = block(x, embedding, None if push else skips.pop())
            if level.self_attention:
                x = level.self_attention[i](x, tokens)
            if level.cross_attention:
                x = level.cross_attention[i](x, next(lookups), codes.get(x.shape[-1]))
            if push:
                skips.append(x)
        return x

    def _project(
        self, features: list[list[torch.Tensor]], garment_pose: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
        """Keys and values for each person cross-attention: the i-th block looks at the i-th garment block."""
        result = []
        codes: dict[int, torch.Tensor] = {}

        def code(side: int) -> torch.Tensor | None:
            if self.config.body_coordinates and side not in codes:
                codes[side] = body_coordinates(garment_pose, side)
            return codes.get(side)

        for level, outputs in zip([*self.down, *self.up], features, strict=False):
            for attention, output in zip(level.cross_attention, outputs, strict=False):
                result.append(attention.keys_values(output, code(output.shape[-1])))
        return tuple(result)

    def _dress(
        self,
        x: torch.Tensor,
        pictures: list[torch.Tensor],
        garment: torch.Tensor,
        coarse_position: torch.Tensor,
    ) -> ParallelUNetOutput:
        """Finish at full resolution: refine the position, light the cloth, mix it with what is known and new."""
        # The first two channels refine the position; a tenth of the picture is far for a refinement.
        position = enlarge(coarse_position, x.shape[-1]) + 0.1 * x[:, :2].float().tanh()
        cloth = sample_at(garment, position).to(x.dtype)
        out = self.refine(torch.cat([x, *(p.to(x.dtype) for p in pictures), cloth], dim=1))
        new, gates, light, skin = out.split([3, 2, 3, 1], dim=1)
        # Folds and the colour of the light multiply what the cloth reflects.
        cloth = (cloth + 1) * light.clamp(-2, 1).exp() - 1
        known = pictures[-1]  # low_res where there is one, else the agnostic picture
        share = gates.sigmoid()
        worn = share[:, :1] * cloth
        sample = new + worn + share[:, 1:] * known
        return ParallelUNetOutput(sample, position, coarse_position, gates[:, :1], skin, warped=worn + 1 - share[:, :1])
