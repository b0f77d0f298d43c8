"""Find the garment in a photograph, worn by somebody or laid out alone."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.images import Frame, InputError
from tryon.preprocessing.annotation import INPUT_SIDE, Annotation, annotate, beside_garment, main_figure
from tryon.preprocessing.garment_inside import inside_at_neck
from tryon.preprocessing.garment_kind import category_votes, likely_category
from tryon.preprocessing.parsing import GARMENTS, LABEL, HumanParser, label_mask
from tryon.preprocessing.person import FILL, border_colour, is_person, read_person
from tryon.preprocessing.pose import PoseDetector
from tryon.preprocessing.segmentation import refine_mask, segment_garment

PICTURE_SIDE = 512  # pixels of the square that the garment is cut out of
MARGIN = 0.15  # around a garment laid out, as rendered ones have it on average
PROXY_SIDE = 384  # pixels of the picture in which a garment is outlined

FAINTEST_EDGE = 5.0  # of 255: white shirts on white tables have more

NO_GARMENT = (
    "No garment was found in this picture; please use a photo of one garment, laid out on a plain surface or worn by "
    "somebody."
)
NOT_WORN = (
    'No garment of the kind "{}" was found on the person in the garment picture; please choose another kind or '
    "another picture."
)


@dataclass(frozen=True)
class Garment:
    """A garment in a square picture.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        parsing: (S, S) uint8; the garment bears the label of its category.
        pose: (18, 3) float32: the wearer's joints, or where those of a body in the garment would be.
        category: one of `CATEGORIES`.
        worn: whether somebody wears it.
        warnings: sentences for the user about doubtful findings.
        frame: the square, in pixels of the photograph.
        inside: (S, S) bool: where a garment laid out shows the inside of its back at the neck; None if it does not.
        votes: (3,) mean probability that the annotator gives each of `CATEGORIES` in a garment laid out, else None.
    """

    image: np.ndarray
    parsing: np.ndarray
    pose: np.ndarray
    category: str
    worn: bool
    warnings: tuple[str, ...]
    frame: Frame
    inside: np.ndarray | None = None
    votes: np.ndarray | None = None


def read_garment(
    annotator: torch.nn.Module,
    image: Image.Image,
    category: str = "auto",
    *,
    pose_detector: PoseDetector | None = None,
    human_parser: HumanParser | None = None,
) -> Garment:
    """Outline the garment of a photograph and find its joints.

    Args:
        annotator: an `Annotator`.
        image: RGB photograph.
        category: "auto", or the one of `CATEGORIES` that is wanted.
        pose_detector: finds the joints of a wearer instead of the annotator.
        human_parser: labels the pixels of a wearer instead of the annotator.

    Returns:
        `Garment`.

    Raises:
        InputError: there is no garment, or none of that category.
    """
    whole = Frame.around(image)
    seen = annotate(annotator, [whole.crop(image, INPUT_SIDE, FILL)])[0]
    if not is_person(seen, strict=True):  # folds and buttons make faces
        return _laid_out(annotator, image, category)
    return _worn(annotator, image, category, (whole, seen), pose_detector, human_parser)


def _worn(
    annotator: torch.nn.Module,
    image: Image.Image,
    category: str,
    found: tuple[Frame, Annotation],
    pose_detector: PoseDetector | None,
    human_parser: HumanParser | None,
) -> Garment:
    warnings, asked = [], category != "auto"
    if not asked:
        parsing = found[1].parsing(128)
        mask = main_figure(parsing).mask
        areas = {name: int((mask & label_mask(parsing, (name,))).sum()) for name in GARMENTS}
        if not any(areas.values()):
            raise InputError(NO_GARMENT)
        category = max(areas, key=areas.__getitem__)
    others = {"pose_detector": pose_detector, "human_parser": human_parser}
    person = read_person(annotator, image, category, PICTURE_SIDE, found=found, **others)
    parsing, labels = person.parsing, (category,)
    body = int((parsing > 0).sum())
    if label_mask(parsing, labels).sum() < 0.02 * body:
        # what one calls a dress another calls a top and a skirt
        labels = ("upper", "lower") if category == "dress" else ("dress",)
        if label_mask(parsing, labels).sum() < 0.1 * body:
            raise InputError(NOT_WORN.format(category))
        if asked:
            warnings.append(f"The garment looks like {' and '.join(labels)}; it was taken as {category}, as asked.")
        else:  # from near it is something else than from afar
            category, labels = labels[0], labels[:1]
    if person.others > 0.4:
        warnings.append("There are several people in the garment picture; the garment of the largest was taken.")
    picture = person.frame.crop(image, PICTURE_SIDE, border_colour(image))
    maps = person.annotation.scaled(PICTURE_SIDE)
    cloth = label_mask(parsing, labels)  # colours may have told what it is better than the annotator's labels
    probability = np.maximum(maps[[LABEL[name] for name in labels]].sum(0), 0.6 * cloth) * (parsing > 0)
    outline = refine_mask(picture, probability.astype(np.float32))
    outline = outline if outline.any() else cloth
    parsing = np.where(label_mask(parsing, labels), np.uint8(0), parsing)
    parsing = np.where(outline, np.uint8(LABEL[category]), parsing)
    return Garment(picture, parsing, person.pose, category, True, tuple(warnings), person.frame)


def _laid_out(annotator: torch.nn.Module, image: Image.Image, category: str) -> Garment:
    colour = border_colour(image)
    whole = Frame.around(image)
    scale = PROXY_SIDE / whole.side
    proxy = image.resize(
        [max(1, round(scale * side)) for side in image.size], Image.Resampling.LANCZOS, reducing_gap=3.0
    )
    photo = np.asarray(proxy)
    # first from afar, to find the garment, then from near, to see it well
    seen = annotate(annotator, [whole.crop(image, INPUT_SIDE, colour)])[0]
    prior = _garment_prior(seen, category, whole, whole, photo.shape[:2])
    mask = segment_garment(photo, prior)
    if not mask.any():
        raise InputError(NO_GARMENT)
    frame = _frame_around(mask, whole)
    seen = annotate(annotator, [frame.crop(image, INPUT_SIDE, colour)])[0]
    prior = _garment_prior(seen, category, frame, whole, photo.shape[:2])
    mask = segment_garment(photo, prior)
    share = frame.crop_mask(np.asarray(Image.fromarray(mask).resize(image.size)), PICTURE_SIDE)
    outline = share > 0.5
    certainty = float(prior[mask].mean()) if mask.any() else 0.0
    if outline.mean() < 0.02 or certainty < 0.25 or mask.mean() > 0.85:
        raise InputError(NO_GARMENT)
    picture = frame.crop(image, PICTURE_SIDE, colour)
    if edge_along(picture, outline, frame.within(PICTURE_SIDE)) < FAINTEST_EDGE:
        raise InputError(NO_GARMENT)
    warnings = []
    votes = category_votes(seen, outline)
    likely, sure = likely_category(outline, votes)
    if category == "auto":
        category = likely
        if not sure:
            warnings.append(f"The kind of garment is not certain; it was taken as {category}.")
    elif sure and likely != category:
        warnings.append(f"The garment looks like {likely}; it was taken as {category}, as asked.")
    if certainty < 0.5:
        warnings.append("The outline of the garment is not certain; a plainer background would help.")
    parsing = np.where(outline, np.uint8(LABEL[category]), np.uint8(0))
    pose = joints_of_outline(annotator, outline, category)
    inside = inside_at_neck(annotator, picture, outline, category)
    inside = inside if inside.any() else None
    return Garment(picture, parsing, pose, category, False, tuple(warnings), frame, inside, votes)


def edge_along(picture: np.ndarray, outline: np.ndarray, photographed: np.ndarray) -> float:
    """How much the picture changes where a garment is said to end, in levels of 255: a smooth wall holds no garment.

    Args:
        picture: (S, S, 3) uint8 RGB.
        outline: (S, S) bool.
        photographed: (S, S) bool, what of the picture is photograph; that it ends somewhere says nothing.

    Returns:
        The mean along the outline; 0 if it runs along the end of the photograph all the way.
    """
    reach = max(1, len(outline) // 200)
    inner, outer = (
        change(outline.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
        for change in (cv2.erode, cv2.dilate)
    )
    smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), reach)
    steepest = [cv2.Scharr(smooth, -1, *axis) / 32 for axis in ((1, 0), (0, 1))]
    slope = np.hypot(*steepest).max(-1)
    apart = np.ones((8 * reach + 1,) * 2, np.uint8)
    along = outer & ~inner & (cv2.erode(photographed.astype(np.uint8), apart, borderValue=0) > 0)
    # a step of one level, blurred so, is as steep as 0.4 / reach
    return float(slope[along].mean()) * reach / 0.4 if along.any() else 0.0


def _garment_prior(seen: Annotation, category: str, frame: Frame, whole: Frame, shape: tuple[int, int]) -> np.ndarray:
    """Probability of the garment for every pixel of a scaled-down photograph, (h, w) float32; 0 outside of `frame`.

    Skin and hair count as garment here: nobody is in the picture, so it is cloth that was mistaken for them.
    """
    side = max(8, round(frame.side * max(shape) / whole.side))
    beside = beside_garment(seen.probabilities, category).astype(np.float32)
    maps = 1 - seen.scaled(side)[LABEL["background"]]
    maps *= 1 - cv2.resize(beside, (side, side), interpolation=cv2.INTER_LINEAR)
    scale = max(shape) / whole.side
    left, top = round(frame.left * scale), round(frame.top * scale)
    prior = np.zeros(shape, np.float32)
    rows = slice(max(top, 0), min(top + side, shape[0]))
    columns = slice(max(left, 0), min(left + side, shape[1]))
    prior[rows, columns] = maps[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return prior


def _frame_around(mask: np.ndarray, whole: Frame) -> Frame:
    """A square around a garment with the usual margin, in pixels of the photograph."""
    rows, columns = np.nonzero(mask)
    scale = max(whole.width, whole.height) / max(mask.shape)
    low = np.array([columns.min(), rows.min()]) * scale
    high = np.array([columns.max() + 1, rows.max() + 1]) * scale
    side = max(32, round((high - low).max() * (1 + MARGIN)))
    left, top = ((low + high - side) / 2).round().astype(int).tolist()
    return Frame(left, top, side, whole.width, whole.height)


def joints_of_outline(annotator: torch.nn.Module, outline: np.ndarray, category: str) -> np.ndarray:
    """Where the joints of a body would be in a garment laid out.

    Args:
        annotator: an `Annotator`.
        outline: (S, S) bool: the garment, not empty.
        category: one of `CATEGORIES`.

    Returns:
        (18, 3) float32: x, y in [0, 1] and confidence 1, or zeros for joints that are not in the picture.
    """
    cells, corner, sides = outline_cells(outline, annotator.garment_joints.side)
    weight = next(annotator.garment_joints.parameters())
    with torch.inference_mode():
        aspect = torch.tensor([np.log(sides[0] / sides[1])])
        found = annotator.garment_joints(torch.from_numpy(cells)[None].to(weight), aspect.to(weight))
    joints = found[0, CATEGORIES.index(category)].float().cpu().numpy()
    places = (corner + joints[:, :2] * sides) / len(outline)
    there = (joints[:, 2] > 0.5) & (places >= 0).all(1) & (places < 1).all(1)
    return np.where(there[:, None], np.c_[places, np.ones(len(places))], 0).astype(np.float32)


def outline_cells(outline: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An outline as `GarmentJoints` takes it.

    Args:
        outline: (S, S) bool, not empty.
        count: of cells in a row, and of rows.

    Returns:
        cells: (count, count) float32 in [0, 1], how much of each cell of the box around the garment is garment.
        corner: (2,) x, y of the box in pixels.
        sides: (2,) its width and height in pixels.
    """
    rows, columns = np.nonzero(outline)
    box = outline[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    fine = cv2.resize(box.astype(np.float32), (8 * count, 8 * count), interpolation=cv2.INTER_LINEAR)
    cells = cv2.resize(fine, (count, count), interpolation=cv2.INTER_AREA)
    return cells, np.array([columns.min(), rows.min()]), np.array(box.shape[::-1])
