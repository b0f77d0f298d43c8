"""Where the joints of a body are in a garment laid out, told by the garment's outline."""

import torch
from torch import nn

from tryon.conditions import CATEGORIES, NUM_KEYPOINTS


class GarmentJoints(nn.Module):
    """From outlines to joints, for every category at once.

    A sleeve or a leg says by its outline alone where elbow and knee are, and a garment laid out has no other feature of
    a body; `tryon.training.fit_garment_joints` trains it in minutes.
    """

    side = 16
    """Cells of an outline in a row, and rows of them."""
    hidden_dim = 128

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(self.side**2 + 2, self.hidden_dim),
            nn.SiLU(),
            nn.Linear(self.hidden_dim, self.hidden_dim),
            nn.SiLU(),
            nn.Linear(self.hidden_dim, len(CATEGORIES) * NUM_KEYPOINTS * 3),
        )

    def forward(self, outlines: torch.Tensor, aspects: torch.Tensor) -> torch.Tensor:
        """Joints of garments of every category.

        Args:
            outlines: (N, 16, 16) in [0, 1]: how much of each cell of the box around a garment is garment.
            aspects: (N,): logarithm of the box's width over its height.

        Returns:
            (N, 3, 18, 3): for each of `CATEGORIES`, x in widths and y in heights of the box from its corner, and a
            value that is above 0.5 if the joint is likely to be within the picture.
        """
        inputs = torch.cat([outlines.flatten(1), torch.stack([aspects, aspects**2], dim=1)], dim=1)
        return self.layers(inputs).unflatten(1, (len(CATEGORIES), NUM_KEYPOINTS, 3))
