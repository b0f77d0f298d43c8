"""A folder of persons in a folder of garments: every pair, resumable, with a manifest."""

import argparse
import json
import random
import sys
from itertools import product
from pathlib import Path

MANIFEST = "manifest.jsonl"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".jp2"}
MAX_SEED = 2**31 - 1


def is_batch(options: argparse.Namespace) -> bool:
    """Whether an input is a folder."""
    return Path(options.person_image).is_dir() or Path(options.garment_image).is_dir()


def run(options: argparse.Namespace) -> int:
    """Make the pictures that are not there yet; returns the exit code: 1 if a pair failed.

    A pair is done when the manifest says so and its picture exists, so the same command again goes on where an earlier
    one was stopped, and tries failed pairs once more. One line of JSON a pair goes to the manifest and to stdout.

    Args:
        options: as `tryon.__main__.parse_arguments` gives them.

    Raises:
        ValueError: an empty folder, or a checkpoint that cannot be loaded.
        OSError: the output folder cannot be written.
        ImportError: a library that an option needs is not installed.
    """
    persons, garments = pictures(options.person_image), pictures(options.garment_image)
    options.output.mkdir(parents=True, exist_ok=True)
    settings = {name: getattr(options, name) for name in ("category", "num_inference_steps", "guidance_scale")}
    others = {name: getattr(options, name) for name in ("pose_detector", "human_parser")}
    asked = settings | {name: value for name, value in others.items() if value is not None}
    done = finished(options.output, options, asked)
    left = [pair for pair in product(persons, garments) if tuple(map(str, pair)) not in done]
    if not left:
        return 0

    from tqdm import tqdm  # these take seconds, and the folders are known to be good now

    from tryon.preprocessing.sources import use_others
    from tryon.zoo import load_pipeline

    pipeline, failures = load_pipeline(options.checkpoint), 0
    use_others(pipeline, **others)
    pipeline.set_progress_bar_config(disable=True)
    with (options.output / MANIFEST).open("a", encoding="utf-8") as manifest:
        if manifest.tell():
            manifest.write("\n")  # after the torn line of a killed run; empty lines are skipped
        for person, garment in tqdm(left, unit="picture", initial=len(done), total=len(done) + len(left)):
            seed = options.seed if options.seed >= 0 else random.randint(0, MAX_SEED)
            row = {"person": str(person), "garment": str(garment), "checkpoint": options.checkpoint, "asked": asked}
            try:
                output = options.output / f"{person.stem}--{garment.stem}.png"
                row |= {"seed": seed, "output": output.name, **dress(pipeline, person, garment, output, seed, settings)}
            except ValueError as error:
                failures += 1
                row |= {"error": str(error)}
            line = json.dumps(row)
            print(line, file=manifest, flush=True)
            print(line, flush=True)
    if failures:
        print(f"{failures} of {len(left)} pairs failed; {MANIFEST} says why.", file=sys.stderr)
    return 1 if failures else 0


def dress(pipeline: object, person: Path, garment: Path, output: Path, seed: int, settings: dict) -> dict:
    """Write one picture and return what is known about it.

    Raises:
        ValueError: a picture cannot be used, in words for the user.
    """
    import torch

    from tryon.images import read_image
    from tryon.metadata import save_result

    generator = torch.Generator().manual_seed(seed)
    made = pipeline(read_image(person), read_image(garment), **settings, generator=generator)
    save_result(made.images[0], output, {**made.info[0], "seed": seed})
    return made.info[0]


def pictures(path: str) -> list[Path]:
    """The picture files of a folder, by name; or the one file.

    Raises:
        ValueError: the folder holds none, or two whose names differ only in the suffix.
    """
    if not Path(path).is_dir():
        return [Path(path)]
    found = sorted(file for file in Path(path).iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"There is no picture in the folder {path}.")
    if len({file.stem for file in found}) < len(found):
        raise ValueError(f"Two pictures in {path} differ only in what follows the dot: results would overwrite.")
    return found


def finished(output: Path, options: argparse.Namespace, asked: dict) -> set[tuple[str, str]]:
    """Pairs (person, garment) that the manifest lists as made with these settings, and whose picture exists."""
    done = set()
    if not (output / MANIFEST).is_file():
        return done
    for line in (output / MANIFEST).read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # the last line of a killed run
            continue
        same = row["asked"] == asked and row["checkpoint"] == options.checkpoint
        same = same and options.seed in (-1, row.get("seed"))
        if same and "output" in row and "error" not in row and (output / row["output"]).is_file():
            done.add((row["person"], row["garment"]))
    return done
