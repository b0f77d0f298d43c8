"""Seconds from two files to the conditions of a try-on: `python -m tryon.training.time_conditions FOLDER`.

FOLDER holds `persons/` and `garments/`, as `examples/` does; every person meets one garment. Prints one line of JSON
with the median and the largest wall-clock seconds and the median of CPU seconds, which a busy machine changes less.
"""

import argparse
import json
import statistics
import time
from itertools import cycle
from pathlib import Path

import torch

from tryon.images import read_image
from tryon.models.annotator import Annotator
from tryon.preprocessing import Preprocessor


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--annotator", type=Path, default=Path(__file__).parents[1] / "weights" / "small" / "annotator")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    preprocessor = Preprocessor(Annotator.from_pretrained(arguments.annotator, dtype=torch.float32).eval())
    persons, garments = (sorted((arguments.folder / name).iterdir()) for name in ("persons", "garments"))
    walls, loads = [], []
    for person, garment in zip([persons[0], *persons], cycle(garments), strict=False):  # the first only warms up
        wall, load = time.perf_counter(), time.process_time()
        preprocessor(read_image(person), read_image(garment))
        walls.append(time.perf_counter() - wall)
        loads.append(time.process_time() - load)
    seconds = {"median": statistics.median(walls[1:]), "largest": max(walls[1:]), "cpu": statistics.median(loads[1:])}
    print(json.dumps({"pairs": len(persons), "threads": arguments.threads, **seconds}))


if __name__ == "__main__":
    main()
