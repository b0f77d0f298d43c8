"""Requests to results: settings checked, one sampling at a time, on the GPU of a Space where there is one."""

import contextlib
import ctypes
import functools
import hashlib
import logging
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import gradio as gr
import spaces
import torch
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.images import InputError
from tryon.pipeline import TryOnPipeline
from tryon.preprocessing import Prepared
from tryon.preprocessing.photographs import PreparedPhotos
from tryon.web.files import read_upload
from tryon.zoo import (
    SPEEDS,
    WEIGHTS,
    CheckpointError,
    MemoryShortageError,
    find_checkpoint,
    list_checkpoints,
    load_pipeline,
    make_available,
)

DEFAULT = os.environ.get("TRYON_CHECKPOINT", list_checkpoints()[0].name)
STAGES = ("prepare", "base", "sr256", "sr1024")
MAX_SEED = 2**31 - 1
MAX_STEPS = 100
MAX_GUIDANCE = 5
ON_ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU"))
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What a visitor or a program asks for, as it came over the network: nothing is checked yet.

    Attributes:
        person: upload of the person photo.
        garment: upload of the garment photo.
        category: "auto" or one of `CATEGORIES`.
        num_inference_steps: of each stage; 0 or None is the checkpoint's own number.
        guidance_scale: 0 or None is the checkpoint's own.
        seed: -1 or None picks one.
        mask: upload of the region that may change; None finds it.
        checkpoint: name of a served checkpoint.
    """

    person: dict | None
    garment: dict | None
    category: str = "auto"
    num_inference_steps: float | None = 0
    guidance_scale: float | None = 0
    seed: float | None = -1
    mask: dict | None = None
    checkpoint: str = DEFAULT

    def settings(self) -> dict:
        """Settings as `TryOnPipeline.stream` takes them, the seed chosen.

        Raises:
            InputError: a value is out of range.
        """
        check_choice("category", self.category, ("auto", *CATEGORIES))
        check_choice("checkpoint", self.checkpoint, served_names())
        ranges = (
            ("number of steps", self.num_inference_steps, 0, MAX_STEPS),
            ("guidance scale", self.guidance_scale, 0, MAX_GUIDANCE),
            ("seed", self.seed, -1, MAX_SEED),
        )
        for name, value, lowest, highest in ranges:
            if value is not None and not (isinstance(value, int | float) and lowest <= value <= highest):
                raise InputError(f"The {name} must be between {lowest} and {highest}.")
        seed = random.randint(0, MAX_SEED) if self.seed is None or self.seed < 0 else int(self.seed)
        return {
            "category": self.category,
            "num_inference_steps": int(self.num_inference_steps or 0) or None,
            "guidance_scale": self.guidance_scale or None,
            "seed": seed,
        }

    def pictures(self) -> dict:
        """The person, the garment and the mask, decoded.

        Raises:
            InputError: one cannot be used.
        """
        return {
            "person_image": read_upload(self.person, "person"),
            "garment_image": read_upload(self.garment, "garment"),
            "mask": read_upload(self.mask, "mask") if self.mask else None,
        }


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is not among the choices, and name them."""
    if value not in choices:
        raise InputError(f"The {name} must be one of {', '.join(choices)}.")


@functools.cache
def served_names() -> tuple[str, ...]:
    """Names of the checkpoints on offer, the default first; never a folder or address that a visitor names.

    Without a GPU those that would keep all others waiting for an hour are left out.
    """
    quick = SPEEDS if torch.cuda.is_available() or torch.backends.mps.is_available() else SPEEDS[:1]
    return (DEFAULT, *(row.name for row in list_checkpoints() if row.name != DEFAULT and row.speed in quick))


def stages_of(name: str) -> tuple[str, ...]:
    """Names of the stages that a checkpoint goes through before its result."""
    row = find_checkpoint(name)
    return STAGES if row is None or len(row.num_inference_steps) > 1 else ("prepare", "sample")


@functools.cache
def revision_of(name: str) -> str | None:
    """What the weights are: the commit they come from, or a digest of the bundled ones' record."""
    row = find_checkpoint(name)
    if row is None or row.revision:
        return row and row.revision
    return hashlib.sha256((WEIGHTS / row.name / "sha256.json").read_bytes()).hexdigest()[:12]


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
    """Every failure becomes a sentence for the visitor; what is not about the input is logged for the owner."""
    try:
        yield
    except (InputError, CheckpointError, MemoryShortageError) as error:  # the package's own words
        raise gr.Error(str(error), print_exception=False) from None
    except (gr.Error, GeneratorExit):
        raise
    except Exception:
        logger.exception("A request failed.")
        message = "Something went wrong on our side: please try again, or try another picture."
        raise gr.Error(message, print_exception=False) from None


def gpu_seconds(request: Request, *_: object) -> int:
    """Seconds of a GPU to ask for: the visitor's remaining quota must cover them."""
    row = find_checkpoint(request.checkpoint)
    steps = sum(row.num_inference_steps) if row else 30
    if isinstance(request.num_inference_steps, int | float) and request.num_inference_steps > 0:
        steps = len(stages_of(request.checkpoint)) * min(int(request.num_inference_steps), MAX_STEPS)
    return 15 + steps // 2


class Sampler:
    """Answers requests; of what it answers it keeps nothing.

    Args:
        get_pipeline: name of a checkpoint -> pipeline, loaded when a request needs it.
    """

    def __init__(self, get_pipeline: Callable[[str], TryOnPipeline]) -> None:
        self.get_pipeline = get_pipeline
        self.stopped: set[str] = set()  # visits that pressed Cancel and whose work has not noticed yet

        @spaces.GPU(duration=gpu_seconds)
        def on_gpu(request: Request, visit: str | None, tell: Callable | None) -> Iterator[tuple]:
            yield from self._dress(get_pipeline, request, visit, tell)

        @spaces.GPU(duration=15)
        def look_on_gpu(request: Request) -> tuple:
            return self._look(get_pipeline, request)

        self._on_gpu, self._look_on_gpu = on_gpu, look_on_gpu

    def stop(self, visit: str) -> None:
        """End the work of a visit at its next step."""
        self.stopped.add(visit)

    def __call__(
        self, request: Request, visit: str | None = None, tell: Callable[[str, int, int], None] | None = None
    ) -> Iterator[tuple[str, Image.Image, dict | None]]:
        """Dress somebody.

        Args:
            request: what to do.
            visit: name under which `stop` ends it.
            tell: called after each step with the stage, the steps done and the steps to do; during a download with
                "download" and megabytes.

        Yields:
            Name of a stage, its picture, and with the last one, "result", what is known about it.

        Raises:
            gr.Error: a sentence for the visitor.
        """
        fetch_served(request.checkpoint, tell)
        try:
            # ZeroGPU works in another process, to which a function cannot be handed
            yield from self._on_gpu(request, visit, None if ON_ZERO_GPU else tell)
        except gr.Error as error:
            if not is_quota(error):
                raise
            gr.Warning(f"{error.message} So this picture is made on the CPU, by the small checkpoint.")
            small = replace(request, checkpoint=list_checkpoints()[0].name)
            yield from self._dress(cpu_pipeline, small, visit, tell)

    def look(self, request: Request) -> tuple[Image.Image, Prepared | PreparedPhotos]:
        """The person photo and what the pipeline understood of it; errors as above."""
        fetch_served(request.checkpoint)
        try:
            return self._look_on_gpu(request)
        except gr.Error as error:
            if not is_quota(error):
                raise
            return self._look(cpu_pipeline, replace(request, checkpoint=list_checkpoints()[0].name))

    def _look(self, get_pipeline: Callable, request: Request) -> tuple[Image.Image, Prepared | PreparedPhotos]:
        with readable_errors():
            category, pictures = request.settings()["category"], request.pictures()
            prepared = get_pipeline(request.checkpoint).prepare(**pictures, category=category)
            return pictures["person_image"], prepared

    def _dress(
        self, get_pipeline: Callable, request: Request, visit: str | None, tell: Callable | None
    ) -> Iterator[tuple[str, Image.Image, dict | None]]:
        self.stopped.discard(visit)

        def on_step(*step: object) -> None:
            if visit in self.stopped:
                self.stopped.discard(visit)
                raise gr.Error("Stopped.", print_exception=False, visible=False)
            if tell is not None:
                tell(*step)

        with readable_errors():
            settings, pictures = request.settings(), request.pictures()
            seed = settings.pop("seed")
            generator = torch.Generator().manual_seed(seed)
            pipeline = get_pipeline(request.checkpoint)
            known = {
                "seed": seed,
                "checkpoint": request.checkpoint,
                "revision": revision_of(request.checkpoint),
                "mask": request.mask is not None,
            }
            for stage in pipeline.stream(**pictures, **settings, generator=generator, on_step=on_step):
                yield stage.name, stage.images[0], {**stage.info[0], **known} if stage.info else None
        release_memory()


def fetch_served(name: str, tell: Callable[[str, int, int], None] | None = None) -> None:
    """Download a checkpoint that is on offer, before the GPU's time begins to count.

    Args:
        name: of the checkpoint.
        tell: called with "download", the megabytes that are there, and all.

    Raises:
        gr.Error: a sentence for the visitor.
    """
    row = find_checkpoint(name)
    if row is None or row.repo_id is None or name not in served_names():
        return
    report = tell and (lambda done, total: tell("download", done // 10**6, max(1, total // 10**6)))
    with readable_errors():
        make_available(name, report)


def release_memory() -> None:
    """Give what was freed back to the system; glibc would keep more than the networks themselves need."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def is_quota(error: gr.Error) -> bool:
    """Whether ZeroGPU has no GPU time left for this visitor."""
    return str(error.title).startswith("ZeroGPU") and "quota" in str(error.title)


@functools.cache
def cpu_pipeline(name: str) -> TryOnPipeline:
    """A pipeline beside the GPU, for visitors whose quota is used up."""
    return load_pipeline(name, device="cpu")
