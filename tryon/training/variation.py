"""Random changes of whole batches, made where the network is: one rendered pair serves for many.

`PairDataset` reads pairs and decides what is hidden and how a garment lies; what follows here costs a GPU nothing, so
that a few processes can feed it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tryon.mirrored import mirror_poses
from tryon.preprocessing.agnostic import HIDDEN_VALUE

POSES = ("person_pose", "garment_pose")


def vary(samples: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """The same pairs with other garment colours, in another light, half of them mirrored, joints found less well.

    Args:
        samples: stacked samples of a `PairDataset`, on the generator's device.
        generator: of all draws.
    """
    out = dict(samples)
    _recolour(out, generator)
    _relight(out, generator)
    for name in POSES:
        out[name] = _shaken(out[name], generator)
    mirrored = mirror(out)
    chosen = _uniform(generator, len(out["target"])) < 0.5
    return {name: torch.where(_like(chosen, value), mirrored[name], value) for name, value in out.items()}


def mirror(samples: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Left and right exchanged in everything."""
    out = {name: value if name in POSES else value.flip(2) for name, value in samples.items()}
    x = out["flow"][..., :1]
    out["flow"] = torch.cat([torch.where(x > -0.9, 1 - x, x), out["flow"][..., 1:]], dim=-1)
    out.update({name: mirror_poses(samples[name]) for name in POSES})
    return out


def _recolour(samples: dict[str, torch.Tensor], generator: torch.Generator) -> None:
    """The same random change of the garment's colours in both pictures: prints without end from few renders."""
    n = len(samples["target"])
    changed = _uniform(generator, n) >= 0.3
    order = _uniform(generator, n, 3).argsort(dim=1)
    gain = 0.6 + 0.7 * _uniform(generator, n, 1, 1, 3)
    inverted = _uniform(generator, n) < 0.15
    for name, outline in (("target", "garment_mask"), ("garment", "cloth_mask")):
        picture = samples[name]
        # Antialiased edges belong to the cloth.
        cloth = F.max_pool2d(samples[outline][:, None].float(), 3, stride=1, padding=1)[:, 0] > 0
        other = picture.gather(3, order[:, None, None].expand(picture.shape)).float()
        other = torch.where(_like(inverted, other), 255 - other, other) * gain
        other = other.round().clamp(0, 255).to(picture.dtype)
        samples[name] = torch.where((cloth & _like(changed, cloth))[..., None], other, picture)


def _relight(samples: dict[str, torch.Tensor], generator: torch.Generator) -> None:
    """Another exposure and tint of the person's picture; what is hidden stays so."""
    n = len(samples["target"])
    changed = _uniform(generator, n) < 0.5
    gain = torch.exp(0.4 * _uniform(generator, n, 1, 1, 1) - 0.2 + 0.12 * _uniform(generator, n, 1, 1, 3) - 0.06)
    hidden = samples["hidden"][..., None]
    for name in ("target", "agnostic"):
        other = (samples[name].float() * gain).round().clamp(0, 255).to(samples[name].dtype)
        other = torch.where(_like(changed, other), other, samples[name])
        samples[name] = other if name == "target" else torch.where(hidden, other.new_tensor(HIDDEN_VALUE), other)


def _shaken(pose: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """What estimated keypoints are like: some a little off, some not found."""
    n, joints, _ = pose.shape
    off = 0.006 * torch.randn((n, joints, 2), generator=generator, device=pose.device)
    shaken = torch.cat([pose[..., :2] + off * (pose[..., 2:] > 0), pose[..., 2:]], dim=-1)
    lost = torch.arange(joints, device=pose.device) == (_uniform(generator, n, 1) * joints).long()
    lost &= _uniform(generator, n, 1) < 0.2
    shaken = shaken * ~lost[..., None]
    return torch.where(_like(_uniform(generator, n) < 0.5, pose), shaken, pose)


def _uniform(generator: torch.Generator, *shape: int) -> torch.Tensor:
    """In [0, 1)."""
    return torch.rand(shape, generator=generator, device=generator.device)


def _like(flags: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """(N,) as (N, 1, ...), to choose among whole samples."""
    return flags.view(-1, *[1] * (value.ndim - 1))
