"""The sections of the page: which components there are and how they look; nothing happens here."""

from pathlib import Path
from types import SimpleNamespace

import gradio as gr

from tryon.conditions import CATEGORIES
from tryon.web.sampler import DEFAULT, MAX_GUIDANCE, MAX_STEPS, served_names
from tryon.web.seen import EDITOR_SIDE, PAINT
from tryon.web.sharing import example_files, thumbnail
from tryon.web.texts import TRANSLATIONS as text

STILL = {"interactive": False, "buttons": ["fullscreen"]}
RED = "#{:02x}{:02x}{:02x}".format(*PAINT)


def captioned(paths: list[Path]) -> list[tuple[str, str]]:
    """Small versions of example pictures for a gallery; captions serve as alt texts."""
    return [(str(thumbnail(path)), path.stem.replace("_", " ")) for path in paths]


def picture_column(what: str) -> SimpleNamespace:
    """A picture to upload, photograph or paste, and examples below it."""
    with gr.Column(min_width=300):
        gr.Markdown(text(what), elem_classes="heading")
        picture = gr.Image(
            show_label=False, elem_id=what, height=420, buttons=[], alt_text=text(f"{what}_alt"), type="filepath"
        )
        category = None
        if what == "garment":
            choices = [(text(name), name) for name in ("auto", *CATEGORIES)]
            category = gr.Radio(choices, value="auto", label=text("category"), elem_id="category")
        gr.Markdown(text(f"{what}_examples"), elem_classes="hint")
        gallery = gr.Gallery(
            captioned(example_files(f"{what}s")),
            columns=4,
            allow_preview=False,
            interactive=False,
            buttons=[],
            show_label=False,
            elem_id=f"{what}s",
            elem_classes="examples",
            object_fit="cover",
        )
    return SimpleNamespace(picture=picture, gallery=gallery, category=category)


def result_column() -> SimpleNamespace:
    """The button, the way to the result, and the result."""
    with gr.Column(min_width=300):
        gr.Markdown(text("result"), elem_classes="heading")
        go = gr.Button(text("go"), variant="primary", size="lg", elem_id="go")
        cancel = gr.Button(text("cancel"), size="lg", visible=False, elem_id="cancel")
        waiting = gr.HTML(text("waiting"), elem_id="waiting")
        progress = gr.HTML(visible=False, elem_id="progress")
        preview = gr.Image(
            label=text("preview"), visible=False, interactive=False, height=420, buttons=[], elem_id="preview"
        )
        with gr.Column(visible=False, elem_id="outcome") as outcome:
            slider = gr.ImageSlider(label=text("compare"), elem_id="result", buttons=["fullscreen"], max_height=620)
            warnings = gr.Markdown(elem_id="warnings")
            download = gr.DownloadButton(text("download"), variant="primary", elem_id="download")
            with gr.Row(elem_classes="pair"):
                chain = gr.Button(text("chain"), elem_id="chain", min_width=120)
                share = gr.Button(text("share"), elem_id="share", min_width=120)
            link = gr.Textbox(
                label=text("link"),
                info=text("link_info"),
                visible=False,
                interactive=False,
                buttons=["copy"],
                elem_id="link",
            )
            variations = gr.Gallery(
                label=text("variations"), columns=4, allow_preview=False, elem_id="variations", visible=False, **STILL
            )
            strip = gr.Gallery(label=text("stages"), columns=5, elem_id="stages", elem_classes="strip", **STILL)
            with gr.Accordion(text("details"), open=False):
                details = gr.JSON(show_label=False, elem_id="details")
        with gr.Accordion(text("options"), open=False, elem_id="options"):
            count = gr.Slider(1, 4, value=1, step=1, label=text("count"), elem_id="count")
            model = gr.Dropdown(list(served_names()), value=DEFAULT, label=text("model"), elem_id="model")
            commercial = gr.Checkbox(label=text("commercial"), elem_id="commercial")
            card = gr.HTML(elem_id="card")
            steps = gr.Slider(0, MAX_STEPS, value=0, step=1, label=text("steps"), elem_id="steps")
            guidance = gr.Slider(0, MAX_GUIDANCE, value=0, step=0.1, label=text("guidance"))
            seed = gr.Number(-1, label=text("seed"), precision=0, elem_id="seed")
    return SimpleNamespace(**locals())


def seen_panel() -> SimpleNamespace:
    """What the app understood, and the region that may change, to be painted."""
    with gr.Accordion(text("seen"), open=False, elem_id="seen"):
        look = gr.Button(text("look"), elem_id="look")
        with gr.Column(visible=False) as found:
            notes = gr.Markdown()
            with gr.Row():
                with gr.Column(min_width=300, scale=2):
                    with gr.Row(elem_classes="trio"):
                        views = [
                            gr.Image(
                                label=text(f"seen_{what}"), height=260, min_width=90, interactive=False, buttons=[]
                            )
                            for what in ("person", "hidden", "garment")
                        ]
                    grow = gr.Slider(-4, 4, value=0, step=0.5, label=text("grow"), elem_id="grow")
                with gr.Column(min_width=300, scale=2):
                    gr.Markdown(text("editor"), elem_classes="hint")
                    editor = gr.ImageEditor(
                        show_label=False,
                        type="pil",
                        sources=(),
                        transforms=(),
                        layers=False,
                        brush=gr.Brush(colors=[(RED, 0.6)], color_mode="fixed", default_size=28),
                        eraser=gr.Eraser(default_size=28),
                        canvas_size=(EDITOR_SIDE, EDITOR_SIDE),
                        height=520,
                        buttons=[],
                        elem_id="editor",
                    )
    return SimpleNamespace(look=look, found=found, notes=notes, views=views, grow=grow, editor=editor)


def history_panel() -> SimpleNamespace:
    """All results of this visit, two of them side by side."""
    with gr.Accordion(text("history"), open=False, elem_id="history"):
        hint = gr.Markdown(text("history_hint"), elem_classes="hint")
        gallery = gr.Gallery(
            show_label=False,
            columns=8,
            allow_preview=False,
            visible=False,
            elem_id="past",
            elem_classes="strip",
            **STILL,
        )
        compare = gr.ImageSlider(
            label=text("history_compare"), visible=False, elem_id="compare", buttons=["fullscreen"], max_height=620
        )
        reuse = gr.Button(text("reuse"), visible=False, elem_id="reuse")
    return SimpleNamespace(hint=hint, gallery=gallery, compare=compare, reuse=reuse)


def batch_panel() -> SimpleNamespace:
    """One person, many garments."""
    with gr.Accordion(text("batch"), open=False, elem_id="batch"):
        gr.Markdown(text("batch_hint"), elem_classes="hint")
        garments = gr.File(
            label=text("batch_garments"), file_count="multiple", file_types=["image"], elem_id="batch_garments"
        )
        go = gr.Button(text("batch_go"), variant="primary", elem_id="batch_go")
        cancel = gr.Button(text("cancel"), visible=False, elem_id="batch_cancel")
        progress = gr.Markdown(elem_id="batch_progress")
        sheet = gr.Image(label=text("sheet"), visible=False, elem_id="sheet", **STILL)
        download = gr.DownloadButton(text("zip"), visible=False, elem_id="zip")
    return SimpleNamespace(garments=garments, go=go, cancel=cancel, progress=progress, sheet=sheet, download=download)
