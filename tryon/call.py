"""The one call that all families of networks answer: pictures in, pictures and what is known about them out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from diffusers.utils import BaseOutput
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.images import read_image

MAX_STEPS = 256
OnStep = Callable[[str, int, int], None]


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
        name: "prepare", the stages of the networks (for the cascade "base", "sr256", "sr1024"), or "result".
        images: N PIL pictures: what is hidden, the result so far, or the finished photographs.
        seconds: time that the stage took.
        info: N dictionaries, with "result" only.
        samples: (N, 3, H, W) float32 in [-1, 1], the stage's result; None for "prepare".
    """

    name: str
    images: list[Image.Image]
    seconds: float
    info: list[dict] | None = None
    samples: torch.Tensor | None = None


@dataclass(frozen=True)
class Painted:
    """What a stage of the networks hands over.

    Attributes:
        name: of the stage.
        images: N PIL pictures to show.
        samples: (N, 3, H, W) float32 in [-1, 1].
    """

    name: str
    images: list[Image.Image]
    samples: torch.Tensor


class TryOnCall:
    """`__call__` and `stream` of a pipeline; the pipeline prepares, shows, paints and finishes."""

    def prepare(
        self,
        person_image: Image.Image,
        garment_image: Image.Image,
        category: str = "auto",
        mask: Image.Image | None = None,
    ) -> object:
        """Photographs to the networks' inputs, with `category` and `warnings`.

        Args:
            person_image: photograph of a person.
            garment_image: photograph of a garment, worn by somebody or laid out.
            category: "auto" or one of `CATEGORIES`.
            mask: of exactly the size of the upright person photograph, over 127 where it may change; None finds the
                region by itself. The `region` of an earlier answer is such a mask.

        Raises:
            InputError: the pictures cannot be used; the message says why and what to do.
        """
        return self._prepare(read_image(person_image), read_image(garment_image), category, mask)

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
            output_type: "pil", or "pt" for the (N, 3, H, W) frames of the networks in [-1, 1].
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
        on_step: OnStep | None = None,
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
        generators = spread_generators(generator, len(persons))

        started = time.perf_counter()
        prepared = [self._prepare(*inputs) for inputs in zip(persons, garments, categories, masks, strict=True)]
        seconds = {"prepare": time.perf_counter() - started}
        yield Stage("prepare", self._show(prepared), seconds["prepare"])

        for painted in self._paint(prepared, steps, scale, generators, on_step):
            lasted = time.perf_counter() - started - sum(seconds.values())
            seconds[painted.name] = seconds.get(painted.name, 0.0) + lasted
            yield Stage(painted.name, painted.images, lasted, samples=painted.samples)

        images = self._finish(persons, prepared, painted)
        total = time.perf_counter() - started
        info = [
            {
                "category": p.category,
                "person_size": list(person.size),
                "garment_size": list(garment.size),
                "num_inference_steps": list(steps),
                "guidance_scale": scale,
                "seconds": {name: round(value, 3) for name, value in seconds.items()},
                "seconds_total": round(total, 3),
                "warnings": list(p.warnings),
            }
            for p, person, garment in zip(prepared, persons, garments, strict=True)
        ]
        yield Stage("result", images, total - sum(seconds.values()), info, painted.samples)

    def check_steps(self, num_inference_steps: int | Sequence[int] | None) -> tuple[int, ...]:
        """Steps of each stage.

        Raises:
            ValueError: out of range, or not as many as there are stages.
        """
        raise NotImplementedError

    def _prepare(self, person: Image.Image, garment: Image.Image, category: str, mask: Image.Image | None) -> object:
        """`prepare` for pictures that `read_image` has read."""
        raise NotImplementedError

    def _show(self, prepared: list) -> list[Image.Image]:
        """What the networks are shown of each person."""
        raise NotImplementedError

    def _paint(
        self,
        prepared: list,
        steps: tuple[int, ...],
        scale: float,
        generators: list[torch.Generator | None],
        on_step: OnStep | None,
    ) -> Iterator[Painted]:
        """Run the networks."""
        raise NotImplementedError

    def _finish(self, persons: list[Image.Image], prepared: list, painted: Painted) -> list[Image.Image]:
        """Put the last stage's pictures back into the photographs."""
        raise NotImplementedError


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


def spread_generators(
    generator: torch.Generator | list[torch.Generator] | None, n: int
) -> list[torch.Generator | None]:
    """One generator for each of n pictures.

    Raises:
        ValueError: a list of another length.
    """
    if not isinstance(generator, list):
        return [generator] * n
    if len(generator) != n:
        raise ValueError(f"{n} pictures need {n} generators, or one for all; got {len(generator)}.")
    return generator


def draw_noise(shape: tuple[int, ...], generators: list[torch.Generator | None], device: torch.device) -> torch.Tensor:
    """(N, *shape) standard normal, each picture from its own generator; drawn on the generator's device."""
    draws = [torch.randn(shape, generator=g, device=device if g is None else g.device) for g in generators]
    return torch.stack([d.to(device) for d in draws])
