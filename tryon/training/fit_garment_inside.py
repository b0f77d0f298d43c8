"""Train the part of an annotator that tells where garments laid out show their inside.

    python -m tryon.training.fit_garment_inside --annotator DIR [--pictures 6000] [--workers 2]

Renders garments alone, lets the annotator's trunk look at each of them once, and fits the head to what it saw; the
trunk stays as it is. What it saw is kept in memory, a gigabyte for a thousand pictures at the shipped size. The
annotator's folder is written anew with that part. Prints one line of JSON: the mean intersection over union with the
truth of held-out pictures, for the word of the head alone.
"""

import argparse
import json
import math
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tryon.conditions import CATEGORIES
from tryon.continuation import continue_picture
from tryon.images import to_tensor
from tryon.models.annotator import Annotator
from tryon.models.garment_inside import GarmentInside
from tryon.preprocessing.annotation import INPUT_SIDE
from tryon.preprocessing.garment_inside import cut_out_on_grey
from tryon.preprocessing.parsing import LABEL
from tryon.synthetic.pairs import PairStream, RenderedProduct
from tryon.training.data import LAID_OUT
from tryon.training.laid_out import random_layout

CELLS = INPUT_SIDE // 2  # in a row of what the head says
CHUNK = 250  # pictures of one seed
HELD_OUT = 300  # pictures to judge by
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 12, 16, 3e-3, 0.01
OTHER_LINING, PALE_LINING, TAGGED, RIBBED, CLOSED = 0.15, 0.35, 0.4, 0.25, 0.15  # shares of the garments
LEAST = 12  # pixels across of a neck that a tag is sewn into


class Example(NamedTuple):
    """A picture and its truth.

    Attributes:
        picture: (256, 256, 3) uint8, the garment cut out on grey.
        inside: (128, 128) uint8, share of inside in each cell, of 255.
    """

    picture: np.ndarray
    inside: np.ndarray


class Seen(NamedTuple):
    """What the trunk made of N pictures: the arguments of `GarmentInside`, and its truth (N, 1, 128, 128)."""

    pictures: torch.Tensor
    features: list[torch.Tensor]
    inside: torch.Tensor


def make_example(product: RenderedProduct, rng: np.random.Generator) -> Example:
    """One product picture as photographs may be: laid out, lined, with a tag in its neck, roughly outlined.

    Args:
        product: of 256 x 256 pixels.
        rng: of all these.
    """
    category = CATEGORIES[product.category]
    image, inside, cloth = product.image, product.inside, product.parsing == LABEL[category]
    layout = random_layout(cloth, product.pose, category, rng) if rng.random() < LAID_OUT else None
    if layout is not None:
        marks = np.repeat(inside.astype(np.uint8)[..., None] * 255, 3, axis=2)
        image, laid, _ = layout.pictures(image, product.parsing, LABEL[category])
        inside = (layout.pictures(marks, product.parsing, LABEL[category])[0][..., 0] > 127) & (laid > 0)
        cloth = laid > 0
    if rng.random() < CLOSED and inside.any():
        image, inside = _closed(image, inside, cloth), np.zeros_like(inside)
    image = _lined(_ribbed(image, inside, cloth, rng), inside, rng)
    if rng.random() < 0.5:
        image, inside, cloth = (np.ascontiguousarray(part[:, ::-1]) for part in (image, inside, cloth))
    outline = cv2.GaussianBlur(cloth.astype(np.float32), (0, 0), rng.uniform(0.3, 2)) > rng.uniform(0.3, 0.7)
    picture = cut_out_on_grey(np.clip(_relit(image, rng), 0, 255).astype(np.uint8), outline)
    share = cv2.resize(inside.astype(np.float32) * outline, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return Example(picture, np.rint(255 * share).astype(np.uint8))


def _closed(image: np.ndarray, inside: np.ndarray, cloth: np.ndarray) -> np.ndarray:
    """The front goes on where the inside was, as of a garment that lies on its front: not every neck is open."""
    front = cv2.erode((cloth & ~inside).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if not front.any():
        return image
    continued = np.rint(continue_picture(image, front, cloth & ~front)).astype(np.uint8)
    return np.where((cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))) > 0)[..., None], continued, image)


def _ribbed(image: np.ndarray, inside: np.ndarray, cloth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some necks have a ribbed band of another colour around them."""
    if rng.random() > RIBBED or not inside.any():
        return image
    reach = 2 * int(rng.integers(2, 9)) + 1
    band = cv2.dilate(inside.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0
    band &= cloth & ~inside
    rows, columns = np.nonzero(band)
    if len(rows) == 0:
        return image
    own = image[band].mean(0)
    colour = own * rng.uniform(0.5, 1.3) if rng.random() < 0.5 else rng.integers(20, 240, 3)
    light = image[band].mean(-1) / max(float(own.mean()), 1)
    angle = np.arctan2(rows - rows.min() + 1, columns - columns.mean())
    light = 1 + 0.5 * (light - 1) + rng.uniform(0, 0.15) * np.sin(angle * rng.integers(30, 80))
    image = image.copy()
    image[band] = np.clip(light[:, None] * colour, 0, 255)
    return image


def _lined(image: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Prints are paler on the inside of a cloth, some garments are lined with another one, some bear a tag."""
    image = image.copy()
    if not inside.any():
        return image
    chance = rng.random()
    if chance < OTHER_LINING + PALE_LINING:
        other = rng.integers(20, 256) + rng.normal(0, 15, 3) if chance < OTHER_LINING else image[inside].mean(0)
        light = image[inside].mean(-1, keepdims=True) / max(float(image[inside].mean()), 1)
        share = rng.uniform(0.4, 1)
        image[inside] = np.clip(share * other * light + (1 - share) * image[inside], 0, 255)
    if rng.random() < TAGGED:
        _sew_tag(image, inside, rng)
    return image


def _sew_tag(image: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> None:
    """A tag in the middle of the topmost inside, in place."""
    rows, columns = np.nonzero(inside)
    top = rows <= np.percentile(rows, 30)
    if np.ptp(columns[top]) < LEAST:
        return
    width = np.ptp(columns[top]) * rng.uniform(0.15, 0.45)
    middle = np.array([columns[top].mean(), rows[top].min() + rng.uniform(2, 8)])
    half = np.array([width, width * rng.uniform(0.3, 1)]) / 2
    low, high = (np.rint(middle + sign * half).astype(int) for sign in (-1, 1))
    tag = np.zeros_like(inside)
    tag[max(low[1], 0) : high[1] + 1, max(low[0], 0) : high[0] + 1] = True
    colour = rng.choice([20.0, 230.0]) if rng.random() < 0.7 else rng.integers(256, size=3)
    image[tag & inside] = np.clip(colour + rng.normal(0, 12, 3), 0, 255)


def _relit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other exposure, contrast, tint and sharpness, (H, W, 3) float32."""
    picture = image.astype(np.float32)
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.4))
    gain, tint, lift = math.exp(rng.normal(0, 0.15)), np.exp(rng.normal(0, 0.04, 3)), rng.normal(0, 10)
    return (picture * (gain * tint) + lift + rng.normal(0, rng.uniform(0, 6), picture.shape)).astype(np.float32)


def render(task: tuple[str, int, int]) -> list[Example]:
    """Examples of one seed.

    Args:
        task: split, seed, and number of pictures.
    """
    split, seed, count = task
    stream, rng = PairStream([seed, 17], INPUT_SIDE, split, reuse=6), np.random.default_rng([seed, 18])
    return [make_example(stream.draw_product(), rng) for _ in range(count)]


def examples(split: str, count: int, workers: int) -> Iterator[list[Example]]:
    """Rendered examples, in the same order whatever the number of workers."""
    tasks = [(split, seed, min(CHUNK, count - first)) for seed, first in enumerate(range(0, count, CHUNK))]
    # One process is one core's worth of work: OpenCV's own threads would only crowd the others.
    with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
        yield from pool.imap(render, tasks)


@torch.inference_mode()
def look(annotator: Annotator, chunks: Iterator[list[Example]]) -> Seen:
    """What an annotator's trunk makes of examples, in half the memory of float32."""
    pictures, levels, inside = [], [], []
    for chunk in chunks:
        for first in range(0, len(chunk), BATCH):
            shown, truth = (np.stack(column) for column in zip(*chunk[first : first + BATCH], strict=True))
            sample = to_tensor(shown)
            pictures.append(torch.from_numpy(shown))
            levels.append([level.half() for level in annotator.features(sample)])
            inside.append(torch.from_numpy(truth)[:, None])
    features = [torch.cat(level) for level in zip(*levels, strict=True)]
    return Seen(torch.cat(pictures), features, torch.cat(inside))


def said_of(head: GarmentInside, seen: Seen, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and truth in [0, 1] of some of what was seen, (n, 1, 128, 128) both."""
    sample = to_tensor(seen.pictures[rows].numpy()).contiguous()
    # PyTorch 2.13 crashes in the backward pass of these layers for channels that come last.
    logit = head(sample, [level[rows].float().contiguous() for level in seen.features])
    return logit, seen.inside[rows].float() / 255


def fit(head: GarmentInside, seen: Seen, epochs: int) -> None:
    """Train a head.

    Args:
        head: what is trained, in place.
        seen: what it is trained on, in the same order every time.
        epochs: how often.
    """
    generator = torch.Generator().manual_seed(0)
    adam = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * math.ceil(len(seen.inside) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for _ in range(epochs):
        for rows in torch.randperm(len(seen.inside), generator=generator).split(BATCH):
            logit, truth = said_of(head, seen, rows)
            loss = F.binary_cross_entropy_with_logits(logit, truth)
            loss = loss + 0.2 * (1 - _overlap(logit.sigmoid(), truth).mean())
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()


def _overlap(share: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """(N,) soft intersection over union of (N, 1, h, w) shares; one cell of either is not asked for more."""
    shared, either = (part.sum((1, 2, 3)) for part in (share * truth, share + truth - share * truth))
    return (shared + 1) / (either + 1)


@torch.inference_mode()
def judge(head: GarmentInside, seen: Seen) -> float:
    """Mean intersection over union, of the pictures that show any inside."""
    overlaps = []
    for rows in torch.arange(len(seen.inside)).split(BATCH):
        logit, truth = said_of(head, seen, rows)
        found, truth = logit > 0, truth > 0.5
        shared, either = ((part).sum((1, 2, 3)) for part in (found & truth, found | truth))
        shows = truth.any(-1).any(-1).any(-1)
        overlaps += (shared[shows] / either[shows]).tolist()
    return float(np.mean(overlaps))


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotator", type=Path, required=True, help="folder of the annotator that gets that part")
    parser.add_argument("--pictures", type=int, default=6000, help="to fit to (%(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="how often each is learnt from (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that render (%(default)s)")
    arguments = parser.parse_args()
    annotator = Annotator.from_pretrained(arguments.annotator, low_cpu_mem_usage=False)  # it may lack that part
    annotator = annotator.float().to(memory_format=torch.channels_last).eval()
    torch.manual_seed(0)
    annotator.garment_inside = head = GarmentInside(
        annotator.config.block_out_channels, annotator.config.norm_num_groups
    )
    fit(head, look(annotator, examples("train", arguments.pictures, arguments.workers)), arguments.epochs)
    annotator.save_pretrained(arguments.annotator)
    held_out = look(annotator, examples("heldout", HELD_OUT, arguments.workers))
    print(json.dumps({"pictures": arguments.pictures, "iou": round(judge(head, held_out), 4)}))


if __name__ == "__main__":
    main()
