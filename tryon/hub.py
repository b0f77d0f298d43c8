"""Files of a pinned commit from the Hugging Face Hub, resumed where they broke off, with words for every failure.

huggingface_hub does the talking and owns the cache. What is added here: weights are fetched into a partial file that
the next call goes on with (the client itself starts a file anew in every process), and are hashed before they enter
the cache.
"""

import errno
import fnmatch
import functools
import hashlib
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2  # the HTTP client that huggingface_hub uses and whose errors it lets through
from huggingface_hub import (
    HfApi,
    constants,
    get_cached_repo_tree,
    get_hf_file_metadata,
    get_session,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import WeakFileLock, build_hf_headers, tqdm

from tryon.images import InputError

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"}
SPARE_BYTES = 100_000_000  # left free on the disk

Progress = Callable[[int, int], None]
"""Is told the bytes that are there and the bytes that are wanted; an exception that it raises stops the download."""


class CheckpointError(InputError):
    """A checkpoint cannot be loaded; the message says why and what to do."""


class MissingCheckpointError(CheckpointError, FileNotFoundError):
    """A checkpoint, or a file of it, is not there and cannot be had."""


@dataclass(frozen=True)
class HubFile:
    """One file of a commit.

    Attributes:
        path: in the repository.
        size: in bytes.
        sha256: 64 hexadecimal digits.
        source: `org/repo@commit` that holds it; None is the checkpoint's own.
    """

    path: str
    size: int
    sha256: str
    source: str | None = None


def fetch(repo_id: str, revision: str, patterns: Sequence[str], progress: Progress | None = None) -> Path:
    """The folder of a commit in the Hub's cache, downloaded first where it is not whole.

    A commit that is in the cache needs no network, and `HF_HUB_OFFLINE=1` allows none.

    Args:
        repo_id: `org/repo`.
        revision: commit, 40 hexadecimal digits.
        patterns: names of the wanted files; `*` stands for anything.
        progress: see `Progress`.

    Raises:
        CheckpointError: the files cannot be had, or are not those that the Hub lists.
    """
    place = f"{repo_id}@{revision}"
    cached = _cached(repo_id, revision, patterns)
    if cached is not None and _listed(repo_id, revision):
        return cached
    try:
        get_session().head(constants.ENDPOINT)  # tells at once that there is no network; the client tries for 20 s
        wanted = [file for file in _list(repo_id, revision) if _matches(file.path, patterns)]
        _fetch_weights(repo_id, revision, wanted, progress or (lambda done, total: None))
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=list(patterns)))
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise MissingCheckpointError(_refusal(place, repo_id, error)) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx2.TransportError) as error:
        if cached is not None:
            return cached
        raise MissingCheckpointError(_unreachable(place)) from error
    except RemoteEntryNotFoundError as error:
        lost = str(error.response.url).partition(f"/{revision}/")[2]
        raise MissingCheckpointError(f"{place} lacks {lost}: the checkpoint is not whole. Choose another.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise MissingCheckpointError(
            f"{place} could not be downloaded: the Hub answered with error {status}. Try again later; "
            "what has arrived is kept."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CheckpointError(_disk_full(place)) from error
        if "Consistency check failed" in str(error):
            raise CheckpointError(
                f"{place}: a file was cut short on its way. Try again; what has arrived is kept."
            ) from error
        raise


def upload(folder: Path, repo_id: str, private: bool = False) -> str:
    """Put a folder into a repository of the Hub, created if it does not exist, as one commit.

    Returns:
        The commit, 40 hexadecimal digits.

    Raises:
        CheckpointError: it was refused, or the Hub cannot be reached.
    """
    api = HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        return api.upload_folder(folder_path=folder, repo_id=repo_id, commit_message="Add the checkpoint").oid
    except (OfflineModeIsEnabled, httpx2.TransportError) as error:
        raise CheckpointError(f"The Hub cannot be reached at {constants.ENDPOINT}; nothing was published.") from error
    except (LocalTokenNotFoundError, HfHubHTTPError) as error:
        raise CheckpointError(
            f"The Hub does not let you write to {repo_id}: log in by `hf auth login` with a token that may write. "
            f"({error})"
        ) from error


def why_not_offline(repo_id: str, revision: str, patterns: Sequence[str]) -> str | None:
    """The sentence that `fetch` would end in where downloads are forbidden; None where they are not, or not needed."""
    if constants.is_offline_mode() and _cached(repo_id, revision, patterns) is None:
        return _unreachable(f"{repo_id}@{revision}")
    return None


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file; computed once in a process as long as the file is not written to."""
    status = path.stat()
    return _sha256_of(path.resolve(), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256_of(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def _cached(repo_id: str, revision: str, patterns: Sequence[str]) -> Path | None:
    """The commit's folder as it is in the cache, unless it is known not to be whole."""
    try:
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=list(patterns), local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _listed(repo_id: str, revision: str) -> bool:
    """Whether the cache knows what belongs to the commit, and so that its folder is whole."""
    try:
        return bool(get_cached_repo_tree(repo_id, revision=revision))
    except CachedRepoTreeNotFoundError:
        return False


def _list(repo_id: str, revision: str) -> list[RepoFile]:
    """What the commit holds.

    Raises:
        CheckpointError: its weights are pickled.
    """
    tree = HfApi().list_repo_tree(repo_id, recursive=True, revision=revision)
    files = [entry for entry in tree if isinstance(entry, RepoFile)]
    pickles = [file.path for file in files if Path(file.path).suffix in PICKLES]
    if pickles and not any(file.path.endswith(".safetensors") for file in files):
        raise CheckpointError(
            f"{repo_id}@{revision} holds pickled weights ({', '.join(pickles[:3])}), which can run code when read; "
            "only safetensors are loaded."
        )
    return files


def _fetch_weights(repo_id: str, revision: str, files: list[RepoFile], progress: Progress) -> None:
    """Bring all large files (those in Git LFS) of a commit into the cache."""
    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model") / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    large = {file.path: (blobs / file.lfs.sha256, file.lfs.size) for file in files if file.lfs is not None}
    total = sum(size for _, size in large.values())
    there = sum(_size(blob) or _size(_partial(blob)) for blob, _ in large.values())
    if shutil.disk_usage(blobs).free < total - there + SPARE_BYTES:
        raise CheckpointError(_disk_full(f"{repo_id}@{revision}", total - there))
    progress(there, total)

    def count(arrived: int) -> None:
        nonlocal there
        there += arrived
        progress(there, total)

    for path, (blob, size) in large.items():
        with WeakFileLock(_partial(blob).with_suffix(".lock")):
            if not blob.exists():
                _fetch_blob(repo_id, revision, path, blob, size, count)


def _fetch_blob(repo_id: str, revision: str, path: str, blob: Path, size: int, count: Callable[[int], None]) -> None:
    """Download one file, from where an earlier attempt stopped; `blob` is named by its SHA-256."""

    class Bar(tqdm):
        """The usual bar, which also reports."""

        def update(self, n: float | None = 1) -> bool | None:
            """Bytes have arrived."""
            count(int(n or 0))
            return super().update(n)

    url = hf_hub_url(repo_id, path, revision=revision)
    location = get_hf_file_metadata(url).location
    # The token belongs to the Hub alone, not to the store that it redirects to.
    headers = build_hf_headers() if urlsplit(location).netloc == urlsplit(url).netloc else {}
    partial = _partial(blob)
    with partial.open("ab") as file:
        http_get(
            location,
            file,
            resume_size=_size(partial),
            headers=headers,
            expected_size=size,
            displayed_filename=path,
            tqdm_class=Bar,
        )
    if sha256_of(partial) != blob.name:
        partial.unlink()
        raise CheckpointError(
            f"{repo_id}@{revision}: {path} arrived with another SHA-256 than the Hub lists, and was thrown away. "
            "Try again."
        )
    partial.rename(blob)


def _partial(blob: Path) -> Path:
    return blob.with_name(f"{blob.name}.partial")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refusal(place: str, repo_id: str, error: HfHubHTTPError) -> str:
    page = f"{constants.ENDPOINT}/{repo_id}"
    if isinstance(error, GatedRepoError):
        return f"{place} is gated: accept its terms on {page}, log in with `hf auth login`, and try again."
    if isinstance(error, RevisionNotFoundError):
        return f"{place} is gone: {repo_id} has no such commit. Choose one from {page}/commits/main."
    return f"{place} is not on the Hub, or it is private: check the name, or log in with `hf auth login`."


def _unreachable(place: str) -> str:
    if constants.is_offline_mode():
        return (
            f"{place} is not in the cache, and HF_HUB_OFFLINE=1 forbids to download it. Unset it, or run "
            f"`python -m tryon zoo download {place}` where there is a network."
        )
    return (
        f"{place} is not in the cache, and the Hub cannot be reached at {constants.ENDPOINT}. Check the connection "
        "and try again; what has arrived is kept."
    )


def _disk_full(place: str, needed: int = 0) -> str:
    free = shutil.disk_usage(constants.HF_HUB_CACHE).free
    size = f" ({needed / 1e9:.2f} GB wanted, {free / 1e9:.2f} GB free)" if needed else ""
    return (
        f"The disk is too full for {place}{size}. Make room in {constants.HF_HUB_CACHE}, or set HF_HOME to a folder "
        "on another disk; what has arrived is kept."
    )
