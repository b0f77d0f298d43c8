"""Folders in the layouts of VITON-HD and DressCode: which files make a pair, and their labels and joints in our terms.

Labels: VITON-HD's `image-parse-v3` has the 20 of CIHP (github.com/sangyun884/HR-VITON, issue 12), DressCode's
`label_maps` the 18 of ATR (github.com/aimagelab/dress-code). Left and right are the person's own in all of them.
Joints: VITON-HD's `openpose_json` has OpenPose's 25 or 18 in pixels, DressCode's `keypoints` its 18 in pixels of a
picture 384 wide.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tryon.preprocessing.parsing import LABEL, label_mask
from tryon.preprocessing.plausibility import torso_length
from tryon.preprocessing.pose import KEYPOINT

LAYOUTS = ("viton-hd", "dresscode")
SPLITS = ("train", "test")
# "hand" and "shoe" belong to the nearer side. None is neither body nor garment: bags, scarves.
_CIHP = (None, "hair", "hair", "hand", "face", "upper", "upper", "upper", "shoe", "lower", "torso_skin", None, "lower")
_CIHP += ("face", "left_arm", "right_arm", "left_leg", "right_leg", "left_shoe", "right_shoe")
_ATR = (None, "hair", "hair", "face", "upper", "lower", "lower", "dress", "lower", "left_shoe", "right_shoe", "face")
_ATR += ("left_leg", "right_leg", "left_arm", "right_arm", None, None)
_LABELS = {"viton-hd": _CIHP, "dresscode": _ATR}
_ENDS = {"hand": "wrist", "shoe": "ankle"}
_OF_25 = [*range(8), *range(9, 19)]  # OpenPose's 25 have the middle of the hips as number 8, and feet after the ears
_DRESSCODE_WIDTH = 384
_DRESSCODE_CATEGORIES = {"upper_body": "upper", "lower_body": "lower", "dresses": "dress"}
HAND_LENGTH = 0.4  # torso lengths: as far beyond the wrist bare skin is hand


@dataclass(frozen=True)
class PairFiles:
    """One person in one garment on disk; what a layout does not have is None.

    Attributes:
        layout: one of `LAYOUTS`.
        person: photograph of somebody who wears the garment.
        garment: photograph of the garment alone.
        category: one of `CATEGORIES`.
        labels: parsing of `person`, in the layout's numbers.
        joints: of `person`.
        outline: mask of `garment`.
    """

    layout: str
    person: Path
    garment: Path
    category: str
    labels: Path | None
    joints: Path | None
    outline: Path | None


def list_pairs(folder: Path, layout: str, split: str) -> list[PairFiles]:
    """All pairs of a data set: who is shown wears the garment beside.

    Args:
        folder: that holds `train/image`, `train/cloth`, ... (VITON-HD) or `upper_body/images`, ... (DressCode).
        layout: one of `LAYOUTS`.
        split: one of `SPLITS`. VITON-HD has a folder for each, DressCode lists of pairs.

    Raises:
        ValueError: the folder does not have this layout, or the layout is unknown.
    """
    finders = {"viton-hd": _viton_hd, "dresscode": _dresscode}
    if layout not in finders:
        raise ValueError(f"Unknown layout {layout!r}; choose one of {', '.join(LAYOUTS)}.")
    pairs = finders[layout](folder, split)
    if not pairs:
        raise ValueError(f"{folder} holds no {split} pairs in the layout of {layout}.")
    return pairs


def _viton_hd(folder: Path, split: str) -> list[PairFiles]:
    """The lists of pairs name other garments for testing, whose truth nobody has: persons keep their own."""
    root = folder / split
    return [
        PairFiles(
            "viton-hd",
            person,
            root / "cloth" / person.name,
            "upper",
            _existing(*(root / name / f"{person.stem}.png" for name in ("image-parse-v3", "image-parse"))),
            _existing(*(root / f"openpose{s}json" / f"{person.stem}_keypoints.json" for s in "_-")),
            _existing(*(root / "cloth-mask" / f"{person.stem}{suffix}" for suffix in (".jpg", ".png"))),
        )
        for person in sorted((root / "image").glob("*.jpg"))
        if (root / "cloth" / person.name).is_file()
    ]


def _dresscode(folder: Path, split: str) -> list[PairFiles]:
    pairs = []
    for name, category in _DRESSCODE_CATEGORIES.items():
        root = folder / name
        listed = root / {"train": "train_pairs.txt", "test": "test_pairs_paired.txt"}[split]
        for line in listed.read_text().splitlines() if listed.is_file() else []:
            person, garment = line.split()[:2]
            number = person.removesuffix("_0.jpg")
            pairs.append(
                PairFiles(
                    "dresscode",
                    root / "images" / person,
                    root / "images" / garment,
                    category,
                    _existing(root / "label_maps" / f"{number}_4.png"),
                    _existing(root / "keypoints" / f"{number}_2.json"),
                    None,
                )
            )
    return pairs


def _existing(*candidates: Path) -> Path | None:
    return next((path for path in candidates if path.is_file()), None)


def read_joints(files: PairFiles, size: tuple[int, int]) -> np.ndarray | None:
    """Joints of the person.

    Args:
        files: of a pair with `joints`.
        size: width and height of the person's picture in pixels.

    Returns:
        (18, 3) float32: x, y in pixels of the picture, confidence in [0, 1]; missing joints are zeros. None if the file
        knows nobody.

    Raises:
        ValueError: another number of joints than OpenPose has.
    """
    data = json.loads(files.joints.read_text())
    if files.layout == "dresscode":
        values = np.asarray(data["keypoints"], np.float32)[:, :3]
        values[:, :2] *= size[0] / _DRESSCODE_WIDTH
    elif data["people"]:
        values = np.asarray(data["people"][0]["pose_keypoints_2d"], np.float32).reshape(-1, 3)
    else:
        return None
    if len(values) == 25:
        values = values[_OF_25]
    if len(values) != 18:
        raise ValueError(f"{files.joints} has {len(values)} joints, not OpenPose's 18 or 25.")
    there = (values[:, :2] > 1).all(1) & (values[:, 2] > 0)  # what is missing is at 0 or -1
    values[:, 2] = values[:, 2].clip(0, 1)
    return np.where(there[:, None], values, 0)


def read_labels(files: PairFiles) -> np.ndarray:
    """(H, W) uint8: the person's parsing in the layout's own numbers, for `own_labels`.

    Raises:
        ValueError: the picture shows colours, not numbers.
    """
    with Image.open(files.labels) as picture:
        values = np.array(picture)
    if values.ndim != 2 or values.max() >= len(_LABELS[files.layout]):
        raise ValueError(f"{files.labels} does not hold the {len(_LABELS[files.layout])} labels of {files.layout}.")
    return values


def own_labels(values: np.ndarray, pose: np.ndarray, layout: str) -> np.ndarray:
    """A parsing in our labels. Hands, and where the layout has none of its own also necks, follow from the joints.

    Args:
        values: (S, S) uint8 in the layout's numbers.
        pose: (18, 3) float32: x, y in [0, 1] of the same square, confidence.
        layout: one of `LAYOUTS`.

    Returns:
        (S, S) uint8, values index `parsing.LABELS`.
    """
    parsing = np.zeros_like(values)
    axis = (np.arange(len(values)) + 0.5) / len(values)
    place = np.stack(np.meshgrid(axis, axis), -1)
    for value, name in enumerate(_LABELS[layout]):
        where = values == value
        if name in _ENDS:
            left = _nearer_left(place[where], pose, _ENDS[name])
            parsing[where] = np.where(left, LABEL[f"left_{name}"], LABEL[f"right_{name}"])
        elif name is not None:
            parsing[where] = LABEL[name]
    body = torso_length(pose)
    for side in ("left", "right"):
        elbow, wrist = (pose[KEYPOINT[f"{side}_{joint}"]] for joint in ("elbow", "wrist"))
        if elbow[2] > 0 and wrist[2] > 0:
            beyond = (place - wrist[:2]) @ (wrist - elbow)[:2] > 0
            near = np.linalg.norm(place - wrist[:2], axis=-1) < HAND_LENGTH * body
            parsing[label_mask(parsing, (f"{side}_arm",)) & beyond & near] = LABEL[f"{side}_hand"]
    nose, neck = pose[KEYPOINT["nose"]], pose[KEYPOINT["neck"]]
    if "torso_skin" not in _LABELS[layout] and nose[2] > 0 and neck[2] > 0:
        below_chin = (place - (nose + neck)[:2] / 2) @ (neck - nose)[:2] > 0
        parsing[label_mask(parsing, ("face",)) & below_chin] = LABEL["torso_skin"]
    return parsing


def _nearer_left(place: np.ndarray, pose: np.ndarray, joint: str) -> np.ndarray:
    """(N, 2) -> (N,) bool: which pixels are nearer to the left joint than to the right one, as far as they are seen."""
    left, right = (pose[KEYPOINT[f"{side}_{joint}"]] for side in ("left", "right"))
    distances = [
        np.linalg.norm(place - end[:2], axis=1) if end[2] > 0 else np.full(len(place), np.inf) for end in (left, right)
    ]
    return distances[0] < distances[1]
