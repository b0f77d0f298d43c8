"""The app through a real server and gradio's own client: what programs can call, and what nobody can."""

import csv
import io
import os
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app
from tryon.metadata import SOURCE_TYPE, read_info
from tryon.web import files, handlers, sampler

FEW_STEPS = 1  # enough to see the whole path; how good the picture is, is not asked here
SIGNATURES = {  # public: new parameters only at the end, with defaults
    "/tryon": {
        "category": "auto",
        "num_inference_steps": 0,
        "guidance_scale": 0,
        "seed": -1,
        "mask": None,
        "checkpoint": sampler.DEFAULT,
    },
    "/prepare": {"category": "auto", "checkpoint": sampler.DEFAULT},
    "/batch": {
        "category": "auto",
        "num_inference_steps": 0,
        "guidance_scale": 0,
        "seed": -1,
        "checkpoint": sampler.DEFAULT,
    },
}


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


def test_the_public_endpoints_keep_their_signatures(client: Client):
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert sorted(endpoints["named_endpoints"]) == sorted(SIGNATURES)
    assert not endpoints["unnamed_endpoints"]
    for name, endpoint in endpoints["named_endpoints"].items():
        first, second, *others = endpoint["parameters"]
        assert [first["parameter_name"], second["parameter_name"][:13]] == ["person_image", "garment_image"]
        assert {p["parameter_name"]: p["parameter_default"] for p in others} == SIGNATURES[name]
        assert [p["parameter_name"] for p in others] == list(SIGNATURES[name])


def test_a_person_is_dressed_and_told_all_about_it(client: Client, person_file: Path, garment_file: Path):
    image, info = dress(client, person_file, garment_file, num_inference_steps=0, seed=-1)
    person = Image.open(person_file).convert("RGB")
    assert image.size == person.size == tuple(info["person_size"])
    same = (np.asarray(image) == np.asarray(person)).all(axis=-1)
    assert 0.2 < same.mean() < 0.99  # something was changed, and only where it had to be
    assert same[0].all()
    assert same[:, 0].all()
    assert 0 <= info["seed"] <= sampler.MAX_SEED
    assert info["checkpoint"] == sampler.DEFAULT
    assert info["revision"]
    assert info["category"] in ("upper", "lower", "dress")
    assert set(sampler.STAGES) <= set(info["seconds"])
    assert read_info(image) == info  # the picture carries its settings
    assert SOURCE_TYPE in image.info["xmp"].decode()  # and says that an AI made it


def test_prepare_gives_the_region_and_tryon_takes_it_back_altered(
    client: Client, person_file: Path, garment_file: Path, tmp_path: Path
):
    pictures = {"person_image": handle_file(person_file), "garment_image": handle_file(garment_file)}
    seen, region, garment, info = client.predict(**pictures, api_name="/prepare")
    assert info["category"] in ("upper", "lower", "dress")
    for path in (seen, garment):
        assert Image.open(path).size[0] >= 256
    mask = np.asarray(Image.open(region).convert("L")).copy()
    assert mask.shape[::-1] == Image.open(person_file).size
    assert 0.02 < (mask > 127).mean() < 0.8
    mask[: mask.shape[0] // 2] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    image, info = dress(client, person_file, garment_file, mask=handle_file(tmp_path / "mask.png"))
    changed = (np.asarray(image) != np.asarray(Image.open(person_file).convert("RGB"))).any(-1)
    assert info["mask"] is True
    assert changed.any()
    assert not changed[: mask.shape[0] // 2].any()


def test_a_mask_of_another_size_is_refused(client: Client, person_file: Path, garment_file: Path, tmp_path: Path):
    Image.new("L", (100, 80), 255).save(tmp_path / "mask.png")
    with pytest.raises(AppError, match="size of the person photo"):
        dress(client, person_file, garment_file, mask=handle_file(tmp_path / "mask.png"))


def test_a_batch_goes_on_after_a_bad_garment(client: Client, person_file: Path, garment_file: Path, tmp_path: Path):
    (tmp_path / "broken.png").write_text("not a picture")
    sheet, archive, table = client.predict(
        person_image=handle_file(person_file),
        garment_images=[handle_file(tmp_path / "broken.png"), handle_file(garment_file)],
        num_inference_steps=FEW_STEPS,
        seed=4,
        api_name="/batch",
    )
    assert [row["garment"] for row in table] == ["broken.png", garment_file.name]
    assert "cannot be read" in table[0]["error"]
    assert (table[1]["seed"], table[1]["error"]) == (4, "")
    assert Image.open(sheet).size[0] > 300
    with zipfile.ZipFile(archive) as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file.open("table.csv"))))
        assert [row["result"] for row in rows] == ["", table[1]["result"]]
        with Image.open(file.open(table[1]["result"])) as alone:
            single, _ = dress(client, person_file, garment_file, seed=4)
            assert (np.asarray(alone) == np.asarray(single)).all()


def test_an_empty_batch_is_refused(client: Client, person_file: Path):
    with pytest.raises(AppError, match="no garment picture: upload one or more"):
        client.predict(person_image=handle_file(person_file), garment_images=[], api_name="/batch")


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
    with pytest.raises(AppError) as refusal:
        dress(client, tmp_path / "photo.png", garment_file)
    message = refusal.value.args[0]
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
        ({"checkpoint": "/etc"}, "checkpoint must be one of small"),
        ({"checkpoint": "somebody/weights@" + "0" * 40}, "checkpoint must be one of small"),
    ],
)
def test_settings_out_of_range_are_refused(
    client: Client, person_file: Path, garment_file: Path, settings: dict, message: str
):
    with pytest.raises(AppError, match=message):
        dress(client, person_file, garment_file, **settings)


def test_a_failure_while_sampling_is_a_sentence_and_the_app_goes_on(
    client: Client, painter, person_file: Path, garment_file: Path
):
    def fail(*_):
        raise RuntimeError("secret detail")

    hook = painter.sr256_unet.register_forward_pre_hook(fail)
    try:
        with pytest.raises(AppError, match="Something went wrong") as failure:
            dress(client, person_file, garment_file)
    finally:
        hook.remove()
    assert "secret" not in str(failure.value)
    assert dress(client, person_file, garment_file)[1]["seed"] == 1


def call(app_url: str, person: dict, garment: dict) -> str:
    """The raw answer of `/tryon`, as curl would see it."""
    body = {"data": [person, garment, "auto", 1, 0, 1, None, sampler.DEFAULT]}
    event = httpx.post(f"{app_url}gradio_api/call/tryon", json=body, timeout=60).json()["event_id"]
    return httpx.get(f"{app_url}gradio_api/call/tryon/{event}", timeout=120).text


def test_a_full_queue_says_so(client: Client, app_url: str, painter, person_file: Path, garment_file: Path):
    painting, go_on = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        painting.set()
        go_on.wait(120)

    hook = painter.base_unet.register_forward_pre_hook(hold)
    try:
        pictures = {"person_image": handle_file(person_file), "garment_image": handle_file(garment_file)}
        first = client.submit(**pictures, num_inference_steps=FEW_STEPS, seed=2, api_name="/tryon")
        assert painting.wait(120)
        body = {"data": [None, None, "auto", 1, 0, 1, None, sampler.DEFAULT]}
        answers = [httpx.post(f"{app_url}gradio_api/call/tryon", json=body, timeout=60) for _ in range(20)]
    finally:
        go_on.set()
        hook.remove()
    taken = [answer.status_code == 200 for answer in answers]
    assert taken == [True] * app.QUEUE_SIZE + [False] * (20 - app.QUEUE_SIZE)
    assert "Queue is full" in answers[-1].text
    assert first.result()[1]["seed"] == 2


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
@pytest.mark.parametrize("path", ["app.py", "examples/../app.py", "/etc/passwd", "tests/../README.md"])
def test_files_of_the_server_cannot_be_named_as_input(app_url: str, garment_file: Path, meta: dict, path: str):
    stolen = {"path": str(Path(app.__file__).parent / path), **meta}
    answer = call(app_url, stolen, {"path": str(garment_file), **meta})
    assert "event: error" in answer
    assert "event: complete" not in answer
    assert "Traceback" not in answer


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "app.py", "tryon/weights/small/model_index.json", "..%2f..%2fetc/passwd", ".git/config"]
)
def test_files_of_the_server_cannot_be_fetched(app_url: str, path: str):
    where = path if path.startswith("/") else f"{Path(app.__file__).parent}/{path}"
    answer = httpx.get(f"{app_url}gradio_api/file={where}")
    assert answer.status_code in (403, 404)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_other_pages_cannot_use_a_visitors_browser(app_url: str, origin: str):
    answer = httpx.get(f"{app_url}gradio_api/info", headers={"Origin": origin})
    assert answer.headers.get("access-control-allow-origin") is None


def test_sweeping_deletes_what_is_old_and_nothing_else():
    old, new = files.new_file("old.png"), files.new_file("new.png")
    link = files.folder() / "deep_links" / "abc" / "state.json"
    link.parent.mkdir(parents=True, exist_ok=True)
    for path in (old, new, link):
        path.write_bytes(b"x")
    ago = time.time() - files.MAX_AGE - 60
    for path in (old, link):
        os.utime(path, (ago, ago))
    files.sweep(files.MAX_AGE)
    assert not old.exists()
    assert not link.exists()
    assert new.exists()


def test_no_file_of_any_call_outlives_its_time(
    painter, person_file: Path, garment_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(files, "SWEEP_EVERY", 0.1)
    demo = app.create_demo(lambda name: painter)
    _, url, _ = app.launch(demo, prevent_thread_lock=True, server_name="127.0.0.1", quiet=True)
    pictures = {"person_image": handle_file(person_file), "garment_image": handle_file(garment_file)}
    many = {"person_image": handle_file(person_file), "garment_images": [handle_file(garment_file)] * 2}
    calls = [(pictures, "/tryon"), (pictures, "/prepare"), (many, "/batch")]

    def visit(number: int) -> None:
        client = Client(url, verbose=False, download_files=False)
        for arguments, name in calls:
            steps = {} if name == "/prepare" else {"num_inference_steps": FEW_STEPS}
            client.predict(**arguments, **steps, api_name=name)

    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(visit, range(2)))
        assert len(list(tmp_path.rglob("try-on-*.png"))) == 6
        httpx.post(f"{url}gradio_api/upload", files={"files": ("unused.png", b"x")}, timeout=60)
        monkeypatch.setattr(files, "MAX_AGE", 0)
        for _ in range(300):
            if not any(path.is_file() for path in tmp_path.rglob("*")):
                break
            time.sleep(0.1)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    finally:
        demo.close()


def test_what_is_made_after_a_visit_was_deleted_does_not_stay():
    visit, late = handlers.new_visit(), files.new_file("late.png")
    handlers.forget(visit)
    late.write_bytes(b"x")
    handlers.keep(visit, str(late))
    assert not late.exists()


def test_deleting_a_visit_spares_what_is_not_a_visitors(person_file: Path):
    mine = files.new_file("mine.png")
    mine.write_bytes(b"x")
    assert files.delete([str(mine), str(person_file), None, "/etc/hostname"]) == 1
    assert not mine.exists()
    assert person_file.exists()


def test_the_page_is_made_without_a_model_and_holds_its_limits():
    def no_model(name: str):
        raise AssertionError("a model was loaded")

    demo = app.create_demo(no_model)
    assert files.SWEEP_EVERY + files.MAX_AGE <= 3600
    assert demo.delete_cache == (files.SWEEP_EVERY, files.MAX_AGE)
    assert demo._queue.max_size == app.QUEUE_SIZE
    working = [fn for fn in demo.fns.values() if fn.concurrency_id == "sampler"]
    assert {fn.concurrency_limit for fn in working} == {1}
    assert {fn.name for fn in working} == {"run", "look", "many", "tryon", "prepare", "batch"}
    public = [fn.name for fn in demo.fns.values() if fn.api_visibility != "private"]
    assert sorted(public) == ["batch", "prepare", "tryon"]
