"""The annotator's labels of a person, corrected by the colours of the photograph: pure functions of arrays."""

import cv2
import numpy as np

from tryon.preprocessing.parsing import GARMENTS, LABEL, LABELS, LEGS, SHOES, label_mask
from tryon.preprocessing.plausibility import torso_length
from tryon.preprocessing.segmentation import CERTAIN, colour_logit, grab_cut

SPREAD = 0.02  # of the square: how far labels spread over pixels that the annotator took for background
COLOUR_WEIGHT = 2.5  # of what colours say at most; the annotator's word weighs up to 3
ONE_PIECE_DOUBT = 0.1  # share of the votes for a dress from which it may be one
ONE_PIECE_COLOUR = 8.0  # CIE76 with lightness halved: folds and shade of one cloth stay below
EDGE_REACH = 0.06  # of the square: how far the border of a garment may be off
EDGE_LOGIT = 1.5  # e to this is how many times commoner a colour is in the garment than in the rest of the figure
SAME_CLOTH = 0.3  # share of another garment in this one's colours from which colours cannot tell them apart
HOLE = 0.004  # of the square: a larger gap in a figure is one
HOLE_BELIEF = 0.7  # mean probability of the figure in a hole that is none
UNSEEN = 0.1  # probability of the figure below which the annotator sees none
STRAY = 0.1  # of the square: what the annotator does not see and reaches farther from what it sees goes on behind
SPECK = 0.004  # of the square: a larger piece of cloth beside a face is no part of a hat
SHADE = 0.35  # of an arm or a leg: a smaller part that has not the skin's colour is its shaded side, no sleeve
SKIN_TOLERANCE = 16.0  # CIE76 with lightness counted 0.35; shaded arms stay below, most cloth lies above


def outlined(probabilities: np.ndarray, reach: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Labels of one figure, outlined by what the annotator believes and by the colours of this very photograph.

    Args:
        probabilities: (15, S, S) float32, over `LABELS`.
        reach: (S, S) bool: where the figure can be at all.
        square: (S, S, 3) uint8 RGB, the picture.

    Returns:
        (S, S) uint8, values index `LABELS`; all background if there is no figure.
    """
    background = LABEL["background"]
    figure = 1 - probabilities[background]
    logit = np.clip(np.log(np.maximum(figure, 1e-3) / np.maximum(1 - figure, 1e-3)), -3, 3)
    logit = np.where(reach, logit, -6)
    inside, outside = logit > 2, logit < -2
    if inside.sum() > 40 and outside.sum() > 40:
        logit = logit + np.clip(colour_logit(square, inside, outside), -COLOUR_WEIGHT, COLOUR_WEIGHT) * reach
    # White stripes before a white wall go with the wall in any mixture of colours.
    sharp = grab_cut(square, np.where((figure > CERTAIN) & reach, np.inf, logit), sure=4.0) & reach
    sharp = _without_holes(_without_strays(sharp, figure), figure)
    # labels spread from where the annotator sees the figure to where the colours say that it goes on
    weight = cv2.GaussianBlur(figure, (0, 0), SPREAD * len(figure)) + 1e-6
    labels = np.stack([cv2.GaussianBlur(m, (0, 0), SPREAD * len(figure)) / weight for m in probabilities])
    labels = np.where(figure > 0.5, probabilities, labels)
    labels[background] = 0
    return np.where(sharp, labels.argmax(0), background).astype(np.uint8)


def _without_strays(mask: np.ndarray, figure: np.ndarray) -> np.ndarray:
    """The mask without what only colours took for the figure, if that leads away from it: posts, door frames, rails."""
    unseen = mask & (figure < UNSEEN)
    far = cv2.distanceTransform((figure < 0.5).astype(np.uint8), cv2.DIST_L2, 3) > STRAY * len(mask)
    count, parts = cv2.connectedComponents(unseen.astype(np.uint8), connectivity=4)
    stray = np.zeros(count, bool)
    stray[parts[far & unseen]] = True
    return mask & ~stray[parts]


def _without_holes(mask: np.ndarray, figure: np.ndarray) -> np.ndarray:
    """The mask with small holes closed where the annotator sees the figure: letters have the wall's colour at times."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    belief = np.bincount(parts.ravel(), figure.ravel(), count) / np.maximum(np.bincount(parts.ravel()), 1)
    closed = (stats[:, cv2.CC_STAT_AREA] < HOLE * mask.size) & (belief > HOLE_BELIEF)
    closed[0] = False
    return mask | closed[parts]


def sleeves_are_no_skin(parsing: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Arms, hands, neck and legs whose colour is far from the face's are cloth: of the garment that is worn there.

    A sleeve that is taken for an arm would stay in the picture under a garment without sleeves.

    Args:
        parsing: (S, S) uint8, values index `LABELS`.
        square: (S, S, 3) uint8 RGB, the picture that it labels.

    Returns:
        (S, S) uint8; equal to `parsing` if too little of a face is seen to know the skin's colour.
    """
    face = cv2.erode(label_mask(parsing, ("face",)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if face.sum() < 40:
        return parsing
    lab = cv2.cvtColor(cv2.medianBlur(square, 5).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    # Shading changes lightness far more than hue.
    offset = (lab - np.median(lab[face], axis=0)) * np.array([0.35, 1, 1], np.float32)
    cloth = (np.linalg.norm(offset, axis=-1) > SKIN_TOLERANCE).astype(np.uint8)
    cloth = cv2.morphologyEx(cloth, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
    result = parsing.copy()
    for skin, garment, shade in (
        # A chin's shadow keeps the skin's hue; what does not on a neck is a collar, however small.
        (("torso_skin",), "upper", 0.0),
        (("left_arm", "right_arm", "left_hand", "right_hand"), "upper", SHADE),
        (("left_leg", "right_leg"), "lower", SHADE),
    ):
        worn = garment if (parsing == LABEL[garment]).sum() >= (parsing == LABEL["dress"]).sum() else "dress"
        for part in (parsing == LABEL[name] for name in skin):
            if cloth[part].sum() > shade * part.sum():
                result[cloth & part] = LABEL[worn]
    return result


def one_piece_or_two(parsing: np.ndarray, probabilities: np.ndarray, square: np.ndarray) -> np.ndarray:
    """A dress is one garment of one cloth: what is taken for a top and a skirt of the same colours may be one.

    Half a dress that is taken for a skirt would stay in the picture under a new top.

    Args:
        parsing: (S, S) uint8, values index `LABELS`.
        probabilities: (15, S, S) float32, over `LABELS`.
        square: (S, S, 3) uint8 RGB, the picture that it labels.

    Returns:
        (S, S) uint8; equal to `parsing`, or with all that is worn labelled a dress.
    """
    worn = label_mask(parsing, GARMENTS)
    votes = np.array([probabilities[LABEL[name]][worn].sum() for name in GARMENTS])
    share = votes[GARMENTS.index("dress")] / max(votes.sum(), 1e-6)
    parts = [cv2.erode((parsing == LABEL[name]).astype(np.uint8), np.ones((3, 3))) > 0 for name in ("upper", "lower")]
    if share < ONE_PIECE_DOUBT or min(part.sum() for part in parts) < 40:
        return parsing
    lab = cv2.cvtColor(cv2.medianBlur(square, 5).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    above, below = (np.median(lab[part], axis=0) * (0.5, 1, 1) for part in parts)
    alike = np.linalg.norm(above - below) < ONE_PIECE_COLOUR
    return np.where(worn & alike, LABEL["dress"], parsing).astype(np.uint8)


def edges_by_colour(parsing: np.ndarray, square: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Move the border between some garments and the rest of the figure to where the colours change.

    What is left of a hem or a sleeve under another label would show beside the new garment.

    Args:
        parsing: (S, S) uint8, values index `LABELS`.
        square: (S, S, 3) uint8 RGB, the picture that it labels.
        labels: of the garments.

    Returns:
        (S, S) uint8; equal to `parsing` but near the garments, where they may have grown; the face never becomes cloth.
    """
    worn = label_mask(parsing, labels)
    reach = max(2, round(EDGE_REACH * len(parsing)))
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(worn.astype(np.uint8), ellipse) > 0
    rest = (parsing != LABEL["background"]) & ~worn
    core = cv2.erode(worn.astype(np.uint8), np.ones((3, 3))) > 0
    if min(core.sum(), (rest & ~near).sum()) < 60:
        return parsing
    cloth = colour_logit(square, core, rest & ~near) > EDGE_LOGIT
    grown = cloth & near & rest & (parsing != LABEL["face"])
    for other in set(GARMENTS) - set(labels):
        area = parsing == LABEL[other]
        if area.sum() > 60 and cloth[area].mean() > SAME_CLOTH:  # black trousers under a black shirt
            grown &= ~area
    counts = np.bincount(parsing[worn], minlength=len(LABELS))
    return np.where(grown, counts.argmax(), parsing).astype(np.uint8)


def head_wears_no_clothes(parsing: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Cloth and legs around the face, above its middle, are hair or a hat, which count as hair.

    So are specks of them beside the face down to the chin: brims reach as far.

    Args:
        parsing: (S, S) uint8, values index `LABELS`.
        pose: (18, 3) float32.

    Returns:
        (S, S) uint8; equal to `parsing` if it shows no face.
    """
    face = np.nonzero(parsing == LABEL["face"])
    if len(face[0]) == 0:
        return parsing
    y, x = np.median(face, axis=1)
    rows, columns = np.ogrid[: len(parsing), : len(parsing)]
    beside = np.abs(columns - x) < 0.5 * torso_length(pose) * len(parsing)
    cloth = label_mask(parsing, (*GARMENTS, *LEGS, *SHOES))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(cloth.astype(np.uint8), connectivity=8)
    low = stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] > face[0].max()
    speck = (stats[:, cv2.CC_STAT_AREA] < SPECK * cloth.size) & ~low
    return np.where(cloth & beside & ((rows < y) | speck[parts]), LABEL["hair"], parsing).astype(np.uint8)
