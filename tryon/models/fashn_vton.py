"""FASHN VTON v1.5: a diffusion transformer over pixels that dresses photographs of real people, without a mask.

Two streams of 12 x 12 patches, the noisy picture of the person and the garment, meet in joint attention. The names of
the tensors are those of the published checkpoint, which loads strictly; "img" is the person's stream, "txt" the
garment's (heritage of FLUX, there is no text).

Source: Bochman & Bochman, "FASHN VTON v1.5: Efficient Maskless Virtual Try-On in Pixel Space", 2026 (Apache-2.0,
(c) FASHN AI; its blocks derive from FLUX.1 of Black Forest Labs, Apache-2.0).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

PRESETS = {
    "v1.5": {},
    "tiny": {
        "input_shape": (96, 64),
        "hidden_size": 48,
        "n_heads": 2,
        "axes_dim": (8, 8, 8),
        "patch_size": 8,
        "double_blocks_depth": 2,
        "single_blocks_depth": 2,
        "patch_mixer_depth": 1,
    },
}
"""Constructor keywords by name. `v1.5` is what is published; `tiny` is for tests."""

TIME_DIM = 256

Rotation = tuple[torch.Tensor, torch.Tensor]
"""Cosine and sine, (L, Dh / 2) float32 each, of the angle by which every pair of channels is turned."""


@dataclass(frozen=True)
class EncodedConditions:
    """What a picture's steps have in common, so that it is computed once.

    Attributes:
        person: (B, 4, H, W): the person's picture and pose, zeros where dropped.
        garment: (B, L, D): tokens of the garment's picture and pose.
        category: (B, D): embedding of the category.
    """

    person: torch.Tensor
    garment: torch.Tensor
    category: torch.Tensor


@lru_cache(maxsize=8)
def rotation_table(rows: int, columns: int, axes_dim: tuple[int, ...], theta: float) -> Rotation:
    """Angles of a grid of patches, row by row; the first axis is 0 everywhere, the others are row and column.

    Computed in float64 on the CPU: MPS has no float64.

    Args:
        rows: of the grid.
        columns: of the grid.
        axes_dim: channels of a head that belong to each axis.
        theta: base of the wavelengths.
    """
    grid = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    places = [torch.zeros(rows * columns), *(axis.flatten() for axis in grid)]
    angles = []
    for place, channels in zip(places, axes_dim, strict=True):
        omega = theta ** -(torch.arange(0, channels, 2, dtype=torch.float64) / channels)
        angles.append(place.double()[:, None] * omega)
    angle = torch.cat(angles, 1)
    return angle.cos().float(), angle.sin().float()


def rotate(heads: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    """Turn neighbouring channels, in float32: (B, heads, L, Dh) -> the same shape and dtype."""
    cosine, sine = rotation
    even, odd = heads.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([cosine * even - sine * odd, sine * even + cosine * odd], -1).flatten(-2).to(heads.dtype)


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    """Attention with rotary positions, (B, heads, L, Dh) each -> (B, L, heads * Dh)."""
    out = F.scaled_dot_product_attention(rotate(query, rotation), rotate(key, rotation), value)
    return out.transpose(1, 2).flatten(2)


def layer_norm(tokens: torch.Tensor) -> torch.Tensor:
    """LayerNorm without weights over the channels."""
    return F.layer_norm(tokens, tokens.shape[-1:], eps=1e-6)


def modulate(tokens: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Normalised tokens, scaled and shifted as the time and the category say."""
    return (1 + scale) * layer_norm(tokens) + shift


class RMSNorm(nn.Module):
    """Root mean square norm in float32; the learned scale is applied in the tokens' own dtype."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, heads: torch.Tensor) -> torch.Tensor:
        """(..., Dh) -> the same."""
        wide = heads.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(heads.dtype) * self.scale


class QKNorm(nn.Module):
    """Norms of queries and keys, shared by all heads."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query_norm = RMSNorm(dim)
        self.key_norm = RMSNorm(dim)

    def forward(self, qkv: torch.Tensor, n_heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B, L, 3 * D) -> queries, keys and values, (B, heads, L, Dh) each."""
        query, key, value = qkv.unflatten(-1, (3, n_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.query_norm(query).to(value.dtype), self.key_norm(key).to(value.dtype), value


class Modulation(nn.Module):
    """Shifts, scales and gates from the conditioning vector."""

    def __init__(self, dim: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.lin = nn.Linear(dim, parts * dim)

    def forward(self, vec: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(B, D) -> `parts` tensors (B, 1, D): shift, scale, gate, and again."""
        return self.lin(F.silu(vec))[:, None].chunk(self.parts, -1)


class SelfAttention(nn.Module):
    """The weights of one stream's share in joint attention."""

    def __init__(self, dim: int, n_heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.norm = QKNorm(dim // n_heads)
        self.proj = nn.Linear(dim, dim)


class DoubleStreamBlock(nn.Module):
    """Person and garment with weights of their own, joined in attention."""

    def __init__(self, dim: int, n_heads: int, mlp_ratio: float, qkv_bias: bool) -> None:
        super().__init__()
        self.n_heads = n_heads
        hidden = int(dim * mlp_ratio)
        for stream in ("img", "txt"):
            self.add_module(f"{stream}_mod", Modulation(dim, 6))
            self.add_module(f"{stream}_attn", SelfAttention(dim, n_heads, qkv_bias))
            mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU("tanh"), nn.Linear(hidden, dim))
            self.add_module(f"{stream}_mlp", mlp)

    def forward(
        self, person: torch.Tensor, garment: torch.Tensor, vec: torch.Tensor, rotation: Rotation
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (B, L, D) of both streams, and the rotation of garment and person in this order."""
        person_mod, garment_mod = self.img_mod(vec), self.txt_mod(vec)
        person_qkv = self.img_attn.qkv(modulate(person, *person_mod[:2]))
        garment_qkv = self.txt_attn.qkv(modulate(garment, *garment_mod[:2]))
        parts = zip(
            self.txt_attn.norm(garment_qkv, self.n_heads), self.img_attn.norm(person_qkv, self.n_heads), strict=True
        )
        joint = attend(*(torch.cat(pair, 2) for pair in parts), rotation)
        garment_out, person_out = joint.split([garment.shape[1], person.shape[1]], 1)
        person = _finish(person, person_out, person_mod, self.img_attn.proj, self.img_mlp)
        return person, _finish(garment, garment_out, garment_mod, self.txt_attn.proj, self.txt_mlp)


def _finish(
    tokens: torch.Tensor, attended: torch.Tensor, mod: Sequence[torch.Tensor], proj: nn.Module, mlp: nn.Module
) -> torch.Tensor:
    """The residual branches of one stream: attention, then MLP."""
    tokens = tokens + mod[2] * proj(attended)
    return tokens + mod[5] * mlp(modulate(tokens, *mod[3:5]))


class SingleStreamBlock(nn.Module):
    """Attention and MLP side by side on one stream."""

    def __init__(self, dim: int, n_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.sizes = [3 * dim, int(dim * mlp_ratio)]
        self.linear1 = nn.Linear(dim, sum(self.sizes))
        self.linear2 = nn.Linear(dim + self.sizes[1], dim)
        self.norm = QKNorm(dim // n_heads)
        self.modulation = Modulation(dim, 3)

    def forward(self, tokens: torch.Tensor, vec: torch.Tensor, rotation: Rotation) -> torch.Tensor:
        """(B, L, D) -> the same."""
        shift, scale, gate = self.modulation(vec)
        qkv, mlp = self.linear1(modulate(tokens, shift, scale)).split(self.sizes, -1)
        attended = attend(*self.norm(qkv, self.n_heads), rotation)
        return tokens + gate * self.linear2(torch.cat([attended, F.gelu(mlp, approximate="tanh")], -1))


class PatchEmbedding(nn.Module):
    """Pictures to tokens, row by row."""

    def __init__(self, channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch_size, stride=patch_size)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, L, D)."""
        return self.proj(image).flatten(2).transpose(1, 2)


class TimeEmbedding(nn.Module):
    """The time of a step as a vector."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = nn.Module()
        self.mlp.in_layer = nn.Linear(TIME_DIM, dim)
        self.mlp.out_layer = nn.Linear(dim, dim)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        """(B,) in [0, 1] -> (B, D)."""
        half = TIME_DIM // 2
        steps = torch.arange(half, dtype=torch.float32, device=t.device)
        angle = (1000 * t)[:, None].float() * torch.exp(-math.log(10000) * steps / half)
        code = torch.cat([angle.cos(), angle.sin()], -1).to(t.dtype)
        return self.mlp.out_layer(F.silu(self.mlp.in_layer(code.to(self.mlp.in_layer.weight.dtype))))


class FinalLayer(nn.Module):
    """Tokens to the pixels of their patches."""

    def __init__(self, dim: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 2 * dim))

    def forward(self, tokens: torch.Tensor, vec: torch.Tensor) -> torch.Tensor:
        """(B, L, D) -> (B, L, channels)."""
        shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, -1)
        return self.linear(modulate(tokens, shift, scale))


class FashnVTON(ModelMixin, ConfigMixin):
    """The velocity from noise to the picture of the dressed person.

    Args:
        input_shape: height and width in pixels that it was trained for.
        hidden_size: channels D of a token.
        n_heads: attention heads.
        double_blocks_depth: blocks with two streams.
        single_blocks_depth: blocks with one stream.
        mlp_ratio: width of the MLPs, in units of D.
        channels_in: of a picture.
        patch_size: side of a patch in pixels.
        theta: base of the rotary wavelengths.
        axes_dim: channels of a head for the constant axis, the rows and the columns.
        qkv_bias: of the blocks with two streams.
        guidance_embed: must be False; there is no such checkpoint.
        n_classes: garment categories, the null category not counted.
        use_patch_mixer: whether blocks on the person's tokens alone come first.
        patch_mixer_depth: number of those.

    Raises:
        ValueError: settings that do not fit together.
    """

    @register_to_config
    def __init__(
        self,
        input_shape: Sequence[int] = (864, 576),
        hidden_size: int = 1280,
        n_heads: int = 10,
        double_blocks_depth: int = 8,
        single_blocks_depth: int = 16,
        mlp_ratio: float = 4,
        channels_in: int = 3,
        patch_size: int = 12,
        theta: float = 10000,
        axes_dim: Sequence[int] = (16, 56, 56),
        qkv_bias: bool = True,
        guidance_embed: bool = False,
        n_classes: int = 3,
        use_patch_mixer: bool = True,
        patch_mixer_depth: int = 4,
    ) -> None:
        super().__init__()
        if guidance_embed:
            raise ValueError("guidance_embed must be False: this network has no embedding of a guidance scale.")
        if sum(axes_dim) * n_heads != hidden_size:
            raise ValueError("axes_dim must add up to the channels of a head, hidden_size / n_heads.")
        if any(side % patch_size for side in input_shape):
            raise ValueError("input_shape must be multiples of patch_size.")
        pixels = channels_in * patch_size**2
        self.register_buffer("patch_mixer_token", torch.zeros(1, 1, pixels))  # in the file, but nothing reads it
        self.t_embedder = TimeEmbedding(hidden_size)
        self.y_embedder = nn.Embedding(n_classes + 1, hidden_size)
        self.x_embedder = PatchEmbedding(2 * channels_in + 1, hidden_size, patch_size)
        self.garment_embedder = PatchEmbedding(channels_in + 1, hidden_size, patch_size)

        def single_blocks(depth: int) -> nn.ModuleList:
            return nn.ModuleList(SingleStreamBlock(hidden_size, n_heads, mlp_ratio) for _ in range(depth))

        self.x_patch_mixer = single_blocks(patch_mixer_depth if use_patch_mixer else 0)
        self.double_blocks = nn.ModuleList(
            DoubleStreamBlock(hidden_size, n_heads, mlp_ratio, qkv_bias) for _ in range(double_blocks_depth)
        )
        self.single_blocks = single_blocks(single_blocks_depth)
        self.final_layer = FinalLayer(hidden_size, pixels)

    def encode(
        self,
        ca_images: torch.Tensor,
        person_poses: torch.Tensor,
        garment_images: torch.Tensor,
        garment_poses: torch.Tensor,
        garment_categories: torch.Tensor,
        keep_mask: torch.Tensor | None = None,
    ) -> EncodedConditions:
        """What does not depend on the step; arguments as in `forward`."""
        person = torch.cat([ca_images, person_poses], 1)
        garment = torch.cat([garment_images, garment_poses], 1)
        if keep_mask is not None:
            person, garment = (torch.where(keep_mask[:, None, None, None], v, 0) for v in (person, garment))
            garment_categories = torch.where(keep_mask, garment_categories, 0)
        return EncodedConditions(person, self.garment_embedder(garment), self.y_embedder(garment_categories))

    def denoise(self, x: torch.Tensor, t: torch.Tensor, conditions: EncodedConditions) -> torch.Tensor:
        """`forward` with conditions that were encoded before."""
        size = self.config.patch_size
        rows, columns = x.shape[2] // size, x.shape[3] // size
        table = rotation_table(rows, columns, tuple(self.config.axes_dim), self.config.theta)
        rotation = tuple(part.to(x.device) for part in table)
        # A garment's patch shares its position with the person's patch at the same place.
        joint_rotation = tuple(part.repeat(2, 1) for part in rotation)

        vec = self.t_embedder(t) + conditions.category  # (B, D)
        person, garment = self.x_embedder(torch.cat([x, conditions.person], 1)), conditions.garment  # (B, L, D)
        for block in self.x_patch_mixer:
            person = block(person, vec, rotation)
        for block in self.double_blocks:
            person, garment = block(person, garment, vec, joint_rotation)
        tokens = torch.cat([garment, person], 1)  # (B, 2 * L, D)
        for block in self.single_blocks:
            tokens = block(tokens, vec, joint_rotation)
        patches = self.final_layer(tokens[:, garment.shape[1] :], vec)  # (B, L, 3 * patch * patch)
        patches = patches.unflatten(2, (-1, size, size)).unflatten(1, (rows, columns))  # (B, rows, columns, 3, p, p)
        return patches.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)

    def forward(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        ca_images: torch.Tensor,
        person_poses: torch.Tensor,
        garment_images: torch.Tensor,
        garment_poses: torch.Tensor,
        garment_categories: torch.Tensor,
        keep_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Predict the velocity.

        Args:
            x: (B, 3, H, W) noisy picture; H and W are multiples of the patch size.
            t: (B,), 0 is noise, 1 is the picture.
            ca_images: (B, 3, H, W) in [-1, 1], picture of the person.
            person_poses: (B, 1, H, W) in [-1, 1], drawing of the person's pose.
            garment_images: (B, 3, H, W) in [-1, 1], picture of the garment.
            garment_poses: (B, 1, H, W) in [-1, 1], drawing of the pose in it; -1 everywhere where nobody wears it.
            garment_categories: (B,) int64: 1 tops, 2 bottoms, 3 one-pieces, 0 the null condition.
            keep_mask: (B,) bool, False drops all conditions of a sample; None keeps all.

        Returns:
            (B, 3, H, W) velocity.
        """
        conditions = self.encode(ca_images, person_poses, garment_images, garment_poses, garment_categories, keep_mask)
        return self.denoise(x, t, conditions)
