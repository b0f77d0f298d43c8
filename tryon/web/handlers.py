"""What happens on the page: functions behind its events. All they know of a visit is in the visit's own state."""

import time
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
from PIL import Image

from tryon.web import seen
from tryon.web.endpoints import keep_batch, run_batch
from tryon.web.files import delete, keep_mask, keep_result, keep_view, path_of, read_layer, read_upload
from tryon.web.layout import captioned
from tryon.web.sampler import MAX_SEED, Request, Sampler, readable_errors, served_names, stages_of
from tryon.web.sharing import example, example_files, linked_files, restores_a_page, settings_of
from tryon.web.texts import messages
from tryon.zoo import find_checkpoint, obstacle

README = Path(__file__).resolve().parents[2] / "README.md"
FIRST = ("woman_white_tee", "upper_striped_tee")  # examples to start with
LOCAL = "http://127.0.0.1:7860"
PROGRESS = gr.Progress()  # gradio replaces this default by the progress of the event


def new_visit() -> dict:
    """State of a visit.

    Its files and its results, the `first` of the latest; the region that was found in the photo `looked` at, as paths;
    and whether it is `over`.
    """
    return {"files": [], "results": [], "first": 0, "region": None, "looked": None, "over": False}


def forget(visit: dict) -> int:
    """Delete all files of a visit, also those that are still being made."""
    visit["over"] = True
    return delete(visit["files"])


def keep(visit: dict, *paths: str | None) -> None:
    """Note files of a visit; they do not stay if the visitor has had everything deleted meanwhile."""
    visit["files"] += [path for path in paths if path]
    if visit["over"]:
        delete(paths)


def paths_in(sent: list | None) -> list[str]:
    """The paths in what the page says that it uploaded; a caller of the API may say anything."""
    return [path for path in sent or [] if isinstance(path, str)]


def steps_html(stages: tuple[str, ...], running: str, words: dict, done: float, left: float | None, note: str) -> str:
    """The list of stages with the one named `running` marked, and how long it may take."""
    now = stages.index(running)
    marks = ["done"] * now + ["now"] + ["later"] * len(stages)
    items = "".join(f'<li class="{mark}">{words[name]}</li>' for mark, name in zip(marks, stages, strict=False))
    time_left = words["left"].format(round(left)) if left and left >= 1 else ""
    foot = " · ".join(part for part in (note, time_left) if part)
    return (
        f'<ul class="steps">{items}</ul><progress max="1" value="{done:.2f}"></progress>'
        f'<p role="status" class="hint"><span class="spoken">{words[running]}</span> {foot}</p>'
    )


def model_card(name: str, request: gr.Request) -> str:
    """Facts about a checkpoint, so that nobody has to leave the page to choose."""
    row, words = find_checkpoint(name), messages(request)
    if row is None:
        return f"<p>{escape(name)}</p>"
    facts = {
        words["license"]: f"{row.license} · {words['commercial_yes' if row.commercial_use else 'commercial_no']}",
        words["categories"]: ", ".join(row.categories),
        words["size"]: f"{row.resolution} px",
        words["parameters"]: f"{row.parameters / 1e6:.0f} M",
        words["memory"]: f"{row.memory_gb:g} GB",
        words["speed"]: row.speed,
    }
    lines = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    warning = f"<p><strong>{escape(sentence)}</strong></p>" if (sentence := obstacle(row)) else ""
    return f"<p>{escape(row.summary[:1].upper() + row.summary[1:])}.</p>{warning}<dl>{lines}</dl>"


def offered(commercial_only: bool, chosen: str) -> dict:
    """The model selector, with only those that may be used commercially if asked for."""
    rows = ((name, find_checkpoint(name)) for name in served_names())
    names = [name for name, row in rows if not commercial_only or (row and row.commercial_use)]
    return gr.update(choices=names, value=chosen if chosen in names else next(iter(names), None))


def garments_of(category: str) -> dict:
    """The example garments of a category."""
    return gr.update(value=captioned(example_files("garments", category)), selected_index=None)


def pick_garment(category: str, event: gr.SelectData) -> str:
    """The example garment that was chosen."""
    return str(example_files("garments", category)[event.index])


def pick_person(event: gr.SelectData) -> str:
    """The example person who was chosen."""
    return str(example_files("persons")[event.index])


def programs_text(request: gr.Request) -> str:
    """The README's section on programs, with the address of this very app."""
    section = README.read_text(encoding="utf-8").split("## Use it from a program\n")[1].split("\n## ")[0]
    origin = f"{request.headers.get('x-forwarded-proto', 'http')}://{request.headers.get('host', '')}"
    return section.replace(LOCAL, origin)


class Handlers:
    """Events that need the sampler or update many components.

    Args:
        sampler: does the work.
        ui: all components by name; `visit` and `shown` are states.
    """

    def __init__(self, sampler: Sampler, ui: SimpleNamespace) -> None:
        self.sampler, self.ui = sampler, ui

    def arrive(self, request: gr.Request) -> dict:
        """First look at the page: what its address asks for, else the first examples."""
        ui = self.ui
        programs = {ui.programs: programs_text(request)}
        if self.restored(request):
            return programs
        wish = settings_of(request)
        return programs | {
            ui.person: wish["person"] or example("persons", FIRST[0]),
            ui.garment: wish["garment"] or example("garments", FIRST[1]),
            ui.category: wish["category"],
            ui.seed: wish["seed"],
            ui.model: wish["checkpoint"],
            ui.card: model_card(wish["checkpoint"], request),
        }

    def restored(self, request: gr.Request) -> bool:
        """Whether gradio has put a shared page in place."""
        return restores_a_page(request, (self.ui.person._id, self.ui.garment._id, self.ui.slider._id))

    def tidy(self, request: gr.Request) -> dict:
        """After a deep link: put away what gradio cannot restore; without the pictures also the rest."""
        ui, page = self.ui, self.empty()
        if "deep_link" not in request.query_params:
            return gr.skip()
        for component in (ui.slider, ui.download, ui.strip):
            del page[component]
        if self.restored(request):
            for component in (ui.outcome, ui.waiting, ui.warnings, ui.details):
                del page[component]
        return page

    def remember(self, visit: dict, *values: dict | list | None) -> dict:
        """Note which files a visitor sent, to delete them when asked to."""
        uploads = [upload for value in values for upload in (value if isinstance(value, list) else [value])]
        keep(visit, *map(path_of, uploads))
        return visit

    def begin(self, visit: dict, editor: dict | None, checkpoint: str, http: gr.Request) -> dict:
        """Make room for the preview, and keep the region that was painted."""
        ui, mask, words, editor = self.ui, None, messages(http), editor or {}
        painted = [layer for layer in editor.get("layers") or [] if layer]
        self.remember(visit, editor.get("background"), editor.get("composite"), painted)
        if visit["region"]:
            with readable_errors(), Image.open(visit["region"]) as region:
                mask = seen.painted_region([read_layer(layer) for layer in painted], region)
        mask = mask and keep_mask(mask)
        keep(visit, mask)
        gone = gr.update(visible=False)
        steps = steps_html(stages_of(checkpoint), "prepare", words, 0, None, "")
        return {
            ui.visit: visit,
            ui.mask: mask and {"path": mask},
            ui.go: gone,
            ui.cancel: gr.update(visible=True),
            ui.waiting: gone,
            ui.progress: gr.update(value=steps, visible=True),
            ui.preview: gr.update(value=None, visible=True),
            ui.outcome: gone,
            ui.link: gone,
        }

    def run(
        self,
        visit: dict,
        count: int,
        person: dict | None,
        garment: dict | None,
        category: str,
        steps: float,
        guidance: float,
        seed: float,
        mask: dict | None,
        checkpoint: str,
        http: gr.Request,
        progress: gr.Progress = PROGRESS,
    ) -> Iterator[dict]:
        """Dress the person, once or several times, showing each stage."""
        ui, words = self.ui, messages(http)
        request = Request(person, garment, category, steps, guidance, seed, mask, checkpoint)
        stages = stages_of(checkpoint)
        started, visit["first"] = time.monotonic(), len(visit["results"])
        with readable_errors():
            seed, before = request.settings()["seed"], keep_view(read_upload(request.person, "person"), "before")
        keep(visit, before, path_of(request.person), path_of(request.garment))
        if visit["looked"] != path_of(request.person):  # what was painted belongs to another photo
            request = replace(request, mask=None)
        for number in range(int(count)):
            note = words["of"].format(number + 1, int(count)) if count > 1 else ""

            def status(stage: str, number: int = number, note: str = note) -> str:
                done = (number + stages.index(stage) / len(stages)) / count
                spent = time.monotonic() - started
                return steps_html(stages, stage, words, done, spent * (1 - done) / done if done else None, note)

            def tell(stage: str, step: int, steps: int) -> None:
                progress((step, steps), desc=words.get(stage, stage))

            yield {ui.progress: status("prepare"), ui.preview: before}
            strip, one = [], replace(request, seed=(seed + number) % (MAX_SEED + 1))
            for name, image, info in self.sampler(one, http.session_hash, tell):
                if info is None:
                    caption = words["start"] if name == "prepare" else f"{image.width} px"
                    strip.append((keep_view(image, name, 1024), caption))
                    keep(visit, strip[-1][0])
                    following = stages[min(stages.index(name) + 1, len(stages) - 1)]
                    yield {ui.visit: visit, ui.preview: strip[-1][0], ui.progress: status(following)}
            after = keep_view(image, "after")
            result = {
                "before": before,
                "after": after,
                "file": keep_result(image, info),
                "stages": [*strip, (after, words["finished"])],
                "info": info,
                "person": path_of(request.person),
                "garment": path_of(request.garment),
            }
            keep(visit, result["after"], result["file"])
            visit["results"].append(result)
            yield {ui.visit: visit}

    def finish(self, visit: dict) -> dict:
        """Show what was made."""
        first = visit["first"]
        made = [(r["after"], str(r["info"]["seed"])) for r in visit["results"][first:]]
        variations = gr.update(value=made, visible=len(made) > 1, selected_index=0)
        return {self.ui.variations: variations, **self.show(visit, first), **self.past(visit), **self.end()}

    def show(self, visit: dict, index: int) -> dict:
        """One result, with all that belongs to it."""
        ui, result = self.ui, visit["results"][index]
        return {
            ui.outcome: gr.update(visible=True),
            ui.warnings: gr.update(value="\n\n".join(result["info"]["warnings"])),
            ui.details: gr.update(value=result["info"]),
            # As plain values, in events that never skip them: gradio's deep links lose the files of others.
            ui.slider: (result["before"], result["after"]),
            ui.download: result["file"],
            ui.strip: result["stages"],
        }

    def past(self, visit: dict) -> dict:
        """The gallery of all results."""
        made = [
            (r["after"], f"{n} · {Path(r['garment']).stem.replace('_', ' ')} · {r['info']['seed']}")
            for n, r in enumerate(visit["results"], 1)
        ]
        return {
            self.ui.past: gr.update(value=made, visible=bool(made), selected_index=None),
            self.ui.history_hint: gr.update(visible=not made),
        }

    def pick_variation(self, visit: dict, event: gr.SelectData) -> dict:
        """Show the variation that was chosen; they are the last results of the visit."""
        seeds = [str(r["info"]["seed"]) for r in visit["results"]]
        caption = event.value["caption"]
        return self.show(visit, len(seeds) - 1 - seeds[::-1].index(caption))

    def pick_past(self, visit: dict, picked: list[int], event: gr.SelectData) -> dict:
        """Compare the two results that were chosen last."""
        ui, picked = self.ui, [*picked, event.index][-2:]
        left, right = visit["results"][picked[0]], visit["results"][picked[-1]]
        pair = (left["before"] if len(picked) == 1 else left["after"], right["after"])
        return {
            ui.picked: picked,
            ui.compare: gr.update(value=pair, visible=True),
            ui.reuse: gr.update(visible=True),
        }

    def reuse(self, visit: dict, picked: list[int], request: gr.Request) -> dict:
        """Put pictures and settings of a result back in their places."""
        ui, result = self.ui, visit["results"][picked[-1]]
        info = result["info"]
        return {
            ui.person: result["person"],
            ui.garment: result["garment"],
            ui.category: info["category"],
            ui.seed: info["seed"],
            ui.model: info["checkpoint"],
            ui.card: model_card(info["checkpoint"], request),
        }

    def end(self) -> dict:
        """Give the button back, whatever happened."""
        ui, gone = self.ui, gr.update(visible=False)
        return {ui.go: gr.update(visible=True), ui.cancel: gone, ui.progress: gone, ui.preview: gone}

    def stop(self, request: gr.Request) -> dict:
        """End the work of this visit at its next step."""
        self.sampler.stop(request.session_hash)
        gr.Info(messages(request)["stopped"])
        return self.end() | {self.ui.waiting: gr.update(visible=True)}

    def show_link(self, visit: dict, link: str) -> dict:
        """Show the link; what gradio keeps for it belongs to the visit."""
        keep(visit, *linked_files(link))
        return {self.ui.visit: visit, self.ui.link: gr.update(visible=True)}

    def chain(self, result: dict | None, request: gr.Request) -> str | None:
        """The result becomes the person, to wear something else with it."""
        gr.Info(messages(request)["chained"])
        return path_of(result)

    def look(self, visit: dict, person: dict, garment: dict, category: str, checkpoint: str) -> dict:
        """What the app understood of both pictures, and the region to paint on."""
        ui = self.ui
        image, prepared = self.sampler.look(Request(person, garment, category, checkpoint=checkpoint))
        region = keep_mask(prepared.region)
        views = [keep_view(picture, "seen") for picture in seen.views(image, prepared)]
        keep(visit, region, *views)
        visit["region"], visit["looked"] = region, path_of(person)
        return {
            ui.visit: visit,
            ui.found: gr.update(visible=True),
            ui.notes: "\n\n".join(prepared.warnings),
            ui.grow: 0,
            ui.editor: self.painted(visit, image, prepared.region),
            **dict(zip(ui.views, views, strict=True)),
        }

    def painted(self, visit: dict, image: object, region: object) -> dict:
        """The editor's value, its pictures kept as files of the visit."""
        value = seen.editor_value(image, region)
        kept = {
            "background": keep_view(value["background"], "photo"),
            "layers": [keep_mask(value["layers"][0], "layer")],
            "composite": None,
        }
        keep(visit, kept["background"], *kept["layers"])
        return kept

    def grown(self, visit: dict, person: dict, percent: float) -> dict:
        """The region that was found, grown or shrunk; what was painted is replaced."""
        ui = self.ui
        with readable_errors():
            region = seen.grow(read_upload({"path": visit["region"]}, "region").convert("L"), percent)
            value = self.painted(visit, read_upload(person, "person"), region)
        return {ui.visit: visit, ui.editor: value}

    def begin_many(self) -> dict:
        """Offer to cancel."""
        return {self.ui.batch_go: gr.update(visible=False), self.ui.batch_cancel: gr.update(visible=True)}

    def end_many(self) -> dict:
        """Give the button back, whatever happened."""
        return {self.ui.batch_go: gr.update(visible=True), self.ui.batch_cancel: gr.update(visible=False)}

    def stop_many(self, request: gr.Request) -> dict:
        """End the work of this visit at its next step; pictures that are finished are not shown."""
        self.sampler.stop(request.session_hash)
        return self.end_many() | {self.ui.batch_progress: messages(request)["stopped"]}

    def many(
        self,
        visit: dict,
        person: dict | None,
        garments: list[dict] | None,
        category: str,
        steps: float,
        guidance: float,
        seed: float,
        checkpoint: str,
        http: gr.Request,
    ) -> Iterator[dict]:
        """One person in many garments."""
        ui, words, total = self.ui, messages(http), len(garments or [])
        settings = (category, steps, guidance, seed, None, checkpoint)
        if total:
            yield {ui.batch_progress: words["of"].format(1, total)}
        for rows in run_batch(self.sampler, person, garments, settings, http.session_hash):
            keep(visit, rows[-1].result)
            failed = [f"{row.garment}: {row.error}" for row in rows if row.error]
            now = [words["of"].format(len(rows) + 1, total)] if len(rows) < total else []
            yield {ui.visit: visit, ui.batch_progress: "\n\n".join(now + failed)}
        sheet, archive = keep_batch(rows)
        keep(visit, sheet, archive, *map(path_of, garments))
        yield {
            ui.visit: visit,
            ui.sheet: gr.update(value=sheet, visible=True),
            ui.zip: gr.update(value=archive, visible=True),
        }

    def delete(
        self,
        visit: dict,
        person: dict | None,
        garment: dict | None,
        many: list | None,
        sent: list[str] | None,
        http: gr.Request,
    ) -> dict:
        """Delete every file of this visit, stop what is being made for it, and empty the page.

        `sent` lists all that the page ever uploaded.
        """
        self.sampler.stop(http.session_hash)
        keep(visit, *paths_in(sent))
        gone = forget(self.remember(visit, person, garment, many))
        gr.Info(messages(http)["deleted"].format(gone))
        return self.empty() | dict.fromkeys((self.ui.person, self.ui.garment, self.ui.garments))

    def delete_late(self, sent: list[str] | None) -> None:
        """Delete what the editor sent while everything was being deleted; it does so whenever the page changes."""
        delete(paths_in(sent))

    def empty(self) -> dict:
        """The page without results, and without anything that is being made."""
        ui, shown, gone = self.ui, gr.update(visible=True), gr.update(value=None, visible=False)
        return {
            ui.visit: new_visit(),
            ui.picked: [],
            **dict.fromkeys((ui.go, ui.waiting, ui.history_hint, ui.batch_go), shown),
            **dict.fromkeys((ui.cancel, ui.outcome, ui.found, ui.reuse, ui.batch_cancel), gr.update(visible=False)),
            **dict.fromkeys((ui.progress, ui.preview, ui.variations, ui.past), gone),
            **dict.fromkeys((ui.compare, ui.sheet, ui.zip, ui.link), gone),
            **dict.fromkeys((ui.slider, ui.warnings, ui.download, ui.strip, ui.details, ui.mask, ui.editor, *ui.views)),
            ui.batch_progress: "",
        }
