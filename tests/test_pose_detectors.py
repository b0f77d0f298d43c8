"""Other pose networks through their real loading code, on checkpoints of random weights made here."""

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tryon.compatibility import define_missing_operators
from tryon.models.annotator import PRESETS, Annotator
from tryon.preprocessing import Preprocessor
from tryon.preprocessing.pose import KEYPOINT
from tryon.preprocessing.pose_detectors import (
    BLAZEPOSE_ROWS,
    COCO_ROWS,
    _reordered,
    load_pose_detector,
)


def noise(side: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="openpose, vitpose, mediapipe"):
        load_pose_detector("densepose")


@pytest.mark.parametrize("name", ["openpose", "vitpose"])
def test_a_repository_needs_a_commit(name):
    if name == "vitpose":
        pytest.importorskip("transformers")
    with pytest.raises(ValueError, match="commit"):
        load_pose_detector(name, "someone/annotators", "main")


def test_other_orders_of_joints_become_ours():
    """Numbers of the shoulders and wrists, from the two lists' own documentation."""
    for rows, joints, right_shoulder, left_wrist in ((COCO_ROWS, 17, 6, 9), (BLAZEPOSE_ROWS, 33, 12, 15)):
        assert len(rows) == 18
        assert sorted(row for row in rows if row >= 0) == sorted(set(rows) - {-1}), "none twice"
        found = np.column_stack([np.arange(joints) + 10.0, np.full(joints, 50.0), np.full(joints, 0.9)])
        found[left_wrist, 2] = 0.1
        pose = _reordered(found, rows, np.zeros((100, 200, 3), np.uint8), 0.3)
        assert pose[KEYPOINT["right_shoulder"]] == pytest.approx([(right_shoulder + 10) / 200, 0.5, 0.9])
        assert (pose[KEYPOINT["left_wrist"]] == 0).all()
        shoulders = pose[[KEYPOINT["right_shoulder"], KEYPOINT["left_shoulder"]]]
        assert pose[KEYPOINT["neck"]] == pytest.approx(shoulders.mean(0))
        found[right_shoulder, 0] = 250
        outside = _reordered(found, rows, np.zeros((100, 200, 3), np.uint8), 0.3)
        assert (outside[KEYPOINT["right_shoulder"]] == 0).all()


def test_openpose_reads_a_folder(tmp_path):
    define_missing_operators()
    with pytest.raises(FileNotFoundError, match=r"body_pose_model\.pth"):
        load_pose_detector("openpose", tmp_path)
    from controlnet_aux.open_pose.model import bodypose_model

    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = {name.split(".", 1)[1]: value for name, value in bodypose_model().state_dict().items()}
    torch.save(weights, tmp_path / "body_pose_model.pth")
    pose = load_pose_detector("openpose", tmp_path)(noise())
    assert pose.shape == (18, 3)
    assert pose.dtype == np.float32
    assert ((pose >= 0) & (pose <= 1)).all()


def test_vitpose_reads_a_folder_and_the_preprocessor_takes_it(tmp_path):
    transformers = pytest.importorskip("transformers")
    backbone = transformers.VitPoseBackboneConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=2, out_indices=[1], num_experts=1
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.VitPoseForPoseEstimation(config).save_pretrained(tmp_path)
    transformers.VitPoseImageProcessor().save_pretrained(tmp_path)
    detector = load_pose_detector("vitpose", tmp_path, threshold=-10.0)
    pose = detector(noise())
    assert pose.shape == (18, 3)
    assert pose.dtype == np.float32
    assert ((pose[:, :2] >= 0) & (pose[:, :2] < 1)).all()
    assert np.array_equal(pose, detector(noise()))
    assert Preprocessor(Annotator(**PRESETS["tiny"]), detector).pose_detector is detector


def test_mediapipe_finds_nobody_in_noise_or_says_what_to_install():
    if importlib.util.find_spec("mediapipe") and importlib.util.find_spec("mediapipe.python"):
        assert (load_pose_detector("mediapipe")(noise()) == 0).all()
    else:  # not installed, or a release that brings no model
        with pytest.raises(ImportError, match=r"mediapipe 0\.10\.21"):
            load_pose_detector("mediapipe")


def test_mediapipe_takes_a_model_file(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """The interface of mediapipe 1.2, in which a landmark is an object with x, y and visibility, as shares of 1."""
    with pytest.raises(FileNotFoundError, match="no model file"):
        load_pose_detector("mediapipe", tmp_path / "pose.task")
    (tmp_path / "pose.task").touch()
    people = [[SimpleNamespace(x=row / 50, y=0.25, visibility=0.9) for row in range(33)]]

    class PoseLandmarker:
        @classmethod
        def create_from_options(cls, options: SimpleNamespace) -> "PoseLandmarker":
            assert options.base_options.model_asset_path == str(tmp_path / "pose.task")
            return cls()

        def detect(self, image: SimpleNamespace) -> SimpleNamespace:
            assert (image.image_format, image.data.shape) == ("RGB", (96, 96, 3))
            return SimpleNamespace(pose_landmarks=people)

    vision = SimpleNamespace(PoseLandmarker=PoseLandmarker, PoseLandmarkerOptions=SimpleNamespace)
    root = SimpleNamespace(Image=SimpleNamespace, ImageFormat=SimpleNamespace(SRGB="RGB"))
    monkeypatch.setitem(sys.modules, "mediapipe", root)
    monkeypatch.setitem(sys.modules, "mediapipe.tasks", SimpleNamespace())
    tasks = SimpleNamespace(BaseOptions=SimpleNamespace, vision=vision)
    monkeypatch.setitem(sys.modules, "mediapipe.tasks.python", tasks)
    detector = load_pose_detector("mediapipe", tmp_path / "pose.task")
    pose = detector(noise())
    assert pose[KEYPOINT["left_shoulder"]] == pytest.approx([11 / 50, 0.25, 0.9])
    assert pose[KEYPOINT["right_ear"]] == pytest.approx([8 / 50, 0.25, 0.9])
    people.clear()
    assert (detector(noise()) == 0).all()
