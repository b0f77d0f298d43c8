"""People: who they are, and the surfaces of their bodies in a pose."""

from dataclasses import dataclass

import numpy as np

from tryon.preprocessing.parsing import LABEL
from tryon.synthetic import parts
from tryon.synthetic.asset import load_body
from tryon.synthetic.body import BodyShape, morph, random_shape
from tryon.synthetic.hair import Hair, grow_hair, random_hair, strand_texture
from tryon.synthetic.noise import random_dye
from tryon.synthetic.picture import Surface
from tryon.synthetic.pose import Skeleton
from tryon.synthetic.quality import Quality
from tryon.synthetic.shade import EYE, HAIR, SKIN
from tryon.synthetic.shoes import make_shoes
from tryon.synthetic.skin import random_tone, skin_texture

EYE_COLOURS = {  # linear RGB, and how often
    "dark brown": ((0.05, 0.025, 0.012), 0.45),
    "brown": ((0.12, 0.06, 0.02), 0.30),
    "blue": ((0.10, 0.16, 0.20), 0.15),
    "green": ((0.07, 0.12, 0.06), 0.10),
}
_STRAND_VARIANTS = 8


@dataclass(frozen=True)
class Person:
    """One individual.

    Attributes:
        shape: build and ancestry.
        vertices: (V, 3) float32, the unposed body that shape gives.
        hair: how it is worn.
        skin: (n, n, 3) float32 skin texture.
        eye_colour, shoe_colour: (3,) linear RGB.
    """

    shape: BodyShape
    vertices: np.ndarray
    hair: Hair
    skin: np.ndarray
    eye_colour: np.ndarray
    shoe_colour: np.ndarray


def random_person(rng: np.random.Generator, quality: Quality) -> Person:
    """Somebody from the studio's population."""
    shape = random_shape(rng)
    hair = random_hair(rng, shape.gender)
    tone = random_tone(rng)
    skin_rng = np.random.default_rng(int(rng.integers(1 << 30)))
    colours, odds = zip(*EYE_COLOURS.values(), strict=True)
    eye_colour = np.array(colours)[rng.choice(len(colours), p=odds)]
    return Person(
        shape=shape,
        vertices=morph(shape),
        hair=hair,
        skin=skin_texture(skin_rng, tone, hair, shape.gender, quality.skin_texture),
        eye_colour=eye_colour,
        shoe_colour=random_dye(rng),
    )


def skin_surface(person: Person, posed: np.ndarray, hidden: np.ndarray, quality: Quality) -> Surface:
    """Skin of a person, without what clothes cover.

    Args:
        person: who.
        posed: (V, 3) posed vertices, tucked under the clothes.
        hidden: (V,) bool, vertices that cannot be seen: cloth folds more finely than skin could be tucked under it.
        quality: detail of the skin.
    """
    mesh = parts.bare_skin(quality.skin_detail)
    bare = ~hidden[mesh.vertices][mesh.triangles].all(1)
    return Surface(
        name="skin",
        kind=SKIN,
        vertices=posed[mesh.vertices],
        triangles=mesh.triangles[bare],
        label=mesh.labels[bare],
        corner_uv=mesh.corner_uv[bare],
        texture=person.skin,
        specular=0.18,
        gloss=18,
    )


def _eye_surface(person: Person, posed: np.ndarray) -> Surface:
    index, triangles = parts.eyes()
    offset = person.vertices[index].copy()
    left = load_body().vertices[index, 0] > 0
    for side in (left, ~left):
        offset[side] -= offset[side].mean(0)
    return Surface(
        name="eyes",
        kind=EYE,
        vertices=posed[index],
        triangles=triangles,
        label=LABEL["face"],
        extra=offset,
        colour=person.eye_colour,
        specular=0.9,
        gloss=90,
    )


def worn_always(
    person: Person,
    skeleton: Skeleton,
    posed: np.ndarray,
    normals: np.ndarray,
    quality: Quality,
) -> list[Surface]:
    """Eyes, hair and shoes of a posed person: what no garment changes.

    Args:
        person: who.
        skeleton: the pose.
        posed: (V, 3) posed vertices.
        normals: (V, 3) their normals.
        quality: detail of the hair.
    """
    surfaces = [_eye_surface(person, posed)]
    hair = grow_hair(person.hair, person.vertices, skeleton, posed, normals, quality)
    if hair is not None:
        surfaces.append(
            Surface(
                name="hair",
                kind=HAIR,
                vertices=hair.vertices,
                triangles=hair.triangles,
                label=LABEL["hair"],
                corner_uv=hair.uv[hair.triangles],
                texture=strand_texture(person.hair.seed % _STRAND_VARIANTS),
                colour=person.hair.colour,
            )
        )
    return [*surfaces, *make_shoes(person.shoe_colour, posed, skeleton, quality)]
