"""Seconds per step of FASHN VTON's sampler against a plain loop: `python -m tryon.benchmark --size 288 192`.

The plain loop does what the formulas say: in every step it encodes all conditions anew and runs the network twice,
with and without them. Both loops take turns in one process, on random weights (speed does not depend on their
values), and end at the same picture, up to rounding.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from PIL import Image

from tryon.devices import best_dtype, choose_device
from tryon.fashn_pipeline import FashnTryOnPipeline, schedule
from tryon.models.annotator import PRESETS as ANNOTATORS
from tryon.models.annotator import Annotator
from tryon.models.fashn_vton import PRESETS, FashnVTON
from tryon.preprocessing.photographs import PreparedPhotos

GUIDANCE = 1.5


def random_pipeline(
    preset: str, size: tuple[int, int] | None, device: torch.device, dtype: torch.dtype
) -> FashnTryOnPipeline:
    """The pipeline at a preset, with random weights."""
    settings = {**PRESETS[preset], **({} if size is None else {"input_shape": size})}
    with torch.device("meta"):
        network = FashnVTON(**settings)
    generator = torch.Generator(device).manual_seed(0)
    weights = {
        name: torch.randn(value.shape, generator=generator, device=device, dtype=dtype) * value[0].numel() ** -0.5
        for name, value in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)
    return FashnTryOnPipeline(network.eval(), Annotator(**ANNOTATORS["tiny"]).to(device), pose="annotator")


def random_conditions(height: int, width: int) -> PreparedPhotos:
    """Noise in the place of photographs."""
    generator = torch.Generator().manual_seed(1)
    pictures = [torch.rand(1, channels, height, width, generator=generator) * 2 - 1 for channels in (3, 1, 3, 1)]
    region = Image.new("L", (width, height), 255)
    return PreparedPhotos(*pictures, "upper", region, False, (0, 0, width, height), ())


@torch.inference_mode()
def plain_loop(pipeline: FashnTryOnPipeline, prepared: PreparedPhotos, steps: int) -> torch.Tensor:
    """Euler's method with guidance, nothing kept from step to step: (1, 3, H, W) in [-1, 1]."""
    network = pipeline.transformer
    device, dtype = network.device, network.dtype
    times = schedule(steps)
    pictures = (prepared.person, prepared.person_pose, prepared.garment, prepared.garment_pose)
    given = (*(picture.to(device, dtype) for picture in pictures), torch.tensor([1], device=device))
    null = torch.tensor([False], device=device)
    x = torch.randn(pictures[0].shape, generator=torch.Generator().manual_seed(2)).to(device)
    for k in range(steps):
        t = torch.tensor([times[k]], device=device)
        conditional = network(x.to(dtype), t, *given).float()
        unconditional = network(x.to(dtype), t, *given, keep_mask=null).float()
        guided = unconditional + GUIDANCE * (conditional - unconditional)
        x = x + (times[k + 1] - times[k]) * (guided if k < steps - 1 else conditional)
    return x.clamp(-1, 1).cpu()


def our_loop(pipeline: FashnTryOnPipeline, prepared: PreparedPhotos, steps: int) -> torch.Tensor:
    """The pipeline's own: (1, 3, H, W) in [-1, 1]."""
    generator = torch.Generator().manual_seed(2)
    *_, result = pipeline.sample([prepared], num_inference_steps=steps, guidance_scale=GUIDANCE, generator=generator)
    return result


def compare(pipeline: FashnTryOnPipeline, steps: int, repeats: int) -> dict:
    """Time both loops in turns; seconds are medians."""
    height, width = pipeline.transformer.config.input_shape
    prepared = random_conditions(height, width)
    pipeline.set_progress_bar_config(disable=True)
    loops: dict[str, Callable] = {"plain": plain_loop, "ours": our_loop}
    results = {name: loop(pipeline, prepared, 1) for name, loop in loops.items()}  # warms up
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(repeats):
        for name, loop in loops.items():
            started = time.perf_counter()
            results[name] = loop(pipeline, prepared, steps)  # ends on the CPU, so that the GPU has finished
            seconds[name].append((time.perf_counter() - started) / steps)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "device": str(pipeline.device),
        "dtype": str(pipeline.transformer.dtype).removeprefix("torch."),
        "parameters": sum(parameter.numel() for parameter in pipeline.transformer.parameters()),
        "size": [height, width],
        "steps": steps,
        "seconds_per_step": {name: round(value, 4) for name, value in median.items()},
        "ratio": round(median["plain"] / median["ours"], 3),
        "largest_difference": float((results["plain"] - results["ours"]).abs().max()),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="v1.5")
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="default: the preset's own")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", help="default: the best with room")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: the faster one")
    options = parser.parse_args()
    device, _ = choose_device(4.5 if options.preset == "v1.5" else 0.5, options.device)
    dtype = best_dtype(device) if options.dtype is None else getattr(torch, options.dtype)
    size = None if options.size is None else tuple(options.size)
    pipeline = random_pipeline(options.preset, size, device, dtype)
    print(json.dumps(compare(pipeline, options.steps, options.repeats), indent=2))


if __name__ == "__main__":
    main()
