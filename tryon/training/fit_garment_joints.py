"""Train the part of an annotator that tells the joints of garments laid out from their outlines.

    python -m tryon.training.fit_garment_joints --data DIR --validation DIR --annotator DIR

DIR of data and of validation hold shards of rendered pairs. The annotator's folder is written anew with that part.
Prints one line of JSON: for each category the mean error of the joints in longer sides of the garment's box, and how
often it is right about whether a joint is in the picture.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE
from tryon.models.annotator import Annotator
from tryon.models.garment_joints import GarmentJoints
from tryon.preprocessing.garment import joints_of_outline, outline_cells
from tryon.preprocessing.parsing import LABEL
from tryon.preprocessing.pose import mirror_pose
from tryon.training.data import LAID_OUT, open_shards
from tryon.training.laid_out import random_layout

VARIANTS = 3  # changed copies of each outline that is learnt from
SIDE = 128  # pixels of an outline; more are not seen in its 16 x 16 cells
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 60, 256, 2e-3, 0.01
PRESENCE_WEIGHT = 0.3  # places matter more than whether they are in the picture


class Outlines(NamedTuple):
    """N garments laid out: what `GarmentJoints` takes and what it shall say.

    Attributes:
        cells: (N, 16, 16) float32 in [0, 1].
        aspects: (N,) float32.
        poses: (N, 18, 3) float32: x, y in sides of the box and 1 if the joint is in the picture, else zeros.
        categories: (N,) int64, of `CATEGORIES`.
    """

    cells: torch.Tensor
    aspects: torch.Tensor
    poses: torch.Tensor
    categories: torch.Tensor


def garments(folder: Path) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Category, (128, 128) bool outline and (18, 3) joints of all garments that are not worn."""
    for shard in open_shards(folder):
        for i in np.nonzero(shard["kind"] != KINDS_OF_PICTURE.index("worn"))[0]:
            category = int(shard["category"][i])
            outline = shard["garment_parsing"][i] == LABEL[CATEGORIES[category]]
            if outline.any():
                outline = cv2.resize(outline.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0
                yield category, outline, np.array(shard["garment_pose"][i])


def changed(
    outline: np.ndarray, pose: np.ndarray, category: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Laid out, cut wider or longer, outlined worse: joints move with the cloth, also out of the picture.

    Legs and sleeves are drawn together or apart, for people lay them closer than the studio's mannequins stand.
    """
    side = len(outline)
    layout = random_layout(outline, pose, category, rng) if rng.random() < LAID_OUT else None
    if layout is not None:
        blank = np.zeros((*outline.shape, 3), np.uint8)
        outline = layout.pictures(blank, outline.astype(np.uint8), 1)[1] > 0
        pose = layout.pose(pose)
    if rng.random() < 0.5:
        outline, pose = outline[:, ::-1], mirror_pose(pose)
    turn, stretch, shear = math.radians(rng.normal(0, 4)), math.exp(rng.normal(0, 0.1)), rng.normal(0, 0.04)
    linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    linear = 0.85 * linear @ [[stretch, shear], [0, 1 / stretch]]
    taper = rng.uniform(-0.6, 0.3)  # change of the width from the middle of the picture to its bottom

    def moved(places: np.ndarray) -> np.ndarray:
        """(N, 2) places in the picture, in [0, 1]."""
        off = places - 0.5
        off = off * np.stack([1 + taper * np.maximum(off[:, 1], -0.5), np.ones(len(off))], axis=1)
        return off @ linear.T + 0.5

    contours, _ = cv2.findContours(outline.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    drawn = [np.rint(moved((c[:, 0] + 0.5) / side) * side - 0.5).astype(np.int32) for c in contours]
    soft = cv2.drawContours(np.zeros(outline.shape, np.uint8), drawn, -1, 1, cv2.FILLED).astype(np.float32)
    soft = cv2.GaussianBlur(soft, (0, 0), side * rng.uniform(0.002, 0.012))
    there = pose[:, 2:] > 0
    pose = np.concatenate([np.where(there, moved(pose[:, :2]), 0), pose[:, 2:]], axis=1)
    return soft > rng.uniform(0.35, 0.65), pose


def fit(network: GarmentJoints, outlines: Outlines) -> None:
    """Train a network to find joints, and to tell which are in the picture.

    Args:
        network: what is trained, in place.
        outlines: what it is trained on, in the same order every time.
    """
    generator = torch.Generator().manual_seed(0)
    adam = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * math.ceil(len(outlines.cells) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(outlines.cells), generator=generator).split(BATCH):
            some = Outlines(*(column[rows] for column in outlines))
            found = network(some.cells, some.aspects)[torch.arange(len(rows)), some.categories]
            there = some.poses[..., 2:]
            places = ((found[..., :2] - some.poses[..., :2]).abs() * there).sum() / there.sum().clamp(min=1)
            loss = places + PRESENCE_WEIGHT * (found[..., 2:] - there).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()


def varied(folder: Path, count: int, rng: np.random.Generator) -> Outlines:
    """`VARIANTS` changed copies of every garment of a folder of shards, in `count` x `count` cells."""
    rows = []
    for category, outline, pose in garments(folder):
        for _ in range(VARIANTS):
            mask, joints = changed(outline, pose, CATEGORIES[category], rng)
            cells, corner, sides = outline_cells(mask, count)
            places = (joints[:, :2] * len(mask) - corner) / sides
            there = (joints[:, 2:] > 0).astype(np.float32)
            rows.append((cells, math.log(sides[0] / sides[1]), np.c_[places * there, there], category))
    *numbers, categories = (torch.from_numpy(np.array(column)) for column in zip(*rows, strict=True))
    return Outlines(*(column.float() for column in numbers), categories.long())


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of shards to fit to")
    parser.add_argument("--validation", type=Path, required=True, help="folder of shards to judge by")
    parser.add_argument("--annotator", type=Path, required=True, help="folder of the annotator that gets that part")
    arguments = parser.parse_args()
    annotator = Annotator.from_pretrained(arguments.annotator, low_cpu_mem_usage=False)  # it may lack that part
    torch.manual_seed(0)
    annotator.garment_joints = network = GarmentJoints()
    fit(network, varied(arguments.data, network.side, np.random.default_rng(0)))
    annotator.save_pretrained(arguments.annotator)

    errors, presence = {name: [] for name in CATEGORIES}, {name: [] for name in CATEGORIES}
    for category, outline, pose in garments(arguments.validation):
        name = CATEGORIES[category]
        found = joints_of_outline(annotator, outline, name)
        there, both = pose[:, 2] > 0, (pose[:, 2] > 0) & (found[:, 2] > 0)
        longest = outline_cells(outline, network.side)[2].max()
        errors[name] += list(np.linalg.norm(found[both, :2] - pose[both, :2], axis=1) * len(outline) / longest)
        presence[name] += list((found[:, 2] > 0) == there)
    figures = {
        name: {"error": round(float(np.mean(errors[name])), 4), "presence": round(float(np.mean(presence[name])), 4)}
        for name in CATEGORIES
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
