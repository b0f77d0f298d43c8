"""Gradio demo: a person and a garment in, the person wearing the garment out."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import spaces  # ZeroGPU wants to be imported before anything that could touch CUDA

# isort: split
import functools
import json
import logging
import random
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import torch
from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from tryon import InputError, TryOnPipeline, load_pipeline
from tryon.images import read_image

CHECKPOINT = os.environ.get("TRYON_CHECKPOINT", "small")
EXAMPLES = Path(__file__).parent / "examples"
MAX_SEED = 2**31 - 1
MAX_STEPS = 100
MAX_GUIDANCE = 5
VIEW_SIZE = 2048  # longest side of the pictures in the before/after slider, in pixels
CATEGORY_LABELS = {"auto": "Auto", "upper": "Top", "lower": "Bottom", "dress": "Dress"}
STAGES = {  # the pipeline's stages -> what the page calls them while they run
    "prepare": "Understanding both pictures",
    "base": "Dressing at 128 pixels",
    "sr256": "Adding detail at 256 pixels",
    "sr1024": "Sharpening to 1024 pixels",
}
TITLE = "# Try-On\nSee a garment on a person before it is worn. Choose a person, choose a garment, press the button."
PRIVACY = """Pictures stay on the machine that runs this page and are deleted within an hour.
Results are made by an AI and can be wrong; only use photos of people who agree to it."""
FONT = [gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif"]
THEME = gr.themes.Default(primary_hue="rose", neutral_hue="stone", radius_size="lg", font=FONT)
CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
#title h1 { font-size: 2.2rem; letter-spacing: -0.02em; }
#title p, #privacy p, .steps li { color: var(--body-text-color-subdued); }
#go { font-size: 1.2rem; padding: 0.9rem; }
#preview img { width: 100%; height: 100%; object-fit: contain; }
.examples .grid-wrap { height: auto; min-height: 0; max-height: none; }
.examples .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)); }
.examples .thumbnail-item { width: 100%; height: auto; aspect-ratio: 3 / 4; }
.examples .caption-label { display: none; }
#persons img { object-position: top; }
.steps { list-style: none; margin: 0; padding: 0.2rem 0; }
.steps li { padding: 0.15rem 0 0.15rem 1.6rem; position: relative; }
.steps li::before { content: ""; position: absolute; left: 0.3rem; top: 0.6rem; width: 0.6rem; height: 0.6rem;
  border-radius: 50%; border: 2px solid currentColor; }
.steps li.done::before { background: var(--primary-500); border-color: var(--primary-500); }
.steps li.now { color: var(--body-text-color); font-weight: 700; }
.steps li.now::before { border-color: var(--primary-500); animation: beat 1s ease-in-out infinite alternate; }
@keyframes beat { to { background: var(--primary-300); } }
"""
logger = logging.getLogger("tryon.app")


@functools.cache
def default_pipeline() -> TryOnPipeline:
    """The served checkpoint, loaded at the first call; it keeps no state between requests."""
    return load_pipeline(CHECKPOINT)


def read_upload(upload: dict | None, what: str) -> Image.Image:
    """The picture behind an upload.

    Raises:
        InputError: nothing was sent, it is gone, or `read_image` refuses it.
    """
    if not upload or not upload.get("path"):
        raise InputError(f"There is no {what} picture: choose an example or upload a photo.")
    path = Path(upload["path"]).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():  # gradio lets others pass
        raise InputError(f"The {what} picture is not here any more: upload it again.")
    return read_image(path)


def check_settings(category: str, num_inference_steps: float | None, guidance_scale: float | None, seed: float | None):
    """Settings as the pipeline takes them: 0 becomes None (recommended), a seed of -1 a random one.

    Raises:
        InputError: a value is out of range.
    """
    if category not in CATEGORY_LABELS:
        raise InputError(f"The category must be one of {', '.join(CATEGORY_LABELS)}.")
    steps = ("number of steps", num_inference_steps, 0, MAX_STEPS)
    guidance = ("guidance scale", guidance_scale, 0, MAX_GUIDANCE)
    for name, value, lowest, highest in (steps, guidance, ("seed", seed, -1, MAX_SEED)):
        if value is not None and not (isinstance(value, int | float) and lowest <= value <= highest):
            raise InputError(f"The {name} must be between {lowest} and {highest}.")
    seed = random.randint(0, MAX_SEED) if seed is None or seed < 0 else int(seed)
    return category, int(num_inference_steps or 0) or None, guidance_scale or None, seed


def keep(image: Image.Image, name: str, suffix: str) -> str:
    """Write a picture where gradio serves it from and later deletes it.

    Each gets a name of its own: gradio would rewrite a file of equal content that is just being sent.
    """
    return save_pil_to_cache(image, get_upload_folder(), name=f"{name}-{secrets.token_hex(4)}", format=suffix)


def keep_result(image: Image.Image, info: dict) -> str:
    """The result at full size, as a PNG file that carries its settings."""
    image.info["tryon"] = json.dumps(info)
    return keep(image, "try-on", "png")


def keep_view(image: Image.Image, name: str) -> str:
    """A light copy for the screen, at most `VIEW_SIZE` on its longer side."""
    image = image.copy()
    image.thumbnail((VIEW_SIZE, VIEW_SIZE))
    return keep(image, name, "webp")


def steps_html(running: str | None) -> str:
    """The list of stages with the one named `running` marked; None marks all as done."""
    now = [*STAGES, None].index(running)
    marks = ["done"] * now + ["now"] + ["later"] * len(STAGES)
    items = (f'<li class="{mark}">{text}</li>' for mark, text in zip(marks, STAGES.values(), strict=False))
    return f'<ul class="steps" role="status">{"".join(items)}</ul>'


def make_sampler(get_pipeline: Callable[[], TryOnPipeline]) -> Callable[..., Iterator[tuple]]:
    """The generator that does the work, on the GPU of a Space where there is one."""

    @spaces.GPU(duration=lambda *request: 20 + int(request[3] or 20))  # seconds; [3] are the steps
    def sample(person: dict | None, garment: dict | None, *settings: object) -> Iterator[tuple]:
        """(stage, picture, info) as the stages finish; every failure is a sentence for the visitor."""
        try:
            category, steps, guidance, seed = check_settings(*settings)
            for stage in get_pipeline().stream(
                read_upload(person, "person"),
                read_upload(garment, "garment"),
                category,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=torch.Generator().manual_seed(seed),
            ):
                info = {**stage.info[0], "seed": seed, "checkpoint": CHECKPOINT} if stage.info else None
                yield stage.name, stage.images[0], info
        except InputError as error:  # the package's own words for a picture it cannot use
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            logger.exception("A request failed.")
            message = "Something went wrong on our side: please try again, or try another picture."
            raise gr.Error(message, print_exception=False) from None

    return sample


def picture_column(what: str, folder: Path) -> tuple[gr.Image, str | None]:
    """A picture to upload with a gallery of examples below it; also returns the first example."""
    paths = sorted(str(path) for path in folder.glob("*") if path.suffix in (".jpg", ".png", ".webp"))
    with gr.Column(min_width=300):
        look = {"elem_id": what, "height": 420, "buttons": [], "alt_text": f"The chosen {what} picture"}
        picture = gr.Image(label=what.capitalize(), **look)
        captioned = [(path, Path(path).stem.replace("_", " ")) for path in paths]  # captions are alt texts
        still = {"allow_preview": False, "interactive": False, "buttons": [], "show_label": False}
        look = {"elem_id": folder.name, "elem_classes": "examples", "object_fit": "cover"}
        gallery = gr.Gallery(captioned, columns=4, visible=bool(paths), **look, **still)

    def pick(event: gr.SelectData) -> str:
        return paths[event.index]

    gallery.select(pick, outputs=picture, queue=False, show_progress="hidden", api_visibility="private")
    return picture, paths[0] if paths else None


def create_demo(get_pipeline: Callable = default_pipeline, examples: Path = EXAMPLES) -> gr.Blocks:
    """Lay out the page and wire it up; loads no weights and starts no server.

    Args:
        get_pipeline: returns the `TryOnPipeline` when a request needs it.
        examples: folder with `persons` and `garments`.
    """
    sample = make_sampler(get_pipeline)

    def tryon(
        person_image: dict,
        garment_image: dict,
        category: str = "auto",
        num_inference_steps: int = 0,
        guidance_scale: float = 0,
        seed: int = -1,
    ) -> tuple[str, dict]:
        """Dress a person in a garment.

        Args:
            person_image: photo of one person.
            garment_image: photo of a garment, laid flat or worn by somebody.
            category: "upper", "lower", "dress", or "auto" to recognise it.
            num_inference_steps: of each stage; 0 is the checkpoint's recommended number.
            guidance_scale: how strongly the result follows the garment; 0 is the recommended value.
            seed: the same seed gives the same picture; -1 picks one, which `info` tells.

        Returns:
            The person photo with the garment on, at its own size (PNG), and a JSON object: seed,
            checkpoint, category, sizes, seconds per stage, warnings.
        """
        request = (person_image, garment_image, category, num_inference_steps, guidance_scale, seed)
        *_, (_, image, info) = sample(*request)
        return keep_result(image, info), info

    def begin() -> dict:
        steps = gr.update(value=steps_html("prepare"), visible=True)
        empty = gr.update(value=None, visible=True, label="Preview")
        gone = gr.update(visible=False)
        return {go: gr.update(interactive=False), progress: steps, preview: empty, slider: gone, outcome: gone}

    def run(*request: object) -> Iterator[dict]:
        following = dict(zip(STAGES, [*STAGES, None][1:], strict=True))
        for name, image, info in sample(*request):
            if info is None:
                yield {progress: steps_html(following[name]), preview: gr.update(value=image, label=STAGES[name])}
        before = read_upload(request[0], "person")
        yield {
            slider: gr.update(value=(keep_view(before, "before"), keep_view(image, "after")), visible=True),
            outcome: gr.update(visible=True),
            download: gr.update(value=None, interactive=False),  # writing a large photo takes seconds
            warnings: "\n\n".join(info["warnings"]),
            used_seed: info["seed"],
            details: info,
        }
        yield {download: gr.update(value=keep_result(image, info), interactive=True)}

    def end() -> dict:
        gone = gr.update(visible=False)
        return {go: gr.update(interactive=True), progress: gone, preview: gone}

    with gr.Blocks(title="Try-On", delete_cache=(600, 3000)) as demo:  # seconds: no file outlives an hour
        gr.Markdown(TITLE, elem_id="title")
        with gr.Row():
            person, first_person = picture_column("person", examples / "persons")
            garment, first_garment = picture_column("garment", examples / "garments")
            with gr.Column(min_width=300):
                category = gr.Radio(
                    [(label, name) for name, label in CATEGORY_LABELS.items()], value="auto", label="Kind of garment"
                )
                go = gr.Button("Try it on", variant="primary", size="lg", elem_id="go")
                progress = gr.HTML(visible=False)
                preview = gr.Image(visible=False, interactive=False, height=420, buttons=[], elem_id="preview")
                view = {"visible": False, "elem_id": "result", "buttons": ["fullscreen"]}
                slider = gr.ImageSlider(label="Before and after", **view)
                with gr.Column(visible=False) as outcome:
                    warnings = gr.Markdown()
                    download = gr.DownloadButton("Download", elem_id="download")
                    with gr.Row(equal_height=True):
                        used_seed = gr.Number(label="Seed of this picture", interactive=False, elem_id="used_seed")
                        again = gr.Button("Use this seed again")
                    with gr.Accordion("Details", open=False):
                        details = gr.JSON(label="info", show_label=False)
                with gr.Accordion("Advanced", open=False):
                    steps = gr.Slider(0, MAX_STEPS, value=0, step=1, label="Steps per stage (0: recommended)")
                    guidance = gr.Slider(0, MAX_GUIDANCE, value=0, step=0.1, label="Guidance (0: recommended)")
                    seed = gr.Number(-1, label="Seed (-1: random)", precision=0, elem_id="seed")
        gr.Markdown(PRIVACY, elem_id="privacy")
        result = gr.Image(visible=False, label="image")

        private = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        demo.load(lambda: (first_person, first_garment), outputs=[person, garment], **private)
        again.click(lambda value: value, used_seed, seed, **private)
        # Pictures arrive as they were uploaded (preprocess=False): gradio would decode and convert them,
        # and refuse in its own words, before `read_image` saw them.
        inputs = [person, garment, category, steps, guidance, seed]
        sampling = {"preprocess": False, "concurrency_limit": 1, "concurrency_id": "sampler"}
        shown = [progress, preview, slider, outcome, warnings, download, used_seed, details]
        begun = go.click(begin, outputs=[go, progress, preview, slider, outcome], **private)
        done = begun.then(run, inputs, shown, show_progress_on=preview, api_visibility="private", **sampling)
        for event in (done.success, done.failure):  # the page of gradio 6.31 does not start a .then after an error
            event(end, outputs=[go, progress, preview], **private)
        gr.Button(visible=False).click(tryon, inputs, [result, details], api_name="tryon", **sampling)
    return demo.queue(max_size=16)


def launch(demo: gr.Blocks, **options: object) -> tuple[object, str, str]:
    """Start the server with the settings that the page relies on; `options` as for `gr.Blocks.launch`."""
    limits = {"allowed_paths": [str(EXAMPLES)], "max_file_size": "40mb"}
    privacy = {"run_history": False}  # it would keep visitors' photos in their browser
    return demo.launch(theme=THEME, css=CSS, ssr_mode=False, **limits, **privacy, **options)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    default_pipeline()
    launch(create_demo())
