"""Downloads from a Hub on loopback by the real client: whole, broken off and resumed, damaged, missing, slow."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest
import torch
from hub_server import CHUNK, COMMIT, LARGE, Hub, sha256
from huggingface_hub import constants

from tryon import zoo
from tryon.hub import CheckpointError, HubFile, MissingCheckpointError, fetch
from tryon.web import sampler
from tryon.web.handlers import model_card
from tryon.zoo import Checkpoint, load_pipeline, resident_pipeline

TINY = f"acme/tiny@{COMMIT}"
PATTERNS = ["*.safetensors", "*.json"]


@pytest.fixture
def tiny_hub(hub: Hub, tiny_folder: Path) -> Hub:
    """The Hub, with the tiny checkpoint too."""
    files = {path.relative_to(tiny_folder).as_posix(): path for path in tiny_folder.rglob("*") if path.is_file()}
    hub.repos["acme/tiny", COMMIT] = {name: path.read_bytes() for name, path in files.items()}
    return hub


def large_file(progress: Callable[[int, int], None] | None = None) -> bytes:
    """Content of the large file as it arrives."""
    return (fetch("acme/large", COMMIT, PATTERNS, progress) / "model.safetensors").read_bytes()


def test_a_checkpoint_of_the_hub_is_the_folder_that_was_published(tiny_hub: Hub, tiny_folder: Path):
    loaded, local = (load_pipeline(source, "cpu", torch.float32) for source in (TINY, tiny_folder))
    for name in ("base_unet", "sr256_unet", "sr1024_unet", "annotator"):
        expected = getattr(local, name).state_dict()
        assert all(torch.equal(value, expected[key]) for key, value in getattr(loaded, name).state_dict().items())


def test_a_warm_cache_needs_no_network(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    large_file()
    asked = len(hub.requests)
    assert large_file() == LARGE
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert large_file() == LARGE
    assert len(hub.requests) == asked


def test_progress_counts_to_the_end(hub: Hub):
    hub.seconds_per_chunk = 0.01
    seen = []
    assert large_file(lambda done, total: seen.append((done, total))) == LARGE
    assert {total for _, total in seen} == {len(LARGE)}
    done = [done for done, _ in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, len(LARGE))


def test_a_connection_that_breaks_is_resumed(hub: Hub):
    hub.cut[sha256(LARGE)] = 5 * CHUNK
    assert large_file() == LARGE
    first, second = hub.ranges()
    assert (first, second) == (None, f"bytes={5 * CHUNK}-")


def test_a_connection_that_falls_silent_is_given_up_and_resumed(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    hub.stall[sha256(LARGE)] = 7 * CHUNK
    assert large_file() == LARGE
    assert hub.ranges() == [None, f"bytes={7 * CHUNK}-"]


def test_the_next_call_goes_on_where_the_last_was_stopped(hub: Hub, tmp_path: Path):
    hub.seconds_per_chunk = 0.01

    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        large_file(stop)
    (partial,) = tmp_path.rglob("*.partial")
    there = partial.stat().st_size
    assert 0 < there < len(LARGE)
    seen = []
    assert large_file(lambda done, total: seen.append(done)) == LARGE
    assert hub.ranges() == [None, f"bytes={there}-"]
    assert seen[0] == there
    assert not list(tmp_path.rglob("*.partial"))


def test_a_killed_process_leaves_what_it_fetched_to_the_next(hub: Hub, tmp_path: Path):
    """The command line, which finds the Hub by HF_ENDPOINT, killed in the middle of a file and started again."""
    hub.seconds_per_chunk = 0.5
    hub.repos["acme/large", COMMIT] = {"unet/model.safetensors": LARGE}
    places = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_CACHE": str(tmp_path / "own")}
    small_chunks = f"from huggingface_hub import constants; constants.DOWNLOAD_CHUNK_SIZE = {CHUNK}"
    run = f"from tryon.__main__ import main; main(['zoo', 'download', 'acme/large@{COMMIT}'])"
    command = {"args": [sys.executable, "-c", f"{small_chunks}; {run}"], "env": {**os.environ, **places}}
    first = subprocess.Popen(**command, stderr=subprocess.DEVNULL)
    while not (partial := list((tmp_path / "own").rglob("*.partial"))) or partial[0].stat().st_size < 2 * CHUNK:
        assert first.poll() is None
        time.sleep(0.05)
    first.kill()
    first.wait()
    there = partial[0].stat().st_size
    hub.seconds_per_chunk = 0
    second = subprocess.run(**command, capture_output=True, text=True, check=True)
    assert (Path(second.stdout.strip()) / "unet" / "model.safetensors").read_bytes() == LARGE
    assert hub.ranges() == [None, f"bytes={there}-"]


def test_a_damaged_file_never_enters_the_cache(hub: Hub, tmp_path: Path):
    hub.corrupt = True
    with pytest.raises(CheckpointError, match=r"model\.safetensors arrived with another SHA-256 .* Try again"):
        large_file()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size >= len(LARGE)]
    hub.corrupt = False
    assert large_file() == LARGE


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "GatedRepo", "is gated: accept its terms on .*/acme/large, log in"),
        (401, "RepoNotFound", "is not on the Hub, or it is private"),
        (404, "RevisionNotFound", "is gone: acme/large has no such commit"),
        (418, "", "could not be downloaded: the Hub answered with error 418"),
    ],
)
def test_a_refusal_says_what_to_do(hub: Hub, status: int, code: str, words: str):
    hub.refused["acme/large"] = status, code
    with pytest.raises(MissingCheckpointError, match=words):
        large_file()


def test_a_file_that_is_gone_is_named(hub: Hub):
    hub.lost.add("model.safetensors")
    with pytest.raises(MissingCheckpointError, match=r"lacks model\.safetensors"):
        large_file()


def test_no_network_says_so_unless_the_cache_is_warm(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    large_file()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    )
    assert large_file() == LARGE
    with pytest.raises(MissingCheckpointError, match="not in the cache, and the Hub cannot be reached"):
        fetch("acme/other", COMMIT, PATTERNS)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MissingCheckpointError, match="HF_HUB_OFFLINE=1 forbids"):
        fetch("acme/other", COMMIT, PATTERNS)


def test_a_full_disk_is_noticed_before_the_download(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tryon.hub.SPARE_BYTES", 10**18)
    with pytest.raises(CheckpointError, match=r"disk is too full .* GB wanted"):
        large_file()
    assert hub.ranges() == []


def test_a_disk_that_fills_up_during_the_download_is_named(hub: Hub):
    def write_fails(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CheckpointError, match="disk is too full for acme/large"):
        large_file(write_fails)


def test_a_pickled_checkpoint_is_not_even_downloaded(hub: Hub):
    hub.repos["acme/pickled", COMMIT] = {"model_index.json": b"{}", "unet/diffusion_pytorch_model.bin": b"\x80\x04."}
    with pytest.raises(CheckpointError, match="holds pickled weights"):
        load_pipeline(f"acme/pickled@{COMMIT}")
    assert not [path for _, path, *_ in hub.requests if "/resolve/" in path]


def test_the_token_goes_to_the_hub_only(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert large_file() == LARGE
    told = {path.split("/")[1]: authorization for _, path, _, authorization in hub.requests}
    assert told["store"] is None
    assert told["api"] == told["acme"] == "Bearer hf_secret"


def row(hub: Hub, **changes: str) -> Checkpoint:
    """A row for the tiny checkpoint; `changes` are other hashes by file name."""
    files = hub.repos["acme/tiny", COMMIT]
    hashes = {name: changes.get(name, sha256(data)) for name, data in files.items()}
    listed = tuple(HubFile(name, len(files[name]), value) for name, value in hashes.items())
    return Checkpoint("tiny", "noise", "MIT", True, repo_id="acme/tiny", revision=COMMIT, files=listed)


def test_a_row_is_loaded_by_name_and_kept(tiny_hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zoo, "CHECKPOINTS", (*zoo.CHECKPOINTS, row(tiny_hub)))
    monkeypatch.setattr(zoo, "_residents", type(zoo._residents)())
    seen = []
    first = resident_pipeline("tiny", lambda done, total: seen.append(done / total))
    assert seen[-1] == 1
    asked = len(tiny_hub.requests)
    assert resident_pipeline("tiny") is first
    assert len(tiny_hub.requests) == asked


def test_a_file_that_is_not_the_rows_is_refused_and_forgotten(tiny_hub: Hub, monkeypatch: pytest.MonkeyPatch):
    name = "annotator/diffusion_pytorch_model.safetensors"
    monkeypatch.setattr(zoo, "CHECKPOINTS", (*zoo.CHECKPOINTS, row(tiny_hub, **{name: "0" * 64})))
    with pytest.raises(CheckpointError, match=r"its SHA-256 differs\. It was removed from the cache"):
        load_pipeline("tiny")
    monkeypatch.setattr(zoo, "CHECKPOINTS", (*zoo.CHECKPOINTS[:-1], row(tiny_hub)))
    assert load_pipeline("tiny", device="cpu").base_unet.config.sample_size == 128


def test_a_file_cut_short_in_the_cache_is_fetched_anew(tiny_hub: Hub):
    folder = zoo.fetch_checkpoint(TINY)
    weights = folder / "annotator" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.resolve().write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match=r"was cut short: .* try again"):
        zoo.fetch_checkpoint(TINY)
    assert (zoo.fetch_checkpoint(TINY) / "annotator" / weights.name).read_bytes() == whole


def test_listing_is_json_that_a_program_can_read(tiny_hub: Hub, capsys: pytest.CaptureFixture):
    from tryon.__main__ import main

    assert main(["zoo", "info", TINY]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["parameters"] > 0
    assert main(["zoo", "verify", TINY]) == 0
    assert main(["zoo", "verify", f"acme/nothing@{COMMIT}"]) == 2
    assert "is not on the Hub" in capsys.readouterr().err


def test_the_page_is_told_of_a_download_of_what_it_offers(tiny_hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zoo, "CHECKPOINTS", (*zoo.CHECKPOINTS, row(tiny_hub)))
    request, told = sampler.Request(None, None, checkpoint="tiny"), []
    for offered in (("small",), ("small", "tiny")):
        assert not told
        monkeypatch.setattr(sampler, "served_names", lambda offered=offered: offered)
        with pytest.raises(gr.Error):  # there are no pictures
            list(sampler.Sampler(load_pipeline)(request, None, lambda *step: told.append(step)))
    stage, done, total = told[-1]
    assert (stage, done) == ("download", total)


def test_the_page_says_what_cannot_be_loaded():
    assert "<strong>" in model_card("fashn-vton-1.5", None)  # downloads are forbidden here
    assert "<strong>" not in model_card("small", None)
