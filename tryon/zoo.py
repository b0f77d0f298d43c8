"""The checkpoints that ship with Try-On or can be fetched, and the one way to load any of them.

A checkpoint is a folder as `TryOnPipeline.save_pretrained` writes it. Weights are safetensors only: a
pickle can run code when it is read, so it is refused before anything is loaded.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from tryon.conditions import CATEGORIES
from tryon.pipeline import TryOnPipeline

WEIGHTS = Path(__file__).parent / "weights"
HASHES = "sha256.json"
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
HUB_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>.*))?")
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Checkpoint:
    """One row of the zoo.

    Attributes:
        name: what `load_pipeline` is given.
        summary: one sentence, without a full stop.
        license: SPDX identifier of the weights.
        commercial_use: whether that licence, and those of the training data, allow it.
        categories: garments it can put on, some of `CATEGORIES`.
        resolution: side of the square it paints, in pixels.
        repo_id: repository on the Hugging Face Hub; None for weights that lie in `tryon/weights/<name>`.
        revision: commit of that repository, 40 hexadecimal digits; None for bundled weights.

    Raises:
        ValueError: a Hub row without a pinned commit, or an unknown category.
    """

    name: str
    summary: str
    license: str
    commercial_use: bool
    categories: tuple[str, ...] = CATEGORIES
    resolution: int = 1024
    repo_id: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        """Refuse rows that would load something else tomorrow."""
        if self.repo_id is not None and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError(f"{self.name}: a Hub checkpoint needs a commit of 40 hex digits.")
        if not set(self.categories) <= set(CATEGORIES):
            raise ValueError(f"{self.name}: categories must be among {', '.join(CATEGORIES)}.")

    @property
    def source(self) -> str:
        """`org/repo@commit`, or "in this repository"."""
        return "in this repository" if self.repo_id is None else f"{self.repo_id}@{self.revision}"


CHECKPOINTS = (
    Checkpoint(
        name="small",
        summary="runs on two CPU cores; trained on rendered people only",
        license="CC0-1.0",
        commercial_use=True,
    ),
)


def list_checkpoints() -> tuple[Checkpoint, ...]:
    """All rows of the zoo, the default first."""
    return CHECKPOINTS


def load_pipeline(
    name_or_folder: str | Path = "small",
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> TryOnPipeline:
    """A pipeline ready to use, its weights checked before they are read.

    Args:
        name_or_folder: a row of `list_checkpoints()`, a folder written by `save_pretrained`, or
            `org/repo@commit` on the Hugging Face Hub. Only the last one, and rows that name a
            repository, can reach the network; `HF_HUB_OFFLINE=1` keeps them to the local cache.
        device: where to run; None takes CUDA, then Apple's MPS, then the CPU.
        dtype: of the weights; None takes bfloat16 where the device computes in it, else float32.

    Raises:
        ValueError: no such checkpoint, an unpinned Hub name, pickled weights, or a file that is not
            the one that was recorded.
        FileNotFoundError: the folder is not a whole pipeline, or the Hub's copy cannot be had.
    """
    folder = _folder_of(name_or_folder)
    check_weights(folder)
    device = torch.device(device) if device is not None else best_device()
    dtype = dtype if dtype is not None else best_dtype(device)
    pipeline = TryOnPipeline.from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True)
    return pipeline.to(device)


def best_device() -> torch.device:
    """CUDA where there is one, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where `device` has instructions for it (it halves memory and time), else float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


def check_weights(folder: Path) -> None:
    """Refuse a checkpoint folder whose weights are pickled, missing or not the recorded ones.

    A folder without a record (your own training run) is only checked for form.

    Raises:
        ValueError: see `load_pipeline`.
        FileNotFoundError: `folder` holds no pipeline, or a recorded file is missing.
    """
    if not (folder / "model_index.json").is_file():
        raise FileNotFoundError(f"{folder} holds no pipeline: model_index.json is missing.")
    pickles = sorted(str(f.relative_to(folder)) for f in _files(folder) if f.suffix in PICKLES)
    if pickles:
        raise ValueError(
            f"{folder} holds pickled weights ({', '.join(pickles)}), which can run code when read; "
            "save them as safetensors."
        )
    if not (folder / HASHES).is_file():
        return
    recorded = json.loads((folder / HASHES).read_text())
    found = {f.relative_to(folder).as_posix() for f in _files(folder) if f.suffix == ".safetensors"}
    for name in sorted(found | set(recorded)):
        if name not in found:
            raise FileNotFoundError(f"{folder / name} is missing; fetch the checkpoint again.")
        if _sha256(folder / name) != recorded.get(name):
            raise ValueError(
                f"{folder / name} is not the file that was recorded in {HASHES}; fetch the checkpoint again."
            )


def record_weights(folder: Path) -> None:
    """Write `sha256.json` beside the weights of a finished checkpoint, for `check_weights`."""
    hashes = {
        f.relative_to(folder).as_posix(): _sha256(f) for f in sorted(_files(folder)) if f.suffix == ".safetensors"
    }
    (folder / HASHES).write_text(json.dumps(hashes, indent=2) + "\n")


def markdown_table() -> str:
    """The zoo as a Markdown table; README.md carries it word for word."""
    lines = ["| name | what | garments | size | licence | commercial use | weights |"]
    lines.append("|" + " --- |" * 7)
    for row in CHECKPOINTS:
        allowed = "yes" if row.commercial_use else "no"
        cells = (f"`{row.name}`", row.summary, ", ".join(row.categories), f"{row.resolution} px")
        lines.append(f"| {' | '.join(cells)} | {row.license} | {allowed} | {row.source} |")
    return "\n".join(lines)


def _folder_of(name_or_folder: str | Path) -> Path:
    """The folder of a checkpoint, downloaded if it is one of the Hub's."""
    for row in CHECKPOINTS:
        if row.name == name_or_folder:
            if row.repo_id is None:
                return WEIGHTS / row.name
            return _download(row.repo_id, row.revision)
    if Path(name_or_folder).is_dir():
        return Path(name_or_folder)
    match = HUB_NAME.fullmatch(str(name_or_folder))
    if match is None:
        names = ", ".join(row.name for row in CHECKPOINTS)
        raise ValueError(
            f"There is no checkpoint {str(name_or_folder)!r}: give one of {names}, a folder, or org/repo@commit."
        )
    if not COMMIT.fullmatch(match["revision"] or ""):
        raise ValueError(
            f"There is no folder {str(name_or_folder)!r}; to take it from the Hub, pin what you "
            f"load: {match['repo']}@ and the 40 hex digits of a commit."
        )
    return _download(match["repo"], match["revision"])


def _download(repo_id: str, revision: str) -> Path:
    """The Hub's snapshot of a commit, from the cache if it is there."""
    from huggingface_hub import snapshot_download  # only a Hub checkpoint needs the client

    patterns = ["model_index.json", HASHES, "*/*.json", "*/*.safetensors", "README.md"]
    try:
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=patterns))
    except OSError as error:  # all of the Hub's errors are: no network, no such repository or commit
        raise FileNotFoundError(
            f"{repo_id}@{revision} is not in the cache and could not be downloaded: {error}"
        ) from error


def _files(folder: Path) -> Iterator[Path]:
    """The files of a pipeline folder: its own and those of its components."""
    return (path for path in (*folder.glob("*"), *folder.glob("*/*")) if path.is_file())


def _sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
