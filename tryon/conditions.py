"""The one noun that all rooms share: the paper's conditioning inputs c_tryon = (I_a, J_p, I_c, J_g)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F

CATEGORIES = ("upper", "lower", "dress")
KINDS_OF_PICTURE = ("worn", "ghost", "flat")
"""How a garment is shown: on somebody, as if on somebody, or laid out."""
NUM_KEYPOINTS = 18


@dataclass(frozen=True)
class Conditions:
    """What the cascade is told about a batch of N person-garment pairs.

    Attributes:
        agnostic: (N, 3, H, W) in [-1, 1], the person with the garment's region hidden; hidden pixels are 0 (I_a).
        garment: (N, 3, H, W) in [-1, 1], the garment cut out on white (I_c).
        person_pose: (N, 18, 3): x, y in [0, 1] of the frame and confidence; a missing joint is (0, 0, 0) (J_p).
        garment_pose: (N, 18, 3): the same for the garment picture, worn or flat-lay (J_g).

    Raises:
        ValueError: shapes or batch sizes do not fit together.

    Source: TryOnDiffusion (arXiv:2306.08276), section 3.1.
    """

    agnostic: torch.Tensor
    garment: torch.Tensor
    person_pose: torch.Tensor
    garment_pose: torch.Tensor

    def __post_init__(self) -> None:
        """Refuse inputs that a network would silently broadcast."""
        n = self.agnostic.shape[0]
        for name in ("agnostic", "garment"):
            value = getattr(self, name)
            if value.ndim != 4 or value.shape[0] != n or value.shape[1] != 3:
                raise ValueError(f"{name} must be ({n}, 3, H, W), got {tuple(value.shape)}.")
        for name in ("person_pose", "garment_pose"):
            value = getattr(self, name)
            if value.shape != (n, NUM_KEYPOINTS, 3):
                raise ValueError(f"{name} must be ({n}, {NUM_KEYPOINTS}, 3), got {tuple(value.shape)}.")

    def __len__(self) -> int:
        """Number of pairs N."""
        return self.agnostic.shape[0]

    @property
    def hidden(self) -> torch.Tensor:
        """(N, 1, H, W) bool: pixels that the agnostic picture hides, exactly 0 in every channel."""
        return (self.agnostic == 0).all(dim=1, keepdim=True)

    def with_known(self, result: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) `result` where the agnostic picture hides, the agnostic picture where it shows."""
        return torch.where(self.hidden, result, self.agnostic)

    def to(self, *args: torch.device | torch.dtype | str) -> Conditions:
        """The same conditions on another device or in another dtype."""
        return Conditions(*(getattr(self, f.name).to(*args) for f in fields(self)))

    def resize(self, size: int) -> Conditions:
        """Pictures scaled to (N, 3, size, size) by an antialiased filter; poses are relative and stay.

        A pixel counts as hidden (exactly 0) when any of the source pixels below it was, so a smaller picture
        never shows a blend of hidden grey and skin.
        """
        if self.agnostic.shape[-1] == size:
            return self
        agnostic = F.interpolate(self.agnostic, size=(size, size), mode="bilinear", antialias=True)
        hidden = F.interpolate(self.hidden.float(), size=(size, size), mode="bilinear", antialias=True)
        return Conditions(
            agnostic * (hidden < 1e-3),
            F.interpolate(self.garment, size=(size, size), mode="bilinear", antialias=True),
            self.person_pose,
            self.garment_pose,
        )

    def dropped(self, keep: torch.Tensor | None = None) -> Conditions:
        """Conditions set jointly to zero, the null branch of guidance (section 3.2 of the paper).

        Args:
            keep: (N,) bool, pairs to leave as they are; None drops all.
        """
        if keep is None:
            keep = torch.zeros(len(self), dtype=torch.bool, device=self.agnostic.device)

        def masked(value: torch.Tensor) -> torch.Tensor:
            return value * keep.view(-1, *[1] * (value.ndim - 1)).to(value)

        return Conditions(*(masked(getattr(self, f.name)) for f in fields(self)))

    @staticmethod
    def concat(items: list[Conditions]) -> Conditions:
        """Batch of all pairs of `items`, in order."""
        return Conditions(*(torch.cat([getattr(i, f.name) for i in items]) for f in fields(Conditions)))
