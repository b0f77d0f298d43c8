"""Where the weights of other people's networks come from: a folder, or a pinned commit of a repository on the Hub."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tryon.hub import COMMIT, fetch

Network = TypeVar("Network")


def check_pinned(weights: str | Path, revision: str | None) -> None:
    """Nothing, for a repository and a commit of it.

    Raises:
        ValueError: the commit is not given by its 40 hexadecimal digits.
    """
    if not COMMIT.fullmatch(revision or ""):
        raise ValueError(
            f"{weights} is no folder; for a repository on the Hub give the commit to use, 40 hexadecimal digits."
        )


def weights_folder(weights: str | Path, revision: str | None, patterns: Sequence[str]) -> Path:
    """The folder that holds the weights, downloaded first where they are a repository's.

    Args:
        weights: folder, or a repository on the Hub.
        revision: commit of that repository, 40 hexadecimal digits; not for a folder.
        patterns: names of the files that are wanted of a repository.

    Raises:
        ValueError: a repository without the commit to be used.
        CheckpointError: (a ValueError) the Hub cannot be reached, or does not have the files.
    """
    if Path(weights).is_dir():
        return Path(weights)
    check_pinned(weights, revision)
    return fetch(str(weights), revision, patterns)


def load_choice(load: Callable[..., Network], choice: str) -> Network:
    """Load what a command line names: "name", "name=folder", "name=file" or "name=org/repo@commit".

    Args:
        load: takes a name and, where they are given, weights and `revision`.
        choice: the text.
    """
    name, _, weights = choice.partition("=")
    repository = re.fullmatch(r"([^@]+/[^@]+)@([^@/]+)", weights)
    if repository and not Path(weights).exists():
        return load(name, repository[1], revision=repository[2])
    return load(name, *([weights] if weights else []))


def use_others(pipeline: object, pose_detector: str | None = None, human_parser: str | None = None) -> None:
    """Let other people's networks look at the photographs instead of a pipeline's own annotator.

    Args:
        pipeline: a `TryOnPipeline`.
        pose_detector: as `load_choice` takes it, a name of `POSE_DETECTORS`; None leaves the annotator at it.
        human_parser: the same of `HUMAN_PARSERS`.

    Raises:
        ValueError: an unknown name, weights that cannot be had, or a pipeline of another kind.
        ImportError: the network's library is not installed.
    """
    if pose_detector is None and human_parser is None:
        return
    if not hasattr(type(pipeline), "human_parser"):
        raise ValueError("This checkpoint looks at photographs in its own way; leave out the other networks.")
    from tryon.preprocessing.human_parsers import load_human_parser  # both are slow
    from tryon.preprocessing.pose_detectors import load_pose_detector

    if pose_detector is not None:
        pipeline.pose_detector = load_choice(load_pose_detector, pose_detector)
    if human_parser is not None:
        pipeline.human_parser = load_choice(load_human_parser, human_parser)
