"""Clothing-agnostic person and cut-out garment: pure functions of a picture, its labels and its pose.

The only place where it is decided what a network may see of the person; training, inference and evaluation all
come through here.
"""

import cv2
import numpy as np

from tryon.conditions import CATEGORIES
from tryon.continuation import continue_picture
from tryon.preprocessing.parsing import LABEL, label_mask
from tryon.preprocessing.plausibility import torso_length

HIDDEN_VALUE = 127
GARMENT_MARGIN = 0.08
WAIST_ABOVE_HIPS = 0.2  # torso lengths

# Labels that are hidden for each category, and labels that are pasted back on top whatever the region covers,
# but for pixels, faces excepted, that touch what is taken off.
_HIDE = {
    "upper": ("upper", "dress", "torso_skin", "left_arm", "right_arm"),
    "lower": ("lower", "dress", "left_leg", "right_leg"),
    "dress": (
        "upper",
        "lower",
        "dress",
        "torso_skin",
        "left_arm",
        "right_arm",
        "left_leg",
        "right_leg",
    ),
}
KEPT = {
    "upper": (
        "hair",
        "face",
        "left_hand",
        "right_hand",
        "lower",
        "left_leg",
        "right_leg",
        "left_shoe",
        "right_shoe",
    ),
    "lower": (
        "hair",
        "face",
        "torso_skin",
        "left_arm",
        "right_arm",
        "left_hand",
        "right_hand",
        "upper",
        "left_shoe",
        "right_shoe",
    ),
    "dress": ("hair", "face", "left_hand", "right_hand", "left_shoe", "right_shoe"),
}
# Labels of garments that make room for one of each category.
TAKEN_OFF = {
    "upper": ("upper", "dress"),
    "lower": ("lower", "dress"),
    "dress": ("upper", "lower", "dress"),
}


def _body_region(pose: np.ndarray, category: str, size: int, body: float) -> np.ndarray:
    """(size, size) bool: where cloth of the category can hang on this pose, whatever is worn now."""
    canvas = np.zeros((size, size), np.uint8)
    points = pose[:, :2] * size
    seen = pose[:, 2] > 0

    def stroke(a: int, b: int, width: float) -> None:
        if seen[a] and seen[b]:
            ends = np.round(points[[a, b]]).astype(int)
            cv2.line(canvas, tuple(ends[0]), tuple(ends[1]), 255, max(1, round(width * size)))

    def hull(corners: list[np.ndarray]) -> None:
        cv2.fillConvexPoly(canvas, cv2.convexHull(np.round(corners).astype(np.int32)), 255)

    unit = body * size
    hips = seen[8] and seen[11]
    if category in ("upper", "dress"):
        for a, b in ((2, 3), (3, 4), (5, 6), (6, 7)):
            stroke(a, b, 0.34 * body)
        if seen[2] and seen[5]:
            below = points[[8, 11]] if hips else points[[2, 5]] + [0, unit]
            outward = np.array([[-0.16 * unit, 0.0], [0.16 * unit, 0.0]])
            if points[2, 0] > points[5, 0]:
                outward = -outward
            sides = [*(points[[2, 5]] + outward * 0.5), *(below + outward + [0, 0.28 * unit])]
            hull([*sides, points[[2, 5]].mean(0) - [0, 0.12 * unit]])
    if category in ("lower", "dress") and hips:
        for a, b in ((8, 9), (9, 10), (11, 12), (12, 13)):
            stroke(a, b, 0.4 * body)
        # A skirt hangs straight down whatever the legs do, so the region reaches a shin's length below the hips.
        middle = points[[8, 11]].mean(0)
        feet = [points[i] for i in (9, 10, 12, 13) if seen[i]]
        bottom = max([middle[1] + 1.5 * unit, *(p[1] for p in feet)])
        lowest = min(bottom, size + unit)
        half_top = abs(points[8, 0] - points[11, 0]) / 2 + 0.2 * unit
        hull(
            [
                middle - np.array([half_top, 0.2 * unit]),
                middle + np.array([half_top, -0.2 * unit]),
                np.array([middle[0] + half_top + 0.2 * unit, lowest]),
                np.array([middle[0] - half_top - 0.2 * unit, lowest]),
                *feet,
            ]
        )
    return canvas > 0


def split_dress(parsing: np.ndarray, pose: np.ndarray, category: str) -> np.ndarray:
    """Count a dress that is worn as a top and a skirt, when only one of them makes room for something else.

    Taking off all of it would leave nothing to wear with the new top or the new trousers.

    Args:
        parsing: (S, S) uint8, values index `parsing.LABELS`.
        pose: (18, 3): x, y in [0, 1], confidence.
        category: of the garment that will be put on, one of `CATEGORIES`.

    Returns:
        (S, S) uint8; equal to `parsing` for a dress, or where the hips are not seen.
    """
    hips = [pose[i, 1] for i in (8, 11) if pose[i, 2] > 0]
    if category == "dress" or not hips:
        return parsing
    waist = np.mean(hips) - WAIST_ABOVE_HIPS * torso_length(pose)
    above = (np.arange(len(parsing)) + 0.5)[:, None] < waist * len(parsing)
    parts = np.where(above, np.uint8(LABEL["upper"]), np.uint8(LABEL["lower"]))
    return np.where(parsing == LABEL["dress"], parts, parsing)


def make_agnostic(
    image: np.ndarray,
    parsing: np.ndarray,
    pose: np.ndarray,
    category: str,
    margin: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Hide the worn garment, the skin it may bare and the room another garment may need.

    Args:
        image: (S, S, 3) uint8 RGB of the person in a square frame.
        parsing: (S, S) uint8, values index `parsing.LABELS`.
        pose: (18, 3) float32: x, y in [0, 1], confidence.
        category: kind of garment that will be put on, one of `CATEGORIES`.
        margin: how far the region grows beyond what is worn, in torso lengths.

    Returns:
        agnostic: (S, S, 3) uint8; hidden pixels are 127, all others those of `image`, bit for bit.
        hidden: (S, S) bool.

    Raises:
        ValueError: sizes differ or the category is unknown.

    Source: TryOnDiffusion (arXiv:2306.08276), section 3.1: hide, then paste head, hands and the rest back. The
    paper hides the whole bounding box of the person; here the box is narrowed to where cloth can be on this pose
    and a wide margin around what is worn, so that a photograph keeps its own background.
    """
    if category not in CATEGORIES:
        raise ValueError(f"Unknown category {category!r}; choose one of {', '.join(CATEGORIES)}.")
    size = image.shape[0]
    if image.shape[:2] != parsing.shape or image.shape[1] != size:
        raise ValueError("image and parsing must be square and of one size.")
    body = torso_length(pose)
    grow = max(1, round(margin * body * size))
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
    worn = cv2.dilate(label_mask(parsing, _HIDE[category]).astype(np.uint8), ellipse) > 0
    keep = label_mask(parsing, KEPT[category])
    if category == "upper":
        # A longer top covers the waist of what is worn below, so that strip may not be pasted back.
        hips = [pose[i, 1] for i in (8, 11) if pose[i, 2] > 0]
        if hips:
            strip = np.arange(size)[:, None] < (max(hips) + 0.22 * body) * size
            keep &= ~(strip & label_mask(parsing, ("lower", "left_leg", "right_leg")))
    # Pixels beside what is taken off are partly cloth: its traces would stay around hands and hair.
    beside = cv2.dilate(label_mask(parsing, TAKEN_OFF[category]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    keep &= ~beside | (parsing == LABEL["face"])
    hidden = (worn | _body_region(pose, category, size, body)) & ~keep
    agnostic = image.copy()
    agnostic[hidden] = HIDDEN_VALUE
    return agnostic, hidden


def cut_out_garment(image: np.ndarray, parsing: np.ndarray, category: str) -> np.ndarray:
    """The garment alone on white, with holes where hands or hair lie in front of it (I_c).

    Args:
        image: (H, W, 3) uint8 RGB.
        parsing: (H, W) uint8, values index `parsing.LABELS`.
        category: label that is kept, one of `CATEGORIES`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return np.where((parsing == LABEL[category])[..., None], image, np.uint8(255))


def spread_cloth(
    image: np.ndarray, parsing: np.ndarray, category: str, size: int, inside: np.ndarray | None = None
) -> np.ndarray:
    """What `frame_garment` shows, the garment continued beyond its outline as its own mirror image.

    A look-up a little beside the outline then still finds cloth, and none of what lies around or before it.

    Args:
        image: (S, S, 3) uint8 RGB.
        parsing: (S, S) uint8 labels of it.
        category: label of the garment.
        size: side of the result in pixels.
        inside: (S, S) bool: where the inside of the garment is seen, which no look-up is to find; None is nowhere.

    Returns:
        (size, size, 3) uint8 RGB.

    Raises:
        ValueError: no pixel bears the label.
    """
    window = _window(parsing, category)
    # Pixels of the outline are half background, in JPEGs also the ones beside them, and outlines are never quite right.
    reach = max(1, image.shape[0] // 96)
    cloth = (parsing == LABEL[category]).astype(np.uint8)
    if inside is not None and not inside[cloth > 0].all():
        cloth[inside] = 0
    inner = cv2.erode(cloth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2))
    inner = (inner if inner.any() else cloth) > 0
    spread = np.rint(continue_picture(image, inner, ~inner)).astype(np.uint8)
    return _framed(spread, window, size, cv2.BORDER_REPLICATE)


def frame_mask(mask: np.ndarray, parsing: np.ndarray, category: str, size: int) -> np.ndarray:
    """A mask of a garment's picture as `frame_garment` shows the picture.

    Args:
        mask: (S, S) bool; at the edges of the picture it goes on as it is there.
        parsing: (S, S) uint8 labels of the picture.
        category: label of the garment.
        size: side of the result in pixels.

    Returns:
        (size, size) float32 in [0, 1].

    Raises:
        ValueError: no pixel bears the label.
    """
    return _framed(mask.astype(np.float32), _window(parsing, category), size, cv2.BORDER_REPLICATE)


def frame_garment(
    garment: np.ndarray, parsing: np.ndarray, pose: np.ndarray, category: str, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Zoom in on a cut-out garment, so that its cloth and not white paper fills the network's pixels.

    Args:
        garment: (S, S, 3) uint8 RGB, cut out on white by `cut_out_garment`.
        parsing: (S, S) uint8 labels of the same picture.
        pose: (18, 3) float32 of the same picture.
        category: label of the garment.
        size: side of the result in pixels.

    Returns:
        garment: (size, size, 3) uint8 RGB on white.
        pose: (18, 3) float32 in the new frame; joints outside of it keep their place there, beyond [0, 1].
        window: (3,) float32: left, top and side of the new frame in units of the old one.

    Raises:
        ValueError: no pixel bears the label.
    """
    window = _window(parsing, category)
    framed = _framed(garment, window, size, cv2.BORDER_CONSTANT)
    window = (window / garment.shape[0]).astype(np.float32)
    moved = pose.astype(np.float32).copy()
    seen = moved[:, 2] > 0
    moved[seen, :2] = (moved[seen, :2] - window[:2]) / window[2]
    return framed, moved, window


def _window(parsing: np.ndarray, category: str) -> np.ndarray:
    """(3,) left, top and side in pixels of a square around the garment."""
    rows, columns = np.nonzero(parsing == LABEL[category])
    if len(rows) == 0:
        raise ValueError(f"The parsing shows no {category} garment.")
    low = np.array([columns.min(), rows.min()], float)
    high = np.array([columns.max(), rows.max()], float) + 1
    side = max(8.0, (high - low).max() * (1 + 2 * GARMENT_MARGIN))
    return np.array([*((low + high) / 2 - side / 2), side])


def _framed(picture: np.ndarray, window: np.ndarray, size: int, border: int) -> np.ndarray:
    """(size, size, ...) of what lies in a window; beyond the picture it is white, or what OpenCV's border mode says."""
    left, top, side = window
    scale = size / side
    # Shrinking needs a filter over the area; warpAffine has none, so blur by the factor first.
    if scale < 0.75:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45 / scale)
    matrix = np.array([[scale, 0, (0.5 - left) * scale - 0.5], [0, scale, (0.5 - top) * scale - 0.5]])
    beyond = (255, 255, 255)
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=beyond)
