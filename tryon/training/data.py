"""Pairs on disk as the networks' inputs: conditions and the true picture."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE, Conditions
from tryon.images import as_tensor
from tryon.preprocessing.agnostic import cut_out_garment, frame_garment, make_agnostic
from tryon.preprocessing.parsing import LABEL, SKIN, label_mask
from tryon.training.laid_out import random_layout

FIELDS = (
    "image",
    "parsing",
    "pose",
    "garment_image",
    "garment_parsing",
    "garment_pose",
    "category",
    "kind",
)
# What only a renderer knows: photographs show one garment, and nobody knows where its cloth came from.
RENDERED_FIELDS = ("before_image", "before_parsing", "flow", "pattern")
FLOW_SIZE = 64
POOL = 4096  # samples that are kept on the device to be used again
LAID_OUT = 0.7  # of the garments that are not worn are shown as on a table


@dataclass(frozen=True)
class Batch:
    """N training pairs.

    Attributes:
        target: (N, 3, S, S) in [-1, 1], the person wearing the garment.
        conditions: what the networks are told, pictures of side S.
        weight: (N, 1, S, S) importance of each pixel to the loss.
        garment_mask: (N, 1, S, S), 1 where the target shows the garment.
        skin_mask: (N, 1, S, S), 1 where it shows bare skin.
        flow: (N, 3, 64, 64): x, y in [0, 1] of `conditions.garment` and visibility; x = -1 where there is no cloth, or
            where nobody knows: then nothing is learnt from it.
    """

    target: torch.Tensor
    conditions: Conditions
    weight: torch.Tensor
    garment_mask: torch.Tensor
    skin_mask: torch.Tensor
    flow: torch.Tensor


@dataclass(frozen=True)
class CropBatch:
    """N crops for the 1024 stage: `target`, (N, 3, S, S) in [-1, 1]."""

    target: torch.Tensor


def find_shards(folder: Path | str) -> list[Path]:
    """All finished shards of a folder, or the folder itself if it is one.

    Raises:
        ValueError: no shard in the folder.
    """
    # Not Path.glob, which does not follow links to shards that lie elsewhere.
    found = glob.glob("**/garment_pose.npy", root_dir=folder, recursive=True)
    shards = sorted((Path(folder) / name).parent for name in found)
    shards = [s for s in shards if s.suffix != ".tmp"]
    if not shards:
        raise ValueError(
            f"No shards of pairs in {folder}: render some with python -m tryon.synthetic.render, or import a folder of "
            "photographs with python -m tryon.training.import_folder."
        )
    return shards


def open_shards(folder: Path | str) -> list[dict[str, np.ndarray]]:
    """Memory-mapped arrays of all finished shards of a folder; of `RENDERED_FIELDS` those that a shard has.

    Raises:
        ValueError: no shard in the folder.
    """
    return [
        {
            name: np.load(shard / f"{name}.npy", mmap_mode="r")
            for name in (*FIELDS, *RENDERED_FIELDS)
            if name in FIELDS or (shard / f"{name}.npy").exists()
        }
        for shard in find_shards(folder)
    ]


class PairDataset(torch.utils.data.Dataset):
    """Shards of pairs, read through memory maps.

    A shard is a folder of arrays of n pairs of side S: `image`, `parsing`, `pose` of the person wearing the
    garment; `garment_image`, `garment_parsing`, `garment_pose` of the picture that the garment is taken from;
    `category`, `kind`. Rendered ones also have `before_image`, `before_parsing` of the same scene in another garment,
    the `flow` between both pictures of the garment and the `pattern` of its fabric. `tryon.synthetic.render` and
    `tryon.training.import_folder` write them.

    Args:
        folder: folder of shards; unfinished ones (`*.tmp`) are left out.
        size: side of the pictures that are returned.
        augment: lay the garment out and vary the hidden region; `tryon.training.variation` does the rest with whole
            batches. Off, the same index is the same sample.
        laid_out: show every garment that is not worn as on a table, also without augmentation; the same index always
            lies the same way.
        seed: of the augmentation; together with the epoch and the index it decides every draw.

    Raises:
        ValueError: no shard in the folder.
    """

    def __init__(
        self, folder: Path | str, size: int, *, augment: bool = True, laid_out: bool = False, seed: int = 0
    ) -> None:
        self.folder, self.size, self.augment, self.seed, self.epoch = folder, size, augment, seed, 0
        self.laid_out = laid_out
        self.reload()

    def reload(self) -> None:
        """Search the folder again; shards that were added meanwhile count from now on."""
        self.shards = open_shards(self.folder)
        self.starts = np.cumsum([0] + [len(s["image"]) for s in self.shards])

    def __len__(self) -> int:
        """Number of pairs."""
        return int(self.starts[-1])

    def row(self, index: int) -> dict[str, np.ndarray]:
        """The arrays of one pair, as stored or with its garment laid out."""
        shard = int(np.searchsorted(self.starts, index, side="right")) - 1
        row = {k: np.array(v[index - self.starts[shard]]) for k, v in self.shards[shard].items()}
        if self.laid_out:
            _lay_out(row, np.random.default_rng(index))
        return row

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """Arrays of one sample; `collate` makes a `Batch` of them."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        row = self.row(index)
        category = CATEGORIES[int(row["category"])]
        if self.augment and not self.laid_out and rng.random() < LAID_OUT:
            _lay_out(row, rng)
        image, parsing = _resized(row["image"], row["parsing"], self.size)
        margin = rng.uniform(0.06, 0.2) if self.augment else 0.1
        # What is hidden follows from what was worn before, as in use; were it the target, its outline would tell the
        # network how wide and long the new garment is. Photographs leave no other choice, as in the paper.
        before = image, parsing
        if "before_image" in row:
            before = _resized(row["before_image"], row["before_parsing"], self.size)
        agnostic, hidden = make_agnostic(*before, row["pose"], category, margin)
        garment = cut_out_garment(row["garment_image"], row["garment_parsing"], category)
        garment, garment_pose, window = frame_garment(
            garment, row["garment_parsing"], row["garment_pose"], category, self.size
        )
        nowhere = np.full((FLOW_SIZE, FLOW_SIZE, 3), -1.0)
        flow = row.get("flow", nowhere).astype(np.float32)
        there = flow[..., :1] > -0.9
        flow[..., :2] = np.where(there, (flow[..., :2] - window[:2]) / window[2], -1.0)
        ink = (garment != 255).any(-1)
        return {
            "target": image,
            "agnostic": agnostic,
            "hidden": hidden,
            "person": parsing > 0,
            "garment_mask": parsing == LABEL[category],
            "skin_mask": label_mask(parsing, SKIN),
            "garment": garment,
            "cloth_mask": cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0,
            "person_pose": row["pose"],
            "garment_pose": garment_pose,
            "flow": flow,
        }


class CropDataset(torch.utils.data.Dataset):
    """Random crops of large rendered pictures, most of them of the person, for the 1024 stage.

    Args:
        folder: folder of shards whose pictures are larger than `size`.
        size: side of the crops.
        seed: together with the epoch and the index it decides every draw.

    Raises:
        ValueError: no shard in the folder.
    """

    CROPS_PER_PICTURE = 16

    def __init__(self, folder: Path | str, size: int, *, seed: int = 0) -> None:
        self.folder, self.size, self.seed, self.epoch = folder, size, seed, 0
        self.reload()

    def reload(self) -> None:
        """Search the folder again; shards that were added meanwhile count from now on."""
        self.pictures = [
            (shard[name], shard[parsing], i)
            for shard in open_shards(self.folder)
            for name, parsing in (("image", "parsing"), ("garment_image", "garment_parsing"))
            for i in range(len(shard["image"]))
        ]

    def __len__(self) -> int:
        """Crops of one epoch."""
        return len(self.pictures) * self.CROPS_PER_PICTURE

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """`target`: (size, size, 3) uint8."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        images, parsings, i = self.pictures[index // self.CROPS_PER_PICTURE]
        room = images.shape[1] - self.size + 1
        for _ in range(8):  # plain wall teaches nothing
            top, left = rng.integers(0, room, 2)
            window = (i, slice(top, top + self.size), slice(left, left + self.size))
            if (np.asarray(parsings[window])[::8, ::8] > 0).mean() > 0.3:
                break
        crop = np.array(images[window])
        return {"target": crop[:, ::-1].copy() if rng.random() < 0.5 else crop}


def _resized(image: np.ndarray, parsing: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    if image.shape[0] == size:
        return image, parsing
    return (
        cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA),
        cv2.resize(parsing, (size, size), interpolation=cv2.INTER_NEAREST),
    )


def _lay_out(row: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """The garment as on a table instead of on a mannequin; if it is worn, it stays."""
    if row["kind"] == KINDS_OF_PICTURE.index("worn"):
        return
    category = CATEGORIES[int(row["category"])]
    outline = row["garment_parsing"] == LABEL[category]
    layout = random_layout(outline, row["garment_pose"], category, rng)
    if layout is None:
        return
    row["garment_image"], row["garment_parsing"], top = layout.pictures(
        row["garment_image"], row["garment_parsing"], LABEL[category]
    )
    row["garment_pose"] = layout.pose(row["garment_pose"])
    if "flow" in row:
        there = row["flow"][..., 0] > -0.9
        before = row["flow"][there, :2].astype(np.float64)
        places = np.clip(layout.places(before), -0.5, 1.5)
        x, y = np.clip((places * len(top)).astype(int), 0, len(top) - 1).T
        row["flow"][there, :2] = places
        row["flow"][there, 2] *= top[y, x] == layout.pieces(before)  # what lies beneath is not seen


def stack(samples: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Samples as they are, (N, ...) each: an eighth of the bytes of a `Batch`."""
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


def to_batch(samples: dict[str, torch.Tensor]) -> Batch | CropBatch:
    """Stacked samples in the networks' ranges, on the device where they are; hidden pixels are exactly 0."""
    if "agnostic" not in samples:
        return CropBatch(as_tensor(samples["target"]))
    hidden, person, garment_mask, skin_mask = (
        samples[name][:, None].float() for name in ("hidden", "person", "garment_mask", "skin_mask")
    )
    conditions = Conditions(
        as_tensor(samples["agnostic"]),
        as_tensor(samples["garment"]),
        samples["person_pose"].float(),
        samples["garment_pose"].float(),
    )
    # Known pixels only need copying and hidden background is put back from the photograph afterwards wherever it
    # was seen; the garment is what the picture is about.
    weight = 0.05 + hidden * (0.25 + 1.75 * person) + 1.0 * garment_mask
    flow = samples["flow"].permute(0, 3, 1, 2).float()
    return Batch(as_tensor(samples["target"]), conditions, weight, garment_mask, skin_mask, flow)


def collate(samples: list[dict[str, np.ndarray]]) -> Batch | CropBatch:
    """Samples of a dataset to tensors in the networks' ranges."""
    return to_batch(stack(samples))


def batches(
    dataset: PairDataset | CropDataset,
    batch_size: int,
    start: int,
    workers: int,
    rank: int = 0,
    world: int = 1,
    *,
    reuse: int = 1,
    device: torch.device | str = "cpu",
) -> Iterator[dict[str, torch.Tensor]]:
    """Shuffled batches of stacked samples without end, each a function of the seed and the number of pairs seen.

    At the end of each epoch the folder is searched again, so that rendering can go on beside the training.

    Args:
        dataset: the pairs, or crops.
        batch_size: pairs per batch of one process.
        start: pairs seen so far by all processes, so that a resumed run goes on where it stopped.
        workers: processes that prepare batches beside the training.
        rank: which of `world` processes this one is; each gets batches of its own.
        world: number of processes that train together.
        reuse: how often a sample is used on average before it is forgotten: from 2 on, every batch brings only so much
            smaller a part of new samples, and is drawn from the last `POOL` of them, which stay on the device.
        device: where the batches shall be.

    Raises:
        ValueError: the pairs do not fill one batch, or `reuse` does not divide it.
    """
    if batch_size % reuse:
        raise ValueError(f"A batch of {batch_size} cannot be filled by 1/{reuse} each time.")
    step, new = start // (batch_size * world), batch_size // reuse
    places = max(reuse, POOL // new)  # for groups of new samples; the next one takes the place of the oldest
    group = max(0, step + reuse - places)
    stream = _groups(dataset, new, group, workers, rank, world)
    pool: dict[str, torch.Tensor] = {}
    while True:
        while group < step + reuse:
            samples = {name: value.to(device, non_blocking=True) for name, value in next(stream).items()}
            if reuse == 1:
                pool = samples
            else:
                size, place = places * new, group % places * new
                pool = pool or {name: value.new_empty((size, *value.shape[1:])) for name, value in samples.items()}
                for name, value in samples.items():
                    pool[name][place : place + new] = value
            group += 1
        if reuse == 1:
            yield pool
        else:
            rng = np.random.default_rng((dataset.seed, step, rank))
            drawn = rng.permutation(min(group, places) * new)[:batch_size]
            drawn = torch.from_numpy(drawn).to(device)
            yield {name: value[drawn] for name, value in pool.items()}
        step += 1


def _groups(
    dataset: PairDataset | CropDataset, size: int, step: int, workers: int, rank: int, world: int
) -> Iterator[dict[str, torch.Tensor]]:
    """New samples of every step, stacked, on the CPU; arguments as in `batches`, `step` is the first one."""
    while True:
        per_epoch = len(dataset) // (size * world)
        if per_epoch == 0:
            raise ValueError(f"{len(dataset)} pairs do not fill one batch of {size * world}.")
        dataset.epoch, first = divmod(step, per_epoch)
        order = np.random.default_rng((dataset.seed, dataset.epoch)).permutation(len(dataset))
        order = order[: per_epoch * size * world].reshape(per_epoch, world, size)
        loader = torch.utils.data.DataLoader(
            dataset,
            batch_sampler=order[first:, rank].tolist(),
            collate_fn=stack,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
        )
        for samples in loader:
            yield samples
            step += 1
        dataset.reload()
