"""TryOnPipeline: a person photo and a garment photo in, the person wearing the garment out.

prepare -> base 128 -> 256 -> 1024 -> pasted back into the photograph at its own size.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from PIL import Image

from tryon.compatibility import define_missing_operators
from tryon.conditions import CATEGORIES, Conditions
from tryon.detail import restore_detail
from tryon.diffusion import augment, guide, make_scheduler, threshold, upsample
from tryon.images import read_image, to_images
from tryon.models.annotator import Annotator
from tryon.models.efficient_unet import EfficientUNet
from tryon.models.parallel_unet import ParallelUNet, ParallelUNetOutput
from tryon.preprocessing import Prepared, Preprocessor
from tryon.preprocessing.agnostic import TAKEN_OFF, changed_region, match_tone
from tryon.preprocessing.annotation import INPUT_SIDE, annotate
from tryon.preprocessing.parsing import LABEL, label_mask
from tryon.preprocessing.person import border_colour
from tryon.preprocessing.pose import PoseDetector

define_missing_operators()
import diffusers  # noqa: E402 - needs the line above
from diffusers.pipelines.pipeline_utils import DiffusionPipeline  # noqa: E402 - needs the line above
from diffusers.schedulers.scheduling_utils import SchedulerMixin  # noqa: E402
from diffusers.utils import BaseOutput  # noqa: E402

STAGES = ("base", "sr256", "sr1024")
MAX_STEPS = 256
# The 1024 stage runs on overlapping tiles: whole pictures would need gigabytes for their widest features.
TILE, OVERLAP = 512, 32


@dataclass
class TryOnOutput(BaseOutput):
    """Results.

    Attributes:
        images: N pictures, PIL at the size of the person photos, or per `output_type`.
        info: N dictionaries that JSON can hold: category, sizes, seconds per stage, settings, warnings.
    """

    images: list[Image.Image] | torch.Tensor
    info: list[dict] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """One step of the way.

    Attributes:
        name: "prepare", "base", "sr256", "sr1024" or "result".
        images: N PIL pictures: what is hidden, the square result so far, or the finished photographs.
        seconds: time that the stage took.
        info: N dictionaries, with "result" only.
        samples: (N, 3, S, S) float32 in [-1, 1], the stage's square result; None for "prepare".
    """

    name: str
    images: list[Image.Image]
    seconds: float
    info: list[dict] | None = None
    samples: torch.Tensor | None = None


class TryOnPipeline(DiffusionPipeline):
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
    """

    model_cpu_offload_seq = "annotator->base_unet->sr256_unet->sr1024_unet"
    base_unet: ParallelUNet
    sr256_unet: ParallelUNet
    sr1024_unet: EfficientUNet
    annotator: Annotator
    scheduler: SchedulerMixin
    pose_detector: PoseDetector | None = None
    """Finds the joints of people instead of the annotator; see `tryon.preprocessing.pose_detectors`."""

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
        )

    @torch.inference_mode()
    def prepare(
        self,
        person_image: Image.Image,
        garment_image: Image.Image,
        category: str = "auto",
        mask: Image.Image | None = None,
    ) -> Prepared:
        """Photographs to the paper's conditions.

        Args:
            person_image: photograph of a person.
            garment_image: photograph of a garment, worn by somebody or laid out.
            category: "auto" or one of `CATEGORIES`.
            mask: of exactly the size of the upright person photograph, over 127 where it may change; None finds the
                region by itself. `Prepared.region` of an earlier call is such a mask.

        Raises:
            InputError: the pictures cannot be used; the message says why and what to do.
        """
        size = self.sr256_unet.config.sample_size
        person_image, garment_image = read_image(person_image), read_image(garment_image)
        return Preprocessor(self.annotator, self.pose_detector)(person_image, garment_image, category, size, mask)

    def __call__(
        self,
        person_image: Image.Image | list[Image.Image],
        garment_image: Image.Image | list[Image.Image],
        category: str | list[str] = "auto",
        *,
        num_inference_steps: int | Sequence[int] | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        mask: Image.Image | list[Image.Image | None] | None = None,
    ) -> TryOnOutput:
        """Dress persons.

        Args:
            person_image: one picture or N.
            garment_image: one picture or N; one garment goes to all persons and one person gets all garments.
            category: "auto" or one of `CATEGORIES`, for all or each.
            num_inference_steps: network evaluations of each stage, or one number for all; None as recommended.
            guidance_scale: 1 is no guidance; None as recommended.
            generator: source of all noise, one per picture or one for all; a batch with one generator per
                picture gives the same pictures as its singles.
            output_type: "pil", or "pt" for the (N, 3, 1024, 1024) square frames in [-1, 1].
            mask: as in `prepare`, one or N; pixels outside of it stay as they are, bit for bit.

        Raises:
            InputError: a picture cannot be used; the message says why and what to do.
            ValueError: settings out of range, or list lengths that do not fit.
        """
        if output_type not in ("pil", "pt"):
            raise ValueError('output_type must be "pil" or "pt".')
        *_, stage = self.stream(
            person_image,
            garment_image,
            category,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            generator=generator,
            mask=mask,
        )
        return TryOnOutput(stage.images if output_type == "pil" else stage.samples, stage.info)

    def stream(
        self,
        person_image: Image.Image | list[Image.Image],
        garment_image: Image.Image | list[Image.Image],
        category: str | list[str] = "auto",
        *,
        num_inference_steps: int | Sequence[int] | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        mask: Image.Image | list[Image.Image | None] | None = None,
        on_step: Callable[[str, int, int], None] | None = None,
    ) -> Iterator[Stage]:
        """The same as `__call__`, yielding after each stage so that progress can be shown.

        Args and errors are those of `__call__`, and
            on_step: called after each step with the stage, the steps done and the steps to do; an exception that it
                raises ends the work.
        """
        persons, garments, categories, masks = _broadcast(person_image, garment_image, category, mask)
        persons, garments = ([read_image(image) for image in images] for images in (persons, garments))
        steps = self.check_steps(num_inference_steps)
        scale = self.config.guidance_scale if guidance_scale is None else float(guidance_scale)
        generators = _generators(generator, len(persons))

        started = time.perf_counter()
        prepared = [self.prepare(*inputs) for inputs in zip(persons, garments, categories, masks, strict=True)]
        seconds = {"prepare": time.perf_counter() - started}
        conditions = Conditions.concat([p.conditions for p in prepared])
        cloth = torch.cat([p.cloth for p in prepared])
        worn = torch.stack(
            [torch.from_numpy(label_mask(p.person_parsing, TAKEN_OFF[p.category]))[None] for p in prepared]
        )
        yield Stage("prepare", _pictures(conditions.agnostic), seconds["prepare"])

        shares = None
        for name, samples, said in self.sample(
            conditions,
            cloth=cloth,
            worn=worn,
            num_inference_steps=steps,
            guidance_scale=scale,
            generator=generators,
            on_step=on_step,
        ):
            shares = shares if said is None else said
            seconds[name] = time.perf_counter() - started - sum(seconds.values())
            yield Stage(name, _pictures(samples), seconds[name], samples=samples)

        garment_masks = self._garment_masks(prepared, samples, shares)
        images = []
        for p, person, square, garment_mask in zip(prepared, persons, to_images(samples), garment_masks, strict=True):
            opened = cv2.resize(p.opened.astype(np.float32), garment_mask.shape, interpolation=cv2.INTER_LINEAR)
            replaced = np.maximum(garment_mask, opened)
            changed = changed_region(p.hidden, p.person_parsing, replaced, p.category, len(square))
            square = match_tone(square, p.frame.crop(person, len(square), border_colour(person)), p.hidden)
            images.append(p.frame.paste(person, square, changed, np.asarray(p.region) > 0))
        total = time.perf_counter() - started
        info = [
            {
                "category": p.category,
                "person_size": list(person.size),
                "garment_size": list(garment.size),
                "num_inference_steps": list(steps),
                "guidance_scale": scale,
                "seconds": {k: round(v, 3) for k, v in seconds.items()},
                "seconds_total": round(total, 3),
                "warnings": list(p.warnings),
            }
            for p, person, garment in zip(prepared, persons, garments, strict=True)
        ]
        yield Stage("result", images, total - sum(seconds.values()), info, samples)

    def _garment_masks(
        self, prepared: list[Prepared], samples: torch.Tensor, shares: torch.Tensor | None
    ) -> list[np.ndarray]:
        """How much of each pixel of each result, (N, 3, S, S) in [-1, 1], is garment: (s, s) float32 in [0, 1] each.

        The networks that locate the garment say so themselves, (N, s, s); otherwise the annotator looks.
        """
        if shares is not None:
            return list(shares.numpy())
        squares = [
            cv2.resize(square, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_AREA) for square in to_images(samples)
        ]
        seen = annotate(self.annotator, squares)
        return [a.scaled(INPUT_SIDE)[LABEL[p.category]] for a, p in zip(seen, prepared, strict=True)]

    @torch.inference_mode()
    def sample(
        self,
        conditions: Conditions,
        *,
        cloth: torch.Tensor | None = None,
        worn: torch.Tensor | None = None,
        num_inference_steps: int | Sequence[int] | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        on_step: Callable[[str, int, int], None] | None = None,
    ) -> Iterator[tuple[str, torch.Tensor, torch.Tensor | None]]:
        """Run the cascade on ready conditions.

        Args:
            conditions: of N pairs, pictures at least as large as the 256 stage's.
            cloth: (N, 3, T, T) in [-1, 1]: the garments in large, see `Prepared.cloth`; networks that say where they
                found the cloth then give the last result the detail of it (`restore_detail`).
            worn: (N, 1, S, S) bool, as large as the 256 stage: what is taken off, to fit the outline to.
            num_inference_steps: as in `__call__`.
            guidance_scale: as in `__call__`.
            generator: as in `__call__`.
            on_step: as in `stream`.

        Yields:
            Name of the stage; its (N, 3, S, S) result, float32 in [-1, 1], S = 128, 256, 1024; and where it shows the
            garment, (N, S, S) float32 in [0, 1], or None if the network does not tell.
        """
        steps = self.check_steps(num_inference_steps)
        scale = self.config.guidance_scale if guidance_scale is None else float(guidance_scale)
        generators = _generators(generator, len(conditions))
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
            share = None if said.garment_logit is None else said.garment_logit[:, 0].float().sigmoid().cpu()
            yield name, result.float().cpu(), share
        scheduler = self._scheduler(steps[2])
        timesteps = self._timesteps(scheduler, "sr1024", on_step)
        result = self._super_resolve(result, noise[2], scheduler, timesteps, scale, generators)
        share = None
        if cloth is not None and said.position is not None:
            result, share = restore_detail(
                result, cloth.to(device), said.position, said.garment_logit, None if worn is None else worn.to(device)
            )
            share = share[:, 0].cpu()
        yield "sr1024", result.float().cpu(), share

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

    def _timesteps(
        self, scheduler: SchedulerMixin, name: str, on_step: Callable[[str, int, int], None] | None
    ) -> Iterator[torch.Tensor]:
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
            return augment(picture, level[:, i], _noise(shape, generators, device)).to(dtype)

        agnostic, garment = noised(conditions.agnostic, 0), noised(conditions.garment, 1)
        if low_res is not None:
            low_res = noised(low_res, 2)
        given = Conditions(agnostic, garment, conditions.person_pose, conditions.garment_pose)
        branches = [given, given.dropped()] if scale != 1 else [given]
        given = Conditions.concat(branches)
        level = level.repeat(len(branches), 1)
        if low_res is not None:
            low_res = torch.cat([low_res, torch.zeros_like(low_res)][: len(branches)])
        features = None
        if not unet.config.garment_time_conditioning:
            features = unet.encode_garment(given.agnostic, given.garment, given.person_pose, given.garment_pose, level)

        latents = _noise(shape, generators, device) * scheduler.init_noise_sigma
        for step in timesteps:
            inputs = scheduler.scale_model_input(latents, step).to(dtype).repeat(len(branches), 1, 1, 1)
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
        noised = augment(low_res, levels, _noise(shape, generators, device))
        latents = _noise(shape, generators, device) * scheduler.init_noise_sigma
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


def _broadcast(
    person_image: Image.Image | list[Image.Image],
    garment_image: Image.Image | list[Image.Image],
    category: str | list[str],
    mask: Image.Image | list[Image.Image | None] | None,
) -> tuple[list[Image.Image], list[Image.Image], list[str], list[Image.Image | None]]:
    """Lists of one length; single values are repeated."""
    lists = [v if isinstance(v, list) else [v] for v in (person_image, garment_image, category, mask)]
    n = max(map(len, lists))
    if any(len(v) not in (1, n) for v in lists) or min(map(len, lists)) == 0:
        raise ValueError("Give one person, garment, category and mask, or lists of the same length.")
    persons, garments, categories, masks = (v * n if len(v) == 1 else v for v in lists)
    for name in categories:
        if name not in ("auto", *CATEGORIES):
            raise ValueError(f"Unknown category {name!r}; choose auto, {', '.join(CATEGORIES)}.")
    return persons, garments, categories, masks


def _generators(generator: torch.Generator | list[torch.Generator] | None, n: int) -> list[torch.Generator | None]:
    """One generator per picture."""
    if not isinstance(generator, list):
        return [generator] * n
    if len(generator) != n:
        raise ValueError(f"{n} pictures need {n} generators, or one for all; got {len(generator)}.")
    return generator


def _noise(
    shape: tuple[int, ...],
    generators: list[torch.Generator | None],
    device: torch.device,
) -> torch.Tensor:
    """(N, *shape) standard normal, each picture from its own generator; drawn on the generator's device."""
    draws = [torch.randn(shape, generator=g, device=device if g is None else g.device) for g in generators]
    return torch.stack([d.to(device) for d in draws])


def _pictures(samples: torch.Tensor) -> list[Image.Image]:
    return [Image.fromarray(image) for image in to_images(samples)]


diffusers.TryOnPipeline = TryOnPipeline  # so that DiffusionPipeline.from_pretrained finds the class by its name

__all__ = ["Stage", "TryOnOutput", "TryOnPipeline", "make_scheduler"]
