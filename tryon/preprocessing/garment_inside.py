"""Where a garment laid out shows the inside of its back, at the neck: on its wearer there is skin."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tryon.images import to_tensor
from tryon.preprocessing.annotation import INPUT_SIDE
from tryon.preprocessing.segmentation import grab_cut

GREY = 127  # around a cut-out garment; 0 to the networks

SURE = 3.0  # logit from which colours are no reason for doubt
AROUND = 0.12  # of the opening's longer side: how far its border may be off
LEAST = 1e-3  # of the garment: a smaller opening is a speck
BELIEF = 0.91  # mean probability in an opening that is one
SOLID = 0.5  # of the convex hull of an opening is opening; collars take a part
DEEPEST = 0.02  # of the picture: openings begin no farther from the outline; prints on the chest do
CHEST = 0.5  # of the garment's height: no neck is cut lower
MIDDLE = (0.25, 0.75)  # of the garment's width: the middles of necks lie between
AGREEMENT = 0.7  # intersection over union with what the annotator says; colours that say less are no guide here
FRINGE = 0.002  # of the picture: pixels along the border mix both sides
SMOOTHING = 0.008  # of the picture: standard deviation of a blur; a neck has no finer corners


def cut_out_on_grey(picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8, grey outside of an (S, S) bool outline: what lies around a garment says nothing of it."""
    return np.where(outline[..., None], picture, np.uint8(GREY))


def inside_at_neck(
    annotator: torch.nn.Module, picture: np.ndarray, outline: np.ndarray, category: str
) -> np.ndarray:
    """Find the opening for the neck of a top or a dress that nobody wears.

    Args:
        annotator: an `Annotator`.
        picture: (S, S, 3) uint8 RGB.
        outline: (S, S) bool: the garment, not empty.
        category: of the garment, one of `tryon.conditions.CATEGORIES`; what is worn below has no neck.

    Returns:
        (S, S) bool, within the outline: where the inside of the garment's back is seen through it.
    """
    if category == "lower":
        return np.zeros_like(outline)
    logit = _logit(annotator, picture, outline)
    said = _openings(logit > 0, outline, logit)
    if not said.any():
        return said
    found = said
    for _ in range(2):  # colours learnt from what was believed, and again from what they made of it
        found = _by_colour(picture, outline, found) & outline
    if (found & said).sum() < AGREEMENT * (found | said).sum():
        found = said
    reach = max(1, round(FRINGE * len(picture)))
    smooth = cv2.GaussianBlur(_without_holes(found).astype(np.float32), (0, 0), SMOOTHING * len(picture)) > 0.5
    return (cv2.dilate(smooth.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0) & outline


@torch.inference_mode()
def _logit(annotator: torch.nn.Module, picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """(S, S) float32: the annotator's word, of the picture as it is and mirrored."""
    size = len(picture)
    small = cv2.resize(cut_out_on_grey(picture, outline), (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_AREA)
    parameter = next(annotator.parameters())
    sample = to_tensor(small).to(parameter.device, parameter.dtype)
    as_it_is, mirrored = annotator.find_inside(torch.cat([sample, sample.flip(3)])).float().cpu().split(1)
    both = F.interpolate((as_it_is + mirrored.flip(3)) / 2, (size, size), mode="bilinear")
    return both[0, 0].numpy()


def _openings(mask: np.ndarray, outline: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """The parts of a mask that may be an opening for a neck: none below the chest or on a sleeve, and no specks."""
    rows, columns = np.nonzero(outline)
    chest = np.arange(len(mask))[:, None] < rows.min() + CHEST * np.ptp(rows)
    mask = (mask & outline & chest).astype(np.uint8)
    count, parts, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    belief = np.bincount(parts.ravel(), 1 / (1 + np.exp(-logit.ravel())), count) / stats[:, cv2.CC_STAT_AREA]
    across = (centres[:, 0] - columns.min()) / (np.ptp(columns) + 1)
    kept = (stats[:, cv2.CC_STAT_AREA] > LEAST * outline.sum()) & (belief > BELIEF)
    kept &= (across > MIDDLE[0]) & (across < MIDDLE[1])
    depth = cv2.distanceTransform(np.pad(outline, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    at_edge = np.zeros(count, bool)
    at_edge[parts[depth < DEEPEST * len(mask)]] = True
    kept &= at_edge
    kept[0] = False
    for part in np.nonzero(kept)[0]:
        hull = np.zeros_like(mask)
        cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero((parts == part).astype(np.uint8))), 1)
        kept[part] = stats[part, cv2.CC_STAT_AREA] > SOLID * np.count_nonzero(hull & outline)
    return kept[parts]


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """A mask with what it encloses: tags and what is printed there."""
    _, parts = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=4)
    return (parts != parts[0, 0])[1:-1, 1:-1]


def _by_colour(picture: np.ndarray, outline: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The border of openings, (S, S) bool, moved to where the colours of the picture change."""
    rows, columns = np.nonzero(found)
    low, high = np.array([rows.min(), columns.min()]), np.array([rows.max(), columns.max()]) + 1
    reach = max(3, round(AROUND * (high - low).max()))
    window = tuple(slice(max(a - 2 * reach, 0), b + 2 * reach) for a, b in zip(low, high, strict=True))
    here, garment = found[window], outline[window]
    depth = cv2.distanceTransform(here.astype(np.uint8), cv2.DIST_L2, 5)
    depth -= cv2.distanceTransform((~here).astype(np.uint8), cv2.DIST_L2, 5)
    front = garment & (depth < -reach)
    if not front.any():
        return found
    # What lies around the garment is neither inside nor front; the one that it is next to is as good as the other.
    colours = np.where(garment[..., None], picture[window], np.median(picture[window][front], axis=0).astype(np.uint8))
    belief = np.where(np.abs(depth) > reach, 2 * SURE * np.sign(depth), np.where(here, 1.0, -1.0))
    belief = np.where(garment, belief, -2 * SURE)
    result = found.copy()
    result[window] = grab_cut(colours, belief, sure=SURE)
    return result
