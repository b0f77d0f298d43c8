"""Put trained networks together as one checkpoint: `python -m tryon.training.assemble --base DIR ... --out DIR`."""

import argparse
from pathlib import Path

import torch

from tryon.checkpoint import record_weights
from tryon.diffusion import make_scheduler
from tryon.models.annotator import Annotator
from tryon.models.efficient_unet import EfficientUNet
from tryon.models.parallel_unet import ParallelUNet
from tryon.pipeline import TryOnPipeline

SHARD_SIZE = "9MB"  # a Space takes files of up to 10 MB without Git LFS


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = {"type": Path, "required": True, "help": "folder written by save_pretrained"}
    parser.add_argument("--base", **folder)
    parser.add_argument("--sr256", **folder)
    parser.add_argument("--sr1024", **folder)
    parser.add_argument("--annotator", **folder)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num-inference-steps", type=int, nargs=3, default=(4, 4, 2))
    parser.add_argument("--guidance-scale", type=float, default=1.0)
    parser.add_argument("--average-mirrored", action="store_true", help="see pictures and their mirror images")
    args = parser.parse_args()

    networks = {
        "base_unet": ParallelUNet.from_pretrained(args.base, torch_dtype=torch.bfloat16),
        "sr256_unet": ParallelUNet.from_pretrained(args.sr256, torch_dtype=torch.bfloat16),
        "sr1024_unet": EfficientUNet.from_pretrained(args.sr1024, torch_dtype=torch.bfloat16),
        "annotator": Annotator.from_pretrained(args.annotator, torch_dtype=torch.bfloat16),
    }
    for name, network in networks.items():
        # diffusers would publish the folder on this machine that the network was loaded from.
        network.register_to_config(_name_or_path=name)
    TryOnPipeline(
        **networks,
        scheduler=make_scheduler(),
        num_inference_steps=args.num_inference_steps,
        guidance_scale=args.guidance_scale,
        average_mirrored=args.average_mirrored,
    ).save_pretrained(args.out, max_shard_size=SHARD_SIZE)
    record_weights(args.out)


if __name__ == "__main__":
    main()
