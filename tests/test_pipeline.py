"""The cascade from conditions to pictures, with real classes; the shipped checkpoint from photo to photo."""

import numpy as np
import pytest
import torch
from diffusers.schedulers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from PIL import Image
from test_models import standing_pose

from tryon.conditions import Conditions
from tryon.images import InputError
from tryon.pipeline import TryOnPipeline

SIZES = {"base": 128, "sr256": 256, "sr1024": 1024}


def conditions(n: int = 1, seed: int = 0) -> Conditions:
    """Conditions of the 256 stage with a hidden block in the middle."""
    generator = torch.Generator().manual_seed(seed)
    agnostic, garment = torch.rand(2, n, 3, 256, 256, generator=generator) * 1.9 - 0.95
    agnostic[:, :, 64:192, 64:192] = 0
    return Conditions(agnostic, garment, standing_pose(n, 0.05), standing_pose(n))


def generators(*seeds: int) -> list[torch.Generator]:
    """One generator per picture."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def run(pipeline: TryOnPipeline, given: Conditions, *seeds: int, **settings) -> dict[str, torch.Tensor]:
    """Results of all stages, by name."""
    settings = {"num_inference_steps": 2, **settings}
    stages = pipeline.sample(given, generator=generators(*seeds), **settings)
    return {name: samples for name, samples, _ in stages}


@pytest.fixture(scope="module")
def tiny(tiny_folder) -> TryOnPipeline:
    """In float32, where a batch and its singles can be compared."""
    from tryon import load_pipeline

    pipeline = load_pipeline(tiny_folder, device="cpu", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_stages_come_in_order_and_in_range(tiny):
    results = run(tiny, conditions(), 0)
    assert {name: r.shape[-1] for name, r in results.items()} == SIZES
    assert list(results) == list(SIZES)
    for result in results.values():
        assert result.dtype == torch.float32
        assert result.min() >= -1
        assert result.max() <= 1


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(tiny):
    first, again, other = (run(tiny, conditions(), seed)["sr1024"] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_batch_equals_its_singles(tiny):
    both = conditions(2)
    batch = run(tiny, both, 1, 2)
    for i, seed in enumerate((1, 2)):
        single = Conditions(*(getattr(both, f)[i : i + 1] for f in Conditions.__dataclass_fields__))
        for name, result in run(tiny, single, seed).items():
            torch.testing.assert_close(batch[name][i : i + 1], result, atol=2e-4, rtol=1e-3)


def test_what_is_not_hidden_is_kept_by_both_first_stages(tiny):
    given = conditions()
    results = run(tiny, given, 0)
    for name in ("base", "sr256"):
        small = given.resize(SIZES[name]).agnostic
        known = (small != 0).any(1, keepdim=True).expand_as(small)
        torch.testing.assert_close(results[name][known], small[known])
        assert not torch.equal(results[name][~known], small[~known])


def test_guidance_of_two_is_the_formula_over_two_passes(tiny):
    """One step of the base stage by hand: null and conditional pass apart, then the formula."""
    given, unet = conditions(), tiny.base_unet
    small = given.resize(128)
    g = torch.Generator().manual_seed(0)
    for _ in range(2):  # the draws for the two conditioning pictures, whose level is 0
        torch.randn(3, 128, 128, generator=g)
    z = torch.randn(3, 128, 128, generator=g)[None]
    scheduler = type(tiny.scheduler).from_config(tiny.scheduler.config)
    scheduler.set_timesteps(1)
    time = scheduler.timesteps / 1000
    with torch.inference_mode():
        passes = [
            unet(z, time, c.agnostic, c.garment, c.person_pose, c.garment_pose, torch.zeros(1, 2)).sample
            for c in (small, small.dropped())
        ]
        guided = (2 * passes[0] - passes[1]).clamp(-1, 1)
        guided = scheduler.step(guided, scheduler.timesteps[0], z, return_dict=False)[0].clamp(-1, 1)
    hidden = (small.agnostic == 0).all(1, keepdim=True).expand_as(guided)
    result = run(tiny, given, 0, num_inference_steps=1, guidance_scale=2.0)["base"]
    torch.testing.assert_close(result[hidden], guided[hidden], atol=1e-4, rtol=1e-4)


def test_guidance_changes_the_result(tiny):
    plain, guided = (run(tiny, conditions(), 0, guidance_scale=s)["sr256"] for s in (1.0, 2.0))
    assert not torch.allclose(plain, guided, atol=1e-3)


@pytest.mark.parametrize("kind", [DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler])
def test_samplers_are_swapped_by_swapping_the_scheduler(tiny, kind):
    pipeline = TryOnPipeline(**{**tiny.components, "scheduler": kind.from_config(tiny.scheduler.config)})
    pipeline.set_progress_bar_config(disable=True)
    first, again = (run(pipeline, conditions(), 5, num_inference_steps=3)["sr256"] for _ in range(2))
    assert torch.equal(first, again)
    assert first.isfinite().all()


def test_saving_and_loading_keeps_every_bit(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    loaded = TryOnPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    assert torch.equal(run(tiny, conditions(), 0)["sr1024"], run(loaded, conditions(), 0)["sr1024"])
    assert loaded.config.num_inference_steps == tiny.config.num_inference_steps


@pytest.mark.parametrize("steps", [0, 257, (1, 2), (4, 4, 0)])
def test_senseless_steps_are_refused(tiny, steps):
    with pytest.raises(ValueError, match="num_inference_steps"):
        tiny.check_steps(steps)


def test_lists_that_do_not_fit_are_refused(tiny, blank):
    with pytest.raises(ValueError, match="same length"):
        tiny([blank] * 2, [blank] * 3)
    with pytest.raises(ValueError, match="generators"):
        tiny([blank] * 2, blank, generator=generators(1))
    with pytest.raises(ValueError, match="category"):
        tiny(blank, blank, "hat")


@pytest.fixture
def blank() -> Image.Image:
    """A picture of nothing."""
    return Image.new("RGB", (300, 400), (200, 190, 180))


def test_a_picture_of_nothing_is_refused_before_sampling(pipeline, blank, garment_file):
    with pytest.raises(InputError):
        next(pipeline.stream(blank, Image.open(garment_file).convert("RGB")))


def test_a_person_is_dressed_and_the_rest_of_the_photo_stays(pipeline, person_file, garment_file):
    person = Image.open(person_file).convert("RGB").resize((720, 960))
    garment = Image.open(garment_file).convert("RGB")
    stages = list(pipeline.stream(person, garment, generator=torch.Generator().manual_seed(0)))
    assert [s.name for s in stages] == ["prepare", "base", "sr256", "sr1024", "result"]
    result = stages[-1].images[0]
    assert result.size == person.size
    before, after = np.asarray(person), np.asarray(result)
    changed = (before != after).any(-1)
    assert 0.01 < changed.mean() < 0.8
    # A frame around the picture is out of reach of every garment of this example: bit for bit the same.
    assert not changed[: person.height // 20].any()
    info = stages[-1].info[0]
    assert info["person_size"] == [720, 960]
    assert info["category"] in ("upper", "lower", "dress")
    assert set(info["seconds"]) == {"prepare", "base", "sr256", "sr1024"}


def test_other_garments_give_other_pictures(pipeline, person_file, garment_file):
    person = Image.open(person_file).convert("RGB").resize((360, 480))
    garment = Image.open(garment_file).convert("RGB")
    negative = Image.fromarray(255 - np.asarray(garment))
    outputs = pipeline(person, [garment, negative], "upper", num_inference_steps=1, generator=generators(0, 0)).images
    difference = np.abs(np.asarray(outputs[0], int) - np.asarray(outputs[1], int)).mean(-1)
    assert difference.max() > 30


def test_only_what_the_mask_opens_changes(tiny_pipeline, pipeline, person_file, garment_file):
    person, garment = Image.open(person_file).convert("RGB").resize((360, 480)), Image.open(garment_file)
    # The shipped annotator finds the person; networks of noise paint everything that they may.
    painter = TryOnPipeline(**{**tiny_pipeline.components, "annotator": pipeline.annotator})
    mask = np.zeros((480, 360), np.uint8)
    mask[120:200, 130:231], mask[50:90, 56:96] = 255, 255
    given = {"category": "upper", "num_inference_steps": 1}
    output = painter(person, garment, **given, generator=generators(0), mask=Image.fromarray(mask))
    changed = (np.asarray(output.images[0]) != np.asarray(person)).any(-1)
    assert not changed[mask == 0].any()
    assert changed[123:197, 133:228].mean() > 0.3
    assert changed[54:86, 60:92].mean() > 0.95, "what was opened by hand is replaced even where no garment goes"


def test_the_region_can_be_handed_back_as_mask(pipeline, person_file, garment_file):
    person, garment = Image.open(person_file).convert("RGB").resize((360, 480)), Image.open(garment_file)
    first = pipeline.prepare(person, garment, "upper")
    assert first.region.size == person.size
    assert first.region.mode == "L"
    assert set(np.unique(first.region)) == {0, 255}
    again = pipeline.prepare(person, garment, "upper", mask=first.region)
    assert np.array_equal(again.region, first.region)
    assert (again.hidden != first.hidden).mean() < 0.02
    assert not again.opened.any()
    assert (again.hidden >= first.hidden).mean() > 0.999
    agnostic = again.conditions.agnostic[0]
    assert (agnostic[:, torch.from_numpy(again.hidden)] == 0).all()


def test_masks_that_cannot_be_meant_are_refused(pipeline, person_file, garment_file):
    person, garment = Image.open(person_file).convert("RGB").resize((360, 480)), Image.open(garment_file)
    region = np.asarray(pipeline.prepare(person, garment, "upper").region)
    corner = np.zeros_like(region)
    corner[-3:, :3] = 255
    for mask, words in (
        (Image.new("L", (480, 360), 255), "480 x 360 pixels.*360 x 480"),
        (Image.new("L", (360, 480), 127), "empty"),
        (Image.new("RGB", (360, 480), "white"), "whole photo"),
        (Image.fromarray(255 - region), "inverted"),
        (Image.fromarray(corner), "does not touch the person"),
    ):
        with pytest.raises(InputError, match=words):
            pipeline.prepare(person, garment, "upper", mask=mask)
    everything = np.full_like(region, 255)
    everything[0] = 0
    warnings = pipeline.prepare(person, garment, "upper", mask=Image.fromarray(everything)).warnings
    assert any("head" in warning for warning in warnings)


def test_every_step_is_told_and_an_exception_there_ends_the_work(tiny):
    told = []
    run(tiny, conditions(), 0, on_step=lambda *step: told.append(step))
    assert told == [(name, done, 2) for name in SIZES for done in (1, 2)]

    def stop(name: str, done: int, steps: int) -> None:
        if (name, done) == ("sr256", 1):
            raise KeyboardInterrupt

    stages = tiny.sample(conditions(), num_inference_steps=2, on_step=stop)
    assert next(stages)[0] == "base"
    with pytest.raises(KeyboardInterrupt):
        next(stages)
