"""Open virtual try-on: a person and a garment in, the person wearing the garment out.

The names below are the public face; each is imported on first use, so that `import tryon` costs
nothing and `python -m tryon --help` answers at once.
"""

import importlib

_HOMES = {
    "CATEGORIES": "tryon.conditions",
    "CheckpointError": "tryon.hub",
    "Conditions": "tryon.conditions",
    "FashnTryOnPipeline": "tryon.fashn_pipeline",
    "InputError": "tryon.images",
    "TryOnOutput": "tryon.call",
    "TryOnPipeline": "tryon.pipeline",
    "list_checkpoints": "tryon.zoo",
    "load_pipeline": "tryon.zoo",
    "resident_pipeline": "tryon.zoo",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tryon' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
