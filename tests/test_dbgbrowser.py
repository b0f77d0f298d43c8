"""The whole visit in a real browser, on a desktop and on a phone."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image

from tryon.metadata import read_info
from tryon.web import files
from tryon.web.sharing import example_files

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright, and a Chromium, to run these")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no browser: apt-get install chromium, or name one in the environment variable CHROMIUM"
)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 812}
WAIT = 120_000  # milliseconds, on a machine that may be busy with others
UPLOAD_UNASKED = """() => {
  const form = new FormData();
  form.append("files", new Blob(["x"]), "unasked.png");
  fetch("gradio_api/upload", { method: "POST", body: form });
}"""  # as gradio's editor does
HARMLESS = ("No draw texture found for layer",)  # gradio's editor says so whenever it is given a layer


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as play:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
        browser = play.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, app_url: str) -> Iterator[Callable]:
    """Opens the page as a new visitor; afterwards, no page may have failed or have asked another host."""
    contexts, failures, strangers = [], [], set()

    def open_page(query: str = "", size: dict = DESKTOP, **options: object):
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: strangers.add(urlparse(request.url).hostname))
        page.goto(app_url + query, wait_until="domcontentloaded")
        page.wait_for_selector("#person img")
        page.wait_for_selector("#garment img")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [failure for failure in failures if failure not in HARMLESS]
    assert strangers <= {urlparse(app_url).hostname, None, ""}


def run(page) -> None:
    """Press the button and wait for the result."""
    page.click("#go")
    page.wait_for_selector("#go", state="hidden")
    page.wait_for_selector("#go")
    page.wait_for_selector("#download")


def kept_files() -> set[Path]:
    """All files of all visitors."""
    return {path for path in files.folder().rglob("*") if path.is_file()}


def info_of(page, tmp_path: Path) -> dict:
    """Download the result and read its settings."""
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "result.png")
    with Image.open(tmp_path / "result.png") as image:
        return read_info(image)


def open_section(page, name: str) -> None:
    page.locator(f"#{name} button").first.click()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_whole_visit(visit, size: dict, tmp_path: Path, person_file: Path, browser):
    before = kept_files()
    page = visit("?seed=5&category=upper", size, permissions=["clipboard-read", "clipboard-write"])
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    photo = tmp_path / "me.png"
    Image.open(person_file).convert("RGB").resize((360, 480)).save(photo)
    page.set_input_files("#person input[type=file]", photo)
    page.wait_for_selector('#person img[src*="me.png"]')
    page.locator("#garments button").nth(1).click()
    run(page)
    assert page.locator("#result img").count() == 2
    assert page.locator("#stages img").count() == 5
    first = info_of(page, tmp_path)
    assert (first["seed"], first["category"], first["person_size"], first["mask"]) == (5, "upper", [360, 480], False)

    open_section(page, "seen")  # paint where nothing would have changed
    page.click("#look")
    page.wait_for_selector("#editor canvas")
    page.wait_for_timeout(1500)
    box = page.locator("#editor canvas").first.bounding_box()
    page.locator("#editor canvas").first.scroll_into_view_if_needed()
    box = page.locator("#editor canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.14, box["y"] + box["height"] * 0.6)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.26, box["y"] + box["height"] * 0.6, steps=8)
    page.mouse.up()
    page.wait_for_timeout(800)
    run(page)
    assert info_of(page, tmp_path)["mask"] is True

    open_section(page, "history")
    page.locator("#past button").nth(0).click()
    page.wait_for_selector("#compare img")
    page.locator("#past button").nth(1).click()
    page.wait_for_selector("#reuse")

    page.click("#chain")  # the result is the person now
    page.wait_for_selector('#person img[src*="try-on-5.png"]')

    page.click("#share")
    page.wait_for_selector("#link textarea, #link input")
    page.wait_for_function("document.querySelector('#link textarea, #link input').value.includes('deep_link')")
    link = page.locator("#link textarea, #link input").input_value()
    assert parse_qs(urlparse(link).query)["category"] == ["upper"]
    other = visit("?" + urlparse(link).query, size)
    other.wait_for_selector('#person img[src*="try-on-5.png"]')
    other.wait_for_selector("#download")
    other.wait_for_function("[...document.querySelectorAll('#result img')].every(image => image.naturalWidth > 300)")
    assert other.locator("#result img").count() == 2
    assert other.locator("#stages img").count() == 5
    assert info_of(other, tmp_path)["mask"] is True
    print("OTHER", other.evaluate("[window.sentFiles, window.sending.size]"), flush=True)
    other.close()

    assert kept_files() - before
    print("MINE", page.evaluate("[window.sentFiles, window.sending.size]"), flush=True)
    page.evaluate(UPLOAD_UNASKED)
    page.click("#delete")
    page.wait_for_selector("#waiting")
    page.wait_for_function("!document.querySelector('#person img')")
    left = kept_files() - before
    print("LEFT", left, page.evaluate("[window.sentFiles, window.sending.size]"), flush=True)
    assert not left
    gone = visit("?" + urlparse(link).query, size)  # the settings are left
    gone.wait_for_selector("#waiting")
    assert "woman_white_tee" in gone.locator("#person img").get_attribute("src")
    assert gone.get_by_label("Top").is_checked()


@pytest.mark.slow
def test_deleting_ends_what_is_being_made(visit, painter):
    steps = []
    hook = painter.base_unet.register_forward_hook(lambda *_: steps.append(1))
    before = kept_files()
    try:
        page = visit()
        open_section(page, "options")
        page.locator("#steps input[type=number]").fill("100")
        page.locator("#steps input[type=number]").press("Enter")
        page.click("#go")
        while not steps:
            page.wait_for_timeout(100)
        page.click("#delete")
        page.wait_for_selector("#go")
        page.wait_for_timeout(4000)
        assert len(steps) < 100
        assert kept_files() == before
    finally:
        hook.remove()


@pytest.mark.slow
def test_variations_differ_and_can_be_chosen(visit, tmp_path: Path):
    page = visit("?seed=8")
    open_section(page, "options")
    page.locator("#count input[type=number]").fill("2")
    page.locator("#count input[type=number]").press("Enter")
    run(page)
    page.wait_for_selector("#variations img")
    assert page.locator("#variations img").count() == 2
    page.locator("#variations button img").nth(1).click()
    page.wait_for_timeout(1000)
    assert info_of(page, tmp_path)["seed"] == 9


@pytest.mark.slow
def test_cancel_ends_the_work_between_two_steps(visit, painter):
    steps = []
    hook = painter.base_unet.register_forward_hook(lambda *_: steps.append(1))
    try:
        page = visit()
        open_section(page, "options")
        page.locator("#steps input[type=number]").fill("100")
        page.locator("#steps input[type=number]").press("Enter")
        page.click("#go")
        while not steps:
            page.wait_for_timeout(100)
        page.click("#cancel")
        page.wait_for_selector("#go")
        page.wait_for_timeout(2500)
        reached = len(steps)
        page.wait_for_timeout(1500)
        assert len(steps) == reached < 100
    finally:
        hook.remove()


@pytest.mark.slow
def test_the_gallery_follows_the_category_and_the_address_chooses_examples(visit):
    page = visit("?person=man_grey_tee&garment=lower_blue_jeans&category=lower&seed=77&model=nothing")
    assert "man_grey_tee" in page.locator("#person img").get_attribute("src")
    assert "lower_blue_jeans" in page.locator("#garment img").get_attribute("src")
    for category in ("lower", "auto"):
        count = len(example_files("garments", category))
        page.wait_for_function(f"document.querySelectorAll('#garments img').length == {count}")
        page.get_by_label("Any").check()


@pytest.mark.slow
def test_one_person_in_many_garments(visit, garment_file: Path, tmp_path: Path):
    page = visit()
    open_section(page, "batch")
    (tmp_path / "broken.png").write_text("no picture")
    page.set_input_files("#batch_garments input[type=file]", [garment_file, tmp_path / "broken.png"])
    page.wait_for_timeout(1500)
    page.click("#batch_go")
    page.wait_for_selector("#sheet img")
    assert "broken.png: This file cannot be read" in page.locator("#batch_progress").inner_text()
    with page.expect_download() as download:
        page.click("#zip")
    assert download.value.suggested_filename == "try-on.zip"


@pytest.mark.slow
def test_a_photo_of_nobody_is_a_sentence_and_the_button_comes_back(visit, tmp_path: Path):
    page = visit()
    shade = np.linspace(90, 200, 400, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(shade[:, None, None], (400, 300, 3)).copy()).save(tmp_path / "room.png")
    page.set_input_files("#person input[type=file]", tmp_path / "room.png")
    page.wait_for_selector('#person img[src*="room.png"]')
    page.click("#go")
    page.wait_for_selector(".toast-body")
    assert "person" in page.locator(".toast-body").first.inner_text()
    page.wait_for_selector("#go")


@pytest.mark.slow
def test_the_page_speaks_german_and_every_picture_has_a_text(visit):
    page = visit(locale="de-DE", color_scheme="dark")
    assert page.locator("#go").inner_text() == "Anprobieren"
    assert page.evaluate("document.body.classList.contains('dark')")
    silent = page.evaluate("[...document.images].filter(i => !i.alt && !i.closest('button,a,footer')).map(i => i.src)")
    assert silent == []
    assert page.locator("#persons img").first.get_attribute("alt")


@pytest.mark.slow
def test_the_keyboard_alone_is_enough(visit):
    page = visit()
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "go":
            break
    else:
        raise AssertionError("the button cannot be reached")
    page.keyboard.press("Enter")
    page.wait_for_selector("#download")


@pytest.mark.slow
def test_snippets_on_the_page_name_this_very_app(visit, app_url: str):
    page = visit()
    open_section(page, "programs")
    page.wait_for_selector("#programs >> text=gradio_client")
    shown = page.locator("#programs").inner_text()
    assert set(re.findall(r"http://[\d.]+:\d+", shown)) == {app_url.rstrip("/")}
    assert json.dumps("mcpServers") in shown
