"""`python -m tryon` as a shell uses it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tryon.__main__ import main
from tryon.metadata import SOURCE_TYPE, read_info


def test_a_person_is_dressed_from_the_shell(person_file: Path, garment_file: Path, tmp_path: Path, capsys):
    out = tmp_path / "result.png"
    arguments = [str(person_file), str(garment_file), "-o", str(out), "--seed", "7", "--num-inference-steps", "1"]
    assert main(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    info = json.loads(line)
    assert Image.open(out).size == Image.open(person_file).size == tuple(info["person_size"])
    assert (info["seed"], info["checkpoint"], info["output"]) == (7, "small", str(out))
    with Image.open(out) as image:
        assert read_info(image)["seed"] == 7
        assert SOURCE_TYPE in image.info["xmp"].decode()


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


@pytest.fixture
def folders(tmp_path: Path, person_file: Path, garment_file: Path) -> tuple[Path, Path]:
    """A folder of two persons, one of them no picture, and one of two garments."""
    persons, garments = tmp_path / "persons", tmp_path / "garments"
    persons.mkdir()
    garments.mkdir()
    Image.open(person_file).convert("RGB").resize((256, 256)).save(persons / "good.png")
    (persons / "bad.jpg").write_text("no picture")
    (persons / "notes.txt").write_text("not looked at")
    for name in ("one", "two"):
        Image.open(garment_file).convert("RGB").resize((256, 256)).save(garments / f"{name}.png")
    return persons, garments


def test_folders_are_worked_through_and_a_second_run_goes_on(
    folders: tuple[Path, Path], painter_folder: Path, tmp_path: Path, capsys
):
    out = tmp_path / "out"
    command = [*map(str, folders), "-o", str(out), "--seed", "3", "--num-inference-steps", "1"]
    command += ["--checkpoint", str(painter_folder)]
    assert main(command) == 1
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [(Path(r["person"]).stem, Path(r["garment"]).stem, "error" in r) for r in rows] == [
        ("bad", "one", True),
        ("bad", "two", True),
        ("good", "one", False),
        ("good", "two", False),
    ]
    assert "4/4" in captured.err
    assert "2 of 4 pairs failed" in captured.err
    assert (out / "manifest.jsonl").read_text() == captured.out
    made = {path.name: Image.open(path).tobytes() for path in out.glob("*.png")}
    assert sorted(made) == ["good--one.png", "good--two.png"]

    (folders[0] / "bad.jpg").unlink()
    (out / "good--two.png").unlink()
    with (out / "manifest.jsonl").open("a") as manifest:
        manifest.write('{"person": "torn')  # killed while it wrote
    assert main(command) == 0
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["output"] for row in again] == ["good--two.png"]
    assert {path.name: Image.open(path).tobytes() for path in out.glob("*.png")} == made
    assert main(command) == 0
    assert capsys.readouterr().out == ""


def test_one_person_goes_with_a_folder_of_garments(
    folders: tuple[Path, Path], painter_folder: Path, tmp_path: Path, capsys
):
    command = [str(folders[0] / "good.png"), str(folders[1]), "-o", str(tmp_path / "out")]
    assert main([*command, "--num-inference-steps", "1", "--checkpoint", str(painter_folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_an_empty_folder_is_exit_code_2(tmp_path: Path, garment_file: Path, capsys):
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), str(garment_file), "-o", str(tmp_path / "out")]) == 2
    assert "no picture in the folder" in capsys.readouterr().err


def test_a_picture_is_no_output_for_folders(tmp_path: Path, garment_file: Path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path), str(garment_file), "-o", str(tmp_path / "out.png")])
    assert "OUT must be a folder" in capsys.readouterr().err
