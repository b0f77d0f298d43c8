"""Links back to the same model, category, seed and examples; and by gradio's deep link to uploaded pictures."""

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import gradio as gr

from tryon.conditions import CATEGORIES
from tryon.web.files import EXAMPLES, folder, path_of
from tryon.web.sampler import DEFAULT, MAX_SEED, served_names

# gradio keeps the page's state under a name of its own; without it, the link still holds the settings.
COPY_LINK = """async (query) => {
  const url = new URL(window.location.href);
  url.search = query;
  const answer = await fetch(`gradio_api/deep_link?session_hash=${window.__gradio_session_hash__}`);
  if (answer.ok) { url.searchParams.set("deep_link", await answer.json()); }
  try { await navigator.clipboard.writeText(url.toString()); } catch { /* shown to be copied by hand */ }
  return url.toString();
}"""


def example(kind: str, name: str | None) -> str | None:
    """Path of the example picture of that name, without suffix, in the folder `kind`; None if there is none."""
    return next((str(path) for path in example_files(kind) if path.stem == name), None)


def example_files(kind: str, category: str = "auto") -> list[Path]:
    """Example pictures of "persons" or "garments"; a garment's name begins with its category."""
    paths = sorted(path for path in (EXAMPLES / kind).glob("*") if path.suffix in (".jpg", ".png", ".webp"))
    return [path for path in paths if category == "auto" or path.stem.startswith(f"{category}_")]


def thumbnail(path: Path) -> Path:
    """The small version of an example picture; the picture itself if there is none."""
    small = EXAMPLES / "thumbnails" / path.parent.name / f"{path.stem}.webp"
    return small if small.exists() else path


def query_of(person: dict | None, garment: dict | None, category: str, seed: float | None, checkpoint: str) -> str:
    """The settings as the query of an address; pictures only where they are examples."""
    query = {"model": checkpoint, "category": category, "seed": int(-1 if seed is None else seed)}
    for name, upload in (("person", person), ("garment", garment)):
        path = Path(path_of(upload) or "")
        if path.is_relative_to(EXAMPLES):
            query[name] = path.stem
    return urlencode(query)


def settings_of(request: gr.Request) -> dict:
    """What the address of the page asks for: checked, with defaults; person and garment are paths."""
    query = request.query_params
    seed = query.get("seed", "")
    model, category = query.get("model"), query.get("category")
    return {
        "person": example("persons", query.get("person")),
        "garment": example("garments", query.get("garment")),
        "category": category if category in CATEGORIES else "auto",
        "seed": int(seed) if re.fullmatch(r"\d{1,10}", seed) and int(seed) <= MAX_SEED else -1,
        "checkpoint": model if model in served_names() else DEFAULT,
    }


def restores_a_page(request: gr.Request, components: tuple[int, ...]) -> bool:
    """Whether the address holds a deep link that is still there, and so are the pictures in these components."""
    states = linked_files(str(request.url))
    if not states:
        return False
    state = json.loads(Path(states[0]).read_bytes())
    values = [component["props"].get("value") for component in state if component["id"] in components]
    return all(Path(path).is_file() for path in _paths(values))


def linked_files(link: str) -> list[str]:
    """What gradio keeps on disk for a deep link: one file, or none any more."""
    name = re.search(r"[?&]deep_link=([\w-]+)", link or "")
    path = name and folder() / "deep_links" / name[1] / "state.json"
    return [str(path)] if path and path.is_file() else []


def _paths(value: object) -> list[str]:
    """All paths of files in the values of components."""
    if isinstance(value, dict):
        return [value["path"]] if value.get("path") else []
    return [path for part in value for path in _paths(part)] if isinstance(value, list) else []
