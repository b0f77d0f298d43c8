"""The worn garment must not show in the agnostic picture: painted green in the studio, looked for in green."""

import numpy as np
import pytest
import torch

from tryon.models.annotator import Annotator
from tryon.preprocessing.parsing import LABEL
from tryon.synthetic.pairs import render_pair
from tryon.training.leak import green_share, leak, paint_green
from tryon.zoo import load_pipeline


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return load_pipeline("small", device="cpu").annotator


def test_green_is_what_gives_way():
    image, parsing = np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8), np.uint8)
    parsing[0], parsing[1], parsing[2], parsing[3] = (LABEL[name] for name in ("upper", "lower", "dress", "face"))
    for category, share in (("upper", 2 / 8), ("lower", 2 / 8), ("dress", 3 / 8)):
        painted = paint_green(image, parsing, category)
        assert green_share(painted) == pytest.approx(share)
        assert (painted[3:] == 200).all()


@pytest.mark.parametrize("seed", [3, 12])
def test_little_of_a_rendered_garment_is_left(annotator, seed):
    pair = render_pair(seed, 256, split="heldout")
    with torch.inference_mode():
        shares = [leak(annotator, pair.image, pair.parsing, category) for category in ("upper", "lower", "dress")]
    seen = [share for share in shares if share is not None]
    assert seen
    worn = green_share(paint_green(pair.image, pair.parsing, "dress"))
    assert max(seen) < 0.1 * worn
