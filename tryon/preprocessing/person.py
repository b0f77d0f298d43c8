"""Find the person in a photograph and frame them as the networks have learnt to see people."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from tryon.images import Frame, InputError
from tryon.preprocessing.agnostic import TAKEN_OFF
from tryon.preprocessing.annotation import INPUT_SIDE, Annotation, annotate, main_figure
from tryon.preprocessing.parsing import HEAD, LABEL, HumanParser, label_mask
from tryon.preprocessing.plausibility import body_reach, legs_are_seen, plausible_pose, torso_length
from tryon.preprocessing.pose import KEYPOINT, PoseDetector
from tryon.preprocessing.refinement import (
    edges_by_colour,
    head_wears_no_clothes,
    one_piece_or_two,
    outlined,
    sleeves_are_no_skin,
)

# The rendered frames, in torso lengths (neck to middle of the hips): air above the head, and how far the frame reaches
# below the hips or the soles; then all is widened by FRAME_MARGIN.
ABOVE_HEAD, BELOW_HIPS, BELOW_SOLES = 0.11, 0.28, 0.13
FRAME_MARGIN = 1.07
# Rendered bodies, in torso lengths (medians): crown to neck, hip to knee, knee to ankle.
HEAD_LENGTH, THIGH_LENGTH, SHIN_LENGTH = 0.82, 0.81, 0.88
FILL = (127, 127, 127)
# Mean confidence of the joints of a face: above 0.7 on faces of people, at most 0.6 where folds or a hood make one.
SURE_FACE = 0.66

NOBODY = "No person was found in this photo; please use one that shows a person from the front, at least head to hips."
NO_SHOULDERS = "The upper body is not visible in this photo; please use one that shows the person from head to hips."
NO_LEGS = "The legs are not visible in this photo; please use one that shows the person from head to feet."


@dataclass(frozen=True)
class Found:
    """A person in a photograph.

    Attributes:
        frame: square of the photograph that holds the person.
        annotation: of that square.
        square: (S, S, 3) uint8 RGB, that square; the photograph's usual border colour beyond its edges.
        parsing: (S, S) uint8 labels of that square, of this person alone.
        pose: (18, 3) float32 in that square.
        others: size of another person in the picture relative to this one, 0 if there is none.
    """

    frame: Frame
    annotation: Annotation
    square: np.ndarray
    parsing: np.ndarray
    pose: np.ndarray
    others: float


def is_person(annotation: Annotation, *, strict: bool = False) -> bool:
    """Whether a picture shows somebody whose face can be seen: a face among the labels and among the joints.

    Garments without a wearer have a body's joints as well, and brown cloth is easily taken for arms; faces are rarely
    seen where there are none or missed where there are.

    Args:
        annotation: of the picture.
        strict: ask for clearer signs, as is wise for a second look where the first found nobody.
    """
    figure = main_figure(annotation.parsing(128))
    confidence = annotation.pose[:, 2]
    face, body = confidence[[0, 14, 15, 16, 17]], confidence[1:14]
    if figure.area <= 0.004 or figure.face <= 0.01 or (face > 0).sum() < 2 or (body > 0).sum() < 3:
        return False
    return not strict or (figure.face >= 0.02 and face[face > 0].mean() >= SURE_FACE)


def find_person(annotator: torch.nn.Module, image: Image.Image) -> tuple[Frame, Annotation] | None:
    """Look for a person in the whole picture, then, in long pictures and for small figures, closer.

    Returns:
        The square in which the person was found and its annotation, or None.
    """
    whole = Frame.around(image)
    annotation = annotate(annotator, [whole.crop(image, INPUT_SIDE, FILL)])[0]
    if is_person(annotation):
        return whole, annotation
    short, long = sorted(image.size)
    side = min(short, round(0.75 * long))
    across, down = [sorted({0, (extent - side) // 2, extent - side}) for extent in image.size]
    frames = [Frame(left, top, side, *image.size) for top in down for left in across]
    squares = [frame.crop(image, INPUT_SIDE, FILL) for frame in frames]
    found = [
        (main_figure(seen.parsing(128)).area * seen.pose[:, 2].sum(), frame, seen)
        for frame, seen in zip(frames, annotate(annotator, squares), strict=True)
        if is_person(seen, strict=True)
    ]
    return max(found, key=lambda item: item[0])[1:] if found else None


def body_frame(frame: Frame, annotation: Annotation, category: str) -> Frame:
    """The square in which the rendered persons of a category stand: head to hips for tops, head to feet for others.

    Joints that are not seen are taken to be where those of an average body standing upright would be.

    Args:
        frame: a square that shows the person.
        annotation: of that square.
        category: of the garment, one of `CATEGORIES`.

    Returns:
        `Frame` of the same photograph; it keeps off what the photograph does not show below and above the person.
    """
    pose, parsing = annotation.pose, annotation.parsing(128)
    figure = main_figure(parsing)
    left, top, right, bottom = figure.box()
    head = np.nonzero((label_mask(parsing, HEAD) & figure.mask).any(1))[0]
    if len(head):
        top = head[0] / parsing.shape[0]

    def mean_of(axis: int, *names: str, otherwise: float) -> float:
        found = [pose[KEYPOINT[name], axis] for name in names if pose[KEYPOINT[name], 2] > 0]
        return float(np.mean(found)) if found else otherwise

    shoulders, hips, knees, ankles = (
        [f"{side}_{part}" for side in ("left", "right")] for part in ("shoulder", "hip", "knee", "ankle")
    )
    neck = mean_of(1, "neck", *shoulders, otherwise=top + HEAD_LENGTH * torso_length(pose))
    torso = max(torso_length(pose), 0.9 * (neck - top) / HEAD_LENGTH)
    hip = mean_of(1, *hips, otherwise=neck + torso)
    if category == "upper":
        low = hip + BELOW_HIPS * torso
        centre = mean_of(0, "neck", *shoulders, otherwise=(left + right) / 2)
    else:
        knee = mean_of(1, *knees, otherwise=hip + THIGH_LENGTH * torso)
        ankle = mean_of(1, *ankles, otherwise=knee + SHIN_LENGTH * torso)
        low = max(ankle, bottom) + BELOW_SOLES * torso
        centre = (left + right) / 2
    high = top - ABOVE_HEAD * torso
    side, middle = (low - high) * FRAME_MARGIN, (low + high) / 2
    # below and above the photograph there is nothing to see, so a cropped body fills its frame as rendered ones do
    photo_top = (0 - frame.top) / frame.side
    high, low = max(middle - side / 2, photo_top), min(middle + side / 2, frame.bottom)
    side = max(low - high, 32 / frame.side)
    return Frame(
        left=round(frame.left + (centre - side / 2) * frame.side),
        top=round(frame.top + high * frame.side),
        side=max(32, round(side * frame.side)),
        width=frame.width,
        height=frame.height,
    )


def read_person(
    annotator: torch.nn.Module,
    image: Image.Image,
    category: str,
    size: int,
    *,
    found: tuple[Frame, Annotation] | None = None,
    pose_detector: PoseDetector | None = None,
    human_parser: HumanParser | None = None,
) -> Found:
    """Labels and joints of the person in a photograph, in the frame that suits the category.

    Args:
        annotator: an `Annotator`.
        image: RGB photograph.
        category: of the garment, one of `CATEGORIES`.
        size: side of the parsing in pixels.
        found: what `find_person` returned for this picture, if that is known already.
        pose_detector: finds the joints instead of the annotator.
        human_parser: labels the pixels instead of the annotator.

    Returns:
        `Found`.

    Raises:
        InputError: nobody is there, or not the part of the body in question.
    """
    found = found or find_person(annotator, image)
    if found is None:
        raise InputError(NOBODY)
    fill = border_colour(image)
    frame = body_frame(*found, category)
    closer = annotate(annotator, [frame.crop(image, INPUT_SIDE, fill)])[0]
    if is_person(closer):
        # from afar, head and hips were only roughly where they seemed; now they are seen better
        frame = body_frame(frame, closer, category)
        closer = annotate(annotator, [frame.crop(image, INPUT_SIDE, fill)])[0]
    if pose_detector is None:
        pose = plausible_pose(with_missing(closer.pose, found[1].pose, found[0], frame))
    else:
        pose = pose_detector(frame.crop(image, 2 * INPUT_SIDE, fill))
    if human_parser is not None:
        large = frame.crop(image, 2 * INPUT_SIDE, fill)
        closer = replace(closer, probabilities=human_parser(large, closer.scaled(2 * INPUT_SIDE)))
    square = frame.crop(image, size, fill)
    probabilities = closer.scaled(size)
    reach, likely = body_reach(pose, size), probabilities[LABEL["background"]] < 0.5
    if (likely & reach).sum() < 0.5 * likely.sum():  # then it is the joints that are wrong
        reach = np.ones_like(reach)
    parsing = outlined(probabilities, reach, square)
    figure = main_figure(parsing)
    if not figure.mask.any():
        raise InputError(NOBODY)
    parsing[~figure.mask] = LABEL["background"]
    parsing = head_wears_no_clothes(sleeves_are_no_skin(parsing, square), pose)
    parsing = one_piece_or_two(parsing, probabilities, square)
    parsing = edges_by_colour(parsing, square, TAKEN_OFF[category])
    seen = {name for name, row in KEYPOINT.items() if pose[row, 2] > 0}
    if category == "lower" and not legs_are_seen(pose, frame.bottom):
        raise InputError(NO_LEGS)
    if category != "lower" and not seen & {"left_shoulder", "right_shoulder"}:
        raise InputError(NO_SHOULDERS)
    others = max(figure.others, main_figure(found[1].parsing(128)).others)
    return Found(frame, closer, square, parsing, pose, others)


def with_missing(pose: np.ndarray, other: np.ndarray, seen_in: Frame, frame: Frame) -> np.ndarray:
    """`pose` of `frame`, with the joints it lacks from the pose `other` that was found in the square `seen_in`."""
    moved = other.copy()
    moved[:, 0] = (other[:, 0] * seen_in.side + seen_in.left - frame.left) / frame.side
    moved[:, 1] = (other[:, 1] * seen_in.side + seen_in.top - frame.top) / frame.side
    usable = (pose[:, 2] == 0) & (other[:, 2] > 0.35) & ((moved[:, :2] >= 0) & (moved[:, :2] < 1)).all(1)
    return np.where(usable[:, None], moved, pose).astype(np.float32)


def border_colour(image: Image.Image) -> tuple[int, int, int]:
    """The usual colour along the edge of a picture: what a frame shows where it reaches beyond."""
    small = np.asarray(image.resize((32, 32), Image.Resampling.BOX, reducing_gap=2.0))
    ring = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    red, green, blue = np.median(ring, axis=0).round().astype(int).tolist()
    return red, green, blue
