"""Pictures: decoding whatever people upload, square frames and back, and arrays to tensors. Nothing about try-on."""

import numpy as np
import torch


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """Pictures as a network takes them.

    The scale is (value - 127) / 128: 127, which marks hidden pixels, becomes 0 exactly, white becomes 1, and every value
    is exact even in bfloat16.

    Args:
        images: (N, H, W, 3) or (H, W, 3) uint8 RGB.

    Returns:
        (N, 3, H, W) float32 in [-1, 1]; N is 1 for a single picture.
    """
    batch = torch.from_numpy(np.ascontiguousarray(images if images.ndim == 4 else images[None]))
    return (batch.permute(0, 3, 1, 2).float() - 127) / 128


def to_images(tensor: torch.Tensor) -> list[np.ndarray]:
    """The inverse of `to_tensor`; values outside [-1, 1] are clipped.

    Args:
        tensor: (N, 3, H, W) float.

    Returns:
        N pictures (H, W, 3) uint8 RGB.
    """
    values = (tensor.detach().float() * 128 + 127).round().clamp(0, 255).to(torch.uint8)
    return list(values.permute(0, 2, 3, 1).cpu().numpy())
