"""Measure a cascade on held-out pairs: `python -m tryon.training.evaluate`.

Prints one JSON object; the sheet shows garment, agnostic picture, the other methods, both stages, the finished
picture and the truth. With
`--also concat=DIR --also warp_then_blend=DIR` further networks are measured in the same run, as trained into
`DIR/base` and `DIR/sr256`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from tryon.conditions import CATEGORIES, KINDS_OF_PICTURE
from tryon.images import to_tensor
from tryon.preprocessing.annotation import annotate
from tryon.synthetic.fabric import PATTERNS
from tryon.training.baselines import mean_colour, pasted_by_torso, warped_by_spline
from tryon.training.cascades import Cascade, finished, shrunk, with_networks
from tryon.training.data import PairDataset
from tryon.training.metrics import (
    colour_error,
    confidence_interval,
    kernel_distance,
    print_correlation,
    region_psnr,
    region_ssim,
)
from tryon.training.tables import FINISHED, OURS, difficulty_of_poses, gains, table, tables_by
from tryon.zoo import load_pipeline

SIZE = 256
# What one recognises a garment by; every other pattern is "other".
PRINTS = {"plain": "plain", "print": "logo", "text": "logo", "check": "check"}
PRINTS |= {"stripes": "stripes", "vertical_stripes": "stripes"}
STEPS_COMPARED = (1, 4)


def evaluate(
    ours: Cascade,
    dataset: PairDataset,
    count: int,
    *,
    also: Mapping[str, Cascade] | None = None,
    stage: str = "sr256",
    shift_pairs: int = 0,
    batch_size: int = 8,
) -> tuple[dict, np.ndarray]:
    """Figures of the 256 stage against the true picture of the same person in the other garment, and a sheet.

    Args:
        ours: the cascade.
        dataset: pairs of side 256, without augmentation.
        count: the first so many pairs are used.
        also: further cascades by the name of their row.
        stage: "sr256", or "base" to measure the first stage of all cascades, enlarged.
        shift_pairs: of so many pairs the 1024 stage is painted as well.
        batch_size: pairs sampled together.

    Returns:
        figures: by method ("ours_finished" is ours in the photograph, with the garment's own pixels, as a visitor gets
            it), mean and 95 % half-width of `tables.FIGURES`: over the garment's region, over all that is
            hidden ("changed"), and of the pose (distance in percent of the frame between the joints that the annotator
            finds in the result and in the truth), and the kernel distance ("kid") of all results to all truths by what
            the annotator's trunk makes of them, which only compares with figures by the same annotator; the same by
            category, kind of garment picture, difficulty of the pose and print; how much better ours is than each
            other method, pair by pair; and how far the 1024 stage is from the colours of the 256 stage (CIEDE2000 of
            each pixel of 256 x 256).
        sheet: (H, W, 3) uint8 RGB.
    """
    count = min(count, len(dataset))
    cascades = {**(also or {}), OURS: ours}
    at = ("base", "sr256").index(stage)
    rows, scores, kinds, shifts, seconds, trunk = [], [], [], [], 0.0, {}
    annotator = ours.pipeline.annotator
    for start in range(0, count, batch_size):
        indices = range(start, min(start + batch_size, count))
        samples = [dataset[i] for i in indices]
        painted, said = {}, {}
        for name, cascade in cascades.items():
            began = time.perf_counter()
            painted[name], said[name] = cascade.paint(samples, indices)
            seconds += (time.perf_counter() - began) * (name == OURS)
        shifts += _colour_shifts(ours, samples[: max(0, shift_pairs - start)], indices)
        for k, (index, sample) in enumerate(zip(indices, samples, strict=True)):
            if not (sample["garment_mask"] & sample["hidden"]).any():
                continue
            pictures = {**_simple(sample), **{name: _enlarged(result[at][k]) for name, result in painted.items()}}
            row = dataset.row(index)
            if stage == "sr256":
                pictures[FINISHED] = finished(row, sample["hidden"], pictures[OURS], said[OURS].picture(k), annotator)
            scores.append(measure(pictures, sample, annotator))
            kinds.append(_kinds(row, sample))
            for name, features in _described(annotator, {"truth": sample["target"], **pictures}).items():
                trunk.setdefault(name, []).append(features)
            ours_at_last = [pictures.pop(name) for name in (OURS, FINISHED) if name in pictures]
            stages = [_enlarged(painted[OURS][0][k]), *ours_at_last, sample["target"]]
            rows.append(np.hstack([sample["garment"], sample["agnostic"], *pictures.values(), *stages]))
    methods = table(scores)
    for name, row in methods.items():
        distance = kernel_distance(np.stack(trunk[name]), np.stack(trunk["truth"]))
        if np.isfinite(distance[0]):
            row["kid"], row["kid_ci95"] = (round(value, 4) for value in distance)
    difficulty = difficulty_of_poses([kind["pose_change"] for kind in kinds])
    figures = {
        "methods": methods,
        "ours_better_by": gains(scores),
        "by_category": tables_by(scores, [kind["category"] for kind in kinds]),
        "by_kind": tables_by(scores, [kind["kind"] for kind in kinds]),
        "by_difficulty_of_pose": tables_by(scores, difficulty),
        "by_print": tables_by(scores, [kind["print"] for kind in kinds]),
        "pairs": len(scores),
        "stage": stage,
        "seconds_per_pair_two_stages": round(seconds / max(1, count), 3),
    }
    if shifts:
        mean, half = confidence_interval(np.array(shifts))
        figures["colour_shift_1024_ciede2000"] = {"mean": round(mean, 4), "ci95": round(half, 4), "pairs": len(shifts)}
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    return figures, np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])


def _simple(sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What needs no network."""
    given = (sample["agnostic"], sample["hidden"], sample["garment"])
    poses = (sample["person_pose"], sample["garment_pose"])
    return {
        "mean_colour": mean_colour(*given),
        "affine": pasted_by_torso(*given, *poses),
        "tps": warped_by_spline(*given, *poses),
    }


def _enlarged(picture: np.ndarray) -> np.ndarray:
    if len(picture) == SIZE:
        return picture
    return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


def _colour_shifts(ours: Cascade, samples: list[dict[str, np.ndarray]], seeds: Sequence[int]) -> list[float]:
    """Mean CIEDE2000 between the 256 stage and the 1024 stage made as small, of each pair."""
    shifts = []
    for sample, seed in zip(samples, seeds, strict=False):
        (_, before, after), _ = ours.paint([sample], [seed], stages=3)
        shifts.append(colour_error(shrunk(after, SIZE)[0], before[0], np.ones((SIZE, SIZE), bool)))
    return shifts


@torch.inference_mode()
def _described(annotator: torch.nn.Module, pictures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Features of each picture, (D,) float32."""
    like = next(annotator.parameters())
    features = annotator.describe(to_tensor(np.stack(list(pictures.values()))).to(like.device, like.dtype))
    return dict(zip(pictures, features.cpu().numpy(), strict=True))


def _kinds(row: dict[str, np.ndarray], sample: dict[str, np.ndarray]) -> dict:
    """What a pair is an example of."""
    printed = None
    if "pattern" in row:
        printed = PRINTS.get(list(PATTERNS)[int(row["pattern"])], "other")
    return {
        "category": CATEGORIES[int(row["category"])],
        "kind": KINDS_OF_PICTURE[int(row["kind"])],
        "print": printed,
        "pose_change": _pose_change(sample["person_pose"], sample["garment_pose"]),
    }


def measure(
    pictures: Mapping[str, np.ndarray], sample: dict[str, np.ndarray], annotator: torch.nn.Module
) -> dict[str, dict[str, float | None]]:
    """`tables.FIGURES` of each method's picture of one pair."""
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


def _named_folder(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not separator or name == OURS:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR.")
    return name, Path(folder)


def _command(arguments: Sequence[str]) -> str:
    """What was asked, to be published: without the place of the results, of other folders only the name."""
    words, place = ["python -m tryon.training.evaluate"], None
    for word in arguments:
        if place != "--out" and word != "--out":
            head, separator, tail = word.rpartition("=")
            words.append(f"{head}{separator}{Path(tail).name}")
        place = word
    return " ".join(words)


def _commit() -> str | None:
    """Of the code, where it is a git checkout."""
    place = Path(__file__).parent
    result = subprocess.run(["git", "-C", place, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return result.stdout.strip() or None


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="small", help="name, folder or org/repo@commit")
    parser.add_argument("--data", type=Path, help="folder of shards; without it held-out pairs are rendered")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--num-inference-steps", type=int, default=None)
    parser.add_argument("--guidance-scale", type=float, default=None)
    parser.add_argument("--also", type=_named_folder, action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--stage", choices=("base", "sr256"), default="sr256", help="measured (%(default)s)")
    parser.add_argument("--compare-steps", action="store_true", help="rows for 1 and 4 steps per stage as well")
    parser.add_argument("--laid-out", action="store_true", help="garments that are not worn lie as on a table")
    parser.add_argument("--colour-shift", type=int, default=0, metavar="PAIRS", help="painted up to 1024 as well")
    parser.add_argument("--out", type=Path, help="folder for evaluation.json and sheet.png")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    args = parse_arguments(arguments)
    pipeline = load_pipeline(args.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    ours = Cascade(pipeline, args.num_inference_steps, args.guidance_scale)
    also = {
        name: Cascade(with_networks(pipeline, folder), args.num_inference_steps, args.guidance_scale)
        for name, folder in args.also
    }
    if args.compare_steps:
        also |= {f"ours_{steps}_step": Cascade(pipeline, steps, args.guidance_scale) for steps in STEPS_COMPARED}
    with tempfile.TemporaryDirectory() as scratch:
        data = args.data
        if data is None:
            # Only here: rendering needs packages that using a checkpoint does not.
            from tryon.synthetic.render import plan_shards, render_dataset

            data = Path(scratch)
            render_dataset(plan_shards(data, args.pairs, SIZE, "heldout", seed=0, reuse=1), workers=1)
        figures, sheet = evaluate(
            ours,
            PairDataset(data, SIZE, augment=False, laid_out=args.laid_out),
            args.pairs,
            also=also,
            stage=args.stage,
            shift_pairs=args.colour_shift,
        )
    figures["command"] = _command(sys.argv[1:] if arguments is None else arguments)
    figures["commit"] = _commit()
    print(json.dumps(figures, indent=1))
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")
        cv2.imwrite(str(args.out / "sheet.png"), sheet[..., ::-1])


if __name__ == "__main__":
    main()
