"""Pairs on disk as the networks' inputs: conditions and the true picture."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE, Conditions
from tryon.images import to_tensor
from tryon.preprocessing.agnostic import cut_out_garment, frame_garment, make_agnostic
from tryon.preprocessing.parsing import LABEL, SKIN, label_mask
from tryon.preprocessing.pose import MIRRORED as MIRRORED_JOINTS
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

    def to(self, device: torch.device) -> Batch:
        """The same on a device; a copy from pinned memory goes on beside the computation."""
        return Batch(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))

    def pin_memory(self) -> Batch:
        """The same in pinned memory; `DataLoader` asks for it."""
        return Batch(*(getattr(self, field.name).pin_memory() for field in fields(self)))


@dataclass(frozen=True)
class CropBatch:
    """N crops for the 1024 stage: `target`, (N, 3, S, S) in [-1, 1]."""

    target: torch.Tensor

    def to(self, device: torch.device) -> CropBatch:
        """The same on a device."""
        return CropBatch(self.target.to(device, non_blocking=True))

    def pin_memory(self) -> CropBatch:
        """The same in pinned memory."""
        return CropBatch(self.target.pin_memory())


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
        augment: mirror, recolour the garment, lay it out, and vary the hidden region. Off, the same index is the same
            sample.
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
        if self.augment:
            _recolour(row, category, rng)
            if not self.laid_out and rng.random() < LAID_OUT:
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
        sample = {
            "target": image,
            "agnostic": agnostic,
            "hidden": hidden,
            "person": parsing > 0,
            "garment_mask": parsing == LABEL[category],
            "skin_mask": label_mask(parsing, SKIN),
            "garment": garment,
            "person_pose": row["pose"],
            "garment_pose": garment_pose,
            "flow": flow,
        }
        if self.augment:
            _shake(sample["person_pose"], rng)
            _shake(sample["garment_pose"], rng)
            if rng.random() < 0.5:
                sample = _mirrored(sample)
        return sample


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


def collate_crops(samples: list[dict[str, np.ndarray]]) -> CropBatch:
    """Crops to tensors."""
    return CropBatch(to_tensor(np.stack([s["target"] for s in samples])))


def _resized(image: np.ndarray, parsing: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    if image.shape[0] == size:
        return image, parsing
    return (
        cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA),
        cv2.resize(parsing, (size, size), interpolation=cv2.INTER_NEAREST),
    )


def _recolour(row: dict[str, np.ndarray], category: str, rng: np.random.Generator) -> None:
    """The same random change of the garment's colours in both pictures: prints without end from few renders."""
    if rng.random() < 0.3:
        return
    order = rng.permutation(3)
    gain = rng.uniform(0.6, 1.3, 3).astype(np.float32)
    invert = rng.random() < 0.15
    for name in ("", "garment_"):
        mask = (row[f"{name}parsing"] == LABEL[category]).astype(np.uint8)
        mask = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0  # antialiased edges belong to the cloth
        pixels = row[f"{name}image"][mask][:, order].astype(np.float32)
        pixels = (255 - pixels if invert else pixels) * gain
        row[f"{name}image"][mask] = np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def _lay_out(row: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """The garment as on a table instead of on a mannequin; if it is worn, it stays."""
    if row["kind"] == KINDS_OF_PICTURE.index("worn"):
        return
    category = CATEGORIES[int(row["category"])]
    outline = row["garment_parsing"] == LABEL[category]
    layout = random_layout(outline, row["garment_pose"], category, rng)
    if layout is None:
        return
    row["garment_image"], row["garment_parsing"] = layout.pictures(
        row["garment_image"], row["garment_parsing"], LABEL[category]
    )
    row["garment_pose"] = layout.pose(row["garment_pose"])
    if "flow" in row:
        there = row["flow"][..., 0] > -0.9
        row["flow"][there, :2] = np.clip(layout.places(row["flow"][there, :2].astype(np.float64)), -0.5, 1.5)


def _shake(pose: np.ndarray, rng: np.random.Generator) -> None:
    """What estimated keypoints are like: some a little off, some not found."""
    if rng.random() < 0.5:
        return
    known = pose[:, 2] > 0
    pose[known, :2] += rng.normal(0, 0.006, (known.sum(), 2))
    if rng.random() < 0.2:
        pose[rng.integers(len(pose))] = 0


def _mirrored(sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Left and right exchanged in everything."""
    out = {k: np.ascontiguousarray(v[:, ::-1]) for k, v in sample.items() if "pose" not in k}
    there = out["flow"][..., 0] > -0.9
    out["flow"][..., 0] = np.where(there, 1 - out["flow"][..., 0], -1.0)
    for name in ("person_pose", "garment_pose"):
        pose = sample[name][MIRRORED_JOINTS].copy()
        pose[:, 0] = np.where(pose[:, 2] > 0, 1 - pose[:, 0], 0)
        out[name] = pose
    return out


def collate(samples: list[dict[str, np.ndarray]]) -> Batch:
    """Arrays to tensors in the networks' ranges; hidden pixels are exactly 0."""

    def stack(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([s[name] for s in samples]))

    def pictures(name: str) -> torch.Tensor:
        return to_tensor(np.stack([s[name] for s in samples]))

    hidden = stack("hidden")[:, None]
    garment_mask = stack("garment_mask")[:, None].float()
    conditions = Conditions(
        pictures("agnostic"),
        pictures("garment"),
        stack("person_pose").float(),
        stack("garment_pose").float(),
    )
    # Known pixels only need copying and hidden background is put back from the photograph afterwards wherever it
    # was seen; the garment is what the picture is about.
    person = stack("person")[:, None].float()
    weight = 0.05 + hidden.float() * (0.25 + 1.75 * person) + 1.0 * garment_mask
    skin_mask = stack("skin_mask")[:, None].float()
    flow = stack("flow").permute(0, 3, 1, 2)
    return Batch(pictures("target"), conditions, weight, garment_mask, skin_mask, flow)


def batches(
    dataset: PairDataset | CropDataset, batch_size: int, start: int, workers: int, rank: int = 0, world: int = 1
) -> Iterator[Batch | CropBatch]:
    """Shuffled batches without end, each a function of the dataset's seed and the number of pairs seen.

    At the end of each epoch the folder is searched again, so that rendering can go on beside the training.

    Args:
        dataset: the pairs, or crops.
        batch_size: pairs per batch of one process.
        start: pairs seen so far by all processes, so that a resumed run goes on where it stopped.
        workers: processes that prepare batches beside the training.
        rank: which of `world` processes this one is; each gets batches of its own.
        world: number of processes that train together.

    Raises:
        ValueError: the pairs do not fill one batch.
    """
    step = start // (batch_size * world)
    while True:
        per_epoch = len(dataset) // (batch_size * world)
        if per_epoch == 0:
            raise ValueError(f"{len(dataset)} pairs do not fill one batch of {batch_size * world}.")
        dataset.epoch, first = divmod(step, per_epoch)
        order = np.random.default_rng((dataset.seed, dataset.epoch)).permutation(len(dataset))
        order = order[: per_epoch * batch_size * world].reshape(per_epoch, world, batch_size)
        loader = torch.utils.data.DataLoader(
            dataset,
            batch_sampler=order[first:, rank].tolist(),
            collate_fn=collate if isinstance(dataset, PairDataset) else collate_crops,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
        )
        for batch in loader:
            yield batch
            step += 1
        dataset.reload()
