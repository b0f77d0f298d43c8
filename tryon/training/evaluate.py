"""Measure a cascade on held-out pairs: `python -m tryon.training.evaluate`.

Prints one JSON object; the sheet shows garment, agnostic picture, both baselines, the stages and the truth.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES
from tryon.images import to_images
from tryon.pipeline import TryOnPipeline
from tryon.training.baselines import mean_colour, pasted_by_torso
from tryon.training.data import PairDataset, collate
from tryon.training.metrics import colour_error, confidence_interval, region_ssim
from tryon.zoo import load_pipeline

SIZE = 256


def evaluate(
    pipeline: TryOnPipeline,
    dataset: PairDataset,
    count: int,
    *,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    batch_size: int = 8,
) -> tuple[dict, np.ndarray]:
    """Figures over the garment region of the 256 stage, and the sheet of pictures.

    Args:
        pipeline: the cascade.
        dataset: pairs of side 256, without augmentation.
        count: the first so many pairs are used.
        num_inference_steps: as in the pipeline.
        guidance_scale: as in the pipeline.
        batch_size: pairs sampled together.

    Returns:
        figures: by method ("mean_colour", "affine", "ours"), mean and 95 % half-width of garment CIEDE2000 (lower is
            better) and SSIM (higher is better), and the same by category and kind of garment picture.
        sheet: (H, W, 3) uint8 RGB.
    """
    count = min(count, len(dataset))
    rows, scores, seconds = [], [], 0.0
    for start in range(0, count, batch_size):
        indices = range(start, min(start + batch_size, count))
        samples = [dataset[i] for i in indices]
        batch = collate(samples)
        began = time.perf_counter()
        stages = dict(
            _first_two(
                pipeline.sample(
                    batch.conditions,
                    num_inference_steps=num_inference_steps,
                    guidance_scale=guidance_scale,
                    generator=[torch.Generator().manual_seed(i) for i in indices],
                )
            )
        )
        seconds += time.perf_counter() - began
        ours = to_images(stages["sr256"])
        base = to_images(stages["base"])
        for index, sample, result, small in zip(indices, samples, ours, base, strict=True):
            given = (sample["agnostic"], sample["hidden"], sample["garment"])
            pictures = {
                "mean_colour": mean_colour(*given),
                "affine": pasted_by_torso(*given, sample["person_pose"], sample["garment_pose"]),
                "ours": result,
            }
            region = sample["garment_mask"] & sample["hidden"]
            if not region.any():
                continue
            row = dataset.row(index)
            scores.append(
                {
                    "category": CATEGORIES[int(row["category"])],
                    "kind": ("worn", "ghost", "flat")[int(row["kind"])],
                    **{
                        name: (
                            colour_error(picture, sample["target"], region),
                            region_ssim(picture, sample["target"], region),
                        )
                        for name, picture in pictures.items()
                    },
                }
            )
            small = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
            shown = [sample["garment"], sample["agnostic"], *pictures.values(), small, sample["target"]]
            order = [0, 1, 2, 3, 5, 4, 6]
            rows.append(np.hstack([shown[i] for i in order]))
    figures = {
        "methods": _table(scores),
        "by_category": {c: _table([s for s in scores if s["category"] == c]) for c in CATEGORIES},
        "by_kind": {k: _table([s for s in scores if s["kind"] == k]) for k in ("worn", "ghost", "flat")},
        "pairs": len(scores),
        "seconds_per_pair_two_stages": round(seconds / max(1, count), 3),
    }
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    return figures, np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])


def _first_two(stages: object) -> list[tuple[str, torch.Tensor]]:
    """The stages that are measured; leaving the generator early saves the 1024 stage."""
    out = []
    for name, samples, _ in stages:
        out.append((name, samples))
        if name == "sr256":
            break
    return out


def _table(scores: list[dict]) -> dict:
    """Means and 95 % half-widths by method."""
    if not scores:
        return {}
    table = {}
    for method in ("mean_colour", "affine", "ours"):
        values = np.array([s[method] for s in scores])
        colour, colour_ci = confidence_interval(values[:, 0])
        ssim, ssim_ci = confidence_interval(values[:, 1])
        table[method] = {
            "garment_ciede2000": round(colour, 3),
            "garment_ciede2000_ci95": round(colour_ci, 3),
            "garment_ssim": round(ssim, 4),
            "garment_ssim_ci95": round(ssim_ci, 4),
        }
    return table


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
