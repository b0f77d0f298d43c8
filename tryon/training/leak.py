"""How much of the worn garment the agnostic picture lets through: `python -m tryon.training.leak SHARDS`.

Rendered persons have what they wear painted pure green and go through the whole way that a photograph goes; then the
green that is left in the agnostic picture is counted. Prints one line of JSON: by category the mean share of green
pixels, the largest, and the share of pictures under the limit of 0.1 %. Who wears a dress counts for dresses alone:
under a new top or a new skirt half of it stays on purpose (`agnostic.split_dress`).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tryon.conditions import CATEGORIES
from tryon.images import InputError
from tryon.models.annotator import Annotator
from tryon.preprocessing.agnostic import TAKEN_OFF, make_agnostic
from tryon.preprocessing.parsing import LABEL, label_mask
from tryon.preprocessing.person import read_person
from tryon.training.data import find_shards

LIMIT = 1e-3
GREEN = (0, 255, 0)


def paint_green(image: np.ndarray, parsing: np.ndarray, category: str) -> np.ndarray:
    """The picture, (S, S, 3) uint8, with what gives way to the category in one green."""
    return np.where(label_mask(parsing, TAKEN_OFF[category])[..., None], np.uint8(GREEN), image)


def green_share(picture: np.ndarray) -> float:
    """Share of the pixels of a picture, (S, S, 3) uint8, that are green or nearly so, in [0, 1]."""
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    return float(((green > 170) & (red < 85) & (blue < 85)).mean())


def leak(annotator: torch.nn.Module, image: np.ndarray, parsing: np.ndarray, category: str) -> float | None:
    """Share of the agnostic picture's pixels that still are green.

    Args:
        annotator: an `Annotator`.
        image: (S, S, 3) uint8 RGB, a rendered person.
        parsing: (S, S) uint8, its true labels.
        category: of the garment that would be put on.

    Returns:
        The share in [0, 1], or None if nothing is worn there, or a dress that is not to be taken off, or nobody found.
    """
    if category != "dress" and (parsing == LABEL["dress"]).any():
        return None
    if label_mask(parsing, TAKEN_OFF[category]).mean() < 0.01:
        return None
    try:
        photo = Image.fromarray(paint_green(image, parsing, category))
        person = read_person(annotator, photo, category, 256)
    except InputError:
        return None
    return green_share(make_agnostic(person.square, person.parsing, person.pose, category)[0])


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, help="rendered pairs that no network was trained with")
    parser.add_argument("--annotator", type=Path, default=Path(__file__).parents[1] / "weights" / "small" / "annotator")
    parser.add_argument("--count", type=int, default=200, help="pictures at most")
    arguments = parser.parse_args()
    annotator = Annotator.from_pretrained(arguments.annotator, dtype=torch.float32).eval()
    shares: dict[str, list[float]] = {category: [] for category in CATEGORIES}
    seen = 0
    for folder in find_shards(arguments.shards):
        images, parsings = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("image", "parsing"))
        for image, parsing in zip(images, parsings, strict=True):
            if seen == arguments.count:
                break
            seen += 1
            for category in CATEGORIES:
                share = leak(annotator, np.asarray(image), np.asarray(parsing), category)
                if share is not None:
                    shares[category].append(share)
    figures = {
        category: {
            "pictures": len(values),
            "mean": float(np.mean(values)),
            "largest": float(np.max(values)),
            "under_limit": float(np.mean(np.array(values) < LIMIT)),
        }
        for category, values in shares.items()
        if values
    }
    print(json.dumps({"seen": seen, **figures}))


if __name__ == "__main__":
    main()
