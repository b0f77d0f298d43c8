"""Render the example pictures and their truth: `python -m tryon.synthetic.examples --out examples`.

Unlike training pairs these are cast and dressed by hand: the tables in `casting.py` and
`products.py` say who stands where in what. Give `--only NAME` for one picture and `--size` for a quick look.
"""

import argparse
import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tryon.preprocessing.parsing import PALETTE
from tryon.synthetic.asset import load_body
from tryon.synthetic.body import morph
from tryon.synthetic.casting import PERSONS
from tryon.synthetic.dressing import Outfit, Trim, cloth_surface, display, dress
from tryon.synthetic.fabric import make_fabric
from tryon.synthetic.garment import Garment, sew
from tryon.synthetic.garments import KINDS
from tryon.synthetic.hair import Hair
from tryon.synthetic.mesh import vertex_normals
from tryon.synthetic.noise import srgb
from tryon.synthetic.parts import bare_skin, smooth_chest
from tryon.synthetic.person import EYE_COLOURS, Person
from tryon.synthetic.picture import Picture, Surface, take_picture
from tryon.synthetic.pose import ARM_PAIRS, Pose, arm_preset
from tryon.synthetic.products import GARMENTS
from tryon.synthetic.quality import DISPLAY
from tryon.synthetic.raster import Caster
from tryon.synthetic.roles import MODELS, STANCES, Item, Model, Portrait, Product
from tryon.synthetic.scene import Camera, frame_person
from tryon.synthetic.sets import build_set
from tryon.synthetic.shade import SKIN, Light
from tryon.synthetic.shots import frame_product, lay_out
from tryon.synthetic.skin import skin_texture
from tryon.synthetic.studio import ambience, dome, set_stage, softbox

logger = logging.getLogger(__name__)
_QUALITY = replace(DISPLAY, shadow_map=0.5, cloth_smoothing=1)  # there are many lights, and hems stay even
THUMBNAIL = 256  # pixels
_COLLAR_RESTS = {"hoodie": 0.0, "turtleneck": 0.8}  # how much closer than sewn what is stiff lies on the shoulders
_STRAIGHT = 0.12  # dm by which tops are wider at the waist than the body under them
# What may lie between a joint and the camera without hiding it, dm: the body itself. OpenPose-18 order.
_THICKNESS = (0.5, 1.3, 1.1, 0.8, 0.6, 1.1, 0.8, 0.6, 1.9, 1.1, 0.9, 1.9, 1.1, 0.9, 0.5, 0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Example:
    """A picture, and the (18, 3) int joints in it: x and y in pixels, and 0 outside, 1 hidden, 2 seen."""

    picture: Picture
    joints: np.ndarray


def _make_person(model: Model) -> Person:
    hair = Hair(model.hair, srgb(*model.hair_colour), model.thickness, model.length, model.wave, model.seed)
    rng = np.random.default_rng(model.seed)
    skin = skin_texture(rng, srgb(*model.tone), hair, model.shape.gender, _QUALITY.skin_texture)
    eyes = np.array(EYE_COLOURS[model.eyes][0])
    return Person(model.shape, morph(model.shape), hair, skin, eyes, srgb(*model.shoes))


def _stand(portrait: Portrait) -> Pose:
    if isinstance(portrait.arms, str):
        before, behind, _ = ARM_PAIRS[portrait.arms]
        arms = tuple(tuple(np.array(limb) for limb in arm) for arm in (before, behind))
    else:
        arms = tuple(arm_preset(name) for name in portrait.arms)
    legs = tuple(tuple(np.array(limb) for limb in leg) for leg in STANCES[portrait.stance])
    return Pose(arms, legs, np.array(portrait.spine), np.array(portrait.head), portrait.yaw, curl=0.35)


def daylight(side: float, warmth: float = 0.03, lying: bool = False) -> list[Light]:
    """A large window on one side, and the sky.

    Args:
        side: x towards the window.
        warmth: of its light.
        lying: the pictured thing lies under the camera instead of standing before it.
    """
    warm = np.array([1 + warmth, 1, 1 - warmth])
    key = softbox(np.array([side, 0.65, 0.8]), 0.66 * warm, 0.26, 6)
    sky = dome(np.array([0.42, 0.43, 0.45]), 0.25, 11)
    if lying:
        sky = [light._replace(direction=light.direction[[0, 2, 1]]) for light in sky]
    return [*key, *sky, ambience(np.full(3, 0.06), np.array([0.22, 0.21, 0.20]))]


def _make_up(slot: str, item: Item, garment: Garment, vertices: np.ndarray) -> Surface:
    fabric, _ = make_fabric(
        np.random.default_rng(item.seed),
        _QUALITY.fabric_texture,
        item.pattern,
        colours=(srgb(*item.base), srgb(*item.accent)),
        others=[srgb(*colour) for colour in item.others],
        words=item.words,
        motifs=item.motifs,
    )
    return cloth_surface(slot, garment, vertices, fabric, Trim())


def _tailor(item: Item | None) -> Garment | None:
    """A garment that fits at the waistband, rests on shoulders and arms, and is wide elsewhere, as heavy cloth is."""
    if item is None:
        return None
    rng = np.random.default_rng(zlib.crc32(repr((item.kind, item.number, 1)).encode()))  # as `tailor` does
    garment = sew(item.kind, KINDS[item.kind].cut(rng, _QUALITY.cloth_level))
    height = garment.position[:, 1]
    if garment.category == "lower":
        ease = garment.ease * (0.2 + 0.8 * np.clip((height.max() - height) / 1.2, 0, 1))
    else:
        upwards = vertex_normals(garment.position, garment.triangles)[:, 1]
        resting = np.clip(upwards / 0.5, 0, 1) * (height > 2.5)
        ease = garment.ease * (1 - resting * np.where(garment.pinned, _COLLAR_RESTS.get(item.kind, 0.4), 0.8))
    if KINDS[garment.kind].loose_hem and not garment.under.any():
        ease = ease + _STRAIGHT * np.exp(-(((height - 1.9) / 0.9) ** 2)) * (garment.ease > 0.15)
    pinned = garment.pinned
    if garment.category == "dress":  # the bodice lies upon the skirt where they are sewn together
        kind = KINDS[garment.kind]
        away = np.clip((np.abs(height - 1.5) - 0.3) / 0.4, 0, 1)
        ease = np.where(garment.piece == kind.waist_piece, 0.05, 0.13) * (1 - away) + ease * away
        pinned = np.maximum(pinned, (garment.piece == kind.shoulder_piece) & (height < 1.75))
    return replace(garment, ease=ease.astype(np.float32), pinned=pinned.astype(np.float32))


def _size(garment: Garment, body: np.ndarray) -> np.ndarray:
    """The body a garment is cut for: tops do not follow every curve of a chest."""
    if garment.category != "upper":
        return body
    return np.column_stack([body[:, :2], smooth_chest(body)[:, 2]])


def _expose(
    surfaces: Sequence[Surface], camera: Camera, lights: list[Light], set_: tuple, joints: np.ndarray, size: int
) -> Example:
    stage = build_set(*set_)
    casters = [Caster(s.mesh.vertices, s.mesh.triangles, s.kind == SKIN) for s in surfaces]
    background = set_stage(stage, camera, casters, lights, size * _QUALITY.supersampling)
    picture = take_picture(list(surfaces), camera, lights, background, size, _QUALITY)
    return Example(picture, _joints_seen(picture, joints))


def _joints_seen(picture: Picture, joints: np.ndarray) -> np.ndarray:
    """(18, 3) int: see `Example`; joints outside the frame are zeros."""
    size = len(picture.image)
    point = np.round(picture.camera.project(joints) * size).astype(int)
    inside = ((point >= 0) & (point < size)).all(1)
    column, row = np.clip(point, 0, size - 1).T
    before = picture.camera.depth(joints) - picture.seen.depth[row, column]
    state = np.where(before > _THICKNESS, 1, 2)
    return np.where(inside[:, None], np.column_stack([point, state]), 0)


def _drawn_in(skin: Surface) -> Surface:
    """Skin that keeps away from the waist of a dress, where cloth that blouses would let it through."""
    x, height, _ = load_body().vertices[bare_skin(_QUALITY.skin_detail).vertices].T
    depth = 0.15 * np.clip(1.5 - np.abs(height - 1.8) / 0.6, 0, 1) * (np.abs(x) < 1.75)
    return replace(skin, vertices=(skin.vertices - depth[:, None] * skin.mesh.normals).astype(np.float32))


def photograph_portrait(portrait: Portrait, size: int) -> Example:
    """A picture of a person with `size` pixels a side."""
    rng = np.random.default_rng(portrait.seed)
    person = _make_person(MODELS[portrait.model])
    items = {"lower": portrait.lower, "top": portrait.top}
    garments = {slot: _tailor(item) for slot, item in items.items()}
    outfit = Outfit(garments["top"], _size(garments["top"], person.vertices), garments["lower"], person.vertices)
    dressed = dress(person, _stand(portrait), outfit, rng, _QUALITY)
    clothes = [
        _make_up(slot, item, garments[slot], dressed.cloth[slot]) for slot, item in items.items() if item is not None
    ]
    camera = replace(frame_person(dressed.posed, dressed.joints, portrait.framing, rng), distance=36.0)
    surfaces = [*dressed.body, *clothes]
    if portrait.lower is None:
        surfaces[0] = _drawn_in(surfaces[0])
    floor = float(min(surface.vertices[:, 1].min() for surface in surfaces))
    set_ = portrait.set, srgb(*portrait.colour), floor, 0.0, np.random.default_rng(portrait.set_seed)
    return _expose(surfaces, camera, daylight(portrait.light), set_, dressed.joints, size)


def photograph_item(product: Product, size: int) -> Example:
    """A picture of a garment alone with `size` pixels a side."""
    rng = np.random.default_rng(product.item.seed)
    garment = _tailor(product.item)
    size_ = _size(garment, morph(MODELS[product.model].shape))
    vertices, joints = display(garment, size_, rng, _QUALITY)
    surface = _make_up("top", product.item, garment, vertices)
    points, joints = lay_out(surface.vertices, joints, product.flat, product.turn)
    camera = frame_product(points, joints, garment.category, product.margin, np.zeros(2))
    lowest = float(points[:, 2].min()) - 0.02
    set_ = product.set, srgb(*product.colour), 0.0, lowest, np.random.default_rng(product.item.seed)
    lights = daylight(-0.5, 0.0, lying=product.flat)
    example = _expose([replace(surface, vertices=points)], camera, lights, set_, joints, size)
    nobody = (np.arange(18) < 1) | (np.arange(18) > 13)  # no face
    return replace(example, joints=np.where(nobody[:, None], 0, example.joints))


def write_parsing(parsing: np.ndarray, path: Path) -> None:
    """Write (H, W) uint8 labels as a PNG whose palette shows them and whose pixels are their numbers."""
    image = Image.fromarray(parsing, "P")
    image.putpalette(PALETTE.astype(np.uint8).tobytes())
    image.save(path, optimize=True, bits=4)


def write_thumbnail(picture: Path, path: Path) -> None:
    """Write a small version of a picture."""
    with Image.open(picture) as image:
        image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS).save(path, quality=80, method=6)


def write_joints(joints: dict[str, list], path: Path) -> None:
    """Write the joints of every picture, one picture a line."""
    rows = [f"{json.dumps(name)}: {json.dumps(joints[name])}" for name in sorted(joints)]
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(
        prog="python -m tryon.synthetic.examples", description="Render the example pictures and their truth."
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder that takes persons/, garments/, truth/ and thumbnails/"
    )
    parser.add_argument("--size", type=int, default=1024, help="side in pixels (%(default)s)")
    parser.add_argument("--only", nargs="*", help="names of single pictures")
    options = parser.parse_args(arguments)
    record = options.out / "truth" / "keypoints.json"
    joints = json.loads(record.read_text(encoding="utf-8")) if options.only and record.exists() else {}
    for folder, table in (("persons", PERSONS), ("garments", GARMENTS)):
        for parent in (options.out, options.out / "truth", options.out / "thumbnails"):
            (parent / folder).mkdir(parents=True, exist_ok=True)
        for name, row in table.items():
            if options.only and name not in options.only:
                continue
            take = photograph_portrait if isinstance(row, Portrait) else photograph_item
            example = take(row, options.size)
            path = options.out / folder / f"{name}.webp"
            Image.fromarray(example.picture.image).save(path, quality=94, method=6)
            write_thumbnail(path, options.out / "thumbnails" / folder / path.name)
            write_parsing(example.picture.parsing, options.out / "truth" / folder / f"{name}.png")
            joints[f"{folder}/{name}"] = example.joints.tolist()
            write_joints(joints, record)
            logger.info("%s", path)


if __name__ == "__main__":
    main()
