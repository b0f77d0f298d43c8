"""What the annotator sees in a square picture, and which part of it is the one figure that counts."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tryon.images import to_tensor
from tryon.preprocessing.parsing import GARMENTS, HEAD, LABEL, label_mask
from tryon.preprocessing.parsing import MIRRORED as MIRRORED_LABELS
from tryon.preprocessing.pose import MIRRORED as MIRRORED_JOINTS
from tryon.preprocessing.pose import decode_heatmaps

INPUT_SIDE = 256  # pixels that the annotator was trained at

POSSIBLE = 0.3  # probability of a garment from which a pixel is asked which one
SEAM = 0.75  # median probability of any garment along a border below which it is a gap between two
WORTH_ASKING = 0.25  # what a garment asked for needs of the largest one's mass


@dataclass(frozen=True)
class Annotation:
    """Labels and joints of one square picture.

    Attributes:
        probabilities: (15, h, w) float32, over `parsing.LABELS`.
        pose: (18, 3) float32: x, y in [0, 1] of the square, confidence; missing joints are zeros.
    """

    probabilities: np.ndarray
    pose: np.ndarray

    def parsing(self, size: int) -> np.ndarray:
        """The likeliest label of every pixel, (size, size) uint8."""
        return self.scaled(size).argmax(0).astype(np.uint8)

    def scaled(self, size: int) -> np.ndarray:
        """The probabilities at another resolution, (15, size, size) float32."""
        maps = torch.from_numpy(self.probabilities)[None]
        return F.interpolate(maps, (size, size), mode="bilinear", antialias=True)[0].numpy()


@torch.inference_mode()
def annotate(annotator: torch.nn.Module, squares: list[np.ndarray]) -> list[Annotation]:
    """Annotate pictures; each is shown to the network as it is and mirrored, and the answers are averaged.

    Args:
        annotator: an `Annotator`, on any device, in any floating type.
        squares: (256, 256, 3) uint8 RGB each.

    Returns:
        One `Annotation` per picture.
    """
    parameter = next(annotator.parameters())
    pictures = to_tensor(np.stack(squares)).to(parameter.device, parameter.dtype)
    output = annotator(torch.cat([pictures, pictures.flip(3)]))
    parsing, mirrored = output.parsing.float().softmax(1).cpu().chunk(2)
    parsing = (parsing + mirrored[:, MIRRORED_LABELS.tolist()].flip(3)) / 2
    heatmaps, mirrored = output.heatmaps.float().cpu().chunk(2)
    poses = decode_heatmaps((heatmaps + mirrored[:, MIRRORED_JOINTS.tolist()].flip(3)) / 2)
    return [Annotation(labels.numpy(), pose) for labels, pose in zip(parsing, poses, strict=True)]


@dataclass(frozen=True)
class Figure:
    """The largest connected thing that is labelled in a picture: one person, or one garment.

    Attributes:
        mask: (H, W) bool: its pixels.
        face: share of it that is face, in [0, 1].
        others: area of the next largest such thing that has a head, relative to this one's.
    """

    mask: np.ndarray
    face: float
    others: float

    @property
    def area(self) -> float:
        """Share of the picture that it covers, in [0, 1]."""
        return float(self.mask.mean())

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in [0, 1] of the picture.

        Raises:
            ValueError: the figure is empty.
        """
        rows, columns = np.nonzero(self.mask)
        if len(rows) == 0:
            raise ValueError("The figure is empty.")
        height, width = self.mask.shape
        return columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height


def main_figure(parsing: np.ndarray) -> Figure:
    """Pick the figure that counts out of a parsing; heads count more than cloth.

    Args:
        parsing: (H, W) uint8, values index `LABELS`.

    Returns:
        `Figure`, with an empty mask if all is background.
    """
    labelled = parsing != LABEL["background"]
    # parts of one figure may be a few pixels apart, such as a shoe below a trouser leg
    gap = max(3, round(parsing.shape[0] / 40)) | 1
    joined = cv2.morphologyEx(labelled.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    count, parts = cv2.connectedComponents(joined, connectivity=8)
    parts[~labelled] = 0
    if count < 2:
        return Figure(labelled, 0.0, 0.0)
    head = label_mask(parsing, HEAD)
    areas = np.bincount(parts.ravel(), minlength=count).astype(float)
    heads = np.bincount(parts.ravel(), head.ravel(), count)
    areas[0] = heads[0] = 0
    weights = np.where(heads > 0.01 * areas, 4 * areas, areas)
    best = int(weights.argmax())
    mask = parts == best
    persons = np.delete(np.where(heads > 0.02 * areas, areas, 0), best)
    return Figure(
        mask=mask,
        face=float((mask & (parsing == LABEL["face"])).sum() / max(areas[best], 1)),
        others=float(persons.max(initial=0) / max(areas[best], 1)),
    )


def beside_garment(probabilities: np.ndarray, category: str = "auto") -> np.ndarray:
    """What is another garment than the one laid out that counts, or floor that was taken for one.

    Below tops the annotator expects trousers, and sees them in the shadows of carpets; sets are laid out side by side.
    The two halves of a dress that it takes for a top and a skirt touch, though; those do not: along their border
    garments are less likely.

    Args:
        probabilities: (15, h, w) float32, over `parsing.LABELS`, of a garment laid out.
        category: that is asked for, one of `GARMENTS`, or "auto" for that of the largest garment.

    Returns:
        (h, w) bool.
    """
    belief = 1 - probabilities[LABEL["background"]]
    likeliest = np.stack([cv2.GaussianBlur(probabilities[LABEL[name]], (0, 0), 1) for name in GARMENTS]).argmax(0)
    pieces = [(belief > POSSIBLE) & (likeliest == index) for index in range(len(GARMENTS))]
    masses = np.array([belief[piece].sum() for piece in pieces])
    main = int(masses.argmax())
    if category != "auto" and masses[GARMENTS.index(category)] > WORTH_ASKING * masses[main]:
        main = GARMENTS.index(category)
    reach = np.ones((2 * max(1, belief.shape[1] // 64) + 1,) * 2, np.uint8)
    near = [cv2.dilate(piece.astype(np.uint8), reach) > 0 for piece in pieces]
    beside = np.zeros(belief.shape, bool)
    for index, piece in enumerate(pieces):
        border = near[index] & near[main]
        if index != main and (not border.any() or np.median(belief[border]) < SEAM):
            beside |= piece
    return beside
