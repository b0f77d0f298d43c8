"""Train a stage of the cascade: `python -m tryon.training.train --stage base --preset small-128 --data DIR --out DIR`.

One flat loop. Progress counts pictures; stop it anywhere, and the same command goes on from the last checkpoint.
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
from diffusers.training_utils import EMAModel

from tryon.diffusion import augment, drop_jointly, make_scheduler, upsample
from tryon.images import to_images
from tryon.models.efficient_unet import PRESETS as EFFICIENT_PRESETS
from tryon.models.efficient_unet import EfficientUNet
from tryon.models.parallel_unet import PRESETS as PARALLEL_PRESETS
from tryon.models.parallel_unet import ParallelUNet, ParallelUNetOutput
from tryon.training.data import Batch, CropBatch, CropDataset, PairDataset, batches

# "position" trains the locator of a base network alone, four times as fast; base then starts from it.
STAGES = ("position", "base", "sr256", "sr1024")
# The paper draws conditioning-noise levels from U(0, 1) and drops conditions 10 % of the time. A short training
# on a CPU cannot afford conditions that are mostly noise: departures are listed in the model card.
MAX_NOISE = {"position": 0.15, "base": 0.15, "sr256": 0.15, "sr1024": 0.2}
DROP_PROBABILITY = 0.05
PURE_NOISE_SHARE = 0.6
FLOW_WEIGHT = 2.0
OUTLINE_WEIGHT = 0.15
STRUCTURE_WEIGHT = 0.15
WARMUP_PICTURES = 1_000
SR1024_CROP = 256

logger = logging.getLogger(__name__)


def make_model(stage: str, preset: str) -> ParallelUNet | EfficientUNet:
    """A new network of a preset by name.

    Raises:
        ValueError: no such preset, or one without a locator for the stage that trains it.
    """
    presets, kind = (
        (EFFICIENT_PRESETS, EfficientUNet) if stage == "sr1024" else (PARALLEL_PRESETS, ParallelUNet)
    )
    if preset not in presets:
        raise ValueError(f"Unknown preset {preset!r}; choose one of {', '.join(presets)}.")
    if stage == "position" and not presets[preset].get("locate_garment"):
        raise ValueError(f"Preset {preset!r} has no locator to train; start with --stage base.")
    return kind(**presets[preset])


class Objective:
    """Loss of one stage on one batch; holds the schedule and the generator of all its draws."""

    def __init__(self, stage: str, previous: ParallelUNet | None, seed: int) -> None:
        self.stage, self.previous = stage, previous
        self.scheduler = make_scheduler()
        self.generator = torch.Generator().manual_seed(seed)

    def _noisy(self, clean: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """z_t and t in [0, 1]; many draws at pure noise, where few-step samplers do most of their work."""
        n = len(clean)
        steps = torch.randint(0, 1000, (n,), generator=self.generator)
        pure = torch.rand(n, generator=self.generator) < PURE_NOISE_SHARE
        steps = torch.where(pure, 999, steps)
        noise = torch.randn(clean.shape, generator=self.generator)
        return self.scheduler.add_noise(clean, noise, steps), steps / 1000

    def _augmented(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A conditioning picture with noise and the level of it; half of all levels are zero."""
        n = len(image)
        level = torch.rand(n, generator=self.generator) * MAX_NOISE[self.stage]
        level = level * (torch.rand(n, generator=self.generator) < 0.5)
        return augment(image, level, torch.randn(image.shape, generator=self.generator)), level

    def _low_res(self, batch: Batch) -> torch.Tensor:
        """What the stage before would hand over: truth made smaller, or its real output for most of the batches."""
        size = batch.target.shape[-1]
        small = F.interpolate(batch.target, scale_factor=0.5, mode="area")
        if self.previous is not None and torch.rand((), generator=self.generator) < 0.6:
            conditions = batch.conditions.resize(size // 2)
            with torch.no_grad():
                predicted = self.previous(
                    torch.randn(small.shape, generator=self.generator),
                    torch.full((len(small),), 0.999),
                    conditions.agnostic,
                    conditions.garment,
                    conditions.person_pose,
                    conditions.garment_pose,
                    torch.zeros(len(small), 2),
                ).sample.float()
            small = conditions.with_known(predicted)
        return upsample(small, size)

    def __call__(self, model: torch.nn.Module, batch: Batch | CropBatch) -> dict[str, torch.Tensor]:
        """Losses by name; `loss` is what is minimised."""
        if self.stage == "sr1024":
            return self._super_resolution(model, batch)
        if self.stage == "position":
            return self._position(model, batch)
        conditions = batch.conditions
        low_res = None if self.stage == "base" else self._low_res(batch)
        conditions, keep = drop_jointly(conditions, DROP_PROBABILITY, self.generator)
        sample, time_ = self._noisy(batch.target)
        agnostic, level_a = self._augmented(conditions.agnostic)
        garment, level_g = self._augmented(conditions.garment)
        levels = [level_a, level_g]
        if low_res is not None:
            low_res, level = self._augmented(low_res * keep.view(-1, 1, 1, 1))
            levels.append(level)
        output: ParallelUNetOutput = model(
            sample,
            time_,
            agnostic,
            garment,
            conditions.person_pose,
            conditions.garment_pose,
            torch.stack(levels, 1),
            low_res=low_res,
        )
        error = (output.sample.float() - batch.target).abs()
        picture = (error * batch.weight).mean()
        losses = {"picture": picture, "garment": _mean_over(error, batch.garment_mask)}
        similarity = ssim_map(output.sample, batch.target)
        cloth = F.avg_pool2d(batch.garment_mask, 7, stride=2)
        losses["structure"] = _mean_over(1 - similarity, cloth)
        loss = picture + STRUCTURE_WEIGHT * losses["structure"]
        if output.position is not None:
            losses["flow"] = _flow_error(output.position, batch.flow, keep)
            losses["coarse_flow"] = _flow_error(output.coarse_position, batch.flow, keep)
            loss = loss + FLOW_WEIGHT * (losses["flow"] + 0.5 * losses["coarse_flow"])
            hidden = batch.conditions.hidden & keep.view(-1, 1, 1, 1)
            outline = F.binary_cross_entropy_with_logits(
                output.garment_logit.float(), batch.garment_mask, reduction="none"
            )
            losses["outline"] = _mean_over(outline, hidden.float())
            loss = loss + OUTLINE_WEIGHT * losses["outline"]
        return {"loss": loss, **losses}

    def _position(self, model: ParallelUNet, batch: Batch) -> dict[str, torch.Tensor]:
        """How far from the truth the locator finds the cloth."""
        conditions, keep = drop_jointly(batch.conditions, DROP_PROBABILITY, self.generator)
        agnostic, _ = self._augmented(conditions.agnostic)
        garment, _ = self._augmented(conditions.garment)
        position, _ = model.locator(agnostic, garment, conditions.person_pose, conditions.garment_pose)
        return {"loss": _flow_error(position, batch.flow, keep)}

    def _super_resolution(
        self, model: torch.nn.Module, batch: CropBatch
    ) -> dict[str, torch.Tensor]:
        """64 -> 256 crops, as in section 3.3 of the paper; the low-resolution picture is blurred a little at random."""
        n, _, size, _ = batch.target.shape
        small = F.interpolate(batch.target, scale_factor=0.25, mode="area")
        if torch.rand((), generator=self.generator) < 0.5:
            blurred = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            small = torch.lerp(small, blurred, float(torch.rand((), generator=self.generator)))
        low_res, level = self._augmented(upsample(small, size))
        keep = torch.rand(n, generator=self.generator) >= DROP_PROBABILITY
        low_res = low_res * keep.view(-1, 1, 1, 1)
        sample, time_ = self._noisy(batch.target)
        out = model(sample, time_, low_res, level).sample.float()
        loss = (out - batch.target).abs().mean()
        edges = _gradients(out) - _gradients(batch.target)
        return {"loss": loss + 0.5 * edges.abs().mean(), "picture": loss}


def ssim_map(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Structural similarity of the grey pictures in 7 x 7 windows (Wang et al. 2004), every second one: CPUs are slow.

    Args:
        image: (N, C, H, W) in [-1, 1].
        truth: (N, C, H, W) in [-1, 1].

    Returns:
        (N, 1, (H - 5) // 2, (W - 5) // 2), at most 1.
    """
    x, y = (p.float().mean(1, keepdim=True) / 2 + 0.5 for p in (image, truth))
    products = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    m1, m2, xx, yy, xy = F.avg_pool2d(products, 7, stride=2).split(1, dim=1)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * m1 * m2 + c1) / (m1 * m1 + m2 * m2 + c1)
    return luminance * (2 * (xy - m1 * m2) + c2) / ((xx - m1 * m1) + (yy - m2 * m2) + c2)


def _gradients(image: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, 2C, H - 1, W - 1), differences to the right and lower neighbour."""
    right = image[..., :-1, 1:] - image[..., :-1, :-1]
    return torch.cat([right, image[..., 1:, :-1] - image[..., :-1, :-1]], dim=1)


def _mean_over(error: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (error * mask).sum() / (mask.sum() * error.shape[1]).clamp(min=1)


def _flow_error(position: torch.Tensor, flow: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Mean distance, in garment pictures, from where the cloth was looked up to where it truly is.

    Cloth that the garment picture does not show counts a fifth: where it would be is known, what it looks like is not.
    """
    side = flow.shape[-1]
    if position.shape[-1] > side:
        position = F.interpolate(position, size=(side, side), mode="area")
    elif position.shape[-1] < side:
        position = F.interpolate(position, size=(side, side), mode="bilinear")
    there = (flow[:, :1] > -0.9).float() * keep.view(-1, 1, 1, 1)
    weight = there * (0.2 + 0.8 * flow[:, 2:])
    distance = (position - flow[:, :2]).abs().sum(1, keepdim=True).clamp(max=0.5)
    return (distance * weight).sum() / weight.sum().clamp(min=1)


def learning_rate(seen: int, peak: float, pictures: int) -> float:
    """Linear warm-up, then a cosine down to a twentieth at `pictures`."""
    warm = min(1.0, (seen + 1) / WARMUP_PICTURES)
    progress = min(1.0, seen / pictures)
    return peak * warm * (0.05 + 0.475 * (1 + math.cos(math.pi * progress)))


def sheet(columns: list[torch.Tensor]) -> np.ndarray:
    """Up to eight rows of pictures side by side, (H, W, 3) uint8.

    Args:
        columns: (N, 3, S, S) in [-1, 1] each.
    """
    rows = torch.cat([torch.cat(list(c[:8]), dim=1) for c in columns], dim=2)
    return to_images(rows[None])[0]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of shards of pairs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--previous", type=Path, help="trained base network, whose outputs sr256 learns to finish")
    parser.add_argument("--initial", type=Path, help="network whose fitting weights to start from")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--pictures", type=int, default=100_000, help="length of the learning-rate schedule")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=8e-4)
    parser.add_argument("--interval", type=int, default=2_000, help="pictures between reports and checkpoints")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)

    model = make_model(args.stage, args.preset)
    if args.initial is not None:
        _copy_fitting(type(model).from_pretrained(args.initial), model)
    ema = EMAModel(model.parameters(), decay=0.998, use_ema_warmup=True, power=0.75)
    trained = model.locator if args.stage == "position" else model
    optimizer = torch.optim.Adam(trained.parameters(), betas=(0.9, 0.99))
    previous = ParallelUNet.from_pretrained(args.previous).eval() if args.previous else None
    args.out.mkdir(parents=True, exist_ok=True)
    state_file, seen = args.out / "state.pt", 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        ema.load_state_dict(state["ema"])
        seen = state["seen"]
    if args.stage == "sr1024":
        dataset = CropDataset(args.data, SR1024_CROP, seed=args.seed)
    else:
        dataset = PairDataset(args.data, model.config.sample_size, seed=args.seed)
    objective = Objective(args.stage, previous, args.seed + seen)

    started, totals, count, began = time.monotonic(), {}, 0, seen
    for batch in batches(dataset, args.batch_size, seen, args.workers):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(seen, args.learning_rate, args.pictures)
        with torch.autocast("cpu", torch.bfloat16):
            losses = objective(model, batch)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.step(model.parameters())
        seen, count = seen + len(batch.target), count + 1
        for name, value in losses.items():
            totals[name] = totals.get(name, 0.0) + float(value.detach())
        minutes = (time.monotonic() - started) / 60
        over = minutes >= args.minutes or seen >= args.pictures
        if seen // args.interval != (seen - len(batch.target)) // args.interval or over:
            report = {k: round(v / count, 5) for k, v in totals.items()}
            speed = (seen - began) / (60 * minutes)
            line = json.dumps({"seen": seen, "minutes": round(minutes, 2), "per_second": round(speed, 2), **report})
            logger.info(line)
            with (args.out / "log.jsonl").open("a") as log:
                log.write(line + "\n")
            totals, count = {}, 0
            _save(args.out, model, ema, optimizer, seen)
            if args.stage != "position":
                _write_sheet(args.out / "samples.png", args.stage, model, ema, objective, batch)
        if over:
            break


def _copy_fitting(source: torch.nn.Module, target: torch.nn.Module) -> None:
    """Start from another network wherever names and shapes agree."""
    own = target.state_dict()
    own.update({k: v for k, v in source.state_dict().items() if k in own and own[k].shape == v.shape})
    target.load_state_dict(own)


def _save(
    out: Path, model: torch.nn.Module, ema: EMAModel, optimizer: torch.optim.Optimizer, seen: int
) -> None:
    """Checkpoint to go on from, then the EMA weights to use; each replaced in one move."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ema": ema.state_dict(),
        "seen": seen,
    }
    torch.save(state, out / "state.tmp")
    (out / "state.tmp").replace(out / "state.pt")
    ema.store(model.parameters())
    ema.copy_to(model.parameters())
    model.save_pretrained(out / "ema")
    ema.restore(model.parameters())


@torch.no_grad()
def _write_sheet(
    path: Path,
    stage: str,
    model: torch.nn.Module,
    ema: EMAModel,
    objective: Objective,
    batch: Batch | CropBatch,
) -> None:
    """One-step predictions of the EMA weights on the newest batch, as a picture."""
    ema.store(model.parameters())
    ema.copy_to(model.parameters())
    noise = torch.randn(batch.target.shape, generator=torch.Generator().manual_seed(0))
    n, time_ = len(noise), torch.full((len(noise),), 0.999)
    with torch.autocast("cpu", torch.bfloat16):
        if stage == "sr1024":
            small = F.interpolate(batch.target, scale_factor=0.25, mode="area")
            low_res = upsample(small, noise.shape[-1])
            columns = [low_res, model(noise, time_, low_res, torch.zeros(n)).sample.float()]
        else:
            low_res = None if stage == "base" else objective._low_res(batch)
            c = batch.conditions
            levels = torch.zeros(n, 2 if low_res is None else 3)
            out = model(
                noise, time_, c.agnostic, c.garment, c.person_pose, c.garment_pose, levels, low_res=low_res
            ).sample
            columns = [c.garment, c.agnostic, out.float()]
    ema.restore(model.parameters())
    picture = sheet([*columns, batch.target])
    cv2.imwrite(str(path), picture[..., ::-1])


if __name__ == "__main__":
    main()
