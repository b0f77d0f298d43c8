"""What a mirror makes of conditions, and of what the networks say about them.

A mirrored person in the mirrored garment is the mirrored result. Networks know that only about; the mean of what they
say of a picture and of its mirror image is nearer to the truth than either.
"""

import torch

from tryon.conditions import Conditions
from tryon.models.parallel_unet import ParallelUNetOutput
from tryon.preprocessing.pose import MIRRORED

POSITIONS = ("position", "coarse_position")


def mirror_poses(poses: torch.Tensor) -> torch.Tensor:
    """(N, 18, 3) poses of the mirrored pictures: x turned round, left and right joints exchanged."""
    swapped = poses[:, torch.as_tensor(MIRRORED, device=poses.device)]
    x, rest = swapped[..., :1], swapped[..., 1:]
    return torch.cat([torch.where(swapped[..., 2:] > 0, 1 - x, x), rest], dim=-1)


def mirror_conditions(conditions: Conditions) -> Conditions:
    """The same pairs seen in a mirror."""
    return Conditions(
        conditions.agnostic.flip(-1),
        conditions.garment.flip(-1),
        mirror_poses(conditions.person_pose),
        mirror_poses(conditions.garment_pose),
    )


def average_views(said: ParallelUNetOutput) -> ParallelUNetOutput:
    """The mean of what a network says of N pictures and, in the second half of the batch, of their mirror images.

    Args:
        said: batch of 2 N; None stays None.

    Returns:
        Batch of N, in the terms of the first half.
    """
    mean = {}
    for name, value in said.items():
        seen, mirrored = value.chunk(2)
        mirrored = mirrored.flip(-1)
        if name in POSITIONS:  # of a garment picture that was mirrored too
            mirrored = torch.cat([1 - mirrored[:, :1], mirrored[:, 1:]], dim=1)
        mean[name] = (seen + mirrored) / 2
    return ParallelUNetOutput(**mean)
