"""Make torchvision importable where its compiled operators cannot be loaded.

torchvision's wheels link against CUDA, so beside a CPU build of torch `import torchvision` ends in "operator
torchvision::nms does not exist", and with it every library that imports torchvision when it is installed: diffusers'
pipelines, controlnet-aux. None of what is used here calls those operators; they only have to have a name.
"""

import ctypes
import importlib.util
from pathlib import Path

import torch

_LIBRARIES: list[torch.library.Library] = []  # the names live as long as their library object


def define_missing_operators() -> bool:
    """Name the operators that `import torchvision` looks for, if torchvision is installed but cannot bring its own.

    Call it before anything imports torchvision; a second call does nothing.

    Returns:
        Whether the names were missing and are now defined (calling the operators still fails).
    """
    found = importlib.util.find_spec("torchvision")
    if _LIBRARIES or found is None or found.origin is None or _loads(Path(found.origin).parent):
        return False
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARIES.append(library)
    return True


def _loads(package: Path) -> bool:
    """Whether the package's compiled operators can be loaded beside this build of torch."""
    try:
        for extension in (*package.glob("_C.*so"), *package.glob("_C.*pyd")):
            ctypes.CDLL(str(extension))
            return True
    except OSError:
        return False
    return False
