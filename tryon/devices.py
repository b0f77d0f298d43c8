"""Where a network can run: devices, number types, and whether the memory is there."""

import gc
import os
from pathlib import Path

import psutil
import torch

from tryon.hub import CheckpointError

ZERO_GPU_GB = 48.0  # half of a card: what a Space on ZeroGPU gets while a request runs, and not before
CGROUP = Path("/sys/fs/cgroup")


class MemoryShortageError(CheckpointError, MemoryError):
    """No allowed device has enough free memory; the message says how much is needed."""


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where `device` has instructions for it (it halves memory and time), else float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


def free_memory_gb(device: torch.device | str) -> float:
    """Memory that can still be taken on a device, in units of 10^9 bytes.

    A container's own limit counts: the memory of the machine around it cannot be had.
    """
    device = torch.device(device)
    if device.type == "cuda":
        if os.environ.get("SPACES_ZERO_GPU"):
            return ZERO_GPU_GB
        return torch.cuda.mem_get_info(device)[0] / 1e9
    free = psutil.virtual_memory().available
    if (CGROUP / "memory.max").is_file() and (limit := (CGROUP / "memory.max").read_text().strip()) != "max":
        statistics = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        used = int((CGROUP / "memory.current").read_text()) - int(statistics["inactive_file"])
        free = min(free, int(limit) - used)
    if device.type == "mps":  # shares the machine's memory, but may not take all of it
        free = min(free, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return free / 1e9


def release_memory() -> None:
    """Give back what dropped networks held, so that `free_memory_gb` counts it."""
    gc.collect()
    if torch.cuda.is_available() and not os.environ.get("SPACES_ZERO_GPU"):
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def choose_device(
    memory_gb: float, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> tuple[torch.device, torch.dtype]:
    """The best device with room, and the number type to use on it.

    CUDA comes before Apple's MPS and that before the CPU; on each, the type that is fastest comes before bfloat16,
    which needs half the memory of float32.

    Args:
        memory_gb: needed for weights and work in bfloat16, in units of 10^9 bytes; float32 takes twice as much.
        device: take this one; None chooses.
        dtype: take this one; None chooses.

    Raises:
        MemoryShortageError: there is no room.
    """
    names = [name for name, there in (("cuda", torch.cuda), ("mps", torch.backends.mps)) if there.is_available()]
    devices = [torch.device(name) for name in [*names, "cpu"]] if device is None else [torch.device(device)]
    tried = {}
    for candidate in devices:
        free = free_memory_gb(candidate)
        for kind in dict.fromkeys([best_dtype(candidate), torch.bfloat16]) if dtype is None else [dtype]:
            needed = memory_gb * kind.itemsize / 2
            if needed <= free:
                return candidate, kind
        tried[str(candidate)] = f"{needed:.1f} GB on {candidate}, of which {max(free, 0):.1f} GB are free"
    raise MemoryShortageError(
        f"There is not enough memory: it needs {' or '.join(tried.values())}. "
        "Close other programs, or choose a smaller checkpoint."
    )
