"""What a training run goes on from, on disk: safetensors of at most 9 MB each, whole or absent."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file

FILE_SIZE = "9MB"  # repositories and transfers that refuse large files take these
_PREFIX, _UNFINISHED = "state-", ".tmp"


def save_state(
    out: Path,
    model: torch.nn.Module,
    trained: torch.nn.Module,
    ema: EMAModel,
    optimizer: torch.optim.Optimizer,
    seen: int,
) -> None:
    """Write the state as `OUT/state-SEEN`, then remove older ones.

    Args:
        out: folder of the run.
        model: the whole network.
        trained: the part of it that `optimizer` changes.
        ema: average of the whole network.
        optimizer: over the parameters of `trained`, in their order.
        seen: pictures so far.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    names = (name for name, _ in model.named_parameters())
    tensors |= {f"average.{name}": value for name, value in zip(names, ema.shadow_params, strict=True)}
    tensors |= dict(_moments(trained, optimizer))
    tensors |= {"seen": torch.tensor(seen), "averaged": torch.tensor(ema.optimization_step)}
    finished = out / f"{_PREFIX}{seen:012d}"
    unfinished = finished.with_suffix(_UNFINISHED)
    for folder in (unfinished, finished):  # the same place once more, after a run that was longer
        shutil.rmtree(folder, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save_torch_state_dict(tensors, unfinished, filename_pattern="state{suffix}.safetensors", max_shard_size=FILE_SIZE)
    unfinished.rename(finished)
    for other in out.glob(f"{_PREFIX}*"):
        if other != finished:
            shutil.rmtree(other)


def load_state(
    out: Path, model: torch.nn.Module, trained: torch.nn.Module, ema: EMAModel, optimizer: torch.optim.Optimizer
) -> int:
    """Take up the newest state of a run, if it has any; arguments as in `save_state`.

    Returns:
        Pictures seen so far, 0 at the start.
    """
    folders = sorted(folder for folder in out.glob(f"{_PREFIX}*") if folder.suffix != _UNFINISHED)
    if not folders:
        return 0
    tensors = {name: value for file in folders[-1].glob("*.safetensors") for name, value in load_file(file).items()}
    model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
    for (name, _), average in zip(model.named_parameters(), ema.shadow_params, strict=True):
        average.copy_(tensors[f"average.{name}"])
    ema.optimization_step = int(tensors["averaged"])
    state = optimizer.state_dict()
    indices = {name: index for index, (name, _) in enumerate(trained.named_parameters())}
    for key, value in tensors.items():
        kind, _, name = key.partition(":")
        if name:
            moments = state["state"].setdefault(indices[name], {})
            # Optimisers are slow where their layout is not that of the weights.
            moments[kind] = value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
    optimizer.load_state_dict(state)
    return int(tensors["seen"])


def _moments(trained: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
    for name, parameter in trained.named_parameters():
        for key, value in optimizer.state[parameter].items():
            yield f"{key}:{name}", value
