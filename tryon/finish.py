"""The networks' word and the two photographs become one picture: the garment's own pixels, the person's own photograph.

What the networks painted is the light, the outline and what nobody can know from the photographs.
"""

import numpy as np
import torch

from tryon.detail import lay_cloth
from tryon.ends import fitted, outline, with_neckline
from tryon.images import to_images, to_tensor
from tryon.kept import may_change
from tryon.models.parallel_unet import ParallelUNetOutput
from tryon.preprocessing.agnostic import TAKEN_OFF
from tryon.preprocessing.parsing import label_mask
from tryon.replaced import changed_region, match_tone, taken_off
from tryon.underneath import uncover

NECK = ("face", "torso_skin")  # where a collar hides the neck, the face is what tells where it is


def dress(
    photo: np.ndarray,
    parsing: np.ndarray,
    hidden: np.ndarray,
    painted: np.ndarray,
    said: ParallelUNetOutput,
    cloth: torch.Tensor,
    garment_mask: torch.Tensor,
    category: str,
    opened: np.ndarray | None = None,
    inside: torch.Tensor | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Put a garment on a photograph.

    Args:
        photo: (S, S, 3) uint8 RGB, the person in a square frame.
        parsing: (s, s) uint8 labels of it.
        hidden: (s, s) bool: what may change.
        painted: (S, S, 3) uint8 RGB, the networks' picture of it.
        said: what the last Parallel-UNet said, batch of 1, on the CPU, with positions.
        cloth: (1, 3, T, T) in [-1, 1], the garment picture, cloth up to its edges.
        garment_mask: (1, 1, t, t) in [0, 1]: where the garment picture shows the garment, its inside included.
        category: of the garment, one of `tryon.conditions.CATEGORIES`.
        opened: (s, s) bool: what is to be replaced whatever it shows; None is nothing.
        inside: (1, 1, T, T) in [0, 1]: where the garment picture shows the inside of the garment; None is nowhere.

    Returns:
        (S, S, 3) uint8 RGB, and (S, S) float32 in [0, 1]: how much of it is to show over the photograph; 0 outside of
        the hidden region.
    """
    size = len(photo)
    opened = np.zeros_like(hidden) if opened is None else opened
    painted = match_tone(painted, photo, hidden)
    worn, neck = (torch.from_numpy(label_mask(parsing, names))[None, None] for names in (TAKEN_OFF[category], NECK))
    logit, position = said.garment_logit.float(), said.position.float()
    ends = fitted(with_neckline(logit, position, garment_mask, neck), worn)
    changing = torch.from_numpy(hidden)[None, None]
    lit, share, mistaken = lay_cloth(to_tensor(painted), cloth, position, logit, ends, inside, changing)
    share, mistaken = share[0, 0].numpy(), mistaken[0, 0].numpy()
    free = may_change(photo, parsing, hidden, opened, category)
    gone = taken_off(parsing, hidden, opened, category, free)
    beneath = uncover(photo, parsing, gone, outline(said.skin_logit, size)[0, 0].numpy(), painted, mistaken)
    mixed = beneath + share[..., None] * (to_images(lit)[0].astype(np.float32) - beneath)
    return np.rint(mixed).astype(np.uint8), changed_region(gone, free, share)
