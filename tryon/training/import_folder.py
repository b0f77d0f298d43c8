"""Photographs as training pairs: `python -m tryon.training.import_folder --layout viton-hd --folder DIR --out DIR`.

Reads a folder in the layout of VITON-HD or DressCode and writes shards for `tryon.training.train` and
`tryon.training.evaluate`. Persons are framed as in use. The layout's own labels and joints count where it has them;
otherwise the annotator looks, as it does for all garments. Nobody knows what was worn before, nor where the cloth of
the garment picture went: what is hidden follows from the target itself, as in the paper, and no flow is learnt.
"""

import argparse
import json
import logging
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE
from tryon.images import Frame, InputError, read_image
from tryon.models.annotator import Annotator
from tryon.preprocessing.annotation import Annotation
from tryon.preprocessing.garment import read_garment
from tryon.preprocessing.parsing import LABEL, LABELS, label_mask
from tryon.preprocessing.person import body_frame, border_colour, read_person
from tryon.synthetic.shards import write_shard
from tryon.training.folders import LAYOUTS, SPLITS, PairFiles, list_pairs, own_labels, read_joints, read_labels

SHARD_PAIRS = 250
LEAST_SHARE = 0.02  # of the body that the garment covers
_ANNOTATOR = Path(__file__).parents[1] / "weights" / "small" / "annotator"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotographedPair:
    """One training example of side S; see `tryon.synthetic.pairs.RenderedPair`, which knows more."""

    image: np.ndarray
    parsing: np.ndarray
    pose: np.ndarray
    garment_image: np.ndarray
    garment_parsing: np.ndarray
    garment_pose: np.ndarray
    category: int
    kind: int


def read_pair(files: PairFiles, annotator: torch.nn.Module, size: int) -> PhotographedPair:
    """One pair from disk.

    Args:
        files: where it is.
        annotator: an `Annotator`.
        size: side of the pictures in pixels.

    Raises:
        InputError: a picture cannot be read, shows nobody or no garment, or somebody in another garment.
    """
    image, parsing, pose = _read_wearer(files, annotator, size)
    photograph = read_image(files.garment)
    garment = read_garment(annotator, photograph, files.category)
    outline = garment.parsing == LABEL[files.category]
    if files.outline is not None:
        mask = np.asarray(read_image(files.outline).convert("L").resize(photograph.size)) > 127
        outline = garment.frame.crop_mask(mask, len(outline)) > 0.5
    if not outline.any():
        raise InputError("The mask of the garment is empty.")
    garment_parsing = np.where(outline, np.uint8(LABEL[files.category]), np.uint8(0))
    return PhotographedPair(
        image=image,
        parsing=parsing,
        pose=pose,
        garment_image=garment.frame.crop(photograph, size, border_colour(photograph)),
        garment_parsing=cv2.resize(garment_parsing, (size, size), interpolation=cv2.INTER_NEAREST),
        garment_pose=garment.pose.astype(np.float32),
        category=CATEGORIES.index(files.category),
        kind=KINDS_OF_PICTURE.index("worn" if garment.worn else "flat"),
    )


def _read_wearer(files: PairFiles, annotator: torch.nn.Module, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, parsing and pose of the person, framed for the category; the garment bears its label."""
    photograph = read_image(files.person)
    whole = Frame.around(photograph)
    joints = None if files.joints is None else read_joints(files, photograph.size)
    values = None if files.labels is None else read_labels(files)
    if values is not None and values.shape != photograph.size[::-1]:
        values = cv2.resize(values, photograph.size, interpolation=cv2.INTER_NEAREST)
    if joints is not None and values is not None:
        pose = _pose_in(whole, joints)
        parsing = own_labels(_crop_labels(whole, values, 256), pose, files.layout)
        if not parsing.any():
            raise InputError("The labels show nobody.")
        likely = np.eye(len(LABELS), dtype=np.float32)[parsing].transpose(2, 0, 1)
        frame = body_frame(whole, Annotation(likely, pose), files.category)
    else:
        found = read_person(annotator, photograph, files.category, size)
        frame, parsing, pose = found.frame, found.parsing, found.pose
    if joints is not None:
        pose = _pose_in(frame, joints)
    if values is not None:
        parsing = own_labels(_crop_labels(frame, values, size), pose, files.layout)
    # What the data set calls a dress its labels may call a top and a skirt, and the other way round.
    least = LEAST_SHARE * (parsing > 0).sum()
    if (parsing == LABEL[files.category]).sum() < least:
        others = ("upper", "lower") if files.category == "dress" else ("dress",)
        parsing = np.where(label_mask(parsing, others), np.uint8(LABEL[files.category]), parsing)
    if (parsing == LABEL[files.category]).sum() <= least:
        raise InputError("The labels do not show the garment.")
    return frame.crop(photograph, size, border_colour(photograph)), parsing, pose


def _pose_in(frame: Frame, joints: np.ndarray) -> np.ndarray:
    """(18, 3) in pixels of the photograph -> in [0, 1] of the frame, without the joints outside of it."""
    pose = joints.astype(np.float32).copy()
    pose[:, :2] = (pose[:, :2] - [frame.left, frame.top]) / frame.side
    inside = ((pose[:, :2] >= 0) & (pose[:, :2] < 1)).all(1) & (joints[:, 2] > 0)
    return np.where(inside[:, None], pose, np.float32(0))


def _crop_labels(frame: Frame, values: np.ndarray, size: int) -> np.ndarray:
    """(size, size): the label in the middle of every pixel of the frame; 0 outside of the photograph."""
    step = ((np.arange(size) + 0.5) * frame.side / size).astype(int)
    rows, columns = step + frame.top, step + frame.left
    inside = ((rows >= 0) & (rows < frame.height))[:, None] & (columns >= 0) & (columns < frame.width)
    cropped = values[np.ix_(rows.clip(0, frame.height - 1), columns.clip(0, frame.width - 1))]
    return np.where(inside, cropped, np.uint8(0))


def import_shard(task: tuple[Path, list[PairFiles]], annotator: Path, size: int) -> Counter:
    """Write one shard; returns how many pairs were written ("pairs") and why others were left out."""
    folder, files = task
    cv2.setNumThreads(1)  # one process per core
    torch.set_num_threads(1)
    network = Annotator.from_pretrained(annotator, dtype=torch.float32).eval()
    pairs, counts = [], Counter()
    for one in files:
        try:
            pairs.append(read_pair(one, network, size))
        except InputError as error:
            counts[str(error)] += 1
            logger.info("%s: %s", one.person, error)
    if pairs:
        write_shard(folder, pairs, len(pairs))
    return counts + Counter(pairs=len(pairs))


def import_folder(
    folder: Path, layout: str, split: str, out: Path, *, size: int = 256, workers: int = 1, annotator: Path = _ANNOTATOR
) -> Counter:
    """Write all pairs of a data set as shards; those that are there already stay as they are.

    Args:
        folder: of the data set.
        layout: one of `LAYOUTS`.
        split: one of `SPLITS`.
        out: folder that takes the shards.
        size: side of the pictures in pixels.
        workers: processes.
        annotator: folder of an `Annotator`.

    Returns:
        Number of new pairs ("pairs"), and of those left out by the reason why.

    Raises:
        ValueError: the folder does not have this layout, or its labels or joints are of another kind.
    """
    pairs = list_pairs(folder, layout, split)
    tasks = [
        (out / f"{layout}_{split}_{size}_{number:03d}", pairs[first : first + SHARD_PAIRS])
        for number, first in enumerate(range(0, len(pairs), SHARD_PAIRS))
    ]
    tasks = [task for task in tasks if not task[0].exists()]
    convert = partial(import_shard, annotator=annotator, size=size)
    if workers <= 1:
        return sum(map(convert, tasks), Counter())
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(convert, tasks), Counter())


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", choices=LAYOUTS, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--size", type=int, default=256, help="side in pixels (%(default)s)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--annotator", type=Path, default=_ANNOTATOR)
    print(json.dumps(import_folder(**vars(parser.parse_args(arguments)))))


if __name__ == "__main__":
    main()
