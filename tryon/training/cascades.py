"""What a cascade paints for ready samples, for the evaluation: the product's way, without photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE
from tryon.finish import dress
from tryon.images import to_images, to_tensor
from tryon.models.parallel_unet import ParallelUNetOutput
from tryon.models.warp_then_blend import load_parallel_network
from tryon.pipeline import TryOnPipeline
from tryon.preprocessing.agnostic import frame_mask, spread_cloth
from tryon.preprocessing.garment_inside import inside_at_neck
from tryon.preprocessing.parsing import LABEL
from tryon.training.data import collate

PARALLEL_STAGES = ("base", "sr256")
SETTINGS = ("num_inference_steps", "guidance_scale", "conditioning_noise", "average_mirrored")


@dataclass(frozen=True)
class Cascade:
    """A pipeline and how it is sampled.

    Attributes:
        pipeline: of the three stages.
        num_inference_steps: as in the pipeline; None takes what it recommends.
        guidance_scale: likewise.
    """

    pipeline: TryOnPipeline
    num_inference_steps: int | None = None
    guidance_scale: float | None = None

    @property
    def steps(self) -> tuple[int, int, int]:
        """Of the three stages."""
        return self.pipeline.check_steps(self.num_inference_steps)

    def paint(
        self, samples: Sequence[dict[str, np.ndarray]], seeds: Sequence[int], *, stages: int = 2
    ) -> tuple[list[np.ndarray], ParallelUNetOutput]:
        """Results of the first stages, (N, S, S, 3) uint8 each, and what the last Parallel-UNet said.

        Args:
            samples: of a `PairDataset`.
            seeds: one for each.
            stages: 1 to 3; what is measured is the second.
        """
        results = self.pipeline.sample(
            collate(samples).conditions,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        )
        _, pictures, said = zip(*islice(results, stages), strict=True)
        return [to_images(result) for result in pictures], said[-1]


def finished(
    row: dict[str, np.ndarray],
    hidden: np.ndarray,
    painted: np.ndarray,
    said: ParallelUNetOutput,
    annotator: torch.nn.Module,
) -> np.ndarray:
    """A stage's picture as a visitor gets it, in the photograph and with the garment's own pixels.

    Args:
        row: of a `PairDataset`, as stored.
        hidden: (s, s) bool, of its sample.
        painted: (S, S, 3) uint8.
        said: what the network said of it, batch of 1, on the CPU.
        annotator: looks for the inside of a garment that nobody wears.

    Returns:
        (S, S, 3) uint8; `painted` if the network does not tell where the garment is.
    """
    if said.position is None:
        return painted
    category, side = CATEGORIES[int(row["category"])], len(painted)
    photo, parsing = (row.get(f"before_{name}", row[name]) for name in ("image", "parsing"))
    photo = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
    parsing, hidden = (
        cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST) for mask in (parsing, hidden.astype(np.uint8))
    )
    garment, outline = row["garment_image"], row["garment_parsing"]
    shown, inside = outline == LABEL[category], np.zeros(outline.shape, bool)
    if row["kind"] != KINDS_OF_PICTURE.index("worn"):
        inside = inside_at_neck(annotator, garment, shown, category)
    cloth = to_tensor(spread_cloth(garment, outline, category, side, inside))
    mask = torch.from_numpy(frame_mask(shown, outline, category, side))[None, None]
    unseen = torch.from_numpy(frame_mask(inside, outline, category, side))[None, None] if inside.any() else None
    square, changed = dress(photo, parsing, hidden > 0, painted, said, cloth, mask, category, inside=unseen)
    return np.rint(photo + changed[..., None] * (square.astype(np.float32) - photo)).astype(np.uint8)


def with_networks(pipeline: TryOnPipeline, folder: Path) -> TryOnPipeline:
    """The same pipeline with the networks that `tryon.training.train` wrote to `FOLDER/base` and `FOLDER/sr256`.

    A stage that is missing there stays that of the pipeline.

    Args:
        pipeline: whose annotator, scheduler, last stage and recommendations are kept.
        folder: holds an output folder of the training for each stage.

    Raises:
        ValueError: the folder holds neither.
    """
    folders = {f"{stage}_unet": folder / stage / "ema" for stage in PARALLEL_STAGES}
    like = {"device": pipeline.device, "dtype": pipeline.base_unet.dtype}
    networks = {
        name: load_parallel_network(place).to(**like).eval() for name, place in folders.items() if place.is_dir()
    }
    if not networks:
        raise ValueError(f"{folder} holds no trained network: {' and '.join(map(str, folders.values()))} are missing.")
    kept = {name: pipeline.config[name] for name in SETTINGS}
    other = TryOnPipeline(**{**pipeline.components, **networks}, **kept)
    other.set_progress_bar_config(disable=True)
    return other


def shrunk(pictures: np.ndarray, side: int) -> np.ndarray:
    """(N, S, S, 3) uint8 -> (N, side, side, 3), by the mean over the area."""
    return np.stack([cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures])
