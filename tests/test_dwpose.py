"""DWPose: networks with known answers, run by the real onnxruntime, and the drawing of what they find."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hub_server import Hub, sha256

from tryon import load_pipeline
from tryon.hub import CheckpointError
from tryon.images import read_image
from tryon.models.fashn_vton import FashnVTON
from tryon.preprocessing import dwpose
from tryon.preprocessing.dwpose import DWPose, decode_axes, decode_people, openpose_order, padded
from tryon.preprocessing.whole_body import WholeBody, draw_grey

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
CELL = 80 * 80 + 10 * 40 + 20  # of the second grid: row 10, column 20, stride 16
BOX = (320 - 80, 160 - 120, 320 + 80, 160 + 120)  # that cell's centre, 160 x 240 pixels


def constant_network(path: Path, given: list[int], **outputs: np.ndarray) -> None:
    """Write a network that answers the same to every picture."""
    values = {name: value.astype(np.float32) for name, value in outputs.items()}
    kind = onnx.TensorProto.FLOAT
    nodes = [
        onnx.helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value))
        for name, value in values.items()
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "constant",
        [onnx.helper.make_tensor_value_info("picture", kind, given)],
        [onnx.helper.make_tensor_value_info(name, kind, list(value.shape)) for name, value in values.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def person(cell: int, score: float) -> np.ndarray:
    """YOLOX's output with one person of `BOX`'s size in a cell."""
    rows = np.zeros((8400, 85), np.float32)
    rows[cell, 2:6] = np.log(160 / 16), np.log(240 / 16), score, 1
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Networks that see one person in `BOX`, every point k at bin (4 k, 5 k), and not the left wrist."""
    constant_network(tmp_path / "yolox_l.onnx", [1, 3, 640, 640], boxes=person(CELL, 0.9)[None])
    across, down = np.zeros((1, 133, 576)), np.zeros((1, 133, 768))
    for k in range(133):
        across[0, k, 4 * k], down[0, k, 5 * k] = 0.9, 0.8
    across[0, 9] = 0.1
    constant_network(tmp_path / "dw-ll_ucoco_384.onnx", [1, 3, 384, 288], x=across, y=down)
    return tmp_path


def test_points_come_back_in_the_photographs_own_coordinates(folder: Path):
    photo = np.zeros((320, 1280, 3), np.uint8)  # shrunk by half for the detector
    found = DWPose(folder)(photo)
    # The detector's box is doubled, widened by a quarter, and its width set to 3/4 of its height.
    centre, size = np.array([640, 320]), np.array([0.75 * 600, 600])
    nose, right_wrist = np.array([0, 0]), np.array([4 * 10, 5 * 10]) / 2
    for row, point in ((0, nose), (4, right_wrist)):
        expected = (point / (288, 384) * size + centre - size / 2) / (1280, 320)
        np.testing.assert_allclose(found.body[row], expected, atol=1e-6)
    assert (found.body[7] == -1).all()  # the left wrist
    np.testing.assert_allclose(found.body[1], (found.body[2] + found.body[5]) / 2)  # the neck
    assert found.hands.shape == (2, 21, 2)
    assert found.face.shape == (68, 2)


def test_nobody_is_found_where_the_detector_sees_nobody(folder: Path):
    constant_network(folder / "yolox_l.onnx", [1, 3, 640, 640], boxes=person(CELL, 0.2)[None])
    assert DWPose(folder)(np.zeros((64, 64, 3), np.uint8)) is None


def test_a_damaged_network_is_refused(folder: Path):
    (folder / "yolox_l.onnx").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match="cannot be read"):
        DWPose(folder)


def publish(path: Path) -> None:
    """Write a file of the published layout, all zeros; it takes no room on the disk."""
    with torch.device("meta"):
        tensors = sorted(FashnVTON().state_dict().items())
    header, end = {}, 0
    for name, value in tensors:
        start, end = end, end + 2 * value.numel()
        header[name] = {"dtype": "BF16", "shape": list(value.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        file.truncate(8 + len(encoded) + end)


def test_published_weights_are_loaded_with_their_detector(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, person_file: Path, garment_file: Path
):
    repo, commit = dwpose.SOURCE.split("@")
    hub.repos[repo, commit] = {path.name: path.read_bytes() for path in folder.glob("*.onnx")}
    for name in ("DETECTOR", "ESTIMATOR"):
        file = getattr(dwpose, name)
        data = hub.repos[repo, commit][file.path]
        monkeypatch.setattr(dwpose, name, replace(file, size=len(data), sha256=sha256(data)))
    (tmp_path / "fashn").mkdir()
    publish(tmp_path / "fashn" / "model.safetensors")
    pipeline = load_pipeline(tmp_path / "fashn", "cpu", torch.bfloat16)
    prepared = pipeline.prepare(read_image(person_file), read_image(garment_file))
    assert prepared.person.shape == (1, 3, 864, 576)
    assert (prepared.person_pose > -1).any()


def test_boxes_lie_where_their_cell_is():
    np.testing.assert_allclose(decode_people(person(CELL, 0.9), 1.0), [BOX], atol=1e-3)
    np.testing.assert_allclose(decode_people(person(CELL, 0.9), 0.5), [np.array(BOX) * 2], atol=1e-3)
    assert len(decode_people(person(CELL, 0.25), 1.0)) == 0


def test_of_overlapping_boxes_the_most_certain_stays():
    rows = np.maximum.reduce([person(CELL, 0.5), person(CELL + 1, 0.9), person(CELL + 15, 0.7)])
    boxes = decode_people(rows, 1.0)
    np.testing.assert_allclose(boxes[:, 0], [BOX[0] + 16, BOX[0] + 15 * 16], atol=1e-3)


def test_boxes_are_widened_to_the_networks_shape():
    for box in ([10, 20, 110, 40], [10, 20, 40, 220]):
        centre, (width, height) = padded(np.array(box, float), 0.75)
        assert width / height == pytest.approx(0.75)
        assert centre.tolist() == [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
        assert width >= 1.25 * (box[2] - box[0]) - 1e-9
        assert height >= 1.25 * (box[3] - box[1]) - 1e-9


def test_a_point_counts_by_its_weaker_axis_and_not_at_all_below_zero():
    across, down = np.full((2, 8), -1.0), np.full((2, 8), -1.0)
    across[0, 3], down[0, 6] = 0.9, 0.4
    points, scores = decode_axes(across, down)
    assert points.tolist() == [[1.5, 3.0], [-0.5, -0.5]]
    assert scores.tolist() == [0.4, -1.0]


def test_openposes_order_puts_the_neck_between_certain_shoulders():
    points = np.stack([np.arange(133.0)] * 2, 1)
    for certainty, expected in ((0.9, 1.0), (0.2, 0.0)):
        scores = np.full(133, certainty)
        ordered, certain = openpose_order(points, scores)
        assert ordered[:, 0].tolist()[:18] == [0, 5.5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
        assert ordered[18:, 0].tolist() == list(range(17, 133))
        assert certain[1] == expected


def test_the_drawing_has_the_greys_that_the_network_knows():
    body = np.full((18, 2), -1.0)
    body[[1, 2, 3]] = (0.5, 0.5), (0.2, 0.5), (0.2, 0.8)  # neck, right shoulder, right elbow
    hands, face = np.full((2, 21, 2), -1.0), np.full((68, 2), -1.0)
    hands[0, [0, 1]] = (0.7, 0.2), (0.9, 0.2)
    face[0] = 0.1, 0.1
    drawn = draw_grey(WholeBody(body, hands, face), (200, 100))
    assert drawn[100, 35] == 12  # neck to shoulder
    assert drawn[130, 20] == 27  # upper arm
    assert [drawn[100, 50], drawn[100, 20], drawn[160, 20]] == [26, 26, 58]
    assert drawn[40, 80] == 160  # first bone of the thumb
    assert drawn[40, 70] == 240
    assert drawn[20, 10] == 200
    assert np.bincount(drawn.ravel())[[200, 58]].tolist() == [29, 49]  # discs of radius 3 and 4
    assert set(np.unique(drawn)) == {0, 12, 26, 27, 58, 160, 200, 240}


def test_a_limb_is_as_wide_as_in_the_training_pictures():
    body = np.full((18, 2), -1.0)
    body[[1, 2]] = (0.8, 0.5), (0.2, 0.5)
    drawn = draw_grey(WholeBody(body, np.full((2, 21, 2), -1.0), np.full((68, 2), -1.0)), (100, 100))
    rows = np.flatnonzero(drawn[:, 50])
    assert rows.tolist() == list(range(46, 55))
    assert cv2.countNonZero(drawn) > 0
