"""Train a stage of the cascade: `python -m tryon.training.train --stage base --preset small-128 --data DIR --out DIR`.

One flat loop over Accelerate: the same command trains on a CPU or a GPU, and `accelerate launch -m
tryon.training.train ...` on many. Progress counts pictures; stop it anywhere, and the same command goes on from the
last checkpoint as if it had never been stopped. OUT/ema is the result, OUT/log.jsonl and TensorBoard say how it went.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, is_tensorboard_available
from diffusers.training_utils import EMAModel

from tryon.diffusion import upsample
from tryon.images import to_images
from tryon.models.efficient_unet import PRESETS as EFFICIENT_PRESETS
from tryon.models.efficient_unet import EfficientUNet
from tryon.models.parallel_unet import PRESETS as PARALLEL_PRESETS
from tryon.models.parallel_unet import ParallelUNet
from tryon.models.warp_then_blend import PRESETS as TWO_PART_PRESETS
from tryon.models.warp_then_blend import WarpThenBlend, load_parallel_network
from tryon.training.data import Batch, CropBatch, CropDataset, PairDataset, batches
from tryon.training.objective import Objective
from tryon.training.recipes import recipe_for
from tryon.training.state import FILE_SIZE, load_state, save_state

# "position" trains the locator of a base network alone, four times as fast; base then starts from it.
STAGES = ("position", "base", "sr256", "sr1024")
SR1024_CROP = 256

logger = logging.getLogger(__name__)


def make_model(stage: str, preset: str) -> ParallelUNet | WarpThenBlend | EfficientUNet:
    """A new network of a preset by name.

    Raises:
        ValueError: no such preset, or one without a locator for the stage that trains it.
    """
    kinds = {EfficientUNet: EFFICIENT_PRESETS}
    if stage != "sr1024":
        kinds = {ParallelUNet: PARALLEL_PRESETS, WarpThenBlend: TWO_PART_PRESETS}
    known = {name: kind for kind, presets in kinds.items() for name in presets}
    if preset not in known:
        raise ValueError(f"Unknown preset {preset!r}; choose one of {', '.join(known)}.")
    model = known[preset](**kinds[known[preset]][preset])
    if stage == "position" and model.locator is None:
        raise ValueError(f"Preset {preset!r} has no locator to train; start with --stage base.")
    return model


def learning_rate(seen: int, peak: float, warmup: int, pictures: int | None) -> float:
    """Linear warm-up over `warmup` pictures, then a cosine down to a twentieth at `pictures`, or none without."""
    warm = min(1.0, (seen + 1) / warmup)
    if pictures is None:
        return peak * warm
    progress = min(1.0, seen / pictures)
    return peak * warm * (0.05 + 0.475 * (1 + math.cos(math.pi * progress)))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; what is not given comes from the recipe of the preset."""
    parser = argparse.ArgumentParser(prog="python -m tryon.training.train", description="Train a stage of the cascade.")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of shards of pairs; more may come meanwhile")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--previous", type=Path, help="trained base network, whose outputs sr256 learns to finish")
    parser.add_argument("--initial", type=Path, help="network whose fitting weights to start from")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, with everything saved")
    parser.add_argument("--pictures", type=int, default=100_000, help="length of the run and of its schedule")
    parser.add_argument("--batch-size", type=int, help="pictures of one step of one process")
    parser.add_argument("--accumulate", type=int, default=1, help="steps whose gradients are added before an update")
    parser.add_argument("--learning-rate", type=float, help="at its peak")
    parser.add_argument("--interval", type=int, default=2_000, help="pictures between reports and checkpoints")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare batches")
    parser.add_argument("--compile", action="store_true", help="compile the network; pays on GPUs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.recipe = recipe_for(options.preset)
    options.batch_size = options.batch_size or options.recipe.batch_size
    options.learning_rate = options.learning_rate or options.recipe.learning_rate
    return options


class Run:
    """A training run in a folder: the network, its average and optimiser, and how far it is.

    Args:
        options: the command line.
        accelerator: where to train.
    """

    def __init__(self, options: argparse.Namespace, accelerator: Accelerator) -> None:
        self.out, self.accelerator = options.out, accelerator
        torch.manual_seed(options.seed)
        model = make_model(options.stage, options.preset)
        if options.initial is not None:
            _copy_fitting(type(model).from_pretrained(options.initial), model)
        self.model = model.to(accelerator.device, memory_format=torch.channels_last)
        decay = options.recipe.ema_decay
        self.ema = EMAModel(self.model.parameters(), decay=decay, use_ema_warmup=True, power=0.75)
        self.trained = self.model.locator if options.stage == "position" else self.model
        fused = accelerator.device.type == "cuda"
        self.adam = torch.optim.Adam(self.trained.parameters(), betas=options.recipe.betas, fused=fused)
        self.seen = load_state(self.out, *self.parts)
        self.ema.to(accelerator.device)
        if options.compile:
            self.trained.compile()
        self.network, self.optimizer = accelerator.prepare(self.trained, self.adam)

    @property
    def parts(self) -> tuple[torch.nn.Module, torch.nn.Module, EMAModel, torch.optim.Adam]:
        """What the state on disk consists of."""
        return self.model, self.trained, self.ema, self.adam

    def step(self, objective: Objective, batch: Batch | CropBatch, rate: float, seed: int) -> dict[str, torch.Tensor]:
        """Learn from one batch; returns the losses by name."""
        batch = batch.to(self.accelerator.device)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self.accelerator.accumulate(self.network):
            with self.accelerator.autocast():
                losses = objective(self.network, batch, seed)
            self.accelerator.backward(losses["loss"])
            if self.accelerator.sync_gradients:
                self.accelerator.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
        if self.accelerator.sync_gradients:
            self.ema.step(self.model.parameters())
        self.seen += len(batch.target) * self.accelerator.num_processes
        return {name: value.detach() for name, value in losses.items()}

    def save(self) -> None:
        """Write a checkpoint to go on from, then the EMA weights to use."""
        save_state(self.out, *self.parts, self.seen)
        self.ema.store(self.model.parameters())
        self.ema.copy_to(self.model.parameters())
        self.model.save_pretrained(self.out / "ema", max_shard_size=FILE_SIZE)
        self.ema.restore(self.model.parameters())

    @torch.no_grad()
    def draw(self, objective: Objective, batch: Batch | CropBatch) -> np.ndarray:
        """One-step predictions of the averaged weights on a batch beside the truth, (H, W, 3) uint8."""
        self.ema.store(self.model.parameters())
        self.ema.copy_to(self.model.parameters())
        batch = batch.to(self.accelerator.device)
        like = {"device": self.accelerator.device}
        noise = torch.randn(batch.target.shape, generator=torch.Generator().manual_seed(0)).to(**like)
        n, time_ = len(noise), torch.full((len(noise),), 0.999, **like)
        with self.accelerator.autocast():
            if objective.stage == "sr1024":
                small = F.interpolate(batch.target, scale_factor=0.25, mode="area")
                low_res = upsample(small, noise.shape[-1])
                columns = [low_res, self.model(noise, time_, low_res, torch.zeros(n, **like)).sample.float()]
            else:
                low_res = None if objective.stage == "base" else objective.low_res(batch)
                c = batch.conditions
                levels = torch.zeros(n, 2 if low_res is None else 3, **like)
                given = (c.agnostic, c.garment, c.person_pose, c.garment_pose, levels)
                columns = [c.garment, c.agnostic, self.model(noise, time_, *given, low_res=low_res).sample.float()]
        self.ema.restore(self.model.parameters())
        return sheet([*columns, batch.target])


def sheet(columns: list[torch.Tensor]) -> np.ndarray:
    """Up to eight rows of pictures side by side, (H, W, 3) uint8.

    Args:
        columns: (N, 3, S, S) in [-1, 1] each.
    """
    rows = torch.cat([torch.cat(list(c[:8]), dim=1) for c in columns], dim=2)
    return to_images(rows[None])[0]


def train(options: argparse.Namespace) -> None:
    """The training loop; `--minutes` count from here, so that making the network and compiling it are in them."""
    started = time.monotonic()
    accelerator = Accelerator(
        mixed_precision="bf16",
        gradient_accumulation_steps=options.accumulate,
        log_with="tensorboard" if is_tensorboard_available() else None,
        project_dir=options.out,
        # Which blocks take part depends on the preset, and the flow is not known everywhere.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    accelerator.init_trackers("tryon")
    rank, world = accelerator.process_index, accelerator.num_processes
    options.out.mkdir(parents=True, exist_ok=True)
    run, recipe = Run(options, accelerator), options.recipe
    previous = None
    if options.previous is not None:
        previous = load_parallel_network(options.previous).to(accelerator.device).eval()
    if options.stage == "sr1024":
        dataset = CropDataset(options.data, SR1024_CROP, seed=options.seed)
    else:
        dataset = PairDataset(options.data, run.model.config.sample_size, seed=options.seed)
    objective = Objective(options.stage, recipe, previous, accelerator.device)

    began, reported, totals, count = run.seen, run.seen, {}, 0
    for batch in batches(dataset, options.batch_size, run.seen, options.workers, rank, world):
        length = options.pictures if recipe.decay else None
        rate = learning_rate(run.seen, options.learning_rate, recipe.warmup, length)
        draw = np.random.SeedSequence((options.seed, run.seen, rank)).generate_state(1, np.uint64)[0] >> 1
        losses = run.step(objective, batch, rate, int(draw))
        count += 1
        for name, value in losses.items():
            totals[name] = totals.get(name, 0.0) + value
        minutes = (time.monotonic() - started) / 60
        if world > 1:  # all must stop at the same step
            minutes = float(accelerator.reduce(torch.tensor(minutes, device=accelerator.device), "mean"))
        over = minutes >= options.minutes or run.seen >= options.pictures
        if (over or run.seen - reported >= options.interval) and accelerator.sync_gradients:
            report = {name: round(float(value) / count, 5) for name, value in totals.items()}
            accelerator.log(report, step=run.seen)
            if accelerator.is_main_process:
                speed = round((run.seen - began) / (60 * minutes), 2)
                line = {"seen": run.seen, "minutes": round(minutes, 2), "per_second": speed, **report}
                logger.info(json.dumps(line))
                with (options.out / "log.jsonl").open("a") as log:
                    log.write(json.dumps(line) + "\n")
                run.save()
                if options.stage != "position":
                    cv2.imwrite(str(options.out / "samples.png"), run.draw(objective, batch)[..., ::-1])
            reported, totals, count = run.seen, {}, 0
            if over:
                break
    accelerator.end_training()


def _copy_fitting(source: torch.nn.Module, target: torch.nn.Module) -> None:
    """Start from another network wherever names and shapes agree."""
    own = target.state_dict()
    own.update({k: v for k, v in source.state_dict().items() if k in own and own[k].shape == v.shape})
    target.load_state_dict(own)


def main() -> None:
    """Read the command line and train."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    train(parse_arguments())


if __name__ == "__main__":
    main()
