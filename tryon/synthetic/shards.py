"""Shards: folders of arrays that hold pairs, rendered or imported.

A shard is one folder with one `.npy` file per field of the pairs' dataclass, n pairs along the first
axis. It is written under a name that ends in `.tmp` and renamed when it is whole, so a folder
without that ending is complete, whatever happened to the process that wrote it.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import BinaryIO

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
        OSError: the folder exists already or cannot be written, as on a full disk; nothing is left behind then.
    """
    unfinished = folder.with_name(folder.name + _UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        with ExitStack() as stack:
            written = _write_fields(unfinished, pairs, count, stack)
    except OSError as error:  # a full disk: half a shard must not keep it full
        shutil.rmtree(unfinished, ignore_errors=True)
        raise OSError(error.errno, f"The shard {folder} could not be written: {error.strerror or error}") from error
    if written < count:
        raise ValueError(f"A shard of {count} pairs was asked for, but there are {written}.")
    os.rename(unfinished, folder)


def _write_fields(folder: Path, pairs: Iterable[object], count: int, stack: ExitStack) -> int:
    """Write up to `count` pairs, field by field; returns how many there were."""
    # Plain files, not memory maps: a full disk stops these with an error, those with a signal.
    files: dict[str, BinaryIO] = {}
    written = 0
    for pair in islice(pairs, count):
        for name in (field.name for field in fields(pair)):
            value = np.ascontiguousarray(getattr(pair, name))
            if name not in files:
                files[name] = stack.enter_context((folder / f"{name}.npy").open("wb"))
                shape = (count, *np.shape(getattr(pair, name)))
                header = {"descr": value.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(files[name], header)
            files[name].write(value.data)
        written += 1
    return written


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
