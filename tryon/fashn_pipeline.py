"""FashnTryOnPipeline: FASHN VTON with the same call as `TryOnPipeline`, for photographs of real people.

prepare -> a few dozen steps of one network at 576 x 864 -> laid over the photograph at its own size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from tryon.call import MAX_STEPS, OnStep, Painted, TryOnCall, draw_noise, spread_generators
from tryon.compatibility import define_missing_operators
from tryon.hub import CheckpointError
from tryon.models.annotator import Annotator
from tryon.models.fashn_vton import EncodedConditions, FashnVTON
from tryon.preprocessing.photographs import CATEGORY_IDS, PreparedPhotos, prepare_photographs
from tryon.preprocessing.whole_body import WholeBodyDetector

define_missing_operators()
import diffusers  # noqa: E402 - needs the line above
from diffusers.pipelines.pipeline_utils import DiffusionPipeline  # noqa: E402 - needs the line above

MU = 1.5  # shift of the times
PREVIEWS = 4
# The network repeats what it does not mean to change, but not exactly: differences below this are its noise.
SAME = 12  # levels of 255, after a blur
BLUR, MARGIN, SPECK = 0.004, 0.012, 0.0005  # shares of the height, of the height and of the area


class FashnTryOnPipeline(TryOnCall, DiffusionPipeline):
    """FASHN VTON as a diffusers pipeline.

    Args:
        transformer: the network.
        annotator: recognises garments.
        num_inference_steps: recommended.
        guidance_scale: recommended, 1 is off.
        guidance_free_steps: how many steps at the end do without guidance, against too much contrast.
        pose: "dwpose", or "annotator" for the annotator's 18 joints, which the published weights were not trained on.
    """

    transformer: FashnVTON
    annotator: Annotator

    def __init__(
        self,
        transformer: FashnVTON,
        annotator: Annotator,
        num_inference_steps: int = 30,
        guidance_scale: float = 1.5,
        guidance_free_steps: int = 1,
        pose: str = "dwpose",
    ) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, annotator=annotator)
        self.register_to_config(
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_free_steps=guidance_free_steps,
            pose=pose,
        )
        self.pose_detector: WholeBodyDetector | None = None

    @classmethod
    def from_published(
        cls, file: Path, annotator: Annotator, dtype: torch.dtype, **settings: object
    ) -> FashnTryOnPipeline:
        """The pipeline around the one file that FASHN publishes.

        Args:
            file: the weights.
            annotator: see the class.
            dtype: to load the weights in.
            settings: of the network, where they are not those of v1.5.
        """
        with torch.device("meta"):
            transformer = FashnVTON(**settings)
        weights = {name: value.to(dtype) for name, value in load_file(file).items()}
        transformer.load_state_dict(weights, strict=True, assign=True)
        return cls(transformer.eval(), annotator)

    @torch.inference_mode()
    def _prepare(
        self, person: Image.Image, garment: Image.Image, category: str, mask: Image.Image | None
    ) -> PreparedPhotos:
        """The network's inputs; a mask is hidden from it, without one it chooses what to change.

        Raises:
            CheckpointError: the pose detector that these weights need was not given.
        """
        if self.config.pose == "dwpose" and self.pose_detector is None:
            raise CheckpointError("These weights need a pose detector: load the pipeline by `tryon.load_pipeline`.")
        size = tuple(self.transformer.config.input_shape)
        return prepare_photographs(self.annotator, self.pose_detector, person, garment, category, size, mask)

    def _show(self, prepared: list[PreparedPhotos]) -> list[Image.Image]:
        return [_uncover(p.person, p) for p in prepared]

    def _paint(
        self,
        prepared: list[PreparedPhotos],
        steps: tuple[int, ...],
        scale: float,
        generators: list[torch.Generator | None],
        on_step: OnStep | None,
    ) -> Iterator[Painted]:
        for samples in self.sample(
            prepared, num_inference_steps=steps, guidance_scale=scale, generator=generators, on_step=on_step
        ):
            previews = [_uncover(sample[None], p) for sample, p in zip(samples, prepared, strict=True)]
            yield Painted("sample", previews, samples)

    def _finish(
        self, persons: list[Image.Image], prepared: list[PreparedPhotos], painted: Painted
    ) -> list[Image.Image]:
        return [lay_over(*parts) for parts in zip(persons, painted.images, prepared, strict=True)]

    def check_steps(self, num_inference_steps: int | Sequence[int] | None) -> tuple[int]:
        """Number of steps.

        Raises:
            ValueError: not one whole number from 1 to 256.
        """
        if num_inference_steps is None:
            num_inference_steps = self.config.num_inference_steps
        steps = [num_inference_steps] if isinstance(num_inference_steps, int) else list(num_inference_steps)
        if len(steps) != 1 or not 1 <= int(steps[0]) <= MAX_STEPS:
            raise ValueError(f"num_inference_steps must be one number from 1 to {MAX_STEPS}.")
        return (int(steps[0]),)

    @torch.inference_mode()
    def sample(
        self,
        prepared: list[PreparedPhotos],
        *,
        num_inference_steps: int | Sequence[int] | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        on_step: OnStep | None = None,
    ) -> Iterator[torch.Tensor]:
        """Run the network on N prepared pairs, one after the other within a step: a batch is its singles, bit by bit.

        Args:
            prepared: from `prepare`.
            num_inference_steps: as in `__call__`.
            guidance_scale: as in `__call__`.
            generator: as in `__call__`.
            on_step: as in `stream`.

        Yields:
            (N, 3, H, W) float32 in [-1, 1] on the CPU: the picture as foreseen, up to four times, the last is the
            result.
        """
        (steps,) = self.check_steps(num_inference_steps)
        scale = self.config.guidance_scale if guidance_scale is None else float(guidance_scale)
        device = self._execution_device
        guided = [k < steps - self.config.guidance_free_steps and scale != 1 for k in range(steps)]
        encoded = [self._encode(p) for p in prepared]
        shape = (3, *self.transformer.config.input_shape)
        latents = [noise[None] for noise in draw_noise(shape, spread_generators(generator, len(prepared)), device)]
        times = schedule(steps)
        shown = {math.ceil(steps * part / PREVIEWS) for part in range(1, PREVIEWS + 1)}
        for k in self.progress_bar(range(steps)):
            velocities = [
                self._velocity(x, times[k], pair, scale, guided[k]) for x, pair in zip(latents, encoded, strict=True)
            ]
            if k + 1 in shown:
                rest = 1 - times[k]
                yield torch.cat([x + rest * v for x, v in zip(latents, velocities, strict=True)]).clamp(-1, 1).cpu()
            latents = [x + (times[k + 1] - times[k]) * v for x, v in zip(latents, velocities, strict=True)]
            if on_step is not None:
                on_step("sample", k + 1, steps)

    def _encode(self, prepared: PreparedPhotos) -> tuple[EncodedConditions, EncodedConditions]:
        """What all steps share: with the null condition as second sample for guidance, and without."""
        device, dtype = self._execution_device, self.transformer.dtype
        names = ("person", "person_pose", "garment", "garment_pose")
        pictures = [getattr(prepared, name).to(device, dtype).repeat(2, 1, 1, 1) for name in names]
        category = torch.full((2,), CATEGORY_IDS[prepared.category], device=device)
        both = self.transformer.encode(*pictures, category, torch.tensor([True, False], device=device))
        return both, replace(both, person=both.person[:1], garment=both.garment[:1], category=both.category[:1])

    def _velocity(
        self,
        x: torch.Tensor,
        t: float,
        encoded: tuple[EncodedConditions, EncodedConditions],
        scale: float,
        guided: bool,
    ) -> torch.Tensor:
        """(1, 3, H, W) float32 velocity at time t; with guidance both halves run as one batch."""
        conditions = encoded[0] if guided else encoded[1]
        inputs = x.to(conditions.person.dtype).expand(2 if guided else 1, -1, -1, -1)
        out = self.transformer.denoise(inputs, torch.full((len(inputs),), t, device=x.device), conditions).float()
        if not guided:
            return out
        conditional, null = out.chunk(2)
        return null + scale * (conditional - null)


def schedule(num_inference_steps: int, mu: float = MU) -> list[float]:
    """Times of a rectified flow, from 0 (noise) to 1 (picture), the steps shortest near the noise.

    With s = k / N for k = 0 to N: t = s / (s + exp(mu) * (1 - s)).

    Args:
        num_inference_steps: N.
        mu: how far the times are shifted; 0 spaces them evenly.

    Returns:
        N + 1 increasing numbers.
    """
    falling = torch.linspace(1, 0, num_inference_steps + 1)  # and float32, as the published sampler has it
    return (math.exp(-mu) / (math.exp(-mu) + (1 / falling - 1))).flip(0).tolist()


def lay_over(photo: Image.Image, result: Image.Image, prepared: PreparedPhotos) -> Image.Image:
    """The result at the photograph's size, where it differs; elsewhere the photograph's own pixels, bit for bit.

    Args:
        photo: the person's photograph.
        result: at the network's resolution.
        prepared: knows what may change.
    """
    small = np.asarray(photo.resize(result.size, Image.Resampling.LANCZOS, reducing_gap=3.0))
    changed = changed_pixels(small, np.asarray(result))
    if prepared.hidden:
        changed[:] = 1
    soft = Image.fromarray((changed * 255).astype(np.uint8)).resize(photo.size, Image.Resampling.BILINEAR)
    weight = np.minimum(np.asarray(soft), np.asarray(prepared.region))
    return Image.composite(result.resize(photo.size, Image.Resampling.LANCZOS), photo, Image.fromarray(weight))


def changed_pixels(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where two pictures differ by more than noise.

    Args:
        before: (H, W, 3) uint8 RGB.
        after: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) float32 in [0, 1], soft at the edges; 0 where they are the same.
    """
    height = len(before)
    blurred = [
        cv2.GaussianBlur(picture, (0, 0), max(BLUR * height, 0.5)).astype(np.int16) for picture in (before, after)
    ]
    differs = (np.abs(blurred[0] - blurred[1]).max(2) > SAME).astype(np.uint8)
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(differs)
    large = statistics[:, cv2.CC_STAT_AREA] > SPECK * differs.size
    large[0] = False
    reach = max(1, round(MARGIN * height))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = cv2.dilate(large[parts].astype(np.uint8), disc)
    return cv2.blur(grown.astype(np.float32), (reach, reach))


def _uncover(sample: torch.Tensor, prepared: PreparedPhotos) -> Image.Image:
    """The photograph's part of a (1, 3, H, W) canvas in [-1, 1]."""
    left, top, width, height = prepared.box
    pixels = ((sample[0].float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0)[top : top + height, left : left + width].numpy())


diffusers.FashnTryOnPipeline = FashnTryOnPipeline  # so that DiffusionPipeline.from_pretrained finds the class
