"""Train a stage of the cascade: `python -m tryon.training.train --stage base --preset small-128 --data DIR --out DIR`.

One flat loop over Accelerate: the same command trains on a CPU or a GPU, and `accelerate launch -m
tryon.training.train ...` on many. Progress counts pictures; stop it anywhere, and the same command goes on from the
last checkpoint as if it had never been stopped. OUT/ema is the result, OUT/log.jsonl and TensorBoard say how it went.

Several presets learn side by side from the same batches in the same order, each in the folder of its name below OUT:
what they are worth can then be compared.
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
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedDataParallelKwargs, is_tensorboard_available
from diffusers.training_utils import EMAModel

from tryon.devices import best_dtype
from tryon.diffusion import upsample
from tryon.images import to_images
from tryon.models.efficient_unet import PRESETS as EFFICIENT_PRESETS
from tryon.models.efficient_unet import EfficientUNet
from tryon.models.parallel_unet import PRESETS as PARALLEL_PRESETS
from tryon.models.parallel_unet import ParallelUNet
from tryon.models.warp_then_blend import PRESETS as TWO_PART_PRESETS
from tryon.models.warp_then_blend import WarpThenBlend, load_parallel_network
from tryon.training.data import Batch, CropBatch, CropDataset, PairDataset, batches, to_batch
from tryon.training.objective import Objective
from tryon.training.recipes import recipe_for
from tryon.training.state import FILE_SIZE, load_state, save_state
from tryon.training.variation import vary

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


def learning_rate(step: float, peak: float, warmup: int, progress: float) -> float:
    """Linear warm-up over `warmup` steps, and along a cosine to a twentieth as `progress` goes from 0 to 1."""
    warm = min(1.0, (step + 1) / warmup)
    return peak * warm * (0.05 + 0.475 * (1 + math.cos(math.pi * min(1.0, progress))))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; what is not given comes from the recipe of the preset."""
    parser = argparse.ArgumentParser(prog="python -m tryon.training.train", description="Train a stage of the cascade.")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--preset", nargs="+", required=True, help="several learn from the same batches")
    parser.add_argument("--data", type=Path, required=True, help="folder of shards of pairs; more may come meanwhile")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--previous", type=Path, nargs="+", help="for each preset a trained base network, whose outputs sr256 finishes"
    )
    parser.add_argument("--initial", type=Path, nargs="+", help="for each preset a network to start from where it fits")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop then, with everything saved; without --pictures the "
        "schedule also follows the clock, and a run is not repeated bit for bit"
    )  # fmt: skip
    parser.add_argument("--pictures", type=int, help="length of the run and of its schedule (100000 without --minutes)")
    parser.add_argument("--batch-size", type=int, help="pictures of one step of one process")
    parser.add_argument("--accumulate", type=int, default=1, help="steps whose gradients are added before an update")
    parser.add_argument("--learning-rate", type=float, help="at its peak")
    parser.add_argument("--interval", type=int, default=2_000, help="pictures between reports and checkpoints")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare batches")
    parser.add_argument(
        "--reuse", type=int, default=1, help="how often a prepared pair is used, in other colours: for GPUs faster "
        "than the workers; must divide the batch size"
    )  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="compile the network; pays on GPUs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for name in ("previous", "initial"):
        folders = getattr(options, name) or [None] * len(options.preset)
        if len(folders) != len(options.preset):
            parser.error(f"--{name} takes as many folders as there are presets: {len(options.preset)}.")
        setattr(options, name, folders)
    if options.pictures is None and math.isinf(options.minutes):
        options.pictures = 100_000
    recipe = recipe_for(options.preset[0])
    options.batch_size = options.batch_size or recipe.batch_size
    options.learning_rate = options.learning_rate or recipe.learning_rate
    return options


class Run:
    """A training run in a folder: the network, its average and optimiser, what it learns, and how far it is.

    Args:
        options: the command line.
        index: of the preset of this run.
        accelerator: where to train.
    """

    def __init__(self, options: argparse.Namespace, index: int, accelerator: Accelerator) -> None:
        preset, initial, previous = options.preset[index], options.initial[index], options.previous[index]
        self.out = options.out if len(options.preset) == 1 else options.out / preset
        self.out.mkdir(parents=True, exist_ok=True)
        self.accelerator, self.recipe = accelerator, recipe_for(preset)
        torch.manual_seed(options.seed)
        model = make_model(options.stage, preset)
        if initial is not None:
            _copy_fitting(type(model).from_pretrained(initial), model)
        self.model = model.to(accelerator.device, memory_format=torch.channels_last)
        on_gpu = accelerator.device.type == "cuda"
        decay = self.recipe.ema_decay
        self.ema = EMAModel(self.model.parameters(), decay=decay, use_ema_warmup=True, power=0.75, foreach=on_gpu)
        self.trained = self.model.locator if options.stage == "position" else self.model
        self.adam = torch.optim.Adam(self.trained.parameters(), betas=self.recipe.betas, fused=on_gpu)
        self.seen = load_state(self.out, *self.parts)
        self.ema.to(accelerator.device)
        if options.compile:
            self.trained.compile()
        self.network, self.optimizer = accelerator.prepare(self.trained, self.adam)
        if previous is not None:
            previous = load_parallel_network(previous).to(accelerator.device).eval()
        self.objective = Objective(options.stage, self.recipe, previous, accelerator.device)
        self.totals: dict[str, torch.Tensor] = {}

    @property
    def parts(self) -> tuple[torch.nn.Module, torch.nn.Module, EMAModel, torch.optim.Adam]:
        """What the state on disk consists of."""
        return self.model, self.trained, self.ema, self.adam

    def step(self, batch: Batch | CropBatch, rate: float, seed: int) -> None:
        """Learn from one batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self.accelerator.autocast():
            losses = self.objective(self.network, batch, seed)
        self.accelerator.backward(losses["loss"])
        if self.accelerator.sync_gradients:
            self.accelerator.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.accelerator.sync_gradients:
            self.ema.step(self.model.parameters())
        self.seen += len(batch.target) * self.accelerator.num_processes
        for name, value in losses.items():
            self.totals[name] = self.totals.get(name, 0.0) + value.detach()

    def report(self, steps: int, minutes: float, speed: float) -> dict[str, float]:
        """Mean losses of the last `steps` steps, also as a line of the log."""
        losses = {name: round(float(value) / steps, 5) for name, value in self.totals.items()}
        self.totals = {}
        if self.accelerator.is_main_process:
            done = {"seen": self.seen, "minutes": round(minutes, 2), "per_second": round(speed, 2)}
            line = json.dumps({**done, **losses})
            logger.info("%s", line)
            with (self.out / "log.jsonl").open("a") as log:
                log.write(line + "\n")
        return losses

    def save(self) -> None:
        """Write a checkpoint to go on from, then the EMA weights to use."""
        save_state(self.out, *self.parts, self.seen)
        self.ema.store(self.model.parameters())
        self.ema.copy_to(self.model.parameters())
        self.model.save_pretrained(self.out / "ema", max_shard_size=FILE_SIZE)
        self.ema.restore(self.model.parameters())

    @torch.no_grad()
    def draw(self, batch: Batch | CropBatch) -> np.ndarray:
        """One-step predictions of the averaged weights on a batch beside the truth, (H, W, 3) uint8."""
        objective = self.objective
        self.ema.store(self.model.parameters())
        self.ema.copy_to(self.model.parameters())
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
        # Emulated on a processor without instructions for it, bf16 takes seven times as long as float32.
        mixed_precision="bf16" if best_dtype(PartialState().device) == torch.bfloat16 else "no",
        gradient_accumulation_steps=options.accumulate,
        log_with="tensorboard" if is_tensorboard_available() else None,
        project_dir=options.out,
        # Which blocks take part depends on the preset, and the flow is not known everywhere.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    accelerator.init_trackers("tryon")
    rank, world = accelerator.process_index, accelerator.num_processes
    options.out.mkdir(parents=True, exist_ok=True)
    runs = [Run(options, index, accelerator) for index in range(len(options.preset))]
    began = runs[0].seen
    if any(run.seen != began for run in runs):
        raise ValueError(f"The runs below {options.out} are not equally far; train them one by one.")
    if options.stage == "sr1024":
        dataset = CropDataset(options.data, SR1024_CROP, seed=options.seed)
    else:
        dataset = PairDataset(options.data, runs[0].model.config.sample_size, seed=options.seed)
    generator = torch.Generator(accelerator.device)
    prepared = batches(
        dataset, options.batch_size, began, options.workers, rank, world,
        reuse=options.reuse, device=accelerator.device,
    )  # fmt: skip
    pictures = math.inf if options.pictures is None else options.pictures
    of_update = options.batch_size * world * options.accumulate
    seen, reported, count, minutes = began, began, 0, 0.0
    for samples in prepared:
        draw = int(np.random.SeedSequence((options.seed, seen, rank)).generate_state(1, np.uint64)[0] >> 2)
        if options.stage != "sr1024":
            samples = vary(samples, generator.manual_seed(2 * draw + 1))
        batch = to_batch(samples)
        progress = minutes / options.minutes if options.pictures is None else seen / pictures
        with accelerator.accumulate(*(run.network for run in runs)):
            for run in runs:
                falls = progress if run.recipe.decay else 0.0
                rate = learning_rate(seen / of_update, options.learning_rate, run.recipe.warmup, falls)
                run.step(batch, rate, 2 * draw)
        seen, count = runs[0].seen, count + 1
        minutes = (time.monotonic() - started) / 60
        if world > 1:  # all must stop at the same step
            minutes = float(accelerator.reduce(torch.tensor(minutes, device=accelerator.device), "mean"))
        over = minutes >= options.minutes or seen >= pictures
        if (over or seen - reported >= options.interval) and accelerator.sync_gradients:
            for run in runs:
                losses = run.report(count, minutes, (seen - began) / (60 * minutes))
                accelerator.log({f"{run.out.name}/{name}": value for name, value in losses.items()}, step=seen)
                if accelerator.is_main_process:
                    run.save()
                    if options.stage != "position":
                        cv2.imwrite(str(run.out / "samples.png"), run.draw(batch)[..., ::-1])
            reported, count = seen, 0
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
