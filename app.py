"""Gradio demo: a person and a garment in, the person wearing the garment out."""

import os
import tempfile

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
# A folder of our own: all in it is visitors' and is deleted when it is old.
os.environ.setdefault("GRADIO_TEMP_DIR", os.path.join(tempfile.gettempdir(), "tryon-visitors"))

import spaces  # noqa: F401 - ZeroGPU wants to be imported before anything that could touch CUDA

# isort: split
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gradio as gr

from tryon import TryOnPipeline
from tryon.web.endpoints import make_endpoints
from tryon.web.fetching import limit_fetches
from tryon.web.files import EXAMPLES, MAX_AGE, MAX_FILE_SIZE, MAX_REQUEST_SIZE, SWEEP_EVERY, sweeping
from tryon.web.handlers import (
    Handlers,
    forget,
    garments_of,
    model_card,
    new_visit,
    offered,
    pick_garment,
    pick_person,
)
from tryon.web.layout import batch_panel, history_panel, picture_column, result_column, seen_panel
from tryon.web.sampler import DEFAULT, Sampler
from tryon.web.sharing import COPY_LINK, query_of
from tryon.web.texts import TRANSLATIONS as text
from tryon.web.uploads import ADD_SENT_FILES, LATER, NOTE_UPLOADS
from tryon.zoo import resident_pipeline

QUEUE_SIZE = 16
SESSIONS = 500  # what gradio remembers of visitors and programs; each takes up to a megabyte
FONT = [gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif"]
THEME = gr.themes.Default(primary_hue="rose", neutral_hue="stone", radius_size="lg", font=FONT).set(
    body_text_color_subdued="*neutral_500", body_text_color_subdued_dark="*neutral_400"
)
CSS = Path(__file__).parent / "tryon" / "web" / "look.css"
PRIVATE = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# Pictures arrive as they were uploaded: gradio would decode and convert them, and refuse them in its own words.
RAW = {"preprocess": False}
SAMPLING = {"concurrency_limit": 1, "concurrency_id": "sampler"}  # one at a time, whoever asks


def lay_out() -> SimpleNamespace:
    """All components of the page, by name."""
    gr.Markdown(text("title"), elem_id="title")
    with gr.Row(elem_id="columns"):
        person, garment, result = picture_column("person"), picture_column("garment"), result_column()
    seen, history, batch = seen_panel(), history_panel(), batch_panel()
    with gr.Accordion(text("programs"), open=False, elem_id="programs"):
        programs = gr.Markdown()
    with gr.Row(elem_id="foot"):
        gr.Markdown(text("privacy"), elem_id="privacy")
        delete = gr.Button(text("delete"), variant="stop", elem_id="delete", scale=0, min_width=220)
    return SimpleNamespace(
        person=person.picture,
        persons=person.gallery,
        garment=garment.picture,
        garments_shown=garment.gallery,
        category=garment.category,
        **vars(result),
        **vars(seen),
        past=history.gallery,
        history_hint=history.hint,
        compare=history.compare,
        reuse=history.reuse,
        garments=batch.garments,
        batch_go=batch.go,
        batch_cancel=batch.cancel,
        batch_progress=batch.progress,
        sheet=batch.sheet,
        zip=batch.download,
        programs=programs,
        delete=delete,
        sent=gr.JSON(visible=False),
        visit=gr.State(new_visit(), time_to_live=MAX_AGE, delete_callback=forget),
        picked=gr.State([]),
        mask=gr.State(),
    )


def wire(ui: SimpleNamespace, do: Handlers, demo: gr.Blocks) -> None:
    """Say what happens when; the functions are in `Handlers`."""
    outcome = [ui.slider, ui.outcome, ui.warnings, ui.download, ui.strip, ui.details]
    past = [ui.past, ui.history_hint]
    settings = [ui.category, ui.steps, ui.guidance, ui.seed]
    chosen = [ui.person, ui.garment, ui.category, ui.seed, ui.model, ui.card]
    emptied = list(do.empty())

    demo.load(do.arrive, outputs=[ui.programs, *chosen], **PRIVATE)
    tidied = [component for component in emptied if component not in (ui.slider, ui.download, ui.strip)]
    demo.load(do.tidy, outputs=tidied, **PRIVATE)
    ui.persons.select(pick_person, outputs=ui.person, **PRIVATE)
    ui.garments_shown.select(pick_garment, ui.category, ui.garment, **PRIVATE)
    ui.category.change(garments_of, ui.category, ui.garments_shown, **PRIVATE)
    for upload in (ui.person.input, ui.garment.input, ui.garments.upload):
        source = ui.person if upload == ui.person.input else ui.garment if upload == ui.garment.input else ui.garments
        upload(do.remember, [ui.visit, source], ui.visit, **RAW, **PRIVATE)
    ui.commercial.change(offered, [ui.commercial, ui.model], ui.model, **PRIVATE)
    ui.model.change(model_card, ui.model, ui.card, **PRIVATE)

    room = [ui.visit, ui.mask, ui.go, ui.cancel, ui.waiting, ui.progress, ui.preview, ui.outcome, ui.link]
    begun = ui.go.click(do.begin, [ui.visit, ui.editor, ui.model], room, **RAW, **PRIVATE)
    done = begun.success(
        do.run,
        [ui.visit, ui.count, ui.person, ui.garment, *settings, ui.mask, ui.model],
        [ui.visit, ui.progress, ui.preview],
        show_progress_on=ui.preview,
        api_visibility="private",
        **RAW,
        **SAMPLING,
    )
    ready = [ui.go, ui.cancel, ui.progress, ui.preview]
    done.success(do.finish, ui.visit, [*outcome, *past, ui.variations, *ready], **PRIVATE)
    done.failure(do.end, outputs=ready, **PRIVATE)  # the page of gradio 6.31 does not start a .then after an error
    ui.cancel.click(do.stop, outputs=[*ready, ui.waiting], cancels=[done], **PRIVATE)

    ui.variations.select(do.pick_variation, ui.visit, outcome, **PRIVATE)
    ui.chain.click(do.chain, ui.download, ui.person, **RAW, **PRIVATE)
    told = [ui.person, ui.garment, ui.category, ui.seed, ui.model]
    shared = ui.share.click(query_of, told, ui.link, **RAW, **PRIVATE)
    copied = shared.then(None, ui.link, ui.link, js=COPY_LINK)
    copied.then(do.show_link, [ui.visit, ui.link], [ui.visit, ui.link], **PRIVATE)

    looked = [ui.visit, ui.found, ui.notes, ui.grow, ui.editor, *ui.views]
    seen = ui.look.click(
        do.look,
        [ui.visit, ui.person, ui.garment, ui.category, ui.model],
        looked,
        show_progress_on=ui.look,
        api_visibility="private",
        **RAW,
        **SAMPLING,
    )
    ui.grow.release(do.grown, [ui.visit, ui.person, ui.grow], [ui.visit, ui.editor], **RAW, **PRIVATE)

    ui.past.select(do.pick_past, [ui.visit, ui.picked], [ui.picked, ui.compare, ui.reuse], **PRIVATE)
    ui.reuse.click(do.reuse, [ui.visit, ui.picked], chosen, **PRIVATE)
    buttons = [ui.batch_go, ui.batch_cancel]
    many = ui.batch_go.click(do.begin_many, outputs=buttons, **PRIVATE).success(
        do.many,
        [ui.visit, ui.person, ui.garments, *settings, ui.model],
        [ui.visit, ui.batch_progress, ui.sheet, ui.zip],
        show_progress_on=ui.batch_progress,
        api_visibility="private",
        **RAW,
        **SAMPLING,
    )
    for event in (many.success, many.failure):
        event(do.end_many, outputs=buttons, **PRIVATE)
    ui.batch_cancel.click(do.stop_many, outputs=[*buttons, ui.batch_progress], cancels=[many], **PRIVATE)

    sources = [ui.person, ui.garment, ui.garments]
    working = [done, seen, many]
    deleted = ui.delete.click(
        do.delete,
        [ui.visit, *sources, ui.sent],
        [*sources, *emptied],
        cancels=working,
        js=ADD_SENT_FILES,
        **RAW,
        **PRIVATE,
    )
    settled = deleted.then(None, ui.sent, ui.sent, js=LATER)
    settled.then(do.delete_late, ui.sent, js=ADD_SENT_FILES, **PRIVATE)


def serve_programs(ui: SimpleNamespace, sampler: Sampler) -> None:
    """The endpoints for programs; components that only they use are not shown."""
    functions = make_endpoints(sampler)
    mask = gr.Image(label="mask", visible=False)
    pictures = [gr.Image(label=name, visible=False) for name in ("image", "seen", "region", "garment", "contact_sheet")]
    image, seen, region, garment, sheet = pictures
    archive, info = gr.File(label="zip", visible=False), gr.JSON(label="info", visible=False)
    settings = [ui.category, ui.steps, ui.guidance, ui.seed]
    endpoints = {
        "tryon": ([ui.person, ui.garment, *settings, mask, ui.model], [image, info]),
        "prepare": ([ui.person, ui.garment, ui.category, ui.model], [seen, region, garment, info]),
        "batch": ([ui.person, ui.garments, *settings, ui.model], [sheet, archive, info]),
    }
    for name, (inputs, outputs) in endpoints.items():
        gr.Button(visible=False).click(functions[name], inputs, outputs, api_name=name, **RAW, **SAMPLING)


def create_demo(get_pipeline: Callable[[str], TryOnPipeline] = resident_pipeline) -> gr.Blocks:
    """Lay out the page and wire it up; loads no weights and starts no server.

    Args:
        get_pipeline: name of a checkpoint -> pipeline, called when a request needs it.
    """
    gr.set_static_paths([EXAMPLES])
    sampler = Sampler(get_pipeline)
    with gr.Blocks(title="Try-On", delete_cache=(SWEEP_EVERY, MAX_AGE)) as demo:
        ui = lay_out()
        wire(ui, Handlers(sampler, ui), demo)
        serve_programs(ui, sampler)
    return demo.queue(max_size=QUEUE_SIZE)


def launch(demo: gr.Blocks, **options: object) -> tuple[object, str, str]:
    """Start the server with the settings that the page relies on; `options` as for `gr.Blocks.launch`."""
    limit_fetches()
    return demo.launch(
        theme=THEME,
        css_paths=CSS,
        head=NOTE_UPLOADS,
        i18n=text,
        ssr_mode=False,
        mcp_server=True,
        max_file_size=MAX_FILE_SIZE,
        run_history=False,  # it would keep visitors' photos in their browser
        strict_cors=True,
        state_session_capacity=SESSIONS,
        footer_links=["api", "gradio", "settings"],
        app_kwargs={"lifespan": sweeping, "max_body_size": MAX_REQUEST_SIZE},
        **options,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    resident_pipeline(DEFAULT)
    launch(create_demo())
