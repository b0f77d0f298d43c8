"""Render the example pictures: `python -m tryon.synthetic.examples --out examples`.

Unlike training pairs these are cast and dressed by hand: the tables in `casting.py` say who stands
where in what. Give `--only NAME` for one picture and `--size` for a quick look.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tryon.synthetic.body import morph
from tryon.synthetic.casting import FURNITURE, GARMENTS, MODELS, PERSONS, Item, Model, Portrait, Product
from tryon.synthetic.dressing import Outfit, Trim, cloth_surface, display, dress
from tryon.synthetic.fabric import make_fabric
from tryon.synthetic.garment import Garment, tailor
from tryon.synthetic.hair import Hair
from tryon.synthetic.noise import srgb
from tryon.synthetic.person import EYE_COLOURS, Person
from tryon.synthetic.picture import Surface, take_picture
from tryon.synthetic.pose import Pose, arm_preset
from tryon.synthetic.quality import DISPLAY
from tryon.synthetic.scene import frame_person, plain_background, random_background
from tryon.synthetic.shade import Light
from tryon.synthetic.shots import frame_product, lay_out
from tryon.synthetic.skin import skin_texture

logger = logging.getLogger(__name__)


def _make_person(model: Model) -> Person:
    hair = Hair(model.hair, srgb(*model.hair_colour), model.thickness, seed=model.seed)
    rng = np.random.default_rng(model.seed)
    skin = skin_texture(rng, srgb(*model.tone), hair, model.shape.gender, DISPLAY.skin_texture)
    eyes = np.array(EYE_COLOURS[model.eyes][0])
    return Person(model.shape, morph(model.shape), hair, skin, eyes, srgb(*model.shoes))


def _stand(portrait: Portrait) -> Pose:
    leg = (np.array([0.08, -1, 0.0]), np.array([0.05, -1, -0.04]))
    arms = tuple(arm_preset(name) for name in portrait.arms)
    return Pose(arms, (leg, leg), np.zeros(3), np.array(portrait.head), portrait.yaw, curl=0.3)


def _light(x: float) -> Light:
    """Soft daylight from a window on one side."""
    direction, fill = np.array([x, 0.55, 0.75]), np.array([-x, 0.2, 0.8])
    return Light(
        direction=direction / np.linalg.norm(direction),
        key=0.62 * np.array([1.04, 1, 0.95]),
        sky=np.array([0.44, 0.455, 0.48]),
        ground=np.array([0.32, 0.30, 0.28]),
        fill_direction=fill / np.linalg.norm(fill),
        fill=np.full(3, 0.22),
    )


def _make_up(slot: str, item: Item, garment: Garment, vertices: np.ndarray) -> Surface:
    fabric, _ = make_fabric(
        np.random.default_rng(item.seed),
        DISPLAY.fabric_texture,
        item.pattern,
        colours=(srgb(*item.base), srgb(*item.accent)),
        others=[srgb(*colour) for colour in item.others],
        words=item.words,
        motifs=item.motifs,
    )
    return cloth_surface(slot, garment, vertices, fabric, Trim())


def _tailor(item: Item | None) -> Garment | None:
    return item and tailor(item.kind, item.number, DISPLAY.cloth_level)


def photograph_portrait(portrait: Portrait, size: int) -> np.ndarray:
    """(size, size, 3) uint8 picture of a person."""
    rng = np.random.default_rng(portrait.seed)
    person = _make_person(MODELS[portrait.model])
    items = {"lower": portrait.lower, "top": portrait.top}
    garments = {slot: _tailor(item) for slot, item in items.items()}
    outfit = Outfit(garments["top"], person.vertices, garments["lower"], person.vertices)
    dressed = dress(person, _stand(portrait), outfit, rng, DISPLAY)
    clothes = [
        _make_up(slot, item, garments[slot], dressed.cloth[slot]) for slot, item in items.items() if item is not None
    ]
    camera = replace(frame_person(dressed.posed, dressed.joints, portrait.framing, rng), distance=40.0)
    samples = size * DISPLAY.supersampling
    background = random_background(
        rng, samples, portrait.background, colour=srgb(*portrait.colour), accents=[srgb(*c) for c in FURNITURE]
    )
    surfaces = [*dressed.body, *clothes]
    return take_picture(surfaces, camera, _light(portrait.light), background, size, DISPLAY).image


def photograph_item(product: Product, size: int) -> np.ndarray:
    """(size, size, 3) uint8 picture of a garment alone."""
    rng = np.random.default_rng(product.item.seed)
    garment = _tailor(product.item)
    vertices, joints = display(garment, morph(MODELS[product.model].shape), rng, DISPLAY)
    surface = _make_up("top", product.item, garment, vertices)
    points, joints = lay_out(surface.vertices, joints, product.flat, product.turn)
    camera = frame_product(points, joints, garment.category, product.margin, np.zeros(2))
    background = plain_background(size * DISPLAY.supersampling, product.grey)
    lying = replace(surface, vertices=points)
    return take_picture([lying], camera, _light(0.35), background, size, DISPLAY).image


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(
        prog="python -m tryon.synthetic.examples", description="Render the example pictures."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that takes persons/ and garments/")
    parser.add_argument("--size", type=int, default=1024, help="side in pixels (%(default)s)")
    parser.add_argument("--only", nargs="*", help="names of single pictures")
    options = parser.parse_args(arguments)
    for folder, table in (("persons", PERSONS), ("garments", GARMENTS)):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
        for name, example in table.items():
            if options.only and name not in options.only:
                continue
            take = photograph_portrait if isinstance(example, Portrait) else photograph_item
            path = options.out / folder / f"{name}.webp"
            Image.fromarray(take(example, options.size)).save(path, quality=90, method=6)
            logger.info("%s", path)


if __name__ == "__main__":
    main()
