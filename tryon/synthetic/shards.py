"""Shards: folders of arrays that hold pairs, rendered or imported.

A shard is one folder with one `.npy` file per field of the pairs' dataclass, n pairs along the first
axis. It is written under a name that ends in `.tmp` and renamed when it is whole, so a folder
without that ending is complete, whatever happened to the process that wrote it.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np

_UNFINISHED = ".tmp"


def write_shard(folder: Path, pairs: Iterable[object], count: int) -> None:
    """Write `count` pairs as one shard; an unfinished one of an earlier run is overwritten.

    Args:
        folder: where the shard will be when it is whole; must not exist.
        pairs: at least `count` of them, dataclasses of one class whose fields are arrays of one shape each.
        count: number of pairs.

    Raises:
        ValueError: there are fewer pairs.
        OSError: the folder exists already or cannot be written.
    """
    unfinished = folder.with_name(folder.name + _UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    arrays: dict[str, np.ndarray] = {}
    written = 0
    for pair in pairs:
        for name in (field.name for field in fields(pair)):
            value = np.asarray(getattr(pair, name))
            if name not in arrays:
                path, shape = unfinished / f"{name}.npy", (count, *value.shape)
                arrays[name] = np.lib.format.open_memmap(path, "w+", value.dtype, shape)
            arrays[name][written] = value
        written += 1
        if written == count:
            break
    if written < count:
        raise ValueError(f"A shard of {count} pairs was asked for, but there are {written}.")
    for array in arrays.values():
        array.flush()
    os.rename(unfinished, folder)


def list_shards(folder: Path) -> list[Path]:
    """The complete shards in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix != _UNFINISHED and (path / "image.npy").is_file())


def read_shard(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a shard by field, mapped from disk.

    Raises:
        ValueError: the shard is unfinished.
    """
    if folder.suffix == _UNFINISHED:
        raise ValueError(f"{folder} is not finished: render it again.")
    return {file.stem: np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))}
