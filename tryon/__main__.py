"""`python -m tryon PERSON GARMENT -o OUT`: dress a person, or folders of persons and garments, from a shell.

Prints one line of JSON about each result on stdout. Anything wrong with the input is one sentence on stderr and exit
code 2. `python -m tryon zoo` tells about the checkpoints.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from tryon import batch_command, zoo_command

MAX_SEED = 2**31 - 1
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked as far as that needs neither model nor picture."""
    parser = argparse.ArgumentParser(prog="python -m tryon", description=__doc__.splitlines()[0])
    parser.add_argument("person_image", metavar="PERSON", help="photo of one person, or a folder of them")
    parser.add_argument("garment_image", metavar="GARMENT", help="photo of a garment, worn or not, or a folder of them")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        type=Path,
        help="picture to write; a folder if one of the inputs is a folder",
    )
    parser.add_argument("--category", choices=("auto", "upper", "lower", "dress"), default="auto")
    parser.add_argument("--seed", type=int, default=-1, help="-1, the default, picks one")
    parser.add_argument("--num-inference-steps", type=int, help="of each stage; default: the checkpoint's own")
    parser.add_argument("--guidance-scale", type=float, help="default: the checkpoint's own")
    parser.add_argument("--checkpoint", default="small", help="name, folder or org/repo@commit (default: small)")
    others = "in place of the checkpoint's own; WEIGHTS is a folder, a file, or org/repo@commit"
    parser.add_argument(
        "--pose-detector",
        metavar="NAME[=WEIGHTS]",
        help=f"openpose, vitpose or mediapipe, to find joints {others}",
    )
    parser.add_argument(
        "--human-parser",
        metavar="NAME=WEIGHTS",
        help="schp, segformer-clothes or fashn-human-parser, to label people's pixels, likewise",
    )
    options = parser.parse_args(arguments)
    if not -1 <= options.seed <= MAX_SEED:
        parser.error(f"--seed must be -1 or from 0 to {MAX_SEED}.")
    if batch_command.is_batch(options):
        if options.output.is_file() or options.output.suffix.lower() in SUFFIXES:
            parser.error("OUT must be a folder, as one of the inputs is one.")
        return options
    if options.output.suffix.lower() not in SUFFIXES:
        parser.error(f"OUT must end in one of {', '.join(SUFFIXES)}.")
    if not options.output.resolve().parent.is_dir():
        parser.error(f"There is no folder {options.output.resolve().parent}.")
    return options


def dress(options: argparse.Namespace) -> dict:
    """Write the picture that `options` ask for and return what is known about it.

    Raises:
        ValueError: an unusable picture or option, in words for the user.
        OSError: a file that cannot be read or written.
        ImportError: a library that an option needs is not installed.
    """
    import torch  # after the arguments are known to be good: it takes seconds

    from tryon.images import read_image
    from tryon.metadata import save_result
    from tryon.preprocessing.sources import use_others
    from tryon.zoo import load_pipeline

    person_image = read_image(options.person_image)
    garment_image = read_image(options.garment_image)
    seed = options.seed if options.seed >= 0 else random.randint(0, MAX_SEED)
    pipeline = load_pipeline(options.checkpoint)
    use_others(pipeline, options.pose_detector, options.human_parser)
    output = pipeline(
        person_image,
        garment_image,
        category=options.category,
        num_inference_steps=options.num_inference_steps,
        guidance_scale=options.guidance_scale,
        generator=torch.Generator().manual_seed(seed),
    )
    info = {**output.info[0], "seed": seed, "checkpoint": options.checkpoint}
    save_result(output.images[0], options.output, info)
    return info


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["zoo"]:
        return zoo_command.main(arguments[1:])
    options = parse_arguments(arguments)
    try:
        if batch_command.is_batch(options):
            return batch_command.run(options)
        info = dress(options)
    except (ValueError, OSError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({**info, "output": str(options.output)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
