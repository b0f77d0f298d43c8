"""What the paper adds to a noise schedule: conditioning-noise augmentation, joint zero-dropout, guidance."""

import math

import torch
from diffusers.schedulers import DDIMScheduler

from tryon.conditions import Conditions


def make_scheduler(prediction_type: str = "sample") -> DDIMScheduler:
    """Cosine schedule, DDIM from pure noise.

    Args:
        prediction_type: what the network predicts: "sample", the clean picture, in the small cascade; "epsilon" in the
            paper.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction_type,
        timestep_spacing="trailing",
    )


def augment(image: torch.Tensor, level: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Conditioning-noise augmentation: a variance-preserving mix of a picture with Gaussian noise.

    Args:
        image: (N, 3, H, W) in [-1, 1].
        level: (N,) in [0, 1]; 0 leaves the picture as it is, 1 is noise alone.
        noise: (N, 3, H, W) standard normal.

    Returns:
        (N, 3, H, W): cos(level * pi / 2) * image + sin(level * pi / 2) * noise.

    Source: Ho et al., Cascaded Diffusion Models; TryOnDiffusion section 3.1, levels U(0, 1) in training.
    """
    angle = (level * (math.pi / 2)).view(-1, 1, 1, 1).to(image)
    return angle.cos() * image + angle.sin() * noise


def guide(unconditional: torch.Tensor, conditional: torch.Tensor, scale: float) -> torch.Tensor:
    """Classifier-free guidance in Imagen's convention: scale 1 is no guidance, the paper uses 2."""
    return torch.lerp(unconditional, conditional, scale)


def drop_jointly(
    conditions: Conditions, probability: float, generator: torch.Generator
) -> tuple[Conditions, torch.Tensor]:
    """Set all conditions of a random share of pairs to zero together (section 3.2: 10 % of the time).

    Returns:
        The conditions and the (N,) bool mask of pairs that were kept, for other inputs that must go with them.
    """
    draw = torch.rand(len(conditions), generator=generator, device=generator.device)
    keep = (draw >= probability).to(conditions.agnostic.device)
    return conditions.dropped(keep), keep


def upsample(image: torch.Tensor, size: int) -> torch.Tensor:
    """Hand-off between stages: a result in [-1, 1] bilinearly enlarged to (N, 3, size, size), clipped to range."""
    up = torch.nn.functional.interpolate(image.clamp(-1, 1), size=(size, size), mode="bilinear", align_corners=False)
    return up.clamp(-1, 1)


def threshold(sample: torch.Tensor, percentile: float | None = None) -> torch.Tensor:
    """Keep a predicted picture in [-1, 1]: static clipping, or dynamic by a percentile of |x| (Imagen 2.3).

    Args:
        sample: (N, 3, H, W) predicted x0.
        percentile: in (0, 1), for instance 0.995; None clips statically.
    """
    if percentile is None:
        return sample.clamp(-1, 1)
    bound = sample.flatten(1).abs().float().quantile(percentile, dim=1).clamp(min=1.0)
    bound = bound.view(-1, 1, 1, 1).to(sample)
    return sample.clamp(-bound, bound) / bound
