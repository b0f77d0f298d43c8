"""Render training pairs into shards: `python -m tryon.synthetic.render --out DIR --pairs N`.

Every shard has a seed of its own, so the pairs do not depend on the number of workers, and the
same command continues where it was stopped. With `--benchmark` nothing is written: the last lines say
how many pairs a second one core makes, by default of 128 px, and where its time goes. Once compiled, that takes
less than a minute on an idle core: the pairs are made twice, the second time under a profiler.
"""

import argparse
import cProfile
import json
import logging
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2

from tryon.synthetic.dressing import display, dress
from tryon.synthetic.fabric import make_fabric
from tryon.synthetic.garment import tailor
from tryon.synthetic.pairs import SPLITS, PairStream
from tryon.synthetic.person import random_person
from tryon.synthetic.picture import develop, occlusion
from tryon.synthetic.raster import cast_shadows, rasterise
from tryon.synthetic.scene import random_background
from tryon.synthetic.shade import shade
from tryon.synthetic.shards import write_shard
from tryon.synthetic.shots import trace_flow

logger = logging.getLogger(__name__)

_SHARD_PAIRS = 250  # at 256 px: about 150 MB a shard
_DEFAULTS = {"size": 256, "pairs": 1000}
_BENCHMARK_DEFAULTS = {"size": 128, "pairs": 500}


@dataclass(frozen=True)
class ShardTask:
    """One shard to render: where, its number, and what."""

    folder: Path
    number: int
    count: int
    seed: int
    size: int
    split: str
    reuse: int


def plan_shards(out: Path, pairs: int, size: int, split: str, seed: int, reuse: int) -> list[ShardTask]:
    """Split `pairs` into shards of about the same number of bytes."""
    most = max(1, min(_SHARD_PAIRS, round(_SHARD_PAIRS * (256 / size) ** 2)))
    tasks = []
    for number, first in enumerate(range(0, pairs, most)):
        folder = out / f"{split}_{size}_{seed}_{number:03d}"
        count = min(most, pairs - first)
        tasks.append(ShardTask(folder, number, count, seed, size, split, reuse))
    return tasks


def render_shard(task: ShardTask) -> int:
    """Render one shard; returns its number of pairs."""
    cv2.setNumThreads(1)  # one process per core
    stream = PairStream([task.seed, task.number], task.size, task.split, reuse=task.reuse)
    write_shard(task.folder, stream, task.count)
    return task.count


def render_dataset(tasks: list[ShardTask], workers: int) -> int:
    """Render all shards that are not there yet; returns the number of new pairs.

    Raises:
        RuntimeError: a worker was killed. Finished shards stay, and the next call renders the others.
        OSError: a shard cannot be written.
    """
    missing = [task for task in tasks if not task.folder.exists()]
    logger.info("%d of %d shards are there already", len(tasks) - len(missing), len(tasks))
    if workers <= 1:
        return sum(_logged(task) for task in missing)
    context = multiprocessing.get_context("spawn")
    rendered = 0
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [pool.submit(render_shard, task) for task in missing]
        try:
            for future in as_completed(futures):
                rendered += future.result()
                logger.info("%d pairs", rendered)
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"A worker was killed, perhaps for want of memory, after {rendered} new pairs. The finished shards are "
                "whole; the same command goes on from there (with fewer --workers if memory was short)."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, start no other shard
    return rendered


def _logged(task: ShardTask) -> int:
    count = render_shard(task)
    logger.info("%s: %d pairs", task.folder.name, count)
    return count


# What is done for a pair -> functions that do it, none of which calls another.
STAGES: dict[str, tuple[Callable, ...]] = {
    "cutting garments": (tailor.__wrapped__,),
    "people": (random_person,),
    "draping": (dress, display),
    "fabrics": (make_fabric,),
    "backgrounds": (random_background,),
    "rasterising": (rasterise, cast_shadows),
    "shading": (shade.py_func, occlusion),
    "developing": (develop,),
    "flow": (trace_flow,),
}


def benchmark(size: int, split: str, seed: int, pairs: int, reuse: int) -> dict[str, float]:
    """How fast one process makes pairs, after compiling but with an empty wardrobe."""
    cv2.setNumThreads(1)
    PairStream(seed, size, split, reuse=reuse).draw()
    tailor.cache_clear()
    stream = PairStream(seed, size, split, reuse=reuse)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in islice(stream, pairs):
        pass
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "size": size,
        "pairs": pairs,
        "reuse": reuse,
        "pairs_per_second": round(pairs / wall, 3),
        "cpu_seconds_per_pair": round(cpu / pairs, 4),
    }


def measure_stages(size: int, split: str, seed: int, pairs: int, reuse: int) -> dict[str, float]:
    """Share of each of `STAGES`, and of the rest, in the processor's time for the same pairs."""
    tailor.cache_clear()
    profile = cProfile.Profile(time.process_time)
    stream = PairStream(seed, size, split, reuse=reuse)
    profile.runcall(lambda: [None for _ in islice(stream, pairs)])
    spent = {entry.code: entry.totaltime for entry in profile.getstats()}
    total = max(spent.values())
    shares = {
        stage: sum(spent.get(function.__code__, 0.0) for function in functions) / total
        for stage, functions in STAGES.items()
    }
    return {**shares, "rest": 1 - sum(shares.values())}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tryon.synthetic.render", description="Render training pairs into shards."
    )
    parser.add_argument("--out", type=Path, help="folder that takes the shards")
    usual, brief = _DEFAULTS, _BENCHMARK_DEFAULTS
    parser.add_argument(
        "--pairs", type=int, help=f"number of pairs ({usual['pairs']}; {brief['pairs']} with --benchmark)"
    )
    parser.add_argument("--size", type=int, help=f"side in pixels ({usual['size']}; {brief['size']} with --benchmark)")
    parser.add_argument("--split", choices=SPLITS, default="train", help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same pixels")
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument(
        "--reuse",
        type=int,
        help="how often a draped scene is photographed (6 below 512 px in train, else 1)",
    )
    parser.add_argument(
        "--benchmark", action="store_true", help="measure speed in less than a minute, write nothing (needs no --out)"
    )
    options = parser.parse_args(arguments)
    if options.out is None and not options.benchmark:
        parser.error("--out is needed: where shall the shards go?")
    for name, default in (brief if options.benchmark else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    if options.reuse is None:
        options.reuse = 6 if options.split == "train" and options.size < 512 else 1
    return options


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse_arguments(arguments)
    if options.benchmark:
        what = (options.size, options.split, options.seed, options.pairs, options.reuse)
        result = benchmark(*what)
        for stage, share in sorted(measure_stages(*what).items(), key=lambda item: -item[1]):
            print(f"{share:6.1%} {stage}")  # noqa: T201
        print(f"{1 / result['cpu_seconds_per_pair']:.1f} pairs/s/core")  # noqa: T201
    else:
        tasks = plan_shards(
            options.out,
            options.pairs,
            options.size,
            options.split,
            options.seed,
            options.reuse,
        )
        start = time.perf_counter()
        try:
            rendered = render_dataset(tasks, options.workers)
        except (OSError, RuntimeError) as error:
            raise SystemExit(str(error)) from error
        seconds = round(time.perf_counter() - start, 1)
        result = {"shards": len(tasks), "rendered_pairs": rendered, "seconds": seconds}
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
