"""Checkpoint folders, checked before anything in them is loaded.

A folder is data: safetensors and JSON. Its files name classes, but only those of this package and diffusers'
schedulers are ever looked up, so nothing that comes with a checkpoint is executed.
"""

import inspect
import json
import struct
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import torch

from tryon.hub import PICKLES, CheckpointError, MissingCheckpointError, sha256_of

INDEX = "model_index.json"
HASHES = "sha256.json"
UPDATE = "It was made by a newer Try-On: update Try-On, or take an older commit of the checkpoint"


def check_files(folder: Path, hashes: Mapping[str, str] | None = None) -> None:
    """Refuse a folder with pickles or programs in it, or whose weights are cut short, missing or not the recorded ones.

    A folder without a record (your own training run) is only checked for form.

    Args:
        folder: of the checkpoint.
        hashes: file name -> SHA-256; None takes the folder's own `sha256.json`, if it has one.

    Raises:
        CheckpointError: the message names the file.
    """
    files = list(_files(folder))
    for kind, suffixes in (("pickled weights", PICKLES), ("programs", {".py", ".pyc", ".so", ".pyd", ".dll"})):
        found = sorted(str(file.relative_to(folder)) for file in files if file.suffix in suffixes)
        if found:
            raise CheckpointError(
                f"{folder} holds {kind} ({', '.join(found)}), which can run code when read; "
                "a checkpoint is safetensors and JSON only. Save or choose one without them."
            )
    weights = {file.relative_to(folder).as_posix(): file for file in files if file.suffix == ".safetensors"}
    for file in weights.values():
        read_header(file)
    if hashes is None:
        hashes = read_json(folder / HASHES) if (folder / HASHES).is_file() else None
    if hashes is None:
        return
    for name in sorted({*weights, *hashes}):
        if not (folder / name).is_file():
            raise MissingCheckpointError(f"{folder / name} is missing; fetch the checkpoint again.")
        if sha256_of(folder / name) != hashes.get(name):
            raise CheckpointError(
                f"{folder / name} is not the file that was recorded: its SHA-256 differs. {_discard(folder / name)}"
            )


def check_classes(folder: Path, pipelines: Iterable[type]) -> type:
    """The pipeline class of a folder, once all that its configuration names is known to this version.

    Args:
        folder: of the checkpoint.
        pipelines: classes that may be meant.

    Raises:
        CheckpointError: an unknown class or setting, or weights that do not belong to their class.
    """
    if not (folder / INDEX).is_file():
        raise MissingCheckpointError(f"{folder} holds no pipeline: {INDEX} is missing.")
    index = read_json(folder / INDEX)
    known = {pipeline.__name__: pipeline for pipeline in pipelines}
    name = index.get("_class_name")
    if name not in known:
        raise CheckpointError(
            f"{folder} is made for the class {name!r}, which is not known here; known are {', '.join(known)}. "
            f"If it is a Try-On checkpoint: {UPDATE[0].lower()}{UPDATE[1:]}."
        )
    expected = typing.get_type_hints(known[name].__init__)
    for key, value in index.items():
        if key.startswith("_"):
            continue
        if key not in expected:
            raise CheckpointError(f"{folder / INDEX} has the unknown entry {key!r}. {UPDATE}.")
        if isinstance(expected[key], type) and isinstance(value, list) and expected[key].__module__ != "builtins":
            _check_component(folder / key, value, expected[key])
    return known[name]


def check_fit(
    network: type[torch.nn.Module], config: dict, tensors: Mapping[str, tuple[int, ...]], place: Path
) -> None:
    """Refuse weights whose names or shapes are not those of the network.

    Args:
        network: class with `from_config`.
        config: its settings.
        tensors: name -> shape.
        place: for the message.

    Raises:
        CheckpointError: see above.
    """
    with torch.device("meta"):
        state = network.from_config(config).state_dict()
    wanted = {name: tuple(value.shape) for name, value in state.items()}
    wrong = sorted(name for name in {*wanted, *tensors} if wanted.get(name) != tensors.get(name))
    if wrong:
        raise CheckpointError(
            f"{place}: {len(wrong)} of {len(wanted)} tensors do not fit {network.__name__} (first: {wrong[0]}). "
            "The weights belong to another class or another config; fetch or save the checkpoint again."
        )


@cache
def _shapes(path: Path, changed: float) -> dict[str, tuple[int, ...]]:
    """Header of a file that was last `changed` at that time."""
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        try:
            header = json.loads(file.read(length)) if 0 < length < size else None
        except ValueError:
            header = None
    if header is None:
        raise CheckpointError(f"{path} is no safetensors file, or was cut short. {_discard(path)}")
    header.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if 8 + length + end != size:
        raise CheckpointError(f"{path} was cut short: {size} of {8 + length + end} bytes. {_discard(path)}")
    return {name: tuple(entry["shape"]) for name, entry in header.items()}


def read_header(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file; no tensor is read.

    Raises:
        CheckpointError: the file is cut short or of another kind.
    """
    return _shapes(path, path.stat().st_mtime)


def count_parameters(folder: Path) -> int:
    """Number of values in all weights of a folder."""
    weights = (file for file in _files(folder) if file.suffix == ".safetensors")
    return sum(torch.Size(shape).numel() for file in weights for shape in read_header(file).values())


def record_weights(folder: Path) -> None:
    """Write `sha256.json` beside the weights of a finished checkpoint, for `check_files`."""
    weights = sorted(file for file in _files(folder) if file.suffix == ".safetensors")
    hashes = {file.relative_to(folder).as_posix(): sha256_of(file) for file in weights}
    (folder / HASHES).write_text(json.dumps(hashes, indent=2) + "\n")


def read_json(path: Path) -> dict:
    """A JSON object.

    Raises:
        CheckpointError: it is missing, or none.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingCheckpointError(f"{path} is missing; fetch the checkpoint again.") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is no readable JSON; fetch the checkpoint again.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is not a JSON object; fetch the checkpoint again.")
    return value


def _check_component(folder: Path, value: list, expected: type) -> None:
    """One entry of `model_index.json`: the class that belongs there, its settings, and its weights."""
    if expected.__module__.startswith("diffusers."):
        import diffusers

        found = getattr(diffusers, str(value[1]), None) if value[0] == "diffusers" else None
        fits = inspect.isclass(found) and issubclass(found, expected)
    else:
        fits = value == [expected.__module__, expected.__name__]
    if not fits:
        raise CheckpointError(
            f"{folder.name} should be a {expected.__name__} of {expected.__module__}, but {folder.parent / INDEX} "
            f"names {'.'.join(map(str, value))}. Nothing else is loaded from a checkpoint."
        )
    if not issubclass(expected, torch.nn.Module):
        return
    config = read_json(folder / "config.json")
    unknown = [key for key in config if key[0] != "_" and key not in inspect.signature(expected.__init__).parameters]
    if unknown:
        raise CheckpointError(f"{folder / 'config.json'} has the unknown setting {unknown[0]!r}. {UPDATE}.")
    tensors = {}
    for file in folder.glob("*.safetensors"):
        tensors |= read_header(file)
    if not tensors:
        raise MissingCheckpointError(f"{folder} has no weights: a .safetensors file is missing.")
    check_fit(expected, config, tensors, folder)


def _files(folder: Path) -> Iterator[Path]:
    """The files of a pipeline folder: its own and those of its components."""
    return (path for path in (*folder.glob("*"), *folder.glob("*/*")) if path.is_file())


def _discard(path: Path) -> str:
    """What to do about a damaged file; one in the Hub's cache is removed, so that it will be fetched anew."""
    if not path.is_symlink() or path.resolve().parent.name != "blobs":
        return "Fetch the checkpoint again."
    path.resolve().unlink(missing_ok=True)
    path.unlink()
    return "It was removed from the cache: try again to fetch it anew."
