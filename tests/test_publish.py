"""Publishing: what is pushed can be loaded again, by us and by diffusers, and gives the same pictures."""

import os
from pathlib import Path

import pytest
import torch
import yaml
from hub_server import Hub
from PIL import Image

from tryon import load_pipeline
from tryon.__main__ import main
from tryon.checkpoint import HASHES, INDEX
from tryon.conditions import Conditions
from tryon.fashn_pipeline import FashnTryOnPipeline
from tryon.hub import CheckpointError
from tryon.models.annotator import Annotator
from tryon.models.fashn_vton import PRESETS, FashnVTON
from tryon.pipeline import TryOnPipeline
from tryon.publish import write_repository
from tryon.zoo import WEIGHTS

# isort: split
from diffusers import DiffusionPipeline  # after the pipelines, as the card says


def picture(pipeline: TryOnPipeline) -> torch.Tensor:
    """What a pipeline paints for given conditions and a seed."""
    generator = torch.Generator().manual_seed(5)
    agnostic, garment = torch.rand(2, 1, 3, 256, 256, generator=generator) * 2 - 1
    poses = torch.rand(2, 1, 18, 3, generator=generator)
    conditions = Conditions(agnostic * (agnostic > 0), garment, *poses)
    *_, (_, result, _) = pipeline.sample(conditions, num_inference_steps=1, generator=generator)
    return result


def test_a_pushed_checkpoint_gives_the_same_pictures_bit_by_bit(
    hub: Hub, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert main(["zoo", "push", str(tiny_folder), "acme/mine", "--license", "MIT"]) == 0
    reference = capsys.readouterr().out.strip()
    assert reference.startswith("acme/mine@")
    expected = picture(load_pipeline(tiny_folder, "cpu", torch.float32))
    assert torch.equal(picture(load_pipeline(reference, "cpu", torch.float32)), expected)


def test_diffusers_alone_loads_what_was_written(tiny_folder: Path, tmp_path: Path):
    write_repository(tiny_folder, "acme/mine", tmp_path / "mine", license="MIT")
    pipeline = DiffusionPipeline.from_pretrained(tmp_path / "mine")
    assert isinstance(pipeline, TryOnPipeline)
    assert torch.equal(picture(pipeline), picture(load_pipeline(tiny_folder, "cpu", torch.float32)))


def test_the_card_of_the_bundled_checkpoint_keeps_its_words_and_says_what_the_hub_asks(tmp_path: Path):
    write_repository("small", "acme/small", tmp_path / "small")
    text = (tmp_path / "small" / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    data = yaml.safe_load(header)
    assert (data["license"], data["library_name"], data["pipeline_tag"]) == ("cc0-1.0", "diffusers", "image-to-image")
    assert "## Evaluation" in body
    assert 'load_pipeline("acme/small@<commit>")' in body
    assert {INDEX, HASHES, "evaluation.json", "README.md"} <= set(os.listdir(tmp_path / "small"))
    assert (tmp_path / "small" / HASHES).read_text() == (WEIGHTS / "small" / HASHES).read_text()


def test_a_second_family_is_published_with_a_picture_of_its_own(tmp_path: Path, person_file: Path, garment_file: Path):
    annotator = Annotator.from_pretrained(WEIGHTS / "small" / "annotator")
    network = FashnVTON(**PRESETS["tiny"])
    FashnTryOnPipeline(network, annotator, num_inference_steps=1, pose="annotator").save_pretrained(tmp_path / "own")
    (tmp_path / "own" / "evaluation.json").write_text('{"methods": {"ours": {"ssim": 0.5, "ssim_ci95": 0.1}}}')
    arguments = [str(tmp_path / "own"), "acme/own", "--license", "MIT", "--out", str(tmp_path / "out")]
    assert main(["zoo", "push", *arguments, "--example", str(person_file), str(garment_file)]) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| ours | 0.5 ± 0.1 |" in card
    assert "(example.jpg)" in card
    assert Image.open(tmp_path / "out" / "example.jpg").height == 640
    assert isinstance(DiffusionPipeline.from_pretrained(tmp_path / "out"), FashnTryOnPipeline)


def test_nothing_is_published_without_a_licence(tiny_folder: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match="give --license"):
        write_repository(tiny_folder, "acme/mine", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_refused_upload_says_what_to_do(hub: Hub, tiny_folder: Path, capsys: pytest.CaptureFixture):
    hub.refused["acme/mine"] = (403, "")
    assert main(["zoo", "push", str(tiny_folder), "acme/mine", "--license", "MIT"]) == 2
    assert "log in by `hf auth login` with a token that may write" in capsys.readouterr().err
