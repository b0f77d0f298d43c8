"""Where each pixel lies relative to the body, in closed form from the keypoints.

A person pixel and the garment pixel that belongs there get nearly the same code whatever the two poses are, so
cross-attention can match them from its first step instead of having to discover anatomy. This is not in the
paper; it is what lets a small network learn to dress people from little data.
"""

import math

import torch

# Bones by OpenPose-18 joint numbers; -1 is the middle of the hips.
BONES = (
    (1, -1),  # torso
    (2, 3),  # right upper arm
    (5, 6),  # left upper arm
    (3, 4),  # right forearm
    (6, 7),  # left forearm
    (8, 9),  # right thigh
    (11, 12),  # left thigh
    (9, 10),  # right shin
    (12, 13),  # left shin
)
FREQUENCIES = (1.5, 3.0, 6.0)
CODE_CHANNELS = len(BONES) * 4 * len(FREQUENCIES)
# Lengths of bones in units of the torso (neck to middle of the hips) of an average adult; foreshortening only ever
# shrinks a bone, so the largest estimate of the body's size is the best one.
TORSO_UNITS = {(1, -1): 1.0, (2, 3): 0.58, (5, 6): 0.58, (8, 9): 0.85, (11, 12): 0.85}
# Canonical lengths, so that a step of the code along a bone is about as long as a step across it.
ALONG_UNITS = (1.6, 1.0, 1.0, 0.9, 0.9, 1.4, 1.4, 1.4, 1.4)
LIMB_WIDTH = 0.18
TORSO_WIDTH = 0.38


def _joint(pose: torch.Tensor, index: int) -> torch.Tensor:
    """(N, 3) joint; the middle of the hips is confident only if both hips are."""
    if index >= 0:
        return pose[:, index]
    hips = pose[:, [8, 11]]
    return torch.cat([hips[..., :2].mean(1), hips[..., 2:].amin(1)], dim=1)


def body_coordinates(pose: torch.Tensor, size: int) -> torch.Tensor:
    """Fourier code of the position along and across each bone.

    Args:
        pose: (N, 18, 3): x, y in [0, 1], confidence in [0, 1]; missing joints are zeros.
        size: side of the map in cells.

    Returns:
        (N, CODE_CHANNELS, size, size) float32. The product of the codes of two points is largest, about 1, where
        both lie at the same place of the same bone. All zero where no bone is near or known.
    """
    pose = pose.float()
    axis = (torch.arange(size, device=pose.device) + 0.5) / size
    grid_y, grid_x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([grid_x, grid_y], dim=-1).view(1, -1, 2)  # (1, HW, 2)

    ends = [(_joint(pose, a), _joint(pose, b)) for a, b in BONES]
    lengths = torch.stack([(b - a)[:, :2].norm(dim=1) for a, b in ends], dim=1)  # (N, B)
    known = torch.stack([(a[:, 2] > 0) & (b[:, 2] > 0) for a, b in ends], dim=1).float()
    units = torch.tensor([TORSO_UNITS.get(bone, math.inf) for bone in BONES], device=pose.device)
    body = (lengths * known / units).amax(dim=1).clamp(min=1e-3)  # (N,) torso length

    coordinates, weights = [], []
    for k, (start, end) in enumerate(ends):
        direction = (end - start)[:, :2]
        length = lengths[:, k].clamp(min=1e-3)
        unit = direction / length[:, None]
        normal = torch.stack([-unit[:, 1], unit[:, 0]], dim=1)
        offset = grid - start[:, None, :2]  # (N, HW, 2)
        # A foreshortened limb keeps a usable scale along itself.
        scale = torch.maximum(length, 0.3 * body)
        along = (offset * unit[:, None]).sum(-1) / scale[:, None]
        width = body * (TORSO_WIDTH if k == 0 else LIMB_WIDTH)
        across = (offset * normal[:, None]).sum(-1) / width[:, None]
        beyond = (along - along.clamp(0, 1)) * (scale / width)[:, None]
        weights.append(torch.exp(-(across**2 + beyond**2) / 4.5) * known[:, k : k + 1])
        coordinates.append(torch.stack([along * ALONG_UNITS[k], across * 0.6], dim=-1))
    weight = torch.stack(weights, dim=1)  # (N, B, HW)
    weight = (weight / (weight.sum(1, keepdim=True) + 0.02)).sqrt()
    coordinate = torch.stack(coordinates, dim=1)  # (N, B, HW, 2)
    angles = coordinate[..., None] * torch.tensor(FREQUENCIES, device=pose.device)
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)  # (N, B, HW, 12)
    code = waves * weight[..., None] / math.sqrt(2 * len(FREQUENCIES))
    return code.permute(0, 1, 3, 2).flatten(1, 2).unflatten(-1, (size, size))
