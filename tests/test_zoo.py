"""The zoo: rows that mean what they say, and weights that are refused before they are read."""

import json
import shutil
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tryon import list_checkpoints, load_pipeline, zoo
from tryon.checkpoint import HASHES, check_files, count_parameters, record_weights
from tryon.devices import MemoryShortageError, best_dtype, choose_device, free_memory_gb
from tryon.hub import CheckpointError, HubFile
from tryon.zoo import WEIGHTS, Checkpoint, resident_pipeline

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
        assert row.paper
        assert row.parameters > 0
        assert not row.summary.endswith(".")
        assert all(score.command.startswith("python -m tryon.") for score in row.scores)


def test_rows_of_bundled_weights_say_what_the_folder_says():
    for row in list_checkpoints():
        if row.repo_id is None:
            folder = WEIGHTS / row.name
            index = json.loads((folder / "model_index.json").read_text())
            measured = json.loads((folder / "evaluation.json").read_text())["methods"]["ours"]
            assert row.parameters == count_parameters(folder)
            assert row.num_inference_steps == tuple(index["num_inference_steps"])
            assert row.guidance_scale == index["guidance_scale"]
            values = (measured["garment_ciede2000"], measured["garment_ssim"])
            assert [score.value for score in row.scores] == pytest.approx(values, rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"repo_id": "acme/tryon", "revision": "main"}, "commit of 40 hex digits"),
        ({"repo_id": "acme/tryon", "revision": COMMIT}, "files with SHA-256"),
        ({"repo_id": "acme/tryon", "revision": COMMIT, "files": (HubFile("x", 1, "beef"),)}, "files with SHA-256"),
        ({"categories": ("shoes",)}, "categories must be among"),
        ({"speed": "quick"}, "speed must be one of"),
    ],
)
def test_a_row_that_could_load_something_else_is_refused(wrong: dict, words: str):
    with pytest.raises(ValueError, match=words):
        Checkpoint("x", "y", "MIT", True, **wrong)


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


@pytest.mark.parametrize("name", ["base_unet/parallel_unet.py", "pipeline.py", "annotator/fast.so"])
def test_programs_are_refused(folder: Path, name: str):
    (folder / name).write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match="holds programs"):
        load_pipeline(folder)


def change(path: Path, **entries: object) -> None:
    """Rewrite some entries of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize(
    ("file", "entries", "words"),
    [
        (
            "model_index.json",
            {"_class_name": "StableDiffusionPipeline"},
            r"made for the class 'StableDiffusionPipeline'",
        ),
        ("model_index.json", {"annotator": ["os", "system"]}, r"annotator should be a Annotator.*names os\.system"),
        ("model_index.json", {"scheduler": ["diffusers", "UNet2DModel"]}, "scheduler should be a SchedulerMixin"),
        ("model_index.json", {"scheduler": ["subprocess", "Popen"]}, r"names subprocess\.Popen"),
        (
            "model_index.json",
            {"sharpener": ["tryon.models.sharpener", "Sharpener"]},
            "'sharpener'.*newer Try-On: update",
        ),
        ("base_unet/config.json", {"garment_depth": 3}, "'garment_depth'.*newer Try-On: update"),
        ("annotator/config.json", {"block_out_channels": [32, 32, 32, 64]}, "tensors do not fit Annotator"),
    ],
)
def test_what_is_not_known_here_is_refused_by_name(folder: Path, file: str, entries: dict, words: str):
    change(folder / file, **entries)
    with pytest.raises(CheckpointError, match=words):
        load_pipeline(folder)


def test_weights_of_another_network_are_refused(folder: Path):
    (folder / HASHES).unlink()
    shutil.copy(next(folder.glob("base_unet/*.safetensors")), next(folder.glob("annotator/*.safetensors")))
    with pytest.raises(CheckpointError, match="tensors do not fit Annotator"):
        load_pipeline(folder)


@pytest.mark.parametrize("length", [0, 5, 300, -1])
def test_a_file_cut_short_is_refused(folder: Path, length: int):
    weights = next(folder.glob("base_unet/*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="cut short"):
        load_pipeline(folder)


def test_broken_json_is_refused(folder: Path):
    (folder / "model_index.json").write_text("{")
    with pytest.raises(CheckpointError, match="no readable JSON"):
        load_pipeline(folder)


def test_too_little_memory_is_told_before_anything_is_loaded():
    with pytest.raises(MemoryShortageError, match=r"needs 1000000\.0 GB on cpu, of which \d+\.\d GB are free"):
        choose_device(1e6, "cpu")


def test_bfloat16_is_taken_where_float32_does_not_fit():
    half = free_memory_gb("cpu") * 0.6
    assert choose_device(half, "cpu")[1] == torch.bfloat16
    with pytest.raises(MemoryShortageError):
        choose_device(half, "cpu", torch.float32)


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's files about a container that has 1 GB left of its 4 GB."""
    folder = tmp_path / "cgroup"
    folder.mkdir()
    (folder / "memory.max").write_text("4000000000\n")
    (folder / "memory.current").write_text("3200000000\n")
    (folder / "memory.stat").write_text("anon 3000000000\ninactive_file 200000000\n")
    monkeypatch.setattr("tryon.devices.CGROUP", folder)
    return folder


def test_a_containers_limit_counts(container: Path):
    assert free_memory_gb("cpu") == pytest.approx(1.0)
    (container / "memory.max").write_text("max\n")
    assert free_memory_gb("cpu") > 1.0


def test_the_least_recently_used_makes_room(
    container: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = tuple(Checkpoint(name, "noise", "MIT", True, memory_gb=0.4) for name in ("one", "two", "three"))
    for row in rows:
        (tmp_path / row.name).symlink_to(folder)
    monkeypatch.setattr(zoo, "CHECKPOINTS", rows)
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    monkeypatch.setattr(zoo, "_residents", OrderedDict())
    monkeypatch.setattr(zoo, "release_memory", lambda: (container / "memory.current").write_text("3200000000"))
    one, _ = resident_pipeline("one"), resident_pipeline("two")
    assert resident_pipeline("one") is one
    (container / "memory.current").write_text("4100000000")
    resident_pipeline("three")
    assert list(zoo._residents) == ["one", "three"]
    assert resident_pipeline("one") is one


def test_what_stands_in_the_way_is_said_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch):
    fashn = zoo.find_checkpoint("fashn-vton-1.5")
    assert zoo.obstacle(zoo.find_checkpoint("small")) is None
    assert "HF_HUB_OFFLINE=1 forbids" in zoo.obstacle(replace(fashn, memory_gb=0.1))
    assert "not enough memory: it needs 1000000.0 GB" in zoo.obstacle(replace(fashn, memory_gb=1e6))
    absent = replace(fashn, requires=("a_package_that_nobody_has",))
    assert "needs a_package_that_nobody_has" in zoo.obstacle(absent)
    monkeypatch.setattr(zoo, "CHECKPOINTS", (absent,))
    for load in (load_pipeline, resident_pipeline):
        with pytest.raises(CheckpointError, match="needs a_package_that_nobody_has"):
            load("fashn-vton-1.5")


def test_threads_that_ask_at_once_get_one_pipeline(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zoo, "_residents", OrderedDict())
    with ThreadPoolExecutor(4) as pool:
        pipelines = list(pool.map(resident_pipeline, [str(folder)] * 4))
    assert all(pipeline is pipelines[0] for pipeline in pipelines)


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
