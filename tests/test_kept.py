"""What stays in the photograph keeps its outline, though the labels that tell of it are coarse."""

import cv2
import numpy as np
import pytest

from tryon.kept import enlarged, may_change
from tryon.preprocessing.agnostic import make_agnostic
from tryon.preprocessing.parsing import LABEL

NOBODY = np.zeros((18, 3), np.float32)


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A slanted hem of a ribbed white top over blue trousers: photograph, where the top is, labels, hidden region."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:512, :512]
    top = row < 230 + 0.15 * column + 6 * np.sin(column / 20)
    photo = np.where(top[..., None], (225, 222, 215), (50, 60, 110)).astype(np.float32)
    photo[top & (column // 6 % 2 == 0)] -= 30
    photo = np.clip(cv2.GaussianBlur(photo, (0, 0), 0.7) + rng.normal(0, 4, photo.shape), 0, 255).astype(np.uint8)
    wobble = rng.integers(-1, 2, 128)  # each column of labels is up to one pixel off
    seen = np.stack([np.roll(top[2::4, 2 + 4 * i], wobble[i]) for i in range(128)], axis=1)
    parsing = np.where(seen, LABEL["upper"], LABEL["lower"]).astype(np.uint8)
    parsing[:4], parsing[-4:] = LABEL["upper"], LABEL["lower"]
    _, hidden = make_agnostic(cv2.resize(photo, (128, 128)), parsing, NOBODY, "lower")
    return photo, top, parsing, hidden


def test_a_hem_is_where_the_photograph_shows_it(scene):
    photo, top, parsing, hidden = scene
    free = may_change(photo, parsing, hidden, np.zeros_like(hidden), "lower")
    stairs = enlarged(parsing == LABEL["lower"], 512)
    errors = [(estimate == top).sum() for estimate in (stairs, free)]
    assert errors[1] < 0.35 * errors[0]


def test_nothing_changes_that_was_not_hidden(scene):
    photo, _, parsing, hidden = scene
    free = may_change(photo, parsing, hidden, np.zeros_like(hidden), "lower")
    assert not free[~enlarged(hidden, 512)].any()
    assert np.array_equal(free[360:], enlarged(hidden, 512)[360:]), "far from the hem all of the region may change"


def test_what_was_opened_by_hand_may_change_whatever_it_shows(scene):
    photo, _, parsing, hidden = scene
    opened = np.zeros_like(hidden)
    opened[40:80, 40:80] = True
    free = may_change(photo, parsing, hidden | opened, opened, "lower")
    assert free[164:316, 164:316].all()
