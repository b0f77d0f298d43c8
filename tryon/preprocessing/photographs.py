"""From two photographs to the inputs of FASHN VTON, which sees whole photographs and needs no mask."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from tryon.images import InputError
from tryon.preprocessing.garment import read_garment
from tryon.preprocessing.mask import read_mask
from tryon.preprocessing.parsing import LABEL
from tryon.preprocessing.person import NOBODY, find_person
from tryon.preprocessing.whole_body import WholeBody, WholeBodyDetector, draw_grey

HIDDEN = 127
CATEGORY_IDS = {"upper": 1, "lower": 2, "dress": 3}
NOT_FOUND = "The garment was not recognised, so its picture is used as it is; a plainer background would help."


@dataclass(frozen=True)
class PreparedPhotos:
    """One person and one garment, ready for the network, and the way back into the photograph.

    Attributes:
        person: (1, 3, H, W) in [-1, 1]: the photograph on black.
        person_pose: (1, 1, H, W) in [-1, 1]: drawing of the person's joints.
        garment: (1, 3, H, W) in [-1, 1]: a garment laid out with its background, a worn one cut out on grey.
        garment_pose: (1, 1, H, W) in [-1, 1]: the wearer's joints; -1 everywhere if nobody wears it.
        category: of the garment, one of `CATEGORIES`.
        region: picture of mode L and of the photograph's size, 255 where it may change: everywhere, unless there was
            a mask. It can be altered and handed back as the mask.
        hidden: whether the region is hidden from the network, as the one of a mask is.
        box: left, top, width and height of the photograph in `person`.
        warnings: sentences for the user about doubtful findings.
    """

    person: torch.Tensor
    person_pose: torch.Tensor
    garment: torch.Tensor
    garment_pose: torch.Tensor
    category: str
    region: Image.Image
    hidden: bool
    box: tuple[int, int, int, int]
    warnings: tuple[str, ...]

    def views(self) -> tuple[Image.Image, Image.Image, Image.Image]:
        """The joints over the person, the person, and the garment, as the network is shown them."""
        person, pose, garment = (
            ((canvas[0] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
            for canvas in (self.person, self.person_pose, self.garment)
        )
        return tuple(Image.fromarray(picture) for picture in (np.maximum(person, pose), person, garment))


def prepare_photographs(
    annotator: torch.nn.Module,
    detector: WholeBodyDetector | None,
    person_image: Image.Image,
    garment_image: Image.Image,
    category: str,
    size: tuple[int, int],
    mask: Image.Image | None = None,
) -> PreparedPhotos:
    """Find the person's joints and the garment, and bring all to the network's size.

    Args:
        annotator: an `Annotator`: recognises garments.
        detector: finds the joints; None leaves that to the annotator, which sees neither hands nor the face's points.
        person_image: RGB photograph of a person.
        garment_image: RGB photograph of a garment, worn by somebody or laid out.
        category: "auto", or one of `CATEGORIES`.
        size: height H and width W of the inputs.
        mask: of the person photograph's size, over 127 where it may change; None, or white all over, leaves the
            choice to the network.

    Raises:
        InputError: a picture or the mask cannot be used; the message says why and what to do.
    """
    person, garment = limited(person_image, max(size)), limited(garment_image, max(size))
    pose = find_body(annotator, detector, person)
    if pose is None:
        raise InputError(NOBODY)
    picture = np.asarray(person)
    hidden = mask is not None and not (np.asarray(mask.convert("L")) > HIDDEN).all()
    region = np.ones(person_image.size[::-1], bool)
    if hidden:
        region = read_mask(mask, person_image.size)
        nearby = cv2.resize(region.astype(np.float32), person.size, interpolation=cv2.INTER_AREA) > 0
        picture = np.where(nearby[..., None], np.uint8(HIDDEN), picture)
    cloth, category, worn, warnings = _garment_picture(annotator, garment, category)
    wearer = find_body(annotator, detector, garment) if worn else None
    canvas, box = fit(picture, size)
    return PreparedPhotos(
        person=_tensor(canvas),
        person_pose=_tensor(fit(draw_grey(pose, picture.shape[:2]), size)[0][..., None]),
        garment=_tensor(fit(cloth, size)[0]),
        garment_pose=_tensor(fit(_drawing(wearer, cloth.shape[:2]), size)[0][..., None]),
        category=category,
        region=Image.fromarray(region.astype(np.uint8) * 255),
        hidden=hidden,
        box=box,
        warnings=warnings,
    )


def find_body(annotator: torch.nn.Module, detector: WholeBodyDetector | None, image: Image.Image) -> WholeBody | None:
    """The joints of the main person in a photograph, or None."""
    if detector is not None:
        return detector(np.asarray(image))
    found = find_person(annotator, image)
    if found is None:
        return None
    frame, annotation = found
    pose = annotation.pose.astype(np.float64)
    pose[:, :2] = (pose[:, :2] * frame.side + (frame.left, frame.top)) / image.size
    return WholeBody.of_body(pose)


def limited(image: Image.Image, longest: int) -> Image.Image:
    """The picture, scaled down so that no side is longer than that many pixels."""
    scale = min(longest / side for side in image.size)
    if scale >= 1:
        return image
    return image.resize([max(1, round(scale * side)) for side in image.size], Image.Resampling.LANCZOS)


def fit(picture: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Scale a picture into a canvas, in the middle on black.

    Args:
        picture: (h, w, 3) uint8 photograph, or (h, w) uint8 drawing, whose pixels are only repeated or left out.
        size: height and width of the canvas.

    Returns:
        The canvas, and left, top, width and height of the picture in it.
    """
    height, width = picture.shape[:2]
    scale = min(size[1] / width, size[0] / height)
    new = (max(1, round(scale * width)), max(1, round(scale * height)))
    if picture.ndim == 2:
        picture = cv2.resize(picture, new, interpolation=cv2.INTER_NEAREST_EXACT)
    elif new != (width, height):
        picture = cv2.resize(picture, new, interpolation=cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA)
    left, top = (size[1] - new[0]) // 2, (size[0] - new[1]) // 2
    canvas = np.zeros((*size, *picture.shape[2:]), np.uint8)
    canvas[top : top + new[1], left : left + new[0]] = picture
    return canvas, (left, top, *new)


def _garment_picture(
    annotator: torch.nn.Module, image: Image.Image, category: str
) -> tuple[np.ndarray, str, bool, tuple[str, ...]]:
    """The garment as the network is shown it, its category, whether somebody wears it, and warnings."""
    picture = np.asarray(image)
    try:
        garment = read_garment(annotator, image, category)
    except InputError:
        if category == "auto" or find_person(annotator, image) is not None:
            raise
        return picture, category, False, (NOT_FOUND,)
    if garment.worn:
        cloth = garment.frame.place_mask(garment.parsing == LABEL[garment.category])
        picture = np.where(cloth[..., None], picture, np.uint8(HIDDEN))
    return picture, garment.category, garment.worn, garment.warnings


def _drawing(pose: WholeBody | None, size: tuple[int, int]) -> np.ndarray:
    return np.zeros(size, np.uint8) if pose is None else draw_grey(pose, size)


def _tensor(canvas: np.ndarray) -> torch.Tensor:
    """(H, W, C) uint8 -> (1, C, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(canvas).permute(2, 0, 1)[None].float() / 127.5 - 1
