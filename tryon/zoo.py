"""The checkpoints that ship with Try-On or can be fetched, and the one way to load any of them.

A checkpoint is a folder as `TryOnPipeline.save_pretrained` writes it. Weights are safetensors only: a
pickle can run code when it is read, so it is refused before anything is loaded.
"""

import importlib.util
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tryon.checkpoint import INDEX, check_classes, check_files, check_fit, count_parameters, read_header
from tryon.conditions import CATEGORIES
from tryon.devices import MemoryShortageError, choose_device, release_memory
from tryon.hub import COMMIT, SHA256, CheckpointError, HubFile, Progress, fetch, why_not_offline
from tryon.preprocessing import dwpose

if TYPE_CHECKING:
    from tryon.fashn_pipeline import FashnTryOnPipeline
    from tryon.pipeline import TryOnPipeline

    Pipeline = TryOnPipeline | FashnTryOnPipeline

WEIGHTS = Path(__file__).parent / "weights"
HUB_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>.*))?")
SINGLE_FILE = "model.safetensors"  # what FASHN publishes: weights alone
WANTED = (SINGLE_FILE, "model_index.json", "sha256.json", "*/*.json", "*/*.safetensors", "README.md")
SPEEDS = ("seconds on a CPU", "seconds on a GPU, an hour on a CPU")


@dataclass(frozen=True)
class Score:
    """One measured number.

    Attributes:
        metric: what was measured, with an arrow to where it is better: "CIEDE2000 ↓".
        value: the number.
        command: what gave it.
    """

    metric: str
    value: float
    command: str


@dataclass(frozen=True)
class Checkpoint:
    """One row of the zoo.

    Attributes:
        name: what `load_pipeline` is given.
        summary: what it is good at, without a full stop.
        license: SPDX identifier of the weights.
        commercial_use: whether that licence, and those of the training data, allow it.
        categories: garments it can put on, some of `CATEGORIES`.
        resolution: longer side of what it paints, in pixels.
        repo_id: repository on the Hugging Face Hub; None for weights that lie in `tryon/weights/<name>`.
        revision: commit of that repository, 40 hexadecimal digits; None for bundled weights.
        files: of that commit, and of others that it needs; for bundled weights see the folder's `sha256.json`.
        requires: packages that are not among Try-On's own requirements.
        paper: where the method is described.
        parameters: number of weights in all networks.
        memory_gb: for weights and work on a photo of 12 megapixels in bfloat16, in units of 10^9 bytes; float32 takes
            twice that.
        speed: of one picture, one of `SPEEDS`.
        num_inference_steps: recommended, one number per stage.
        guidance_scale: recommended; 1 is off.
        scores: what was measured; empty if nothing was.

    Raises:
        ValueError: a Hub row without a pinned commit and hashed files, an unknown category or speed.
    """

    name: str
    summary: str
    license: str
    commercial_use: bool
    categories: tuple[str, ...] = CATEGORIES
    resolution: int = 1024
    repo_id: str | None = None
    revision: str | None = None
    files: tuple[HubFile, ...] = ()
    requires: tuple[str, ...] = ()
    paper: str = ""
    parameters: int = 0
    memory_gb: float = 1.0
    speed: str = SPEEDS[0]
    num_inference_steps: tuple[int, ...] = (1,)
    guidance_scale: float = 1.0
    scores: tuple[Score, ...] = ()

    def __post_init__(self) -> None:
        """Refuse rows that would load something else tomorrow."""
        if self.repo_id is not None and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError(f"{self.name}: a Hub checkpoint needs a commit of 40 hex digits.")
        if self.repo_id is not None and not (self.files and all(SHA256.fullmatch(f.sha256) for f in self.files)):
            raise ValueError(f"{self.name}: a Hub checkpoint needs its files with SHA-256.")
        if not all(HUB_NAME.fullmatch(f.source) and COMMIT.search(f.source) for f in self.files if f.source):
            raise ValueError(f"{self.name}: files of other repositories need org/repo@commit.")
        if not set(self.categories) <= set(CATEGORIES):
            raise ValueError(f"{self.name}: categories must be among {', '.join(CATEGORIES)}.")
        if self.speed not in SPEEDS:
            raise ValueError(f"{self.name}: speed must be one of {', '.join(SPEEDS)}.")

    @property
    def source(self) -> str:
        """`org/repo@commit`, or "in this repository"."""
        return "in this repository" if self.repo_id is None else f"{self.repo_id}@{self.revision}"

    @property
    def download_gb(self) -> float:
        """What has to be fetched once, in units of 10^9 bytes."""
        return sum(file.size for file in self.files) / 1e9


EVALUATE = "python -m tryon.training.evaluate --pairs 300"
CHECKPOINTS = (
    Checkpoint(
        name="small",
        summary="runs on two CPU cores; trained on rendered people only",
        license="CC0-1.0",
        commercial_use=True,
        paper="https://arxiv.org/abs/2306.08276",
        parameters=16_667_243,
        memory_gb=1.0,
        speed="seconds on a CPU",
        num_inference_steps=(1, 1, 1),
        guidance_scale=1.0,
        scores=(Score("garment CIEDE2000 ↓", 10.8, EVALUATE), Score("garment SSIM ↑", 0.508, EVALUATE)),
    ),
    # Commits and hashes are those that several public projects record for these files. They have not been downloaded
    # by us: if one were wrong, nothing would be loaded.
    Checkpoint(
        name="fashn-vton-1.5",
        summary="photographs of real people, without a mask; wants a GPU; not yet tried by us",
        license="Apache-2.0",
        commercial_use=True,
        resolution=864,
        repo_id="fashn-ai/fashn-vton-1.5",
        revision="7720683168567eb5a2a4c67f15116c6e29c83ded",
        files=(
            HubFile(SINGLE_FILE, 1_943_668_048, "d6cd38286885bc29fa487ea9383f80ffeb95862e7747c630d42c5d3c05bdd35a"),
            dwpose.DETECTOR,
            dwpose.ESTIMATOR,
        ),
        requires=("onnxruntime",),
        paper="Bochman & Bochman, FASHN VTON v1.5: Efficient Maskless Virtual Try-On in Pixel Space, 2026",
        parameters=971_813_808,
        memory_gb=4.5,
        speed="seconds on a GPU, an hour on a CPU",
        num_inference_steps=(30,),
        guidance_scale=1.5,
    ),
)
_residents: OrderedDict[str, "Pipeline"] = OrderedDict()  # least recently used first
_loading = threading.Lock()


def list_checkpoints() -> tuple[Checkpoint, ...]:
    """All rows of the zoo, the default first."""
    return CHECKPOINTS


def find_checkpoint(name: object) -> Checkpoint | None:
    """The row of that name, if there is one."""
    return next((row for row in CHECKPOINTS if row.name == name), None)


def load_pipeline(
    name_or_folder: str | Path = "small",
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
) -> "Pipeline":
    """A pipeline ready to use, its weights checked before they are read.

    Args:
        name_or_folder: a row of `list_checkpoints()`, a folder written by `save_pretrained`, or
            `org/repo@commit` on the Hugging Face Hub. Only the last one, and rows that name a
            repository, can reach the network; `HF_HUB_OFFLINE=1` keeps them to the local cache.
        device: where to run; None takes CUDA, then Apple's MPS, then the CPU, the first with enough free memory.
        dtype: of the weights; None takes bfloat16 where the device computes in it or float32 does not fit,
            else float32.
        progress: is told of the download: bytes that are there, bytes that are wanted.

    Raises:
        CheckpointError: (a ValueError) no such checkpoint, an unpinned Hub name, pickled weights, a file that is
            not the one that was recorded, a class or setting that this version does not know. If a file is
            missing or cannot be had it is a FileNotFoundError too.
        MemoryShortageError: (a CheckpointError) no device has the memory; rows are refused before any download.
    """
    row = find_checkpoint(name_or_folder)
    if row is not None:
        _check_packages(row)
        device, dtype = choose_device(row.memory_gb, device, dtype)
    folder = fetch_checkpoint(name_or_folder, progress)
    if row is None:  # weights in bfloat16, and as much again for the work
        device, dtype = choose_device(4e-9 * count_parameters(folder) + 0.5, device, dtype)
    pipeline_class = check_pipeline(folder)
    try:
        if (folder / INDEX).is_file():
            pipeline = pipeline_class.from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True)
        else:
            pipeline = pipeline_class.from_published(folder / SINGLE_FILE, _bundled_annotator(dtype), dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} does not fit this version of Try-On: {error}") from error
    if pipeline.config.get("pose") == "dwpose":
        files = [dwpose.DETECTOR, dwpose.ESTIMATOR]
        pipeline.pose_detector = dwpose.DWPose(_fetch_files(dwpose.SOURCE, files, progress), device.type == "cuda")
    return pipeline.to(device)


def resident_pipeline(name: str, progress: Progress | None = None) -> "Pipeline":
    """The pipeline of a checkpoint, loaded at the first call and kept as long as the memory is not needed.

    Safe to call from several threads; all get the same object. Those least recently asked for make room for others.

    Args:
        name: as for `load_pipeline`.
        progress: as for `load_pipeline`.

    Raises:
        CheckpointError: as `load_pipeline`.
    """
    make_available(name, progress)  # outside of the lock: nobody waits for the download of another's choice
    with _loading:
        while name not in _residents:
            try:
                _residents[name] = load_pipeline(name)
            except MemoryShortageError:
                if not _residents:
                    raise
                _residents.popitem(last=False)
                release_memory()
        _residents.move_to_end(name)
        return _residents[name]


def make_available(name: str, progress: Progress | None = None) -> None:
    """Download what `resident_pipeline` will load, unless it is loaded already.

    Args:
        name: as for `load_pipeline`.
        progress: as for `load_pipeline`.

    Raises:
        CheckpointError: as `load_pipeline`; what is known to stand in the way is said before the download.
    """
    if name in _residents:
        return
    row = find_checkpoint(name)
    if row is not None and (sentence := obstacle(row)):
        raise CheckpointError(sentence)
    fetch_checkpoint(name, progress)


def obstacle(row: Checkpoint) -> str | None:
    """Why a checkpoint cannot be loaded here and now, in a sentence for the user, or None if nothing is known.

    Looks at packages, memory, and, where downloads are forbidden, at the cache. Costs milliseconds.
    """
    if row.name in _residents:
        return None
    evictable = sum(other.memory_gb for other in CHECKPOINTS if other.name in _residents)
    try:
        _check_packages(row)
        choose_device(max(0.0, row.memory_gb - evictable))
    except (CheckpointError, MemoryShortageError) as error:
        return str(error)
    sentences = (why_not_offline(*_pinned(source), [f.path for f in files]) for source, files in _sources(row))
    return next(filter(None, sentences), None)


def fetch_checkpoint(name_or_folder: str | Path, progress: Progress | None = None) -> Path:
    """The folder of a checkpoint, downloaded if it is one of the Hub's, its files checked.

    Raises:
        CheckpointError: as `load_pipeline`.
    """
    row = find_checkpoint(name_or_folder)
    if row is not None and row.repo_id is not None:
        folder, *_ = [_fetch_files(source, files, progress) for source, files in _sources(row)]
        return folder
    if row is not None:
        folder = WEIGHTS / row.name
    elif Path(name_or_folder).is_dir():
        folder = Path(name_or_folder)
    else:
        folder = fetch(*_pinned(str(name_or_folder)), WANTED, progress)
    check_files(folder)
    return folder


def verify(name_or_folder: str | Path) -> Path:
    """Check all of a checkpoint that can be checked without loading it; returns its folder.

    Raises:
        CheckpointError: as `load_pipeline`.
    """
    folder = fetch_checkpoint(name_or_folder)
    check_pipeline(folder)
    return folder


def check_pipeline(folder: Path) -> type:
    """The pipeline class that a folder is made for, once all that it names is known and its weights fit.

    Raises:
        CheckpointError: as `load_pipeline`.
    """
    from tryon.fashn_pipeline import FashnTryOnPipeline  # late, for the table needs none of diffusers
    from tryon.models.fashn_vton import FashnVTON
    from tryon.pipeline import TryOnPipeline

    single = folder / SINGLE_FILE
    if single.is_file() and not (folder / INDEX).is_file():
        check_fit(FashnVTON, {}, read_header(single), single)
        return FashnTryOnPipeline
    return check_classes(folder, (TryOnPipeline, FashnTryOnPipeline))


def markdown_table() -> str:
    """The zoo as a Markdown table; README.md carries it word for word."""
    lines = ["| name | what | garments | size | parameters | memory | speed | licence | commercial use | weights |"]
    lines.append("|" + " --- |" * 10)
    for row in CHECKPOINTS:
        allowed = "yes" if row.commercial_use else "no"
        cells = (
            f"`{row.name}`",
            row.summary,
            ", ".join(row.categories),
            f"{row.resolution} px",
            f"{row.parameters / 1e6:.0f} M",
            f"{row.memory_gb:g} GB",
            row.speed,
            row.license,
            allowed,
            row.source,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _check_packages(row: Checkpoint) -> None:
    """Refuse a row whose packages are not installed, before anything is downloaded for it."""
    missing = [package for package in row.requires if importlib.util.find_spec(package) is None]
    if missing:
        raise CheckpointError(f"{row.name} needs {', '.join(missing)}: {dwpose.INSTALL}")


def _bundled_annotator(dtype: torch.dtype) -> torch.nn.Module:
    from tryon.models.annotator import Annotator

    folder = WEIGHTS / CHECKPOINTS[0].name / "annotator"
    return Annotator.from_pretrained(folder, torch_dtype=dtype, use_safetensors=True, local_files_only=True)


def _sources(row: Checkpoint) -> list[tuple[str, list[HubFile]]]:
    """The files of a row by the `org/repo@commit` that holds them, its own first."""
    files: dict[str, list[HubFile]] = {row.source: []} if row.repo_id else {}
    for file in row.files:
        files.setdefault(file.source or row.source, []).append(file)
    return list(files.items())


def _fetch_files(source: str, files: list[HubFile], progress: Progress | None) -> Path:
    """The folder of a commit that holds these files, each checked against its SHA-256."""
    folder = fetch(*_pinned(source), [file.path for file in files], progress)
    check_files(folder, {file.path: file.sha256 for file in files})
    return folder


def _pinned(name: str) -> tuple[str, str]:
    """Repository and commit of `org/repo@commit`.

    Raises:
        CheckpointError: it is something else.
    """
    match = HUB_NAME.fullmatch(name)
    if match is None:
        names = ", ".join(row.name for row in CHECKPOINTS)
        raise CheckpointError(f"There is no checkpoint {name!r}: give one of {names}, a folder, or org/repo@commit.")
    if not COMMIT.fullmatch(match["revision"] or ""):
        raise CheckpointError(
            f"There is no folder {name!r}; to take it from the Hub, pin what you "
            f"load: {match['repo']}@ and the 40 hex digits of a commit."
        )
    return match["repo"], match["revision"]
