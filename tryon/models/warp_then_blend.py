"""Warp the garment with one network, then blend it with another: the paper's second ablation, for comparison only.

Source: TryOnDiffusion (arXiv:2306.08276), section 4.3, "Warping and blending in two networks".
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin

from tryon.models.locate import GarmentLocator
from tryon.models.parallel_unet import PRESETS as PARALLEL
from tryon.models.parallel_unet import ParallelUNet, ParallelUNetOutput


def _preset(size: str, side: int, width: int, blend_width: int) -> dict:
    warp, blend = PARALLEL[f"{size}-{side}"], PARALLEL[f"{size}-{side}-concat"]
    levels = len(warp["block_out_channels"])
    return {
        "sample_size": side,
        "low_res": side == 256,
        "warp": {**warp, "block_out_channels": (width,) * levels, "low_res": False},
        "blend": {**blend, "block_out_channels": (blend_width,) * levels},
    }


PRESETS: dict[str, dict] = {
    "small-128-warp-then-blend": _preset("small", 128, 88, 112),
    "small-256-warp-then-blend": _preset("small", 256, 88, 112),
    "tiny-128-warp-then-blend": _preset("tiny", 128, 16, 24),
    "tiny-256-warp-then-blend": _preset("tiny", 256, 16, 24),
}
"""Constructor keywords by name; both parts together have as many parameters as the Parallel-UNet of that size."""


class WarpThenBlend(ModelMixin, ConfigMixin):
    """Two networks with a picture between them, in place of one `ParallelUNet`.

    The first is a whole Parallel-UNet with all its means of finding cloth, but what it paints is the garment alone as
    it would be worn, on white; it starts from no noise, as its result is a condition of the second. The second gets
    that picture, which lies where it belongs already, beside its other conditions (`fusion="concat"`) and paints the
    person. No gradient goes from the second to the first: what the first gets wrong or leaves out, the second never
    sees. Both see the same batches, so that after as many pictures all that differs from `ParallelUNet` is that
    warping and blending are two things. Unlike the paper's, the first network is also shown the agnostic picture, as
    our locator is.

    Args:
        sample_size: side of the pictures in pixels.
        warp: keywords of the first `ParallelUNet`.
        blend: keywords of the second.
        low_res: whether the result of the stage before is an input of the second (the 256 network).
        garment_time_conditioning: never; as in `ParallelUNet`, False means that the garment side is computed once.

    Shapes are those of `ParallelUNet`.

    Raises:
        ValueError: the first part does not locate the garment, or sees the time.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int,
        warp: dict,
        blend: dict,
        low_res: bool = False,
        garment_time_conditioning: bool = False,
    ) -> None:
        super().__init__()
        if not warp.get("locate_garment") or garment_time_conditioning:
            raise ValueError("Warping needs locate_garment and no garment_time_conditioning.")
        self.warper, self.blender = ParallelUNet(**warp), ParallelUNet(**blend)

    @property
    def locator(self) -> GarmentLocator:
        """Of the first network, for the stage that trains it alone."""
        return self.warper.locator

    def encode_garment(
        self,
        agnostic: torch.Tensor,
        garment: torch.Tensor,
        person_pose: torch.Tensor,
        garment_pose: torch.Tensor,
        conditioning_noise: torch.Tensor,
    ) -> ParallelUNetOutput:
        """What the first network says; its `sample` is the warped garment.

        Args and ranges are those of `ParallelUNet.forward`.
        """
        time_ = torch.ones(len(garment), device=garment.device)
        given = (agnostic, garment, person_pose, garment_pose, conditioning_noise[:, :2])
        return self.warper(torch.zeros_like(garment), time_, *given)

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
        garment_features: ParallelUNetOutput | None = None,
    ) -> ParallelUNetOutput:
        """One denoising step of the second network; positions, outline and `warped` are the first one's.

        Args and ranges are those of `ParallelUNet.forward`; `garment_features`, from `encode_garment`, skip the first.
        """
        said = garment_features
        if said is None:
            said = self.encode_garment(agnostic, garment, person_pose, garment_pose, conditioning_noise)
        worn = said.sample.detach().clamp(-1, 1)
        # The warped garment lies on the person, so their coordinates are the person's.
        given = (agnostic, worn, person_pose, person_pose, conditioning_noise)
        out = self.blender(sample, timestep, *given, low_res=low_res)
        told = (said.position, said.coarse_position, said.garment_logit, said.skin_logit)
        return ParallelUNetOutput(out.sample, *told, warped=said.sample)


def load_parallel_network(folder: Path | str) -> ParallelUNet | WarpThenBlend:
    """A saved first or second stage, of whichever of the two classes its config names."""
    name = ParallelUNet.load_config(folder).get("_class_name")
    return (WarpThenBlend if name == WarpThenBlend.__name__ else ParallelUNet).from_pretrained(folder)
