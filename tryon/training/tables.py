"""Tables of an evaluation: means and 95 % intervals by method, differences pair by pair, and parts of the pairs."""

from collections.abc import Sequence

import numpy as np

from tryon.training.metrics import confidence_interval

# Name -> whether more is better.
FIGURES = {
    "garment_ciede2000": False,
    "garment_ssim": True,
    "garment_psnr": True,
    "print_correlation": True,
    "changed_ciede2000": False,
    "changed_ssim": True,
    "pose_error": False,
}
OURS, FINISHED = "ours", "ours_finished"

Score = dict[str, dict[str, float | None]]
"""Of one pair: `FIGURES` by method; None where a figure does not apply."""


def table(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Means and 95 % half-widths of `FIGURES`, by method."""
    return {method: _summary([score[method] for score in scores]) for method in scores[0]}


def gains(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """How much better ours is than each other method on the same pair: means and 95 % half-widths."""
    out = {}
    for method in (name for name in scores[0] if name != OURS):
        rows = []
        for score in scores:
            pairs = {name: (score[OURS][name], score[method][name]) for name in FIGURES}
            rows.append(
                {
                    name: None if None in pair else (pair[0] - pair[1]) * (1 if FIGURES[name] else -1)
                    for name, pair in pairs.items()
                }
            )
        out[method] = _summary(rows)
    return out


def tables_by(scores: Sequence[Score], kinds: Sequence[str | None]) -> dict[str, dict[str, dict[str, float]]]:
    """A `table` for each kind of pair, in the order in which they come.

    Args:
        scores: of all pairs.
        kinds: of the same pairs; those of kind None are left out.
    """
    parts: dict[str, list[Score]] = {}
    for kind, score in zip(kinds, scores, strict=True):
        if kind is not None:
            parts.setdefault(kind, []).append(score)
    return {kind: {"pairs": len(some), **table(some)} for kind, some in sorted(parts.items())}


def difficulty_of_poses(changes: Sequence[float]) -> list[str]:
    """Easy, middle and hard: the thirds of the pairs by how much the pose changes."""
    thirds = np.quantile(changes, [1 / 3, 2 / 3])
    return [("easy", "middle", "hard")[int(np.searchsorted(thirds, change))] for change in changes]


def _summary(rows: Sequence[dict[str, float | None]]) -> dict[str, float]:
    """Mean and 95 % half-width of each figure over the rows that have it."""
    out = {}
    for name in FIGURES:
        values = [row[name] for row in rows if row[name] is not None]
        if len(values) > 1:
            mean, half = confidence_interval(np.array(values))
            out[name], out[f"{name}_ci95"] = round(mean, 4), round(half, 4)
    return out
