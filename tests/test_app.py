"""The app through a real server and gradio's own client, with the checkpoint that ships."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app

FEW_STEPS = 2  # enough to see the whole path; how good the picture is, is not asked here


@pytest.fixture(scope="module")
def client(app_url: str) -> Client:
    return Client(app_url, verbose=False)


def dress(client: Client, person: Path | None, garment: Path | None, **settings):
    """A call of the public endpoint; returns (picture, info)."""
    path, info = client.predict(
        person_image=person and handle_file(person),
        garment_image=garment and handle_file(garment),
        api_name="/tryon",
        **{"num_inference_steps": FEW_STEPS, "seed": 1, **settings},
    )
    with Image.open(path) as image:
        image.load()
        return image, info


def test_one_public_endpoint_with_a_stable_signature(client: Client):
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert list(endpoints["named_endpoints"]) == ["/tryon"]
    assert not endpoints["unnamed_endpoints"]
    parameters = endpoints["named_endpoints"]["/tryon"]["parameters"]
    signature = [(p["parameter_name"], p["parameter_default"]) for p in parameters if p["parameter_has_default"]]
    assert [p["parameter_name"] for p in parameters[:2]] == ["person_image", "garment_image"]
    assert signature == [("category", "auto"), ("num_inference_steps", 0), ("guidance_scale", 0), ("seed", -1)]


def test_recommended_settings_dress_the_person_in_time(client: Client, person_file: Path, garment_file: Path):
    start = time.monotonic()
    image, info = dress(client, person_file, garment_file, num_inference_steps=0, seed=-1)
    assert time.monotonic() - start < 90
    person = Image.open(person_file).convert("RGB")
    assert image.size == person.size
    same = (np.asarray(image) == np.asarray(person)).all(axis=-1)
    assert 0.2 < same.mean() < 0.98  # something was changed, and only where it had to be
    assert same[0].all()
    assert same[:, 0].all()
    assert 0 <= info["seed"] <= app.MAX_SEED
    assert info["checkpoint"] == app.CHECKPOINT
    assert info["category"] in ("upper", "lower", "dress")
    assert set(app.STAGES) <= set(info["seconds"])
    assert json.loads(image.info["tryon"]) == info  # the picture carries its settings


def test_the_same_seed_gives_the_same_picture_and_another_does_not(
    client: Client, person_file: Path, garment_file: Path
):
    first, second, other = (np.asarray(dress(client, person_file, garment_file, seed=seed)[0]) for seed in (3, 3, 4))
    assert (first == second).all()
    assert (first != other).any()


def test_a_sideways_phone_photo_comes_back_upright(
    client: Client, person_file: Path, garment_file: Path, tmp_path: Path
):
    upright = Image.open(person_file).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways: turn by 90 degrees to view
    upright.rotate(90, expand=True).save(tmp_path / "phone.jpg", exif=exif, quality=95)
    image, info = dress(client, tmp_path / "phone.jpg", garment_file)
    assert image.size == upright.size == tuple(info["person_size"])


def write_text(path: Path) -> None:
    path.write_text("not a picture")


def write_truncated(path: Path) -> None:
    Image.new("RGB", (300, 300), "white").save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:200])


def write_small(path: Path) -> None:
    Image.new("RGB", (300, 63)).save(path, "PNG")


def write_huge(path: Path) -> None:
    Image.new("1", (10_000, 4_001)).save(path, "PNG")


def write_empty_room(path: Path) -> None:
    shade = np.linspace(90, 200, 400, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(shade[:, None, None], (400, 300, 3)).copy()).save(path, "PNG")


@pytest.mark.parametrize("write", [write_text, write_truncated, write_small, write_huge, write_empty_room])
def test_an_unusable_person_photo_is_refused_in_one_sentence(client: Client, garment_file: Path, tmp_path: Path, write):
    write(tmp_path / "photo.png")
    start = time.monotonic()
    with pytest.raises(AppError) as refusal:
        dress(client, tmp_path / "photo.png", garment_file)
    message = refusal.value.args[0]
    assert time.monotonic() - start < 10  # a second of work, on a machine that may be busy with others
    assert "\n" not in message
    assert len(message) > 30
    assert message.endswith(".")
    assert "Error" not in message
    assert "went wrong" not in message


def test_a_missing_picture_is_named(client: Client, person_file: Path):
    with pytest.raises(AppError, match="no garment picture: choose"):
        dress(client, person_file, None)
    with pytest.raises(AppError, match="no person picture: choose"):
        dress(client, None, person_file)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"category": "hat"}, "category must be one of auto, upper, lower, dress"),
        ({"num_inference_steps": 1_000_000}, "number of steps must be between 0 and 100"),
        ({"guidance_scale": -1}, "guidance scale must be between 0 and 5"),
        ({"seed": 2**40}, "seed must be between -1 and 2147483647"),
    ],
)
def test_settings_out_of_range_are_refused(
    client: Client, person_file: Path, garment_file: Path, settings: dict, message: str
):
    with pytest.raises(AppError, match=message):
        dress(client, person_file, garment_file, **settings)


def test_a_failure_while_sampling_is_a_sentence_and_the_app_goes_on(
    client: Client, pipeline, person_file: Path, garment_file: Path
):
    def fail(*_):
        raise RuntimeError("secret detail")

    hook = pipeline.sr256_unet.register_forward_pre_hook(fail)
    try:
        with pytest.raises(AppError, match="Something went wrong") as failure:
            dress(client, person_file, garment_file)
    finally:
        hook.remove()
    assert "secret" not in str(failure.value)
    assert dress(client, person_file, garment_file)[1]["seed"] == 1


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_files_of_the_server_cannot_be_named_as_input(app_url: str, person_file: Path, meta: dict):
    import httpx

    stolen = {"path": str(person_file.resolve()), **meta}
    body = {"data": [stolen, stolen, "auto", 1, 0, 1]}
    event = httpx.post(f"{app_url}gradio_api/call/tryon", json=body, timeout=60).json()["event_id"]
    answer = httpx.get(f"{app_url}gradio_api/call/tryon/{event}", timeout=120).text
    assert "event: error" in answer
    assert "event: complete" not in answer


def test_the_page_shows_every_stage_and_then_before_and_after(app_url: str, person_file: Path, garment_file: Path):
    demo = app.create_demo(lambda: None)
    (index,) = (i for i, fn in demo.fns.items() if fn.name == "run")
    client = Client(app_url, verbose=False)
    client.endpoints[index].is_valid = True  # the page's own event: no public endpoint, but it can be called
    job = client.submit(handle_file(person_file), handle_file(garment_file), "auto", FEW_STEPS, 0, 5, fn_index=index)
    *stages, compared, _ = list(job)
    assert len(stages) == len(app.STAGES)
    assert any(isinstance(value, dict) and value.get("seed") == 5 for value in compared)


def test_the_page_is_made_without_a_model_and_keeps_no_files():
    demo = app.create_demo()
    assert not app.default_pipeline.cache_info().currsize
    frequency, age = demo.delete_cache
    assert frequency + age <= 3600
    assert demo._queue.max_size == 16
    sampling = [fn for fn in demo.fns.values() if fn.concurrency_id == "sampler"]
    assert {fn.concurrency_limit for fn in sampling} == {1}
    assert {fn.name for fn in sampling} == {"run", "tryon"}
