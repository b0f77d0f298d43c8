"""DWPose: body, hands and face of a person, by two ONNX networks from the Hub that onnxruntime runs.

Source: Yang et al., "Effective Whole-body Pose Estimation with Two-stages Distillation", arXiv:2307.15880; detector:
YOLOX, arXiv:2107.08430. Both Apache-2.0. Nothing here is a copy of their code.
"""

from pathlib import Path

import cv2
import numpy as np

from tryon.hub import CheckpointError, HubFile
from tryon.preprocessing.whole_body import WholeBody

SOURCE = "fashn-ai/DWPose@548b5df25b84d9f4aac0611dfa1c2a7a12f15571"
DETECTOR = HubFile(
    "yolox_l.onnx", 216_746_733, "7860ae79de6c89a3c1eb72ae9a2756c0ccfbe04b7791bb5880afabd97855a411", SOURCE
)
ESTIMATOR = HubFile(
    "dw-ll_ucoco_384.onnx", 134_399_116, "724f4ff2439ed61afb86fb8a1951ec39c6220682803b4a8bd4f598cd913b1843", SOURCE
)
"""What a `DWPose` is made of."""

SIDE, STRIDES, GREY = 640, (8, 16, 32), 114
PROPOSED, OVERLAP, CERTAIN = 0.1, 0.45, 0.3
PADDING = 1.25
# ImageNet's statistics in the order of RGB, though the picture is BGR: so the network was trained.
MEAN, STD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
BODY_ORDER = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)  # COCO's rows; -1: the neck
SEEN = 0.3
INSTALL = "it finds poses with onnxruntime. Run `pip install 'onnxruntime>=1.20'` and start again."


class DWPose:
    """Finds the main person's joints.

    Args:
        folder: with `yolox_l.onnx` and `dw-ll_ucoco_384.onnx`.
        cuda: whether to try the GPU first.

    Raises:
        CheckpointError: onnxruntime is not installed, or a file cannot be read.
    """

    def __init__(self, folder: Path, cuda: bool = False) -> None:
        try:
            import onnxruntime  # optional, and slow
        except ImportError as error:
            raise CheckpointError(INSTALL) from error
        wanted = [*(["CUDAExecutionProvider"] if cuda else []), "CPUExecutionProvider"]
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            self.detector, self.estimator = (
                onnxruntime.InferenceSession(str(folder / file.path), providers=providers)
                for file in (DETECTOR, ESTIMATOR)
            )
        except Exception as error:  # onnxruntime's own kinds, which have no common name
            raise CheckpointError(
                f"The pose networks in {folder} cannot be read; fetch them again. ({error})"
            ) from error

    def __call__(self, image: np.ndarray) -> WholeBody | None:
        """Find the person.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            The largest and clearest person, or None.
        """
        picture = np.ascontiguousarray(image[..., ::-1])
        people = [self._estimate(picture, box) for box in self._detect(picture)]
        if not people:
            return None
        points, scores = people[most_prominent(people)]
        body_scores = scores[:18]
        if (body_scores > SEEN).sum() == 0:
            return None
        points = points / (image.shape[1], image.shape[0])
        points[:18][body_scores <= SEEN] = -1
        points[24:][scores[24:] < SEEN] = -1
        return WholeBody(body=points[:18], hands=points[92:].reshape(2, 21, 2), face=points[24:92])

    def _detect(self, picture: np.ndarray) -> np.ndarray:
        """(N, 4) boxes of people in pixels, the most certain first."""
        height, width = picture.shape[:2]
        ratio = min(SIDE / height, SIDE / width)
        resized = cv2.resize(picture, (max(1, int(width * ratio)), max(1, int(height * ratio))))
        canvas = np.full((SIDE, SIDE, 3), GREY, np.uint8)
        canvas[: resized.shape[0], : resized.shape[1]] = resized
        name = self.detector.get_inputs()[0].name
        (rows,) = self.detector.run(None, {name: canvas.transpose(2, 0, 1)[None].astype(np.float32)})
        return decode_people(rows[0], ratio)

    def _estimate(self, picture: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(134, 2) float64 points in pixels of the picture, and (134,) scores, in OpenPose's order."""
        given = self.estimator.get_inputs()[0]
        height, width = given.shape[2:]
        centre, size = padded(box, width / height)
        scale = width / size[0]
        offset = np.array([width, height]) / 2 - scale * centre
        matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        crop = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)
        normal = ((crop - MEAN) / STD).astype(np.float32)
        across, down = self.estimator.run(None, {given.name: normal.transpose(2, 0, 1)[None]})
        points, scores = decode_axes(across[0], down[0])
        return openpose_order(points / (width, height) * size + centre - size / 2, scores)


def decode_people(rows: np.ndarray, ratio: float) -> np.ndarray:
    """Boxes of people in YOLOX's raw output.

    Args:
        rows: (8400, 85): for every cell of the three grids dx, dy, log width, log height, objectness, 80 class scores.
        ratio: by which the picture was scaled before.

    Returns:
        (N, 4) float64: left, top, right, bottom in pixels of the picture; the most certain first.
    """
    cells, strides = [], []
    for stride in STRIDES:
        count = SIDE // stride
        down, across = np.divmod(np.arange(count * count), count)
        cells.append(np.stack([across, down], 1))
        strides.append(np.full((count * count, 1), stride))
    stride = np.concatenate(strides)
    centre = (rows[:, :2] + np.concatenate(cells)) * stride
    half = np.exp(rows[:, 2:4]) * stride / 2
    boxes = np.concatenate([centre - half, centre + half], 1).astype(np.float64) / ratio
    score = rows[:, 4] * rows[:, 5]
    candidates = [index for index in np.argsort(-score, kind="stable") if score[index] > PROPOSED]
    kept: list[int] = []
    while candidates:
        best, *rest = candidates
        kept.append(best)
        candidates = [other for other in rest if _overlap(boxes[best], boxes[other]) <= OVERLAP]
    return boxes[[index for index in kept if score[index] > CERTAIN]].reshape(-1, 4)


def padded(box: np.ndarray, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre and size of a box with its margin, widened to width / height = `aspect`."""
    centre = (box[:2] + box[2:]) / 2
    width, height = (box[2:] - box[:2]) * PADDING
    if width > aspect * height:
        return centre, np.array([width, width / aspect])
    return centre, np.array([height * aspect, height])


def decode_axes(across: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points out of SimCC's two classifications, at half-pixel bins.

    Args:
        across: (K, 2 * width) scores of every position along x.
        down: (K, 2 * height) scores of every position along y.

    Returns:
        (K, 2) float64 points in pixels, and (K,) scores.
    """
    scores = np.minimum(across.max(1), down.max(1))
    points = np.stack([across.argmax(1), down.argmax(1)], 1).astype(np.float64)
    points[scores <= 0] = -1
    return points / 2, scores


def openpose_order(points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From COCO-WholeBody's 133 points to 134: OpenPose's 18 with a neck, 6 of the feet, 68 of the face, the hands."""
    shoulders = [5, 6]
    neck = points[shoulders].mean(0)
    points = np.concatenate([points, neck[None]])
    scores = np.append(scores, float((scores[shoulders] > SEEN).all()))
    order = [*BODY_ORDER, *range(17, 133)]
    return points[order], scores[order]


def most_prominent(people: list[tuple[np.ndarray, np.ndarray]]) -> int:
    """Index of the person whose body is clearest and largest, the first of equals."""
    clarity, area = [], []
    for points, scores in people:
        certain = scores[1:14] > SEEN
        clarity.append(float(scores[1:14][certain].sum()))
        x, y = points[1:14][certain].T
        x, y = x[x > 0], y[y > 0]
        area.append(float(np.ptp(x) * np.ptp(y)) if len(x) and len(y) else 0.0)
    worth = np.array(clarity) * np.array(area)
    return int(np.argmax(worth if worth.any() else clarity))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union, where a box holds its last pixel too."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low + 1, 0)))
    return shared / (float(np.prod(a[2:] - a[:2] + 1)) + float(np.prod(b[2:] - b[:2] + 1)) - shared)
