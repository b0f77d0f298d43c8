"""Fit and judge the guess of a garment's category: `python -m tryon.training.fit_garment_kind FOLDER`.

Photographs are named KIND_NUMBER; those with odd numbers are fitted to, those with even numbers judged. Prints the
coefficients for `preprocessing/garment_kind.py` and one line of JSON; writes a sheet of all outlines to look at.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.images import InputError, read_image
from tryon.models.annotator import Annotator
from tryon.preprocessing.garment import Garment, read_garment
from tryon.preprocessing.garment_kind import FEATURES, outline_features
from tryon.preprocessing.parsing import LABEL

CATEGORY = {
    "dress": "dress",
    "longsleeve": "upper",
    "outwear": "upper",
    "pants": "lower",
    "shirt": "upper",
    "shorts": "lower",
    "skirt": "lower",
    "t-shirt": "upper",
}
TURNS = (0, -8, 8)  # degrees: every outline is also fitted to when turned a little
WEIGHT_DECAY = 0.003
THUMBNAIL = 160


def fit(features: np.ndarray, truth: np.ndarray, steps: int = 1500) -> np.ndarray:
    """Multinomial logistic regression with weight decay on standardised features.

    Args:
        features: (N, F) float.
        truth: (N,) int, indices of `CATEGORIES`.
        steps: of L-BFGS.

    Returns:
        (3, F + 1): coefficients of the features as they are, and the constant.
    """
    mean, spread = features.mean(0), features.std(0) + 1e-6
    inputs, target = torch.from_numpy((features - mean) / spread), torch.from_numpy(truth)
    weight = torch.zeros(len(CATEGORIES), features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(CATEGORIES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(inputs @ weight.T + bias, target)
        value = value + WEIGHT_DECAY / 2 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    slope = weight.detach().numpy() / spread
    return np.c_[slope, bias.detach().numpy() - slope @ mean]


def turned(outline: np.ndarray, degrees: float) -> np.ndarray:
    """(S, S) bool, the outline turned about the middle of the picture."""
    side = len(outline)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 0.8)
    return cv2.warpAffine(outline.astype(np.uint8), matrix, (side, side)) > 0


def thumbnail(photo: Image.Image, garment: Garment | None, caption: str) -> np.ndarray:
    """Photograph and cut-out side by side, (H, 2 H, 3) uint8."""
    left = np.asarray(photo.resize((THUMBNAIL, THUMBNAIL)))
    right = np.full_like(left, (200, 0, 0))
    if garment is not None:
        cut = np.where((garment.parsing == LABEL[garment.category])[..., None], garment.image, (0, 160, 0))
        right = cv2.resize(cut.astype(np.uint8), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    both = np.concatenate([left, right], axis=1)
    return cv2.putText(both, caption, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 0, 0), 1)


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs of garments laid out")
    parser.add_argument("--annotator", type=Path, default=Path(__file__).parents[1] / "weights" / "small" / "annotator")
    parser.add_argument("--sheet", type=Path, help="where to write the sheet of the judged half")
    arguments = parser.parse_args()
    annotator = Annotator.from_pretrained(arguments.annotator, dtype=torch.float32).eval()
    samples, truth, judged, tiles = [], [], [], []
    counts = {"right": 0, "wrong": 0, "not_found": 0, "taken_for_worn": 0}
    began = time.perf_counter()
    files = sorted(path for path in arguments.folder.iterdir() if path.stem.partition("_")[0] in CATEGORY)
    for path in files:
        kind, _, number = path.stem.partition("_")
        expected, held_out = CATEGORY[kind], int(number) % 2 == 0
        photo, garment = read_image(path), None
        try:
            garment = read_garment(annotator, photo)
        except InputError:
            counts["not_found"] += held_out
        else:
            outline = garment.parsing == LABEL[garment.category]
            counts["taken_for_worn"] += held_out and garment.worn
            counts["right" if garment.category == expected else "wrong"] += held_out
            if garment.votes is not None:
                for degrees in TURNS:
                    samples.append(outline_features(turned(outline, degrees), garment.votes))
                    truth.append(CATEGORIES.index(expected))
                    judged.append(held_out)
        if held_out:
            caption = f"{path.stem} {garment.category if garment else 'not found'}"
            tiles.append(thumbnail(photo, garment, caption))
    seconds = (time.perf_counter() - began) / max(len(files), 1)
    features, truth, judged = np.array(samples), np.array(truth), np.array(judged)
    table = fit(features[~judged], truth[~judged])
    guess = (np.c_[features, np.ones(len(features))] @ table.T).argmax(1)
    for name, column in zip((*FEATURES, "constant"), table.T, strict=True):
        print(f"    ({', '.join(f'{value:.3f}' for value in column)}),  # {name}")
    total = sum(counts[name] for name in ("right", "wrong", "not_found"))
    refitted = float((guess == truth)[judged].mean())
    figures = {"accuracy": counts["right"] / max(total, 1), "accuracy_if_refitted": refitted, **counts}
    print(json.dumps({**figures, "seconds_per_photo": seconds}))
    if arguments.sheet:
        across = 6
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % across)
        rows = [np.concatenate(tiles[i : i + across], axis=1) for i in range(0, len(tiles), across)]
        Image.fromarray(np.concatenate(rows)).save(arguments.sheet)


if __name__ == "__main__":
    main()
