"""`python -m tryon` as a shell uses it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tryon.__main__ import main


def test_a_person_is_dressed_from_the_shell(person_file: Path, garment_file: Path, tmp_path: Path, capsys):
    out = tmp_path / "result.png"
    arguments = [str(person_file), str(garment_file), "-o", str(out), "--seed", "7", "--num-inference-steps", "1"]
    assert main(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    info = json.loads(line)
    assert Image.open(out).size == Image.open(person_file).size == tuple(info["person_size"])
    assert (info["seed"], info["checkpoint"], info["output"]) == (7, "small", str(out))


@pytest.mark.parametrize("content", [None, b"not a picture", b""])
def test_a_bad_picture_is_one_sentence_and_exit_code_2(
    garment_file: Path, tmp_path: Path, capsys, content: bytes | None
):
    if content is not None:
        (tmp_path / "person.jpg").write_bytes(content)
    assert main([str(tmp_path / "person.jpg"), str(garment_file), "-o", str(tmp_path / "out.png")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert len(captured.err) > 30
    assert not (tmp_path / "out.png").exists()


def test_an_unknown_checkpoint_is_exit_code_2(person_file: Path, garment_file: Path, tmp_path: Path, capsys):
    out = str(tmp_path / "out.png")
    assert main([str(person_file), str(garment_file), "-o", out, "--checkpoint", "nothing"]) == 2
    assert "give one of small" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["p.jpg", "g.jpg", "-o", "out.txt"], "OUT must end in"),
        (["p.jpg", "g.jpg", "-o", "no/such/folder/out.png"], "There is no folder"),
        (["p.jpg", "g.jpg", "-o", "out.png", "--seed", "-2"], "--seed must be"),
        (["p.jpg", "g.jpg", "-o", "out.png", "--category", "hat"], "invalid choice"),
        (["p.jpg", "-o", "out.png"], "GARMENT"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_loaded(arguments: list[str], message: str, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_help_answers_without_loading_torch():
    code = (
        "import runpy, sys; sys.argv = ['tryon', '--help']\n"
        "try: runpy.run_module('tryon', run_name='__main__')\n"
        "except SystemExit as stop: print('torch' in sys.modules, stop.code)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "PERSON" in output
    assert output.splitlines()[-1] == "False 0"
