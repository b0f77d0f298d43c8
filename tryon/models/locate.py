"""Where in the garment picture the cloth of each cell of the person lies: a look-up by anatomy, then corrected."""

import torch
import torch.nn.functional as F
from torch import nn

from tryon.models.body_coordinates import CODE_CHANNELS, body_coordinates
from tryon.models.layers import ResBlock, group_norm

# Sharpness of the look-up: codes of the same place of the body have a product of 1, of distant places about 0.
LOOKUP_SCALE = 25.0
MAX_CORRECTION = 0.25  # of the garment picture
OUTLINE_SIDE = 16


class GarmentLocator(nn.Module):
    """Dense correspondence from the conditions alone: the same at every step, so computed once per picture.

    The first guess is the mean position of the cells of the garment picture whose body coordinates agree
    (`body_coordinates`), which knows bones but neither how wide a body is nor which way it turns. A small UNet then
    sees the garment as warped by that guess beside the person, and how far their coordinates still disagree, and
    corrects it. Not in the paper, whose warp is cross-attention alone; why a small network needs it is measured in the
    model card.

    Args:
        side: side in cells of the maps that it works on.
        channels: width of the UNet.
        num_keypoints: joints of a pose.
        embedding_dim: width of the vector of both poses and the garment's outline that modulates every block.
        hidden_dim: width of the layers that make it; which way a body turns and how wide a garment falls are read
            there, off numbers that cost nothing beside pictures.
    """

    def __init__(
        self,
        side: int,
        channels: int = 56,
        num_keypoints: int = 18,
        embedding_dim: int = 96,
        hidden_dim: int = 384,
    ) -> None:
        super().__init__()
        self.side, self.channels = side, channels
        self.embed = nn.Sequential(
            nn.Linear(6 * num_keypoints + OUTLINE_SIDE**2, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, embedding_dim),
        )
        # Codes of the person and their disagreement; agnostic and warped garment; outline; position; certainty.
        self.stem = nn.Conv2d(2 * CODE_CHANNELS + 3 + 3 + 1 + 2 + 1, channels, 1)
        self.down = nn.ModuleList(ResBlock(channels, channels, embedding_dim) for _ in range(3))
        self.up = nn.ModuleList(ResBlock(channels, channels, embedding_dim, channels if i else 0) for i in range(3))
        self.norm = group_norm(channels)
        self.correction = nn.Conv2d(channels, 2, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(
        self,
        agnostic: torch.Tensor,
        garment: torch.Tensor,
        person_pose: torch.Tensor,
        garment_pose: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the cloth.

        Args:
            agnostic: (N, 3, H, W) in [-1, 1].
            garment: (N, 3, H, W) in [-1, 1], on white.
            person_pose: (N, K, 3): x, y in [0, 1], confidence.
            garment_pose: (N, K, 3).

        Returns:
            position: (N, 2, side, side) float32: x, y of the garment picture, [0, 1] within it.
            features: (N, channels, side, side), what led to it.
        """
        size = (self.side, self.side)
        person, cloth = (body_coordinates(p, self.side) for p in (person_pose, garment_pose))
        guess, certainty = look_up(person, cloth)
        # The outline must not fade where light cloth lies on the white ground.
        ink = ((1 - garment.amin(1, keepdim=True)) * 8).clamp(0, 1)
        agnostic, garment, ink = (F.adaptive_avg_pool2d(p, size) for p in (agnostic, garment, ink))
        source = torch.cat([cloth, garment.float(), ink.float()], dim=1)
        warped = sample_at(source, guess)
        code, rest = warped.split([CODE_CHANNELS, 4], dim=1)
        x = [person, code - person, agnostic, rest, 2 * guess - 1, certainty]
        # The weights' type: only the positions themselves need float32.
        kind = self.stem.weight.dtype
        x = self.stem(torch.cat([p.to(kind) for p in x], dim=1))

        outline = F.adaptive_avg_pool2d(ink, OUTLINE_SIDE).flatten(1)
        poses = torch.cat([_centred(person_pose), _centred(garment_pose)], dim=1)
        embedding = self.embed(torch.cat([poses.to(kind), outline.to(kind)], dim=1))
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else F.avg_pool2d(x, 2), embedding)
            skips.append(x)
        x = self.up[0](skips.pop(), embedding)
        for block in self.up[1:]:
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest"), embedding, skips.pop())
        x = F.silu(self.norm(x))
        return guess + MAX_CORRECTION * self.correction(x).float().tanh(), x


def look_up(person: torch.Tensor, cloth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean position of the cells of `cloth` whose codes agree with each cell of `person`.

    Args:
        person: (N, C, S, S) body coordinates.
        cloth: (N, C, S, S) body coordinates.

    Returns:
        position: (N, 2, S, S) float32, x, y in [0, 1].
        certainty: (N, 1, S, S) float32, the largest agreement of all cells.
    """
    side = cloth.shape[-1]
    agreement = person.flatten(2).transpose(1, 2) @ cloth.flatten(2)  # (N, L, L)
    weights = (LOOKUP_SCALE * agreement.float()).softmax(dim=-1).unflatten(-1, (side, side))
    axis = (torch.arange(side, device=cloth.device) + 0.5) / side
    # Sums, not a matrix product: autocast would do that in bf16 and jitter by whole pixels.
    position = torch.stack([(weights.sum(2) * axis).sum(-1), (weights.sum(3) * axis).sum(-1)], 1)
    certainty = agreement.float().amax(dim=-1)[:, None]
    return position.unflatten(-1, (side, side)), certainty.unflatten(-1, (side, side))


def sample_at(picture: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Bilinear look-up of (N, C, H, W) at positions (N, 2, h, w) in [0, 1] -> (N, C, h, w) float32."""
    grid = (2 * position.float() - 1).permute(0, 2, 3, 1)
    return F.grid_sample(picture.float(), grid, padding_mode="border", align_corners=False)


def enlarge(picture: torch.Tensor, side: int) -> torch.Tensor:
    """(N, C, h, w) -> (N, C, side, side), bilinear."""
    return F.interpolate(picture, size=(side, side), mode="bilinear", align_corners=False)


def _centred(pose: torch.Tensor) -> torch.Tensor:
    """(N, K, 3) -> (N, 3K): joints relative to the middle of the known ones, in units of their spread."""
    known = (pose[..., 2:] > 0).float()
    count = known.sum(1, keepdim=True).clamp(min=1)
    xy = pose[..., :2].float()
    middle = (xy * known).sum(1, keepdim=True) / count
    offset = (xy - middle) * known
    spread = (offset.square().sum((1, 2), keepdim=True) / count).sqrt().clamp(min=1e-2)
    return torch.cat([offset / spread, known], dim=-1).flatten(1)
