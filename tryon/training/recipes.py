"""What differs between training as the paper does it and training a small network on little data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run that belong to a family of presets.

    Attributes:
        prediction_type: what the network predicts: "epsilon", or "sample" for the clean picture.
        learning_rate: peak.
        warmup: optimiser steps over which the rate rises to its peak.
        decay: whether it then falls along a cosine to a twentieth at the end of the run.
        batch_size: pictures of one optimiser step.
        betas: of Adam.
        max_noise: conditioning-noise levels are drawn from U(0, max_noise).
        noise_share: how often a condition is noised at all.
        drop_probability: how often all conditions are dropped together, for guidance.
        pure_noise_share: how often t is 1 instead of U(0, 1).
        weighted: weigh the loss by where the garment and the person are, and add the terms of structure, flow and
            outline; without, every pixel counts the same.
        ema_decay: of the averaged weights that are kept.
    """

    prediction_type: str
    learning_rate: float
    warmup: int
    decay: bool
    batch_size: int
    betas: tuple[float, float]
    max_noise: float
    noise_share: float
    drop_probability: float
    pure_noise_share: float
    weighted: bool
    ema_decay: float


RECIPES = {
    # Section 4 and appendix A.1: Adam, 1e-4 after 10 K steps of 256, conditions dropped 10 % of the time.
    "paper": Recipe(
        prediction_type="epsilon",
        learning_rate=1e-4,
        warmup=10_000,
        decay=False,
        batch_size=256,
        betas=(0.9, 0.999),
        max_noise=1.0,
        noise_share=1.0,
        drop_probability=0.1,
        pure_noise_share=0.0,
        weighted=False,
        ema_decay=0.9999,
    ),
    # A short training cannot afford conditions that are mostly noise, and few-step samplers do most of their work at
    # pure noise; the model card lists these departures.
    "small": Recipe(
        prediction_type="sample",
        learning_rate=8e-4,
        warmup=100,
        decay=True,
        batch_size=16,
        betas=(0.9, 0.99),
        max_noise=0.15,
        noise_share=0.5,
        drop_probability=0.05,
        pure_noise_share=0.6,
        weighted=True,
        ema_decay=0.998,
    ),
}


def recipe_for(preset: str) -> Recipe:
    """The paper's recipe for presets of the paper's sizes, the small one for all others."""
    return RECIPES["paper" if "paper" in preset else "small"]
