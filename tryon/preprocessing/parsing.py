"""Human parsing: the one label list of the project, and groups of labels by what they are for."""

from collections.abc import Callable

import numpy as np

HumanParser = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(S, S, 3) uint8 RGB of a person, and the annotator's (15, S, S) float32 probabilities of it -> better ones."""

LABELS = (
    "background",
    "hair",
    "face",
    "torso_skin",
    "left_arm",
    "right_arm",
    "left_hand",
    "right_hand",
    "upper",
    "lower",
    "dress",
    "left_leg",
    "right_leg",
    "left_shoe",
    "right_shoe",
)
"""Names of the labels; a parsing is (H, W) uint8 whose values index this tuple.

Left and right are the person's own. `torso_skin` is the neck and whatever is bare between shoulders and hips; arms,
hands and legs are bare skin, shoes any footwear.
"""

LABEL = {name: index for index, name in enumerate(LABELS)}
"""Value of a label in a parsing, by name."""

GARMENTS = ("upper", "lower", "dress")
HEAD = ("hair", "face")
ARMS = ("left_arm", "right_arm")
HANDS = ("left_hand", "right_hand")
LEGS = ("left_leg", "right_leg")
SHOES = ("left_shoe", "right_shoe")
SKIN = ("face", "torso_skin", *ARMS, *HANDS, *LEGS)
IDENTITY = (*HEAD, *HANDS, *SHOES)
"""What a try-on must never repaint."""


def _mirrored(name: str) -> str:
    if name.startswith("left_"):
        return name.replace("left_", "right_")
    return name.replace("right_", "left_")


MIRRORED = np.array([LABEL[_mirrored(name)] for name in LABELS], np.uint8)
"""`MIRRORED[parsing[:, ::-1]]` is the parsing of the mirrored picture."""


def label_mask(parsing: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Where any of the named labels is.

    Args:
        parsing: (H, W) uint8, values index `LABELS`.
        names: names out of `LABELS`.

    Returns:
        (H, W) bool.

    Raises:
        KeyError: a name is not in `LABELS`.
    """
    member = np.zeros(256, bool)
    member[[LABEL[name] for name in names]] = True
    return member[parsing]


def label_areas(parsing: np.ndarray) -> dict[str, float]:
    """Share of the picture that each label covers, in [0, 1], by name; the shares add up to 1."""
    counts = np.bincount(parsing.ravel(), minlength=len(LABELS))
    return {name: float(counts[index]) / parsing.size for index, name in enumerate(LABELS)}


def colour_parsing(parsing: np.ndarray) -> np.ndarray:
    """A parsing as a picture to look at.

    Args:
        parsing: (H, W) uint8, values index `LABELS`.

    Returns:
        (H, W, 3) uint8 RGB: one fixed colour per label, background black.
    """
    return PALETTE[parsing]


PALETTE = np.array(
    [
        (0, 0, 0),
        (110, 70, 30),
        (255, 205, 170),
        (240, 160, 120),
        (255, 140, 60),
        (200, 90, 30),
        (255, 220, 60),
        (190, 160, 0),
        (60, 130, 255),
        (30, 180, 90),
        (200, 70, 200),
        (120, 220, 230),
        (20, 140, 150),
        (230, 50, 70),
        (140, 20, 50),
    ],
    np.uint8,
)
