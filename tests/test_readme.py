"""The README keeps its word: its snippets run, its table is the zoo, its pins are the requirements."""

import asyncio
import base64
import io
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image

from tryon.__main__ import main, parse_arguments
from tryon.batch_command import is_batch
from tryon.zoo import markdown_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run snippets in that holds the examples, as a clone does."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_space_header_agrees_with_the_requirements():
    header = yaml.safe_load(README.split("---")[1])
    requirements = (ROOT / "requirements.txt").read_text()
    assert header["sdk"] == "gradio"
    assert f"gradio[mcp]=={header['sdk_version']}\n" in requirements
    assert (ROOT / header["app_file"]).is_file()
    assert header["license"] == "apache-2.0"
    assert isinstance(header["python_version"], str)
    assert len(header["short_description"]) <= 60


def test_there_are_two_commands_and_ci_runs_the_second():
    starts = [line for line in SHELL if line.startswith("python3 -m venv .venv && ")]
    assert [line.split(" && ")[-1] for line in starts] == [".venv/bin/python app.py", ".venv/bin/python -m pytest"]
    script = (ROOT / ".ci" / "run").read_text()
    (pattern,) = re.findall(r"grep -E '(.+)' README.md", script)
    assert re.findall(pattern, README, flags=re.MULTILINE) == [starts[1]]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_checkpoint_table_is_the_zoo():
    table = re.search(r"<!-- checkpoints: .* -->\n(.*?)\n<!-- end", README, flags=re.DOTALL)
    assert table[1] == markdown_table()


def test_pictures_and_links_into_the_repository_exist():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert "examples/result.jpg" in targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_the_client_snippet_runs(app_url: str, clone: Path):
    (snippet,) = (text for text in PYTHON if "gradio_client" in text)
    names: dict = {}
    exec(snippet.replace("http://127.0.0.1:7860", app_url), names)
    assert names["info"]["seed"] == 7
    with Image.open(names["image"]) as image:
        assert image.format == "PNG"
        assert image.size == tuple(names["info"]["person_size"])


def test_the_curl_snippet_runs(app_url: str, clone: Path):
    (script,) = (text for language, text in BLOCKS if language == "bash")
    script = script.replace("http://127.0.0.1:7860/", app_url)
    answer = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True, timeout=120).stdout
    assert "event: complete" in answer
    image, info = json.loads(answer.split("event: complete\ndata: ")[1])
    assert image["url"].startswith(app_url)
    assert info["seed"] == 7


def test_the_mcp_snippets_run(app_url: str, clone: Path):
    (config,) = (json.loads(text) for language, text in BLOCKS if language == "json")
    (snippet,) = (text for text in PYTHON if "mcp" in text)
    assert config["mcpServers"]["tryon"]["url"] in snippet
    names: dict = {}
    exec(snippet.replace("http://127.0.0.1:7860/", app_url), names)
    picture, address, info = names["result"].content
    assert (picture.type, address.type, info.type) == ("image", "text", "text")
    with Image.open(io.BytesIO(base64.b64decode(picture.data))) as image:
        assert image.size == Image.open(ROOT / "examples/persons/woman_white_tee.webp").size
    assert "'seed': 7" in info.text


def test_a_language_model_is_told_what_the_tools_do(app_url: str):
    async def list_tools() -> list:
        address = f"{app_url}gradio_api/mcp/"
        async with streamablehttp_client(address) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return (await session.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(list_tools())}
    assert sorted(tools) == ["batch", "prepare", "tryon"]
    for tool in tools.values():
        assert len(tool.description) > 60
        for name, schema in tool.inputSchema["properties"].items():
            assert len(schema["description"]) > 10, name
    assert tools["tryon"].inputSchema["required"] == ["person_image", "garment_image"]


def test_the_python_snippet_runs(clone: Path):
    (snippet,) = (text for text in PYTHON if "load_pipeline" in text)
    names: dict = {}
    exec(snippet, names)
    assert Image.open(clone / "result.png").size == names["output"].images[0].size


def test_the_shell_snippet_runs(clone: Path):
    single, folders = (
        line.split("-m tryon ")[1].split() for line in SHELL if "-m tryon " in line and "zoo" not in line
    )
    assert main([*single, "--num-inference-steps", "1"]) == 0
    assert (clone / "result.png").is_file()
    assert is_batch(parse_arguments(folders))  # 96 pictures: too many to make here


def test_other_commands_name_modules_and_options_that_exist():
    commands = [line.split() for line in SHELL if "-m tryon." in line]
    assert commands
    for words in commands:
        module = ROOT / Path(*words[words.index("-m") + 1].split(".")).with_suffix(".py")
        source = module.read_text(encoding="utf-8")
        for option in (word for word in words if word.startswith("--")):
            assert f'"{option}"' in source, f"{module} has no {option}"
