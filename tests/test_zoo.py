"""The zoo: rows that mean what they say, and weights that are refused before they are read."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from tryon import list_checkpoints, load_pipeline
from tryon.checkpoint import HASHES, check_files, record_weights
from tryon.devices import best_dtype
from tryon.zoo import WEIGHTS, Checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, with its weights recorded."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_folder, copy)
    record_weights(copy)
    return copy


def test_rows_are_well_formed():
    names = [row.name for row in list_checkpoints()]
    assert names[0] == "small"
    assert len(set(names)) == len(names)
    for row in list_checkpoints():
        assert row.license
        assert not row.summary.endswith(".")


def test_a_hub_row_needs_a_commit():
    with pytest.raises(ValueError, match="commit of 40 hex digits"):
        Checkpoint("x", "y", "MIT", True, repo_id="acme/tryon", revision="main")


def test_bundled_weights_are_the_recorded_ones_and_small_enough_for_a_space():
    for row in list_checkpoints():
        if row.repo_id is None:
            folder = WEIGHTS / row.name
            check_files(folder)
            files = [path for path in folder.rglob("*") if path.is_file()]
            assert (folder / HASHES).is_file()
            assert (folder / "README.md").is_file()
            assert max(path.stat().st_size for path in files) < 10_000_000
            assert sum(path.stat().st_size for path in files) < 32 * 2**20
            for config in folder.rglob("config.json"):
                assert "/" not in json.loads(config.read_text())["_name_or_path"], "a path of the training machine"


def test_a_saved_folder_loads_with_the_same_weights(tiny_folder: Path):
    first = load_pipeline(tiny_folder, device="cpu", dtype=torch.float32)
    second = load_pipeline(str(tiny_folder), device="cpu", dtype=torch.float32)
    for name, value in first.base_unet.state_dict().items():
        assert torch.equal(value, second.base_unet.state_dict()[name])
    assert first.dtype == torch.float32


def test_dtype_and_device_are_choices(tiny_folder: Path):
    assert load_pipeline(tiny_folder, device="cpu", dtype=torch.bfloat16).dtype == torch.bfloat16
    assert load_pipeline(tiny_folder, device="cpu").dtype == best_dtype(torch.device("cpu"))


@pytest.mark.parametrize("name", ["large", "no/such/folder!"])
def test_an_unknown_name_lists_the_known_ones(name: str):
    with pytest.raises(ValueError, match=r"give one of small"):
        load_pipeline(name)


@pytest.mark.parametrize("name", ["acme/tryon", "acme/tryon@main", "acme/tryon@v1.0"])
def test_a_hub_name_must_be_pinned(name: str):
    with pytest.raises(ValueError, match="pin what you load"):
        load_pipeline(name)


def test_a_changed_file_is_refused(folder: Path):
    weights = next(folder.glob("base_unet/*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="is not the file that was recorded"):
        load_pipeline(folder)


def test_an_added_file_is_refused(folder: Path):
    shutil.copy(next(folder.glob("base_unet/*.safetensors")), folder / "annotator" / "more.safetensors")
    with pytest.raises(ValueError, match="is not the file that was recorded"):
        load_pipeline(folder)


def test_a_missing_file_is_named(folder: Path):
    next(folder.glob("base_unet/*.safetensors")).unlink()
    with pytest.raises(FileNotFoundError, match=r"base_unet.*is missing"):
        load_pipeline(folder)


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth", ".ckpt", ".pkl"])
def test_pickles_are_refused(folder: Path, suffix: str):
    (folder / "annotator" / f"diffusion_pytorch_model{suffix}").write_bytes(b"")
    with pytest.raises(ValueError, match="pickled weights"):
        load_pipeline(folder)


def test_a_folder_without_a_pipeline_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="holds no pipeline"):
        load_pipeline(tmp_path)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub's client, which is offline (see conftest)."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_pinned_hub_checkpoint_loads_from_the_cache(folder: Path, hub_cache: Path):
    shutil.copytree(folder, hub_cache / "models--acme--tryon" / "snapshots" / COMMIT)
    assert load_pipeline(f"acme/tryon@{COMMIT}", device="cpu").base_unet.config.sample_size == 128


def test_a_hub_checkpoint_that_cannot_be_had_says_so(hub_cache: Path):
    with pytest.raises(FileNotFoundError, match=f"acme/tryon@{COMMIT} is not in the cache"):
        load_pipeline(f"acme/tryon@{COMMIT}")


def test_the_record_names_every_weight_file(folder: Path):
    recorded = json.loads((folder / HASHES).read_text())
    assert set(recorded) == {p.relative_to(folder).as_posix() for p in folder.rglob("*.safetensors")}
