"""Averaging what networks say of a picture and of its mirror image makes them treat left and right alike."""

import pytest
import torch
from test_models import awake, inputs
from test_pipeline import conditions, generators

from tryon.conditions import Conditions
from tryon.mirrored import POSITIONS, average_views, mirror_conditions, mirror_poses
from tryon.models.parallel_unet import PRESETS, ParallelUNet, ParallelUNetOutput
from tryon.pipeline import TryOnPipeline
from tryon.zoo import load_pipeline


def mirrored(given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Inputs of a network, seen in a mirror."""
    out = {name: value.flip(-1) if value.ndim == 4 else value for name, value in given.items()}
    return out | {name: mirror_poses(given[name]) for name in ("person_pose", "garment_pose")}


def both(unet: ParallelUNet, first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> ParallelUNetOutput:
    """What is said of two views."""
    with torch.no_grad():
        return average_views(unet(**{name: torch.cat([first[name], second[name]]) for name in first}))


@pytest.mark.parametrize("preset", ["tiny-128", "tiny-256", "tiny-128-concat"])
def test_the_average_of_a_mirrored_picture_is_the_mirrored_average(preset):
    torch.manual_seed(0)
    unet = awake(ParallelUNet(**PRESETS[preset]))
    given = inputs(unet)
    said, said_mirrored = both(unet, given, mirrored(given)), both(unet, mirrored(given), given)
    with torch.no_grad():
        once, once_mirrored = unet(**given), unet(**mirrored(given))
    assert set(said) == set(once)
    for name, value in said.items():
        there, alone = said_mirrored[name].flip(-1), once_mirrored[name].flip(-1)
        if name in POSITIONS:
            there, alone = (torch.cat([1 - p[:, :1], p[:, 1:]], dim=1) for p in (there, alone))
        assert torch.allclose(value, there, atol=1e-4), name
        assert not torch.allclose(once[name], alone, atol=1e-3), "otherwise there is nothing to average"
        assert torch.allclose(value, (once[name] + alone) / 2, atol=1e-3), name


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0])
def test_a_pipeline_that_averages_paints_mirrored_people_mirrored(tiny_folder, monkeypatch, guidance_scale):
    """But for the noise, which is not the mirrored one."""
    monkeypatch.setattr("tryon.pipeline.draw_noise", lambda shape, generators, device: torch.zeros(1, *shape))
    given, differences = conditions(), {}
    for average in (False, True):
        pipeline = load_pipeline(tiny_folder, device="cpu", dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.register_to_config(average_mirrored=average)
        awake(pipeline.base_unet), awake(pipeline.sr256_unet)
        results = [painted(pipeline, c, guidance_scale) for c in (given, mirror_conditions(given))]
        differences[average] = float((results[0] - results[1].flip(-1)).abs().mean())
    assert 100 * differences[True] < differences[False], differences


def painted(pipeline: TryOnPipeline, given: Conditions, guidance_scale: float) -> torch.Tensor:
    """Result of the 256 stage."""
    stages = pipeline.sample(given, 2, guidance_scale, generators(0))
    return next(samples for name, samples, _ in stages if name == "sr256")


def test_the_bundled_checkpoint_averages_and_keeps_that_when_saved(tmp_path):
    pipeline = load_pipeline("small")
    assert pipeline.config.average_mirrored
    pipeline.save_pretrained(tmp_path)
    assert TryOnPipeline.load_config(tmp_path)["average_mirrored"] is True
