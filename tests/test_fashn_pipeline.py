"""FASHN VTON as a pipeline: the same call, the published sampler's numbers, and the visitor's own pixels."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from PIL import Image
from safetensors.torch import save_file

from tryon import InputError, load_pipeline
from tryon.checkpoint import record_weights
from tryon.fashn_pipeline import FashnTryOnPipeline, changed_pixels, lay_over, schedule
from tryon.hub import CheckpointError
from tryon.images import read_image
from tryon.models.annotator import Annotator
from tryon.models.fashn_vton import PRESETS, FashnVTON
from tryon.preprocessing.photographs import CATEGORY_IDS, PreparedPhotos, fit
from tryon.zoo import WEIGHTS


@pytest.fixture(scope="module")
def fashn() -> FashnTryOnPipeline:
    """Random weights at the tiny preset; the annotator is the shipped one, so photographs are understood."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = FashnVTON(**PRESETS["tiny"]).eval()
    annotator = Annotator.from_pretrained(WEIGHTS / "small" / "annotator")
    return FashnTryOnPipeline(network, annotator, num_inference_steps=4, pose="annotator")


@pytest.fixture(scope="module")
def person(person_file: Path) -> Image.Image:
    """A small, narrow photograph of a person."""
    image = read_image(person_file)
    return image.crop((image.width // 6, 0, image.width * 5 // 6, image.height)).resize((300, 450))


@pytest.fixture(scope="module")
def garment(garment_file: Path) -> Image.Image:
    """A garment laid out."""
    return read_image(garment_file).resize((400, 400))


@pytest.fixture(scope="module")
def prepared(fashn: FashnTryOnPipeline, person: Image.Image, garment: Image.Image) -> PreparedPhotos:
    """Both, prepared."""
    return fashn.prepare(person, garment)


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own for every call."""
    return torch.Generator().manual_seed(seed)


def is_grey(canvas: torch.Tensor) -> torch.Tensor:
    """(N, H, W) bool: where a canvas (N, 3, H, W) shows what hidden pixels are painted with."""
    return ((canvas - (127 / 127.5 - 1)).abs() < 1e-6).all(1)


def test_times_are_the_published_ones():
    assert schedule(4) == pytest.approx([0, 0.069228, 0.182426, 0.400979, 1], abs=1e-6)
    times = schedule(30)
    assert times[:5] == pytest.approx([0, 0.007635, 0.015688, 0.024192, 0.033188], abs=1e-6)
    assert times[-3:] == pytest.approx([0.757507, 0.866145, 1], abs=1e-6)
    assert (times[0], times[-1]) == (0, 1)
    for k, t in enumerate(times):
        s = k / 30
        assert t == pytest.approx(s / (s + math.exp(1.5) * (1 - s)), abs=3e-7)


@torch.inference_mode()
def test_the_sampler_is_eulers_with_guidance_in_all_but_the_last_step(
    fashn: FashnTryOnPipeline, prepared: PreparedPhotos
):
    *_, result = fashn.sample([prepared], num_inference_steps=3, guidance_scale=2.5, generator=seeded())
    x = torch.randn(1, 3, 96, 64, generator=seeded())
    category = torch.tensor([CATEGORY_IDS[prepared.category]])
    given = (prepared.person, prepared.person_pose, prepared.garment, prepared.garment_pose, category)
    times = schedule(3)
    for k in range(3):
        t = torch.tensor([times[k]])
        velocity = fashn.transformer(x, t, *given)
        if k < 2:
            null = fashn.transformer(x, t, *given, keep_mask=torch.tensor([False]))
            velocity = null + 2.5 * (velocity - null)
        x = x + (times[k + 1] - times[k]) * velocity
    torch.testing.assert_close(result, x.clamp(-1, 1), atol=1e-4, rtol=0)


def test_same_seed_same_bits_and_a_batch_is_its_singles(fashn: FashnTryOnPipeline, prepared: PreparedPhotos):
    mirrored = replace(prepared, person=prepared.person.flip(3))
    *_, batch = fashn.sample([prepared, mirrored], generator=[seeded(3), seeded(4)])
    for sample, pair, seed in zip(batch, (prepared, mirrored), (3, 4), strict=True):
        *_, single = fashn.sample([pair], generator=seeded(seed))
        assert torch.equal(sample, single[0])
    *_, other = fashn.sample([prepared], generator=seeded(5))
    assert not torch.equal(other[0], batch[0])


def test_every_step_is_told_and_can_end_the_work(fashn: FashnTryOnPipeline, prepared: PreparedPhotos):
    told = []
    list(fashn.sample([prepared], num_inference_steps=3, on_step=lambda *step: told.append(step)))
    assert told == [("sample", 1, 3), ("sample", 2, 3), ("sample", 3, 3)]

    def cancel(name: str, done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(fashn.sample([prepared], on_step=cancel))


def test_the_result_has_the_photographs_size_and_tells_its_settings(
    fashn: FashnTryOnPipeline, person: Image.Image, garment: Image.Image
):
    stages = list(fashn.stream(person, garment, generator=seeded(), guidance_scale=1))
    assert [stage.name for stage in stages] == ["prepare", *["sample"] * 4, "result"]
    assert stages[-1].images[0].size == person.size
    info = stages[-1].info[0]
    assert json.loads(json.dumps(info)) == info
    assert (info["category"], info["num_inference_steps"], info["guidance_scale"]) == ("dress", [4], 1)
    assert set(info["seconds"]) == {"prepare", "sample"}
    assert stages[-1].samples.shape == (1, 3, 96, 64)
    assert all(stage.samples.abs().max() <= 1 for stage in stages[1:])


def test_a_garment_laid_out_keeps_its_background_and_has_no_pose(prepared: PreparedPhotos):
    assert (prepared.garment_pose == -1).all()
    assert (prepared.person_pose > -1).any()
    assert prepared.category == "dress"
    assert (np.asarray(prepared.region) == 255).all()
    assert prepared.region.size == (300, 450)


def test_views_show_what_the_network_sees(prepared: PreparedPhotos):
    pose, person, garment = (np.asarray(view, np.float32) / 127.5 - 1 for view in prepared.views())
    for view, canvas in ((person, prepared.person), (garment, prepared.garment)):
        np.testing.assert_allclose(view, canvas[0].permute(1, 2, 0).numpy(), atol=1e-6)
    np.testing.assert_allclose(pose.max(2), np.maximum(person.max(2), prepared.person_pose[0, 0].numpy()), atol=1e-6)


def test_a_worn_garment_is_cut_out_on_grey_with_its_wearers_pose(fashn: FashnTryOnPipeline, person: Image.Image):
    worn = fashn.prepare(person, person, "upper")
    grey = is_grey(worn.garment)
    assert 0.3 < grey.float().mean() < 0.95
    assert (worn.garment_pose > -1).any()


def test_a_mask_is_hidden_from_the_network_and_nothing_else_changes(
    fashn: FashnTryOnPipeline, person: Image.Image, garment: Image.Image, prepared: PreparedPhotos
):
    drawn = np.zeros((450, 300), np.uint8)
    drawn[150:300, 100:200] = 255
    mask = Image.fromarray(drawn)
    masked = fashn.prepare(person, garment, mask=mask)
    grey = is_grey(masked.person)
    assert grey[0, 40:60, 24:40].all()
    assert torch.equal(masked.person[~grey.expand(1, 3, 96, 64)], prepared.person[~grey.expand(1, 3, 96, 64)])
    noise = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    image = np.asarray(lay_over(person, Image.fromarray(noise), masked))
    same = (image == np.asarray(person)).all(2)
    assert same[drawn == 0].all()
    assert same[drawn > 0].mean() < 0.1


def test_the_region_can_be_handed_back(
    fashn: FashnTryOnPipeline, person: Image.Image, garment: Image.Image, prepared: PreparedPhotos
):
    again = fashn.prepare(person, garment, mask=prepared.region)
    assert torch.equal(again.person, prepared.person)
    assert not again.hidden


def test_pixels_that_the_network_repeats_stay_the_photographs_own(person: Image.Image, prepared: PreparedPhotos):
    small = np.asarray(person.resize((64, 96), Image.Resampling.LANCZOS, reducing_gap=3.0))
    noise = np.random.default_rng(0).integers(-4, 5, small.shape)
    repeated = np.clip(small + noise, 0, 255).astype(np.uint8)
    assert lay_over(person, Image.fromarray(repeated), prepared).tobytes() == person.tobytes()
    repeated[40:60, 20:40] = 255 - small[40:60, 20:40]
    image = np.asarray(lay_over(person, Image.fromarray(repeated), prepared))
    changed = (image != np.asarray(person)).any(2)
    assert changed[200:270, 105:175].mean() > 0.9
    assert not changed[:150].any()
    assert not changed[330:].any()


def test_differences_are_soft_at_the_edge_and_specks_do_not_count():
    before = np.full((400, 300, 3), 100, np.uint8)
    after = before.copy()
    after[100:200, 100:200] = 200
    after[300:303, 10:13] = 255
    changed = changed_pixels(before, after)
    assert changed[100:200, 100:200].min() > 0.9
    assert changed[290:].max() == 0
    assert ((changed > 0.1) & (changed < 0.9)).any()


@pytest.mark.parametrize(
    ("shape", "box"),
    [((1024, 768), (0, 48, 576, 768)), ((500, 1000), (0, 288, 576, 288)), ((100, 20), (201, 0, 173, 864))],
)
def test_photographs_are_scaled_into_the_middle_of_a_black_canvas(shape: tuple[int, int], box: tuple[int, ...]):
    photo = np.full((*shape, 3), 200, np.uint8)
    canvas, found = fit(photo, (864, 576))
    left, top, width, height = box
    assert found == box
    inside = np.zeros((864, 576), bool)
    inside[top : top + height, left : left + width] = True
    assert (canvas[inside] == 200).all()
    assert not canvas[~inside].any()


@pytest.mark.parametrize("width", [519, 831, 576, 1])
def test_no_row_or_column_is_lost_to_rounding(width: int):
    _, box = fit(np.zeros((10 if width > 1 else 4000, width, 3), np.uint8), (864, 576))
    assert box[2] == (576 if width > 1 else 1)


def test_drawings_are_never_blurred():
    drawing = np.zeros((123, 77), np.uint8)
    drawing[50:60] = 240
    assert set(np.unique(fit(drawing, (864, 576))[0])) == {0, 240}


@pytest.mark.parametrize("steps", [0, 257, [3, 3], -1])
def test_steps_out_of_range_are_refused(fashn: FashnTryOnPipeline, steps: int, person: Image.Image):
    with pytest.raises(ValueError, match="one number from 1 to 256"):
        fashn(person, person, num_inference_steps=steps)


def test_a_picture_without_a_person_is_refused(fashn: FashnTryOnPipeline, garment: Image.Image):
    with pytest.raises(InputError, match="No person was found"):
        fashn.prepare(garment, garment)


def test_published_weights_ask_for_their_pose_detector(fashn: FashnTryOnPipeline, person: Image.Image, tmp_path: Path):
    save_file(fashn.transformer.state_dict(), tmp_path / "model.safetensors")
    published = FashnTryOnPipeline.from_published(
        tmp_path / "model.safetensors", fashn.annotator, torch.float32, **PRESETS["tiny"]
    )
    for name, value in published.transformer.state_dict().items():
        assert torch.equal(value, fashn.transformer.state_dict()[name])
    with pytest.raises(CheckpointError, match="need a pose detector"):
        published.prepare(person, person)


def test_a_saved_pipeline_gives_the_same_picture(fashn: FashnTryOnPipeline, prepared: PreparedPhotos, tmp_path: Path):
    fashn.save_pretrained(tmp_path / "saved")
    record_weights(tmp_path / "saved")
    loaded = load_pipeline(tmp_path / "saved", "cpu", torch.float32)
    (*_, first), (*_, second) = (pipeline.sample([prepared], generator=seeded()) for pipeline in (fashn, loaded))
    assert isinstance(loaded, FashnTryOnPipeline)
    assert torch.equal(first, second)


def test_a_lone_file_of_other_weights_is_refused(tmp_path: Path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="do not fit FashnVTON"):
        load_pipeline(tmp_path)


@pytest.fixture
def fashn_url(fashn: FashnTryOnPipeline) -> Iterator[str]:
    """Address of a running app that serves this family."""
    import app

    demo = app.create_demo(lambda *name: fashn)
    _, url, _ = app.launch(demo, prevent_thread_lock=True, server_name="127.0.0.1", quiet=True)
    yield url
    demo.close()


def test_the_apps_endpoint_serves_it(fashn_url: str, person_file: Path, garment_file: Path):
    image, info = Client(fashn_url, verbose=False).predict(
        person_image=handle_file(person_file), garment_image=handle_file(garment_file), seed=7, api_name="/tryon"
    )
    assert Image.open(image).size == tuple(info["person_size"])
    assert info["num_inference_steps"] == [4]
    assert info["seed"] == 7
