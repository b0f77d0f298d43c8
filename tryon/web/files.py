"""Visitors' files: reading what they sent, keeping what they get, and deleting both."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from gradio.utils import get_upload_folder, is_static_file
from PIL import Image

from tryon.images import InputError, read_image
from tryon.metadata import save_result

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MAX_AGE = 3000  # seconds; with the time between two sweeps no file outlives an hour
SWEEP_EVERY = 300  # seconds
VIEW_SIZE = 2048  # longest side of what is shown on the page, in pixels
MAX_FILE_SIZE = 40 * 1024**2  # bytes
MAX_REQUEST_SIZE = 4 * MAX_FILE_SIZE  # all files of one upload together


def folder() -> Path:
    """Where all files of visitors lie, and nothing else."""
    return Path(get_upload_folder()).resolve()


def path_of(upload: dict | None) -> str | None:
    """The path in what a picture component sends; None if there is no picture."""
    return upload.get("path") if upload else None


def read_upload(upload: dict | None, what: str) -> Image.Image:
    """The picture behind an upload or an example.

    Args:
        upload: as a picture component sends it without preprocessing.
        what: "person", "garment" or "mask", for the messages.

    Raises:
        InputError: nothing was sent, it is gone, or `read_image` refuses it.
    """
    if not path_of(upload):
        raise InputError(f"There is no {what} picture: choose an example or upload a photo.")
    return read_image(_visitors(upload, what))


def read_layer(upload: dict) -> Image.Image:
    """What was painted in the editor, as coverage: a picture of mode L.

    Raises:
        InputError: it is gone.
    """
    with Image.open(_visitors(upload, "painted"), formats=("PNG", "WEBP")) as layer:
        return layer.convert("RGBA").getchannel("A")


def _visitors(upload: dict, what: str) -> Path:
    """The file of an upload; no other file of this machine."""
    path = Path(path_of(upload)).resolve()
    # gradio's own check lets a dictionary without its type mark pass
    if not (path.is_relative_to(folder()) or is_static_file(path)) or not path.is_file():
        raise InputError(f"The {what} picture is not here any more: upload it again.")
    return path


def new_file(name: str) -> Path:
    """A path of its own for a file that gradio serves from now on.

    Files named by their content would be rewritten by an equal result while they are being sent.
    """
    path = folder() / secrets.token_hex(16) / name
    path.parent.mkdir(parents=True)
    return path


def keep_result(image: Image.Image, info: dict) -> str:
    """The result at full size: a PNG file that carries its settings and says that an AI made it."""
    path = new_file(f"try-on-{info['seed']}.png")
    save_result(image, path, info)
    return str(path)


def keep_view(image: Image.Image, name: str, size: int = VIEW_SIZE) -> str:
    """A light copy for the screen, at most `size` pixels on its longer side."""
    image = image.copy()
    image.thumbnail((size, size))
    path = new_file(f"{name}.webp")
    image.save(path, quality=88)
    return str(path)


def keep_mask(mask: Image.Image, name: str = "region") -> str:
    """A mask as a lossless file."""
    path = new_file(f"{name}.png")
    mask.save(path)
    return str(path)


def delete(paths: Iterable[str | None]) -> int:
    """Delete these files of a visitor; whatever is not a visitor's file stays. Returns how many are gone."""
    count = 0
    for path in {Path(path).resolve() for path in paths if path}:
        if path.is_relative_to(folder()) and path.is_file():
            path.unlink(missing_ok=True)
            count += 1
    return count


def sweep(age: float) -> None:
    """Delete what is older than `age` seconds, also what a killed process or a shared link left behind."""
    for path in sorted(folder().rglob("*"), reverse=True):  # what is in a folder comes before the folder
        with contextlib.suppress(OSError):  # deleted by somebody else, or a folder in use
            if time.time() - path.lstat().st_mtime > age:
                path.rmdir() if path.is_dir() else path.unlink()


@contextlib.asynccontextmanager
async def sweeping(_: object) -> AsyncIterator[None]:
    """Sweep now and then, as long as the server lives (a lifespan of FastAPI)."""

    async def forever() -> None:
        while True:
            await asyncio.to_thread(sweep, MAX_AGE)
            await asyncio.sleep(SWEEP_EVERY)

    task = asyncio.create_task(forever())
    yield
    task.cancel()
