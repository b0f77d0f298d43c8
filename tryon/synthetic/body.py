"""Bodies: random and chosen shapes, and the morphed vertices they give."""

from dataclasses import dataclass, field

import numpy as np

from tryon.synthetic.asset import load_body

_LOCAL_MORPHS = (
    "head-round",
    "head-oval",
    "head-square",
    "head-rectangular",
    "nose-scale-horiz-incr",
    "nose-scale-horiz-decr",
    "chin-width-incr",
    "mouth-scale-horiz-incr",
    "hip-scale-horiz-incr",
    "hip-scale-horiz-decr",
    "torso-scale-horiz-incr",
    "stomach-tone-decr",
    "mouth-corner-puller",
)


@dataclass(frozen=True)
class BodyShape:
    """What a body is made of; every number is a share in [0, 1] unless said otherwise.

    Attributes:
        gender: 0 female, 1 male.
        age: 0 young adult, 1 old.
        muscle, weight: 0.5 is average.
        ancestry: shares of the African, Asian and European morphs, summing to 1.
        height, proportion, cup: in [-1, 1], 0 is average.
        firm: firmness of the breast.
        details: morph name -> strength, about [0, 1].
    """

    gender: float = 0.0
    age: float = 0.2
    muscle: float = 0.5
    weight: float = 0.5
    ancestry: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    height: float = 0.0
    proportion: float = 0.5
    cup: float = 0.0
    firm: float = 0.5
    details: dict[str, float] = field(default_factory=dict)


def random_shape(rng: np.random.Generator) -> BodyShape:
    """A body drawn from the studio's population: adults of both sexes, all builds."""
    gender = float(np.clip(rng.choice([0, 1]) + rng.normal(0, 0.08), 0, 1))
    return BodyShape(
        gender=gender,
        age=float(rng.beta(1, 3) * 0.8),
        muscle=float(np.clip(rng.normal(0.5, 0.2), 0, 1)),
        weight=float(np.clip(rng.normal(0.5, 0.22), 0, 1)),
        ancestry=tuple(rng.dirichlet([0.6, 0.6, 0.6])),
        height=float(rng.normal(0, 0.5)),
        proportion=float(rng.uniform(-0.3, 1)),
        cup=float(rng.normal(0, 0.6)),
        firm=float(rng.uniform(0, 1)),
        details={str(name): float(abs(rng.normal(0, 0.4))) for name in rng.choice(_LOCAL_MORPHS, 4, replace=False)},
    )


def _three_levels(share: float) -> dict[str, float]:
    """Hat functions: how much of the min, average and max morph a share in [0, 1] takes."""
    return {
        "min": max(0.0, 1 - 2 * share),
        "average": 1 - abs(2 * share - 1),
        "max": max(0.0, 2 * share - 1),
    }


def morph_weights(shape: BodyShape) -> dict[str, float]:
    """Strength of every morph target that makes up `shape`."""
    weights: dict[str, float] = {}
    muscle, weight = _three_levels(shape.muscle), _three_levels(shape.weight)
    for gender, gender_share in (("female", 1 - shape.gender), ("male", shape.gender)):
        for age, age_share in (("young", 1 - shape.age), ("old", shape.age)):
            share = gender_share * age_share
            for ancestry, part in zip(("african", "asian", "caucasian"), shape.ancestry, strict=True):
                weights[f"{ancestry}-{gender}-{age}"] = share * part
            for m, muscle_share in muscle.items():
                for w, weight_share in weight.items():
                    name = f"u-{gender}-{age}-{m}muscle-{w}weight"
                    weights[name] = share * muscle_share * weight_share
        tall = "maxheight" if shape.height > 0 else "minheight"
        weights[f"{gender}-{tall}"] = gender_share * min(abs(shape.height), 1) * 0.6
        proportion = "ideal" if shape.proportion > 0 else "uncommon"
        weights[f"{gender}-{proportion}proportions"] = gender_share * abs(shape.proportion)
    cup = "maxcup" if shape.cup > 0 else "mincup"
    firm = "maxfirmness" if shape.firm > 0.4 else "averagefirmness"
    weights[f"{cup}-{firm}"] = (1 - shape.gender) * min(abs(shape.cup), 1)
    return {**weights, **shape.details}


def morph(shape: BodyShape) -> np.ndarray:
    """(V, 3) float32, dm: the unposed vertices of a body of this shape, helpers included.

    Raises:
        KeyError: `shape.details` names a morph that the asset does not have.
    """
    body = load_body()
    vertices = body.vertices.copy()
    for name, strength in morph_weights(shape).items():
        if abs(strength) > 1e-3:
            vertices += body.targets[name].astype(np.float32) * np.float32(strength)
    return vertices
