"""Building blocks of the networks: residual blocks, attention, time and pose embedding."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with min(32, C / 4) groups (appendix A.1 of the paper)."""
    groups = min(32, max(1, channels // 4))
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


class ConvBlock(nn.Module):
    """Residual pair of 3x3 convolutions; one normalisation, as it costs as much as half a convolution on a CPU."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        residual = self.conv1(F.relu(self.norm(hidden_states)))
        return hidden_states + self.conv2(F.relu(residual))


class ScalarEmbedding(nn.Module):
    """A scalar in [0, 1] (time or noise level) as a vector: sinusoids, linear, swish, linear."""

    def __init__(self, dim: int, frequencies: int = 64) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """(N,) in [0, 1] -> (N, dim)."""
        exponent = torch.arange(self.frequencies, device=value.device) / (self.frequencies - 1)
        angles = value.float()[:, None] * 1000.0 * torch.exp(-math.log(10_000.0) * exponent)
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        return self.mlp(waves.to(self.mlp[0].weight.dtype))


class PoseEmbedding(nn.Module):
    """Keypoints as tokens, each through a linear layer of its own joint (section 3.2, "pose embeddings")."""

    def __init__(self, num_keypoints: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_keypoints, 3, dim) * 0.5)
        self.bias = nn.Parameter(torch.randn(num_keypoints, dim) * 0.1)

    def forward(self, pose: torch.Tensor) -> torch.Tensor:
        """(N, K, 3) -> (N, K, dim)."""
        pose = pose.to(self.weight.dtype)
        return torch.einsum("nkc,kcd->nkd", pose, self.weight) + self.bias


class AttentionPool(nn.Module):
    """CLIP-style 1D attention pooling over tokens; the query is their mean (section 3.2)."""

    def __init__(self, num_tokens: int, dim: int, head_dim: int = 64) -> None:
        super().__init__()
        self.heads = max(1, dim // head_dim)
        self.position = nn.Parameter(torch.randn(num_tokens + 1, dim) * 0.02)
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, K, dim) -> (N, dim)."""
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1) + self.position
        q, k, v = self.to_q(tokens[:, :1]), self.to_k(tokens), self.to_v(tokens)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        pooled = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(pooled.transpose(1, 2).flatten(2))[:, 0]


class ResBlock(nn.Module):
    """FiLM, then GroupNorm, swish, conv, GroupNorm, FiLM, swish, conv; the skip path is always a 1x1 convolution.

    Appendix A.1 of the paper. On the way up the UNet's skip joins after the first FiLM.
    """

    def __init__(self, in_channels: int, out_channels: int, film_dim: int, skip_channels: int = 0) -> None:
        super().__init__()
        total = in_channels + skip_channels
        self.norm1, self.norm2 = group_norm(total), group_norm(out_channels)
        self.conv1 = nn.Conv2d(total, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(total, out_channels, 1)
        self.film1 = nn.Linear(film_dim, 2 * in_channels)
        self.film2 = nn.Linear(film_dim, 2 * out_channels)
        # Zero FiLM and a zero last convolution: at the start a block is its shortcut alone.
        for layer in (self.film1, self.film2, self.conv2):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        """(N, C_in, H, W), (N, film_dim) and, going up, the skip (N, C_skip, H, W) -> (N, C_out, H, W)."""
        x = film(x, self.film1(embedding))
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(film(self.norm2(h), self.film2(embedding))))
        return h + self.shortcut(x)


def film(x: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
    """Feature-wise scale and shift of (N, C, H, W) by (N, 2C)."""
    scale, shift = parameters[..., None, None].chunk(2, dim=1)
    return torch.addcmul(x + shift, x, scale)


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(N, L, C) -> (N, heads, L, C / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class SelfAttention(nn.Module):
    """Self-attention whose keys and values also contain the pose tokens (section 3.2)."""

    def __init__(self, channels: int, head_dim: int, pose_dim: int) -> None:
        super().__init__()
        self.heads = max(1, channels // head_dim)
        self.norm, self.pose_norm = group_norm(channels), nn.LayerNorm(pose_dim)
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.pose_to_kv = nn.Linear(pose_dim, 2 * channels)
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(self, x: torch.Tensor, pose_tokens: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W), (N, 2K, pose_dim) -> (N, C, H, W), added to x."""
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.to_qkv(tokens).chunk(3, dim=-1)
        pose_k, pose_v = self.pose_to_kv(self.pose_norm(pose_tokens)).chunk(2, dim=-1)
        k, v = torch.cat([k, pose_k], dim=1), torch.cat([v, pose_v], dim=1)
        out = F.scaled_dot_product_attention(*(_heads(y, self.heads) for y in (q, k, v)))
        out = self.to_out(out.transpose(1, 2).flatten(2))
        return x + out.transpose(1, 2).unflatten(-1, x.shape[-2:])


class CrossAttention(nn.Module):
    """Person features look up garment features of the same level: the implicit warp (section 3.2).

    With `code_channels`, queries and keys also carry the body-coordinate codes, so that before any training the
    attention already looks at the same place of the body.
    """

    def __init__(self, channels: int, head_dim: int, code_channels: int = 0) -> None:
        super().__init__()
        self.heads = max(1, channels // head_dim)
        self.norm, self.garment_norm = group_norm(channels), group_norm(channels)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)
        self.code_scale = nn.Parameter(torch.full((self.heads,), 25.0)) if code_channels else None

    def keys_values(self, garment: torch.Tensor, code: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (N, heads, L, D) of garment features (N, C, H, W); independent of the person."""
        tokens = self.garment_norm(garment).flatten(2).transpose(1, 2)
        k, v = _heads(self.to_k(tokens), self.heads), _heads(self.to_v(tokens), self.heads)
        if self.code_scale is not None:
            k = torch.cat([k, self._code(code, k)], dim=-1)
        return k, v

    def queries(self, x: torch.Tensor, code: torch.Tensor | None) -> torch.Tensor:
        """Queries (N, heads, L, D), already scaled."""
        q = _heads(self.to_q(self.norm(x).flatten(2).transpose(1, 2)), self.heads)
        q = q / math.sqrt(q.shape[-1])
        if self.code_scale is not None:
            scaled = self._code(code, q) * self.code_scale.view(1, -1, 1, 1).to(q.dtype)
            q = torch.cat([q, scaled], dim=-1)
        return q

    def _code(self, code: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """(N, CODE, H, W) -> (N, heads, L, CODE)."""
        code = code.flatten(2).transpose(1, 2)[:, None].to(like.dtype)
        return code.expand(-1, self.heads, -1, -1)

    def forward(
        self,
        x: torch.Tensor,
        keys_values: tuple[torch.Tensor, torch.Tensor],
        code: torch.Tensor | None,
    ) -> torch.Tensor:
        """Look up the garment.

        Args:
            x: (N, C, H, W) person features.
            keys_values: from `keys_values`, of garment features with L_g cells.
            code: (N, CODE, H, W) body coordinates of the person, or None.

        Returns:
            (N, C, H, W), x plus what was looked up.
        """
        q = self.queries(x, code)
        k, v = keys_values
        out = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        out = self.to_out(out.transpose(1, 2).flatten(2))
        return x + out.transpose(1, 2).unflatten(-1, x.shape[-2:])
