"""Shared fixtures: the shipped checkpoint, a tiny one of the same classes, a running app. No test needs a network."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries are imported
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="tryon-tests-")  # the app deletes what it finds there

import hub_server
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse connections to other machines, so that passing offline is not an accident."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"The tests must not reach {address[0]}.")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    """A Hub on loopback with one large file, which the client talks to, and an empty cache."""
    from huggingface_hub import constants

    files = {"model.safetensors": hub_server.LARGE, "config.json": b"{}"}
    hub = hub_server.Hub(repos={("acme/large", hub_server.COMMIT): files})
    with hub_server.serve(hub) as url:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", hub_server.CHUNK)  # 10 MB is more than its files have
        yield hub


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole pipeline folder of the real classes at their tiny presets, with random weights."""
    import torch

    from tryon.diffusion import make_scheduler
    from tryon.models.annotator import PRESETS as ANNOTATORS
    from tryon.models.annotator import Annotator
    from tryon.models.efficient_unet import PRESETS as EFFICIENT
    from tryon.models.efficient_unet import EfficientUNet
    from tryon.models.parallel_unet import PRESETS as PARALLEL
    from tryon.models.parallel_unet import ParallelUNet
    from tryon.pipeline import TryOnPipeline

    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        TryOnPipeline(
            base_unet=ParallelUNet(**PARALLEL["tiny-128"]),
            sr256_unet=ParallelUNet(**PARALLEL["tiny-256"]),
            sr1024_unet=EfficientUNet(**EFFICIENT["tiny-1024"]),
            annotator=Annotator(**ANNOTATORS["tiny"]),
            scheduler=make_scheduler(),
        ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_pipeline(tiny_folder: Path):
    """The pipeline of `tiny_folder`; what it paints is noise, but every part of it is real."""
    from tryon import load_pipeline

    return load_pipeline(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def pipeline():
    """The checkpoint that ships, as a user loads it."""
    from tryon import load_pipeline

    return load_pipeline("small", device="cpu")


@pytest.fixture(scope="session")
def person_file() -> Path:
    """An example person that ships."""
    return sorted((ROOT / "examples" / "persons").glob("*.*"))[0]


@pytest.fixture(scope="session")
def garment_file() -> Path:
    """An example garment that ships."""
    return sorted((ROOT / "examples" / "garments").glob("*.*"))[0]


@pytest.fixture(scope="session")
def painter(tiny_pipeline, pipeline):
    """The shipped annotator, so that people are found, with tiny networks: real, quick, and no beauty."""
    from tryon.pipeline import TryOnPipeline

    return TryOnPipeline(**{**tiny_pipeline.components, "annotator": pipeline.annotator})


@pytest.fixture(scope="session")
def painter_folder(painter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint folder of `painter`."""
    folder = tmp_path_factory.mktemp("checkpoints") / "painter"
    painter.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def app_url(painter) -> Iterator[str]:
    """Address of a running app, launched as `python app.py` launches it."""
    import app

    demo = app.create_demo(lambda name: painter)
    _, url, _ = app.launch(demo, prevent_thread_lock=True, server_name="127.0.0.1", quiet=True)
    yield url
    demo.close()
