"""Turn a checkpoint into a repository of the Hugging Face Hub: pipeline folder, model card, example picture."""

import json
import shutil
from pathlib import Path

import torch
from huggingface_hub import ModelCard, ModelCardData
from PIL import Image, ImageOps

from tryon.checkpoint import HASHES, INDEX, record_weights
from tryon.hub import CheckpointError, upload
from tryon.images import read_image
from tryon.zoo import check_pipeline, fetch_checkpoint, load_pipeline

CARD = "README.md"
EVALUATION = "evaluation.json"
PICTURE = "example.jpg"
PICTURE_HEIGHT = 640
SEED = 0
BODY = """
# {name}

A virtual try-on checkpoint of the class `{pipeline}`, made with Try-On.

{table}
"""
USE = """
## Use

```python
from tryon import load_pipeline

pipeline = load_pipeline("{repo_id}@<commit>")  # the 40 hex digits of a commit of this repository
```

Or by diffusers alone, once Try-On is installed:

```python
import {module}  # makes the class known to diffusers
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("{repo_id}", revision="<commit>")
```

`sha256.json` lists the weights, which are safetensors only; `load_pipeline` checks them.
"""


def write_repository(
    name_or_folder: str | Path,
    repo_id: str,
    out: Path,
    license: str | None = None,
    example: tuple[Path, Path] | None = None,
) -> None:
    """Write what `push` uploads.

    Args:
        name_or_folder: checkpoint, as for `load_pipeline`.
        repo_id: `org/repo` that it is for; named on the card.
        out: folder to write; must not exist.
        license: SPDX identifier; not needed if the checkpoint's own card says it.
        example: photographs of a person and of a garment, for a picture that this checkpoint makes of them.

    Raises:
        CheckpointError: as `load_pipeline`, or nobody says the licence.
    """
    folder = fetch_checkpoint(name_or_folder)
    pipeline = check_pipeline(folder)
    if not (folder / INDEX).is_file():
        raise CheckpointError(f"{folder} is published by others and no pipeline folder; push what you made yourself.")
    card = _card(folder, repo_id, pipeline, license)
    names = [INDEX, EVALUATION, *(part.name for part in folder.iterdir() if part.is_dir() and part.name[0] != ".")]
    out.mkdir(parents=True)
    for part in (folder / name for name in names):
        if part.is_dir():
            shutil.copytree(part, out / part.name, ignore=lambda _, files: [f for f in files if not _belongs(f)])
        elif part.is_file():
            shutil.copy(part, out / part.name)
    if (folder / HASHES).is_file():
        shutil.copy(folder / HASHES, out / HASHES)
    else:
        record_weights(out)
    if example is not None:
        _make_example(folder, example).save(out / PICTURE, quality=90)
        card.text += f"\n![A person, a garment, and what this checkpoint makes of them]({PICTURE})\n"
    card.save(out / CARD)


def push(
    name_or_folder: str | Path,
    repo_id: str,
    out: Path,
    license: str | None = None,
    example: tuple[Path, Path] | None = None,
    private: bool = False,
) -> str:
    """Write and upload a repository; returns `org/repo@commit`, by which `load_pipeline` gives the same pictures.

    Args:
        name_or_folder: as in `write_repository`.
        repo_id: as in `write_repository`; created if it does not exist.
        out: as in `write_repository`.
        license: as in `write_repository`.
        example: as in `write_repository`.
        private: whether a new repository is hidden from others.

    Raises:
        CheckpointError: as `write_repository`, or the Hub refuses; the message says what to do.
    """
    write_repository(name_or_folder, repo_id, out, license, example)
    return f"{repo_id}@{upload(out, repo_id, private)}"


def _card(folder: Path, repo_id: str, pipeline: type, license: str | None) -> ModelCard:
    """The checkpoint's own card, or a new one, with what the Hub needs to know."""
    fixed = {"library_name": "diffusers", "pipeline_tag": "image-to-image"}
    if (folder / CARD).is_file():
        card = ModelCard((folder / CARD).read_text(encoding="utf-8"), ignore_metadata_errors=True)
        for name, value in fixed.items():
            if card.data.get(name) is None:
                setattr(card.data, name, value)
    else:
        data = ModelCardData(tags=["virtual-try-on"], **fixed)
        text = BODY.format(name=repo_id.split("/")[-1], pipeline=pipeline.__name__, table=evaluation_table(folder))
        card = ModelCard(f"---\n{data.to_yaml()}\n---\n{text}")
    if license is not None:
        card.data.license = license.lower()
    if not card.data.get("license"):
        raise CheckpointError("The card does not say under which licence the weights are: give --license, such as MIT.")
    card.text += USE.format(repo_id=repo_id, module=pipeline.__module__)
    return card


def evaluation_table(folder: Path) -> str:
    """What `tryon.training.evaluate` measured, as a Markdown table; a sentence if it was not run."""
    if not (folder / EVALUATION).is_file():
        return "It has not been evaluated."
    methods = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))["methods"]
    named = dict.fromkeys(name for values in methods.values() for name in values)
    metrics = [name for name in named if not name.endswith("_ci95")]
    lines = [f"| method | {' | '.join(metrics)} |", "|" + " --- |" * (1 + len(metrics))]
    for method, values in methods.items():
        cells = (
            f"{values[name]:.4g} ± {values.get(f'{name}_ci95', 0):.2g}" if name in values else "" for name in metrics
        )
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _make_example(folder: Path, example: tuple[Path, Path]) -> Image.Image:
    """Person, garment and result side by side."""
    person, garment = (read_image(path) for path in example)
    result = load_pipeline(folder)(person, garment, generator=torch.Generator().manual_seed(SEED)).images[0]
    panels = [ImageOps.contain(image, (10 * PICTURE_HEIGHT, PICTURE_HEIGHT)) for image in (person, garment, result)]
    strip = Image.new("RGB", (sum(panel.width for panel in panels), PICTURE_HEIGHT), "white")
    left = 0
    for panel in panels:
        strip.paste(panel, (left, (PICTURE_HEIGHT - panel.height) // 2))
        left += panel.width
    return strip


def _belongs(name: str) -> bool:
    return name.endswith((".json", ".safetensors"))
