"""Other people's pose networks, each by its own library, for those who want one instead of the annotator.

Nothing here is imported before it is chosen. `load_pose_detector("vitpose", folder)` makes what `Preprocessor` and
`TryOnPipeline.pose_detector` take.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from tryon.compatibility import define_missing_operators
from tryon.preprocessing.pose import KEYPOINTS, PoseDetector
from tryon.preprocessing.sources import check_pinned, weights_folder

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

        check_pinned(weights, revision)
        path = Path(hf_hub_download(str(weights), name, revision=revision))
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
    folder = weights_folder(weights, revision, ["config.json", "preprocessor_config.json", "model.safetensors"])
    processor = VitPoseImageProcessor.from_pretrained(folder)
    model = VitPoseForPoseEstimation.from_pretrained(folder, use_safetensors=True).to(device).eval()

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


def mediapipe(weights: str | Path | None = None, threshold: float = 0.5) -> PoseDetector:
    """BlazePose of MediaPipe, Apache-2.0.

    Args:
        weights: a model file such as `pose_landmarker_full.task`; None takes the one that releases of the package
            before 0.10.30 bring.
        threshold: joints less visible than this count as missing.

    Raises:
        ImportError: mediapipe is not installed, or brings no model and none is given.
        FileNotFoundError: there is no such model file.
    """
    if weights is None:
        marks = _bundled_landmarker()
    elif Path(weights).is_file():
        marks = _landmarker(Path(weights))
    else:
        raise FileNotFoundError(f"There is no model file {weights}.")

    def detect(image: np.ndarray) -> np.ndarray:
        landmarks = marks(np.ascontiguousarray(image))
        if not landmarks:
            return np.zeros((len(KEYPOINTS), 3), np.float32)
        height, width = image.shape[:2]
        joints = np.array([(point.x * width, point.y * height, point.visibility) for point in landmarks])
        return _reordered(joints, BLAZEPOSE_ROWS, image, threshold)

    return detect


def _bundled_landmarker() -> Callable[[np.ndarray], Sequence]:
    """Landmarks by the older interface of MediaPipe, which has a model with it."""
    try:
        from mediapipe.python.solutions.pose import Pose
    except ImportError as error:
        raise ImportError(
            "MediaPipe's pose needs mediapipe, and a model file of it as weights; only mediapipe 0.10.21 and earlier "
            "bring one."
        ) from error
    model = Pose(static_image_mode=True, model_complexity=1)

    def mark(image: np.ndarray) -> Sequence:
        found = model.process(image).pose_landmarks
        return found.landmark if found else ()

    return mark


def _landmarker(path: Path) -> Callable[[np.ndarray], Sequence]:
    """Landmarks by the interface of MediaPipe that all its releases of today have."""
    try:
        from mediapipe import Image, ImageFormat
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise ImportError("MediaPipe's pose needs mediapipe; run `pip install mediapipe` and start again.") from error
    options = vision.PoseLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(path)))
    model = vision.PoseLandmarker.create_from_options(options)

    def mark(image: np.ndarray) -> Sequence:
        people = model.detect(Image(image_format=ImageFormat.SRGB, data=image)).pose_landmarks
        return people[0] if people else ()

    return mark


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
