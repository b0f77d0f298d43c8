"""From photographs to the conditions of a try-on."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from PIL import Image

from tryon.conditions import CATEGORIES, Conditions
from tryon.images import Frame, InputError, to_tensor
from tryon.preprocessing.agnostic import (
    HIDDEN_VALUE,
    cut_out_garment,
    frame_garment,
    frame_mask,
    make_agnostic,
    split_dress,
    spread_cloth,
)
from tryon.preprocessing.checks import doubts, why_nobody
from tryon.preprocessing.garment import Garment, read_garment
from tryon.preprocessing.mask import hide_masked, read_mask
from tryon.preprocessing.parsing import LABEL, HumanParser
from tryon.preprocessing.person import FILL, find_person, read_person
from tryon.preprocessing.pose import PoseDetector

DETAIL_SIDE = 1024  # pixels of the garment picture that the result takes its detail from


@dataclass(frozen=True)
class Prepared:
    """One person and one garment, ready for the networks, and the way back into the photograph.

    Attributes:
        conditions: batch of 1, pictures of side S.
        cloth: (1, 3, 1024, 1024) in [-1, 1]: the garment as in the conditions, but large, and cloth up to the edges.
        garment_mask: (1, 1, S, S) in [0, 1]: where the conditions' picture of the garment shows it, its inside included.
        inside: (1, 1, 1024, 1024) in [0, 1], of `cloth`: where the garment shows the inside of its back, which nobody
            sees when it is worn; None if it does not.
        hidden: (S, S) bool: what the networks repaint.
        opened: (S, S) bool: the part of it that only a mask drawn by hand hides, to be replaced whatever it shows.
        region: the same as `hidden` over the whole photograph: picture of mode L and of the photograph's size, 255
            where it may change. It can be altered and handed back as the mask.
        frame: square of the person's photograph that the conditions show.
        category: of the garment, one of `CATEGORIES`.
        person_parsing: (S, S) uint8, values index `parsing.LABELS`.
        garment_parsing: (T, T) uint8, the same for the garment's picture.
        warnings: sentences for the user about doubtful findings.
    """

    conditions: Conditions
    cloth: torch.Tensor
    garment_mask: torch.Tensor
    inside: torch.Tensor | None
    hidden: np.ndarray
    opened: np.ndarray
    region: Image.Image
    frame: Frame
    category: str
    person_parsing: np.ndarray
    garment_parsing: np.ndarray
    warnings: tuple[str, ...]


class Preprocessor:
    """Makes conditions out of two photographs.

    Args:
        annotator: an `Annotator`: finds joints and labels pixels.
        pose_detector: finds the joints of people instead of the annotator, from `load_pose_detector`.
        human_parser: labels the pixels of people instead of the annotator, from `load_human_parser`; garments laid out
            are left to the annotator.
    """

    def __init__(
        self,
        annotator: torch.nn.Module,
        pose_detector: PoseDetector | None = None,
        human_parser: HumanParser | None = None,
    ) -> None:
        self.annotator = annotator
        self.pose_detector = pose_detector
        self.human_parser = human_parser

    def __call__(
        self,
        person_image: Image.Image,
        garment_image: Image.Image,
        category: str = "auto",
        size: int = 256,
        mask: Image.Image | None = None,
    ) -> Prepared:
        """Find the person and the garment, and hide what the garment will cover.

        Args:
            person_image: RGB photograph of a person.
            garment_image: RGB photograph of a garment, worn by somebody or laid out.
            category: "auto", or one of `CATEGORIES`.
            size: side of the conditions' pictures in pixels.
            mask: of the person photograph's size, over 127 where it may change; replaces the region that is found
                otherwise.

        Returns:
            `Prepared`.

        Raises:
            InputError: a picture or the mask cannot be used; the message says why and what to do.
            ValueError: the category is unknown.
        """
        if category != "auto" and category not in CATEGORIES:
            raise ValueError(f"Unknown category {category!r}; choose auto, {', '.join(CATEGORIES)}.")
        may_change = None if mask is None else read_mask(mask, person_image.size)
        found = find_person(self.annotator, person_image)
        if found is None:
            raise InputError(why_nobody(self.annotator, person_image))
        others = {"pose_detector": self.pose_detector, "human_parser": self.human_parser}
        garment = read_garment(self.annotator, garment_image, category, **others)
        person = read_person(self.annotator, person_image, garment.category, size, found=found, **others)
        person = replace(person, parsing=split_dress(person.parsing, person.pose, garment.category))
        agnostic, hidden = make_agnostic(person.square, person.parsing, person.pose, garment.category)
        cut = cut_out_garment(garment.image, garment.parsing, garment.category)
        cut, garment_pose, _ = frame_garment(cut, garment.parsing, garment.pose, garment.category, size)
        warnings = list(garment.warnings)
        if may_change is None:
            opened, region = np.zeros_like(hidden), person.frame.place_mask(hidden)
        else:
            hidden, opened, about_mask = hide_masked(may_change, hidden, person.parsing, person.frame)
            agnostic = np.where(hidden[..., None], np.uint8(HIDDEN_VALUE), person.square)
            region = may_change & person.frame.place_mask(hidden)
            warnings += about_mask
        warnings += doubts(person_image, person, garment.category)
        conditions = Conditions(
            agnostic=to_tensor(agnostic),
            garment=to_tensor(cut),
            person_pose=torch.from_numpy(person.pose)[None],
            garment_pose=torch.from_numpy(garment_pose)[None],
        )
        return Prepared(
            conditions=conditions,
            cloth=to_tensor(_large_cloth(garment, garment_image)),
            garment_mask=_garment_mask(garment, size),
            inside=_large_inside(garment),
            hidden=hidden,
            opened=opened,
            region=Image.fromarray(region.astype(np.uint8) * 255),
            frame=person.frame,
            category=garment.category,
            person_parsing=person.parsing,
            garment_parsing=garment.parsing,
            warnings=tuple(warnings),
        )


def _large_cloth(garment: Garment, photograph: Image.Image) -> np.ndarray:
    """(DETAIL_SIDE, DETAIL_SIDE, 3) uint8: what `frame_garment` shows, from the photograph's own pixels."""
    picture = garment.frame.crop(photograph, DETAIL_SIDE, FILL)
    parsing, inside = _large(garment.parsing), None
    if garment.inside is not None:
        inside = _large(garment.inside.astype(np.uint8)) > 0
    return spread_cloth(picture, parsing, garment.category, DETAIL_SIDE, inside)


def _garment_mask(garment: Garment, size: int) -> torch.Tensor:
    """(1, 1, size, size) in [0, 1]: where `frame_garment` shows the garment."""
    shown = garment.parsing == LABEL[garment.category]
    return torch.from_numpy(frame_mask(shown, garment.parsing, garment.category, size))[None, None]


def _large_inside(garment: Garment) -> torch.Tensor | None:
    """(1, 1, DETAIL_SIDE, DETAIL_SIDE) in [0, 1]: where `_large_cloth` has the garment's inside."""
    if garment.inside is None:
        return None
    return torch.from_numpy(frame_mask(garment.inside, garment.parsing, garment.category, DETAIL_SIDE))[None, None]


def _large(mask: np.ndarray) -> np.ndarray:
    return cv2.resize(mask, (DETAIL_SIDE, DETAIL_SIDE), interpolation=cv2.INTER_NEAREST)
