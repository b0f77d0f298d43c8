"""Other people's pose networks, each by its own library, for those who want one instead of the annotator.

Nothing here is imported before it is chosen. `load_pose_detector("vitpose", folder)` makes what `Preprocessor` and
`TryOnPipeline.pose_detector` take.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tryon.compatibility import define_missing_operators
from tryon.preprocessing.pose import KEYPOINTS, PoseDetector

COCO_ROWS = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Row of COCO's 17 keypoints for each of `KEYPOINTS`; -1 is the neck, halfway between the shoulders."""

BLAZEPOSE_ROWS = (0, -1, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
"""The same for the 33 keypoints of MediaPipe."""


def openpose(weights: str | Path, revision: str | None = None, device: str | torch.device = "cpu") -> PoseDetector:
    """The OpenPose network of controlnet-aux; for non-commercial use only.

    The code and the weights of that network are licensed so by Carnegie Mellon University, whatever the licence of the
    package around them says.

    Args:
        weights: folder with `body_pose_model.pth`, or a repository on the Hub that has it ("lllyasviel/Annotators").
        revision: commit of that repository, 40 hexadecimal digits; not for a folder.
        device: torch device.

    Raises:
        ValueError: a repository without the commit to be used.
        FileNotFoundError: the folder has no `body_pose_model.pth`.
    """
    name = "body_pose_model.pth"
    if Path(weights).is_dir():
        path = Path(weights) / name
    else:
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(str(weights), name, revision=_commit(weights, revision)))
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist.")
    define_missing_operators()
    from controlnet_aux.open_pose.body import Body  # slow

    body = Body(path).to(device)

    def detect(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            people = body.format_body_result(*body(np.ascontiguousarray(image[..., ::-1])))
        pose = np.zeros((len(KEYPOINTS), 3), np.float32)
        if people:
            best = max(people, key=lambda person: person.total_score)
            for row, joint in enumerate(best.keypoints):
                if joint is not None:
                    pose[row] = joint.x + 0.5, joint.y + 0.5, min(float(joint.score), 1.0)
        return _within(pose, image)

    return detect


def vitpose(
    weights: str | Path, revision: str | None = None, device: str | torch.device = "cpu", threshold: float = 0.3
) -> PoseDetector:
    """ViTPose of transformers (Xu et al., arXiv:2204.12484), Apache-2.0.

    Args:
        weights: folder with the model and its processor, or a repository on the Hub
            ("usyd-community/vitpose-base-simple").
        revision: commit of that repository, 40 hexadecimal digits; not for a folder.
        device: torch device.
        threshold: joints found with less confidence count as missing.

    Raises:
        ImportError: transformers is not installed.
        ValueError: a repository without the commit to be used.
    """
    define_missing_operators()
    try:
        from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor
    except ImportError as error:
        raise ImportError("ViTPose needs transformers; run `pip install transformers` and start again.") from error
    source = {} if Path(weights).is_dir() else {"revision": _commit(weights, revision)}
    processor = VitPoseImageProcessor.from_pretrained(weights, **source)
    model = VitPoseForPoseEstimation.from_pretrained(weights, use_safetensors=True, **source).to(device).eval()

    def detect(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        boxes = [np.array([[0.0, 0.0, width, height]])]
        inputs = processor(image, boxes=boxes, return_tensors="pt").to(device)
        with torch.inference_mode():
            outputs = model(**inputs)
        person = processor.post_process_pose_estimation(outputs, boxes=boxes)[0][0]
        joints = np.c_[person["keypoints"].cpu().numpy(), person["scores"].cpu().numpy()]
        return _reordered(joints, COCO_ROWS, image, threshold)

    return detect


def mediapipe(threshold: float = 0.5) -> PoseDetector:
    """BlazePose of MediaPipe (Apache-2.0), with the model that its package brings; releases before 0.10.30 have it.

    Args:
        threshold: joints less visible than this count as missing.

    Raises:
        ImportError: no such release of mediapipe is installed.
    """
    try:
        from mediapipe.python.solutions.pose import Pose
    except ImportError as error:
        raise ImportError("MediaPipe's pose needs mediapipe 0.10.21; install that and start again.") from error

    def detect(image: np.ndarray) -> np.ndarray:
        with Pose(static_image_mode=True, model_complexity=1) as model:  # keeps state, so one for each picture
            landmarks = model.process(np.ascontiguousarray(image)).pose_landmarks
        if landmarks is None:
            return np.zeros((len(KEYPOINTS), 3), np.float32)
        height, width = image.shape[:2]
        joints = np.array([(point.x * width, point.y * height, point.visibility) for point in landmarks.landmark])
        return _reordered(joints, BLAZEPOSE_ROWS, image, threshold)

    return detect


POSE_DETECTORS: dict[str, Callable[..., PoseDetector]] = {
    "openpose": openpose,
    "vitpose": vitpose,
    "mediapipe": mediapipe,
}
"""Functions that load a pose detector, by name."""


def load_pose_detector(name: str, *arguments: object, **settings: object) -> PoseDetector:
    """Load one of `POSE_DETECTORS`; the other arguments are those of its function.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in POSE_DETECTORS:
        raise ValueError(f"Unknown pose detector {name!r}; choose one of {', '.join(POSE_DETECTORS)}.")
    return POSE_DETECTORS[name](*arguments, **settings)


def _commit(weights: str | Path, revision: str | None) -> str:
    if not re.fullmatch("[0-9a-f]{40}", revision or ""):
        raise ValueError(f"{weights} is no folder; for a repository on the Hub give the commit to use as revision.")
    return revision


def _reordered(joints: np.ndarray, rows: tuple[int, ...], image: np.ndarray, threshold: float) -> np.ndarray:
    """(18, 3) pose out of (n, 3) joints in pixels, of another order and without a neck."""
    joints = np.where(joints[:, 2:] >= threshold, np.clip(joints, None, [np.inf, np.inf, 1]), 0)
    pose = joints[list(rows)].astype(np.float32)
    right, left = pose[KEYPOINTS.index("right_shoulder")], pose[KEYPOINTS.index("left_shoulder")]
    pose[KEYPOINTS.index("neck")] = (right + left) / 2 if min(right[2], left[2]) > 0 else 0
    return _within(pose, image)


def _within(pose: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Pixels to shares of the picture; joints outside of it are missing."""
    height, width = image.shape[:2]
    pose = (pose / [width, height, 1]).astype(np.float32)
    inside = ((pose[:, :2] >= 0) & (pose[:, :2] < 1)).all(1)
    return np.where(inside[:, None] & (pose[:, 2:] > 0), pose, 0).astype(np.float32)
