"""TryOnPipeline: a person photo and a garment photo in, the person wearing the garment out.

prepare -> base 128 -> 256 -> 1024 -> pasted back into the photograph at its own size.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from tryon.call import MAX_STEPS, OnStep, Painted, TryOnCall, draw_noise, spread_generators
from tryon.compatibility import define_missing_operators
from tryon.conditions import Conditions
from tryon.diffusion import augment, guide, threshold, upsample
from tryon.finish import dress
from tryon.images import to_images
from tryon.kept import may_change
from tryon.mirrored import average_views, mirror_conditions
from tryon.models.annotator import Annotator
from tryon.models.efficient_unet import EfficientUNet
from tryon.models.parallel_unet import ParallelUNet, ParallelUNetOutput
from tryon.preprocessing import Prepared, Preprocessor
from tryon.preprocessing.annotation import INPUT_SIDE, annotate
from tryon.preprocessing.parsing import LABEL, HumanParser
from tryon.preprocessing.person import border_colour
from tryon.preprocessing.pose import PoseDetector
from tryon.replaced import changed_region, match_tone, taken_off

define_missing_operators()
import diffusers  # noqa: E402 - needs the line above
from diffusers.pipelines.pipeline_utils import DiffusionPipeline  # noqa: E402 - needs the line above
from diffusers.schedulers.scheduling_utils import SchedulerMixin  # noqa: E402

STAGES = ("base", "sr256", "sr1024")
# The 1024 stage runs on overlapping tiles: whole pictures would need gigabytes for their widest features.
TILE, OVERLAP = 512, 32


@dataclass(frozen=True)
class _Located(Painted):
    """A stage's pictures, and where the last Parallel-UNet found what."""

    said: ParallelUNetOutput | None = None


class TryOnPipeline(TryOnCall, DiffusionPipeline):
    """The cascade of TryOnDiffusion as one diffusers pipeline.

    Args:
        base_unet: 128 x 128 Parallel-UNet.
        sr256_unet: 256 x 256 Parallel-UNet that also takes the 128 result.
        sr1024_unet: Efficient-UNet, 256 -> 1024.
        annotator: finds pose and labels in photographs.
        scheduler: noise schedule of all stages; swap it for any of diffusers' that keeps its `prediction_type`
            (DDPM, DDIM, DPM-Solver++).
        num_inference_steps: recommended steps of the three stages.
        guidance_scale: recommended guidance, Imagen's convention, 1 is off.
        conditioning_noise: levels in [0, 1] at which the conditioning pictures are noised: agnostic and garment, the
            128 result, the 256 result.
        average_mirrored: let the Parallel-UNets see every picture and its mirror image, and take the mean of what they
            say; twice the work. Not in the paper, which averages nothing.
    """

    model_cpu_offload_seq = "annotator->base_unet->sr256_unet->sr1024_unet"
    base_unet: ParallelUNet
    sr256_unet: ParallelUNet
    sr1024_unet: EfficientUNet
    annotator: Annotator
    scheduler: SchedulerMixin
    pose_detector: PoseDetector | None = None
    """Finds the joints of people instead of the annotator; see `tryon.preprocessing.pose_detectors`."""
    human_parser: HumanParser | None = None
    """Labels the pixels of people instead of the annotator; see `tryon.preprocessing.human_parsers`."""

    def __init__(
        self,
        base_unet: ParallelUNet,
        sr256_unet: ParallelUNet,
        sr1024_unet: EfficientUNet,
        annotator: Annotator,
        scheduler: SchedulerMixin,
        num_inference_steps: Sequence[int] = (4, 4, 2),
        guidance_scale: float = 1.0,
        conditioning_noise: Sequence[float] = (0.0, 0.0, 0.0),
        average_mirrored: bool = False,
    ) -> None:
        super().__init__()
        self.register_modules(
            base_unet=base_unet,
            sr256_unet=sr256_unet,
            sr1024_unet=sr1024_unet,
            annotator=annotator,
            scheduler=scheduler,
        )
        self.register_to_config(
            num_inference_steps=list(num_inference_steps),
            guidance_scale=guidance_scale,
            conditioning_noise=list(conditioning_noise),
            average_mirrored=average_mirrored,
        )

    @torch.inference_mode()
    def _prepare(self, person: Image.Image, garment: Image.Image, category: str, mask: Image.Image | None) -> Prepared:
        """The paper's conditions."""
        size = self.sr256_unet.config.sample_size
        preprocessor = Preprocessor(self.annotator, self.pose_detector, self.human_parser)
        return preprocessor(person, garment, category, size, mask)

    def _show(self, prepared: list[Prepared]) -> list[Image.Image]:
        return _pictures(torch.cat([p.conditions.agnostic for p in prepared]))

    def _paint(
        self,
        prepared: list[Prepared],
        steps: tuple[int, ...],
        scale: float,
        generators: list[torch.Generator | None],
        on_step: OnStep | None,
    ) -> Iterator[Painted]:
        conditions = Conditions.concat([p.conditions for p in prepared])
        for name, samples, said in self.sample(conditions, steps, scale, generators, on_step=on_step):
            yield _Located(name, _pictures(samples), samples, said=said)

    def _finish(self, persons: list[Image.Image], prepared: list[Prepared], painted: _Located) -> list[Image.Image]:
        results = []
        for i, (p, person) in enumerate(zip(prepared, persons, strict=True)):
            square = to_images(painted.samples[i, None])[0]
            photo = p.frame.crop(person, len(square), border_colour(person))
            if painted.said.position is None:
                square, changed = self._as_painted(p, photo, square)
            else:
                said = painted.said.picture(i)
                garment = p.cloth, p.garment_mask, p.category
                square, changed = dress(
                    photo, p.person_parsing, p.hidden, square, said, *garment, opened=p.opened, inside=p.inside
                )
            results.append(p.frame.paste(person, square, changed, np.asarray(p.region) > 0))
        return results

    def _as_painted(self, prepared: Prepared, photo: np.ndarray, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `dress`, for networks that do not tell where the garment is: the annotator has to look."""
        square = match_tone(square, photo, prepared.hidden)
        small = cv2.resize(square, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_AREA)
        share = annotate(self.annotator, [small])[0].scaled(INPUT_SIDE)[LABEL[prepared.category]]
        worn = (prepared.person_parsing, prepared.hidden, prepared.opened, prepared.category)
        free = may_change(photo, *worn)
        return square, changed_region(taken_off(*worn, free), free, share)

    @torch.inference_mode()
    def sample(
        self,
        conditions: Conditions,
        num_inference_steps: int | Sequence[int] | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        on_step: OnStep | None = None,
    ) -> Iterator[tuple[str, torch.Tensor, ParallelUNetOutput]]:
        """Run the cascade on ready conditions.

        Args:
            conditions: of N pairs, pictures at least as large as the 256 stage's.
            num_inference_steps: as in `__call__`.
            guidance_scale: as in `__call__`.
            generator: as in `__call__`.
            on_step: as in `stream`.

        Yields:
            Name of the stage; its (N, 3, S, S) result, float32 in [-1, 1], S = 128, 256, 1024; and the last word of
            the last Parallel-UNet, on the networks' device.
        """
        steps = self.check_steps(num_inference_steps)
        scale = self.config.guidance_scale if guidance_scale is None else float(guidance_scale)
        generators = spread_generators(generator, len(conditions))
        noise = self.config.conditioning_noise
        device = self._execution_device
        conditions = conditions.to(device)

        result = None
        for name, unet, count in (
            ("base", self.base_unet, steps[0]),
            ("sr256", self.sr256_unet, steps[1]),
        ):
            size = unet.config.sample_size
            levels = [noise[0], noise[0]] + ([] if result is None else [noise[1]])
            low_res = None if result is None else upsample(result, size)
            given = conditions.resize(size)
            scheduler = self._scheduler(count)
            timesteps = self._timesteps(scheduler, name, on_step)
            result, said = self._sample_parallel(unet, given, low_res, levels, scheduler, timesteps, scale, generators)
            # What the photograph shows outside the hidden region is known better than any network can repeat it.
            result = given.with_known(result)
            yield name, result.float().cpu(), said
        scheduler = self._scheduler(steps[2])
        timesteps = self._timesteps(scheduler, "sr1024", on_step)
        result = self._super_resolve(result, noise[2], scheduler, timesteps, scale, generators)
        yield "sr1024", result.float().cpu(), said

    def check_steps(self, num_inference_steps: int | Sequence[int] | None) -> tuple[int, int, int]:
        """Steps of the three stages.

        Raises:
            ValueError: not one or three whole numbers from 1 to 256.
        """
        if num_inference_steps is None:
            num_inference_steps = self.config.num_inference_steps
        if isinstance(num_inference_steps, int):
            num_inference_steps = (num_inference_steps,) * len(STAGES)
        steps = tuple(int(s) for s in num_inference_steps)
        if len(steps) != len(STAGES) or not all(1 <= s <= MAX_STEPS for s in steps):
            raise ValueError(f"num_inference_steps must be 1 to {MAX_STEPS}, one number or one per stage.")
        return steps

    def _scheduler(self, count: int) -> SchedulerMixin:
        """A fresh scheduler: they carry state, and requests must not share any."""
        scheduler = type(self.scheduler).from_config(self.scheduler.config)
        scheduler.set_timesteps(count, device=self._execution_device)
        return scheduler

    def _timesteps(self, scheduler: SchedulerMixin, name: str, on_step: OnStep | None) -> Iterator[torch.Tensor]:
        """The scheduler's time steps, each told to `on_step` when it is done."""
        for done, step in enumerate(self.progress_bar(scheduler.timesteps), start=1):
            yield step
            if on_step is not None:
                on_step(name, done, len(scheduler.timesteps))

    def _sample_parallel(
        self,
        unet: ParallelUNet,
        conditions: Conditions,
        low_res: torch.Tensor | None,
        levels: list[float],
        scheduler: SchedulerMixin,
        timesteps: Iterator[torch.Tensor],
        scale: float,
        generators: list[torch.Generator | None],
    ) -> tuple[torch.Tensor, ParallelUNetOutput]:
        """One Parallel-UNet stage: (N, 3, S, S) in [-1, 1], and the network's last word on the conditional branch."""
        n, size, dtype = len(conditions), unet.config.sample_size, unet.dtype
        shape = (3, size, size)
        device = conditions.agnostic.device
        level = torch.tensor(levels, device=device).expand(n, -1)
        # Drawn once and kept for the whole run, as the conditions of one picture do not change.

        def noised(picture: torch.Tensor, i: int) -> torch.Tensor:
            return augment(picture, level[:, i], draw_noise(shape, generators, device)).to(dtype)

        agnostic, garment = noised(conditions.agnostic, 0), noised(conditions.garment, 1)
        if low_res is not None:
            low_res = noised(low_res, 2)
        given = Conditions(agnostic, garment, conditions.person_pose, conditions.garment_pose)
        branches = [given, given.dropped()] if scale != 1 else [given]
        given = Conditions.concat(branches)
        level = level.repeat(len(branches), 1)
        if low_res is not None:
            low_res = torch.cat([low_res, torch.zeros_like(low_res)][: len(branches)])
        mirrored = self.config.average_mirrored
        if mirrored:
            given, level = Conditions.concat([given, mirror_conditions(given)]), level.repeat(2, 1)
            low_res = None if low_res is None else torch.cat([low_res, low_res.flip(-1)])
        features = None
        if not unet.config.garment_time_conditioning:
            features = unet.encode_garment(given.agnostic, given.garment, given.person_pose, given.garment_pose, level)

        latents = draw_noise(shape, generators, device) * scheduler.init_noise_sigma
        for step in timesteps:
            inputs = scheduler.scale_model_input(latents, step).to(dtype).repeat(len(branches), 1, 1, 1)
            if mirrored:
                inputs = torch.cat([inputs, inputs.flip(-1)])
            time_ = (step / scheduler.config.num_train_timesteps).expand(len(inputs)).to(device)
            out = unet(
                inputs,
                time_,
                given.agnostic,
                given.garment,
                given.person_pose,
                given.garment_pose,
                level,
                low_res=low_res,
                garment_features=features,
            )
            if mirrored:
                out = average_views(out)
            latents = self._step(scheduler, out.sample.float(), step, latents, scale, generators)
        return latents.clamp(-1, 1), ParallelUNetOutput(**{name: value[:n] for name, value in out.items()})

    def _step(
        self,
        scheduler: SchedulerMixin,
        out: torch.Tensor,
        step: torch.Tensor,
        latents: torch.Tensor,
        scale: float,
        generators: list[torch.Generator | None],
    ) -> torch.Tensor:
        """Guidance, thresholding of a predicted picture, and the scheduler's own step."""
        if scale != 1:
            conditional, unconditional = out.chunk(2)
            out = guide(unconditional, conditional, scale)
        if scheduler.config.prediction_type == "sample":
            out = threshold(out)
        takes_generator = "generator" in inspect.signature(scheduler.step).parameters
        extra = {"generator": generators} if takes_generator and generators[0] is not None else {}
        return scheduler.step(out, step, latents, return_dict=False, **extra)[0]

    def _super_resolve(
        self,
        image: torch.Tensor,
        level: float,
        scheduler: SchedulerMixin,
        timesteps: Iterator[torch.Tensor],
        scale: float,
        generators: list[torch.Generator | None],
    ) -> torch.Tensor:
        """256 -> 1024, (N, 3, 1024, 1024) in [-1, 1]."""
        unet, device, dtype = self.sr1024_unet, image.device, self.sr1024_unet.dtype
        size = image.shape[-1] * 4
        shape = (3, size, size)
        low_res = upsample(image.float(), size)
        n = len(image)
        levels = torch.full((n,), level, device=device)
        noised = augment(low_res, levels, draw_noise(shape, generators, device))
        latents = draw_noise(shape, generators, device) * scheduler.init_noise_sigma
        for step in timesteps:
            inputs = scheduler.scale_model_input(latents, step)
            time_ = (step / scheduler.config.num_train_timesteps).expand(n).to(device)
            out = _tiled(unet, inputs.to(dtype), time_, noised.to(dtype), levels)
            if scale != 1:
                null = _tiled(unet, inputs.to(dtype), time_, torch.zeros_like(noised).to(dtype), levels)
                out = torch.cat([out, null])
            latents = self._step(scheduler, out, step, latents, scale, generators)
        return latents.clamp(-1, 1)


def _tiled(
    unet: EfficientUNet,
    sample: torch.Tensor,
    time_: torch.Tensor,
    low_res: torch.Tensor,
    levels: torch.Tensor,
) -> torch.Tensor:
    """The network on overlapping tiles; only the inner part of each is kept, so no seam can show."""
    size = sample.shape[-1]
    if size <= TILE:
        return unet(sample, time_, low_res, levels).sample.float()
    out = torch.empty(sample.shape, dtype=torch.float32, device=sample.device)
    inner = TILE - 2 * OVERLAP
    for top in range(0, size, inner):
        for left in range(0, size, inner):
            y, x = (min(max(v - OVERLAP, 0), size - TILE) for v in (top, left))
            window = (..., slice(y, y + TILE), slice(x, x + TILE))
            tile = unet(sample[window], time_, low_res[window], levels).sample.float()
            rows, columns = min(inner, size - top), min(inner, size - left)
            out[..., top : top + rows, left : left + columns] = tile[
                ..., top - y : top - y + rows, left - x : left - x + columns
            ]
    return out


def _pictures(samples: torch.Tensor) -> list[Image.Image]:
    return [Image.fromarray(image) for image in to_images(samples)]


diffusers.TryOnPipeline = TryOnPipeline  # so that DiffusionPipeline.from_pretrained finds the class by its name
