"""The example pictures that ship: complete, small, and in agreement with their truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.preprocessing.parsing import LABEL, LABELS, PALETTE

FOLDER = Path(__file__).parent.parent / "examples"
PERSONS, GARMENTS = (sorted((FOLDER / kind).glob("*.webp")) for kind in ("persons", "garments"))
JOINTS = json.loads((FOLDER / "truth" / "keypoints.json").read_text(encoding="utf-8"))
NOSE, NECK = 0, 1


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def parsing_of(path: Path) -> np.ndarray:
    with Image.open(FOLDER / "truth" / f"{name_of(path)}.png") as image:
        assert image.getpalette()[: 3 * len(LABELS)] == PALETTE.ravel().tolist(), "the palette shows the labels"
        return np.asarray(image)


def test_there_is_a_range_of_persons_and_garments_and_all_of_it_is_small():
    assert len(PERSONS) >= 16
    assert len(GARMENTS) >= 24
    assert {path.stem.split("_")[0] for path in PERSONS} == {"man", "woman"}
    assert {path.stem.split("_")[0] for path in GARMENTS} == set(CATEGORIES)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 6e6
    thumbnails = list((FOLDER / "thumbnails").rglob("*.webp"))
    assert {name_of(path) for path in thumbnails} == {name_of(path) for path in PERSONS + GARMENTS} == set(JOINTS)
    assert sum(path.stat().st_size for path in thumbnails) < 5e5, "what a phone loads to see the galleries"


@pytest.mark.parametrize("path", PERSONS + GARMENTS, ids=name_of)
def test_the_truth_belongs_to_the_picture(path: Path):
    with Image.open(path) as image:
        size = image.size
    parsing, joints = parsing_of(path), np.array(JOINTS[name_of(path)])
    assert size == parsing.shape[::-1] == (1024, 1024)
    assert joints.shape == (18, 3)
    assert (joints[joints[:, 2] == 0] == 0).all()
    assert set(np.unique(joints[:, 2])) <= {0, 1, 2}
    worn = path.parent.name == "persons" or path.stem.endswith("_worn")
    if worn:
        assert joints[NOSE, 2] == 2
        assert LABELS[parsing[joints[NOSE, 1], joints[NOSE, 0]]] == "face"
    else:
        assert (joints[[0, *range(14, 18)]] == 0).all(), "a garment alone has no face"
        assert set(np.unique(parsing)) == {0, LABEL[path.stem.split("_")[0]]}
    if path.parent.name == "garments":
        assert (parsing == LABEL[path.stem.split("_")[0]]).mean() > 0.03


@pytest.mark.parametrize("path", PERSONS, ids=name_of)
def test_every_person_wears_something_that_can_be_replaced(path: Path):
    counts = np.bincount(parsing_of(path).ravel(), minlength=len(LABELS))
    assert (counts[LABEL["upper"]] and counts[LABEL["lower"]]) or counts[LABEL["dress"]]
    assert JOINTS[name_of(path)][NECK][2] == 2
