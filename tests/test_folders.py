"""Folders in the layouts of VITON-HD and DressCode become shards whose labels and joints agree with the pictures."""

import json
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("numba", reason="the persons are rendered, which needs the extra: pip install -e '.[train]'")

from tryon.conditions import CATEGORIES
from tryon.preprocessing.parsing import LABEL, LABELS
from tryon.synthetic.pairs import PairStream, RenderedPair
from tryon.training.cascades import Cascade
from tryon.training.data import PairDataset, collate
from tryon.training.evaluate import evaluate
from tryon.training.folders import PairFiles, list_pairs, read_joints
from tryon.training.import_folder import import_folder, main
from tryon.training.train import parse_arguments, train

SIDE, WIDTH = 128, 96  # of a rendered picture, and of what a photograph of 3 : 4 shows of it
LEFT = (SIDE - WIDTH) // 2
ZOOM = 8  # photographs are 768 x 1024
# Ours -> CIHP and ATR, as far as a render needs them; hands are arms there, and necks heads in ATR.
CIHP = dict(zip(LABELS, (0, 2, 13, 10, 14, 15, 14, 15, 5, 9, 6, 16, 17, 18, 19), strict=True))
ATR = dict(zip(LABELS, (0, 2, 11, 11, 14, 15, 14, 15, 4, 6, 7, 12, 13, 9, 10), strict=True))


@pytest.fixture(scope="module")
def pairs() -> dict[str, RenderedPair]:
    """One pair of each category."""
    stream, found = PairStream(4, SIDE, "heldout", reuse=1), {}
    while len(found) < len(CATEGORIES):
        pair = stream.draw()
        category = CATEGORIES[pair.category]
        if (pair.parsing[:, LEFT:-LEFT] == LABEL[category]).mean() > 0.05:
            found.setdefault(category, pair)
    return found


def enlarged(picture: np.ndarray) -> Image.Image:
    """The middle of a square picture as a photograph."""
    middle = picture[:, LEFT : LEFT + WIDTH]
    return Image.fromarray(cv2.resize(middle, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST))


def places() -> Image.Image:
    """A photograph whose red and green say where every pixel is."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return enlarged(np.stack([columns, rows, np.zeros_like(rows)], -1).astype(np.uint8))


def pixels(pose: np.ndarray) -> np.ndarray:
    """Joints in pixels of the photograph; unseen ones, and those that it does not show, are zeros."""
    xy = (pose[:, :2] * SIDE - [LEFT, 0]) * ZOOM
    shown = (pose[:, 2] > 0) & (xy[:, 0] > 1) & (xy[:, 0] < WIDTH * ZOOM)
    return np.where(shown[:, None], np.c_[xy, pose[:, 2]], 0)


def numbers(parsing: np.ndarray, table: dict[str, int]) -> Image.Image:
    return enlarged(np.array([table[name] for name in LABELS], np.uint8)[parsing])


def save(image: Image.Image, *place: str | Path) -> None:
    path = Path(*place)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=97)


def write(data: object, *place: str | Path) -> None:
    path = Path(*place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))


def garment_on_white(pair: RenderedPair) -> np.ndarray:
    cloth = pair.garment_parsing == LABEL[CATEGORIES[pair.category]]
    return np.where(cloth[..., None], pair.garment_image, np.uint8(255))


@pytest.fixture(scope="module")
def viton_hd(pairs, tmp_path_factory) -> Path:
    folder, pair = tmp_path_factory.mktemp("viton-hd"), pairs["upper"]
    root = folder / "train"
    save(places(), root, "image", "00000_00.jpg")
    save(enlarged(garment_on_white(pair)), root, "cloth", "00000_00.jpg")
    mask = (pair.garment_parsing == LABEL["upper"]).astype(np.uint8) * 255
    save(enlarged(mask), root, "cloth-mask", "00000_00.jpg")
    parse = numbers(pair.parsing, CIHP)
    parse.putpalette(list(chain.from_iterable((i * 12, 255 - i * 9, 40) for i in range(20))))  # only to look at
    save(parse, root, "image-parse-v3", "00000_00.png")
    body = pixels(pair.pose)
    hips = np.zeros((1, 3))
    joints = np.concatenate([body[:8], hips, body[8:], np.zeros((6, 3))])  # 25: middle of the hips, feet
    people = [{"pose_keypoints_2d": joints.ravel().tolist()}]
    write({"people": people}, root, "openpose_json", "00000_00_keypoints.json")
    return folder


@pytest.fixture(scope="module")
def dresscode(pairs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dresscode")
    for name, category in (("upper_body", "upper"), ("lower_body", "lower"), ("dresses", "dress")):
        root, pair = folder / name, pairs[category]
        save(places(), root, "images", "000007_0.jpg")
        save(enlarged(garment_on_white(pair)), root, "images", "000007_1.jpg")
        save(numbers(pair.parsing, ATR), root, "label_maps", "000007_4.png")
        joints = pixels(pair.pose)
        missing = joints[:, 2] == 0
        rows = np.c_[joints[:, :2] / 2, joints[:, 2], np.arange(18)]  # they are of a picture 384 wide
        rows[missing] = -1
        write({"keypoints": rows.tolist()}, root, "keypoints", "000007_2.json")
        write("000007_0.jpg 000007_1.jpg\n", root, "train_pairs.txt")
    return folder


@pytest.fixture(scope="module", params=["viton-hd", "dresscode"])
def imported(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("imported")
    folder = request.getfixturevalue(request.param.replace("-", "_"))
    counts = import_folder(folder, request.param, "train", out, size=128)
    assert counts == {"pairs": 1 if request.param == "viton-hd" else 3}
    return out


def test_labels_and_joints_lie_where_the_picture_shows_them(imported, pairs):
    dataset = PairDataset(imported, 128, augment=False)
    for i in range(len(dataset)):
        row = dataset.row(i)
        category = CATEGORIES[int(row["category"])]
        truth = pairs[category]
        row["image"] = row["image"].clip(0, SIDE - 1)  # resampling rings
        shown = row["parsing"] > 0
        x, y = row["image"][shown][:, :2].astype(int).T
        agrees = truth.parsing[y, x] == row["parsing"][shown]
        assert agrees.mean() > 0.9, category
        cloth = row["parsing"] == LABEL[category]
        x, y = row["image"][cloth][:, :2].astype(int).T
        assert (truth.parsing[y, x] == LABEL[category]).mean() > 0.95
        hands = [LABEL["left_hand"], LABEL["right_hand"]]
        x, y = row["image"][np.isin(row["parsing"], hands)][:, :2].astype(int).T
        arms = [*hands, LABEL["left_arm"], LABEL["right_arm"]]
        assert np.isin(truth.parsing[y, x], arms).mean() > 0.8 if len(x) else True
        joints = row["pose"][:, 2] > 0
        assert joints.sum() >= 5
        column, line = (row["pose"][joints, :2] * 128).astype(int).T
        places = row["image"][line, column][:, :2]
        np.testing.assert_allclose(places, truth.pose[joints, :2] * SIDE, atol=4)


def test_the_garment_is_outlined_and_has_joints(imported):
    dataset = PairDataset(imported, 128, augment=False)
    for i in range(len(dataset)):
        row = dataset.row(i)
        cloth = row["garment_parsing"] == LABEL[CATEGORIES[int(row["category"])]]
        assert 0.1 < cloth.mean() < 0.9
        assert (row["garment_image"][~cloth] > 235).all(-1).mean() > 0.95
        assert (row["garment_pose"][:, 2] > 0).sum() >= 4


def test_imported_pairs_train_and_are_measured(imported, tiny_pipeline, tmp_path):
    dataset = PairDataset(imported, 128, augment=False)
    batch = collate([dataset[0]])
    hidden = batch.conditions.hidden
    assert (hidden & (batch.garment_mask > 0)).sum() > 0.9 * batch.garment_mask.sum()
    command = ["--stage", "base", "--preset", "tiny-128", "--data", str(imported), "--out", str(tmp_path)]
    train(parse_arguments([*command, "--batch-size", "1", "--pictures", "2", "--workers", "0"]))
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["flow"] == last["coarse_flow"] == 0, "nobody knows where the cloth lies"
    assert last["garment"] > 0
    figures, _ = evaluate(Cascade(tiny_pipeline), PairDataset(imported, 256, augment=False), 3)
    assert figures["pairs"] == len(dataset)
    assert "print_correlation" not in figures["methods"]["ours"]


def test_what_the_layout_lacks_the_annotator_finds(pairs, tmp_path):
    """A rendered person instead of places, and no labels or joints beside them."""
    pair = pairs["upper"]
    save(enlarged(pair.image), tmp_path, "train", "image", "1.jpg")
    save(enlarged(garment_on_white(pair)), tmp_path, "train", "cloth", "1.jpg")
    counts = import_folder(tmp_path, "viton-hd", "train", tmp_path / "out", size=128)
    assert counts == {"pairs": 1}
    row = PairDataset(tmp_path / "out", 128).row(0)
    assert (row["parsing"] == LABEL["upper"]).mean() > 0.05
    assert (row["pose"][:, 2] > 0).sum() > 6


def test_the_same_command_continues(viton_hd, tmp_path, capsys):
    command = ["--layout", "viton-hd", "--folder", str(viton_hd), "--out", str(tmp_path), "--size", "64"]
    main(command)
    assert json.loads(capsys.readouterr().out) == {"pairs": 1}
    main(command)
    assert json.loads(capsys.readouterr().out) == {}


def test_bad_pairs_are_left_out_and_said(dresscode, tmp_path):
    """Labels that do not show the garment are no truth."""
    folder = tmp_path / "copy"
    for file in dresscode.rglob("*"):
        if file.is_file():
            write(file.read_text(), folder, file.relative_to(dresscode)) if file.suffix in (".txt", ".json") else save(
                Image.open(file), folder, file.relative_to(dresscode)
            )
    save(Image.new("L", (WIDTH * ZOOM, SIDE * ZOOM)), folder, "lower_body", "label_maps", "000007_4.png")
    save(Image.new("RGB", (WIDTH * ZOOM, SIDE * ZOOM)), folder, "dresses", "images", "000007_1.jpg")
    counts = import_folder(folder, "dresscode", "train", tmp_path / "out", size=64)
    assert counts.pop("pairs") == 1
    assert sorted(counts.values()) == [1, 1]


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no train pairs"):
        list_pairs(tmp_path, "viton-hd", "train")
    with pytest.raises(ValueError, match="viton-hd, dresscode"):
        list_pairs(tmp_path, "deepfashion", "train")
    write({"people": [{"pose_keypoints_2d": [1.0] * 30}]}, tmp_path, "joints.json")
    files = PairFiles("viton-hd", tmp_path, tmp_path, "upper", None, tmp_path / "joints.json", None)
    with pytest.raises(ValueError, match="10 joints"):
        read_joints(files, (768, 1024))
