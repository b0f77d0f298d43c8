"""Measure a cascade on held-out pairs: `python -m tryon.training.evaluate`.

Prints one JSON object; the sheet shows garment, agnostic picture, three baselines, both stages and the truth.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES
from tryon.images import to_images
from tryon.pipeline import TryOnPipeline
from tryon.preprocessing.annotation import annotate
from tryon.training.baselines import mean_colour, pasted_by_torso, warped_by_spline
from tryon.training.data import PairDataset, collate
from tryon.training.metrics import colour_error, confidence_interval, print_correlation, region_psnr, region_ssim
from tryon.zoo import load_pipeline

SIZE = 256
KINDS_OF_PICTURE = ("worn", "ghost", "flat")  # as in tryon.synthetic.pairs, which needs packages that this does not


METHODS = ("mean_colour", "affine", "tps", "ours")
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


def evaluate(
    pipeline: TryOnPipeline,
    dataset: PairDataset,
    count: int,
    *,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    batch_size: int = 8,
) -> tuple[dict, np.ndarray]:
    """Figures of the 256 stage against the true picture of the same person in the other garment, and a sheet.

    Args:
        pipeline: the cascade.
        dataset: pairs of side 256, without augmentation.
        count: the first so many pairs are used.
        num_inference_steps: as in the pipeline.
        guidance_scale: as in the pipeline.
        batch_size: pairs sampled together.

    Returns:
        figures: by method, mean and 95 % half-width of `FIGURES`: over the garment's region, over all that is hidden
            ("changed"), and of the pose (distance in percent of the frame between the joints that the annotator finds
            in the result and in the truth); the same by category, kind of garment picture and difficulty of the pose;
            and how much better ours is than each other method, pair by pair.
        sheet: (H, W, 3) uint8 RGB.
    """
    count = min(count, len(dataset))
    rows, scores, seconds = [], [], 0.0
    for start in range(0, count, batch_size):
        indices = range(start, min(start + batch_size, count))
        samples = [dataset[i] for i in indices]
        began = time.perf_counter()
        base, ours = _sample(pipeline, samples, indices, num_inference_steps, guidance_scale)
        seconds += time.perf_counter() - began
        for index, sample, result, small in zip(indices, samples, ours, base, strict=True):
            given = (sample["agnostic"], sample["hidden"], sample["garment"])
            poses = (sample["person_pose"], sample["garment_pose"])
            pictures = {
                "mean_colour": mean_colour(*given),
                "affine": pasted_by_torso(*given, *poses),
                "tps": warped_by_spline(*given, *poses),
                "ours": result,
            }
            if not (sample["garment_mask"] & sample["hidden"]).any():
                continue
            row = dataset.row(index)
            scores.append(
                {
                    "category": CATEGORIES[int(row["category"])],
                    "kind": KINDS_OF_PICTURE[int(row["kind"])],
                    "pose_change": _pose_change(*poses),
                    **measure(pictures, sample, pipeline.annotator),
                }
            )
            small = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
            before, after = list(pictures.values())[:-1], [small, result, sample["target"]]
            rows.append(np.hstack([sample["garment"], sample["agnostic"], *before, *after]))
    thirds = np.quantile([s["pose_change"] for s in scores], [1 / 3, 2 / 3])
    for score in scores:
        score["difficulty"] = ("easy", "middle", "hard")[int(np.searchsorted(thirds, score["pose_change"]))]

    def tables(key: str, names: Sequence[str]) -> dict:
        chosen = {name: [s for s in scores if s[key] == name] for name in names}
        return {name: _table(some) for name, some in chosen.items() if some}

    figures = {
        "methods": _table(scores),
        "ours_better_by": _gains(scores),
        "by_category": tables("category", CATEGORIES),
        "by_kind": tables("kind", KINDS_OF_PICTURE),
        "by_difficulty_of_pose": tables("difficulty", ("easy", "middle", "hard")),
        "pairs": len(scores),
        "seconds_per_pair_two_stages": round(seconds / max(1, count), 3),
    }
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    return figures, np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])


def _sample(
    pipeline: TryOnPipeline,
    samples: list[dict[str, np.ndarray]],
    seeds: Sequence[int],
    num_inference_steps: int | None,
    guidance_scale: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 128, 128, 3) and (N, 256, 256, 3) uint8 of the first two stages; what is measured ends there."""
    stages = pipeline.sample(
        collate(samples).conditions,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
    )
    (_, base, *_), (_, ours, *_) = islice(stages, 2)
    return to_images(base), to_images(ours)


def measure(
    pictures: dict[str, np.ndarray], sample: dict[str, np.ndarray], annotator: torch.nn.Module
) -> dict[str, dict[str, float | None]]:
    """`FIGURES` of each method's picture of one pair."""
    target, hidden, garment = sample["target"], sample["hidden"], sample["garment_mask"] & sample["hidden"]
    poses = [a.pose for a in annotate(annotator, [target, *pictures.values()])]
    out = {}
    for (method, picture), pose in zip(pictures.items(), poses[1:], strict=True):
        both = (pose[:, 2] > 0) & (poses[0][:, 2] > 0)
        distance = np.linalg.norm(pose[both, :2] - poses[0][both, :2], axis=1)
        out[method] = {
            "garment_ciede2000": colour_error(picture, target, garment),
            "garment_ssim": region_ssim(picture, target, garment),
            "garment_psnr": region_psnr(picture, target, garment),
            "print_correlation": print_correlation(picture, sample["garment"], sample["flow"]),
            "changed_ciede2000": colour_error(picture, target, hidden),
            "changed_ssim": region_ssim(picture, target, hidden),
            "pose_error": 100 * float(distance.mean()) if both.any() else None,
        }
    return out


def _pose_change(person: np.ndarray, garment: np.ndarray) -> float:
    """How far one pose is from any affine map of the other, in units of its own spread; 0 with too few joints."""
    joints = [i for i in range(1, 14) if person[i, 2] > 0 and garment[i, 2] > 0]
    if len(joints) < 4:
        return 0.0
    target = person[joints, :2] - person[joints, :2].mean(0)
    design = np.concatenate([garment[joints, :2], np.ones((len(joints), 1))], axis=1)
    rest = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(np.sqrt((rest**2).sum() / max((target**2).sum(), 1e-9)))


def _table(scores: list[dict]) -> dict[str, dict[str, float]]:
    """Means and 95 % half-widths by method."""
    return {method: _summary([score[method] for score in scores]) for method in METHODS}


def _gains(scores: list[dict]) -> dict[str, dict[str, float]]:
    """How much better ours is than each other method on the same pair: means and 95 % half-widths."""
    out = {}
    for method in METHODS[:-1]:
        rows = []
        for score in scores:
            pairs = {name: (score["ours"][name], score[method][name]) for name in FIGURES}
            rows.append(
                {
                    name: None if None in pair else (pair[0] - pair[1]) * (1 if FIGURES[name] else -1)
                    for name, pair in pairs.items()
                }
            )
        out[method] = _summary(rows)
    return out


def _summary(rows: list[dict[str, float | None]]) -> dict[str, float]:
    """Mean and 95 % half-width of each figure over the rows that have it."""
    out = {}
    for name in FIGURES:
        values = [row[name] for row in rows if row[name] is not None]
        if len(values) > 1:
            mean, half = confidence_interval(np.array(values))
            out[name], out[f"{name}_ci95"] = round(mean, 4), round(half, 4)
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="small", help="name, folder or org/repo@commit")
    parser.add_argument("--data", type=Path, help="folder of shards; without it held-out pairs are rendered")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--num-inference-steps", type=int, default=None)
    parser.add_argument("--guidance-scale", type=float, default=None)
    parser.add_argument("--out", type=Path, help="folder for evaluation.json and sheet.png")
    args = parser.parse_args()
    pipeline = load_pipeline(args.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    with tempfile.TemporaryDirectory() as scratch:
        data = args.data
        if data is None:
            # Only here: rendering needs packages that using a checkpoint does not.
            from tryon.synthetic.render import plan_shards, render_dataset

            data = Path(scratch)
            render_dataset(plan_shards(data, args.pairs, SIZE, "heldout", seed=0, reuse=1), workers=1)
        figures, sheet = evaluate(
            pipeline,
            PairDataset(data, SIZE, augment=False),
            args.pairs,
            num_inference_steps=args.num_inference_steps,
            guidance_scale=args.guidance_scale,
        )
    figures["command"] = f"python -m tryon.training.evaluate --pairs {args.pairs}"
    print(json.dumps(figures, indent=1))
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")
        cv2.imwrite(str(args.out / "sheet.png"), sheet[..., ::-1])


if __name__ == "__main__":
    main()
