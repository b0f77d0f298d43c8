"""The two kinds of pictures the studio takes, and which pixel shows the same cloth in both."""

from dataclasses import dataclass, replace

import numpy as np

from tryon.synthetic.dressing import Dressed
from tryon.synthetic.picture import Picture, Surface, take_picture
from tryon.synthetic.quality import Quality
from tryon.synthetic.scene import (
    Camera,
    frame_person,
    plain_background,
    random_background,
    random_light,
    studio_light,
)
from tryon.synthetic.shade import Light

FLOW_SIZE = 64
_PRODUCT_DISTANCE = 60.0  # dm
_FLATNESS = 0.22  # depth that is left of a garment that lies on a table
_ROTATION = 0.04  # radians, standard deviation of the turn of product pictures
_SAME_DEPTH = 0.2  # dm within which a point counts as the one that is seen
# Joints that must be in a product picture, by category (OpenPose-18 indices).
_PRODUCT_JOINTS = {
    "upper": [5, 2, 6, 3, 11, 8],
    "lower": [11, 8, 12, 9],
    "dress": [5, 2, 11, 8],
}


@dataclass(frozen=True)
class Shot:
    """A picture, the (18, 3) float32 pose in it, and the garment of interest as it hangs there."""

    picture: Picture
    pose: np.ndarray
    garment: Surface

    def inside(self) -> np.ndarray:
        """Where the garment shows the inside of its cloth, (S, S) bool: triangles that are seen from behind."""
        picture = self.picture
        surface = picture.surface_names.index(self.garment.name)
        first, end = picture.first_triangle[surface : surface + 2]
        a, b, c = (picture.camera.project(self.garment.vertices)[self.garment.triangles[:, k]] for k in range(3))
        behind = np.zeros(picture.first_triangle[-1] + 1, bool)  # the last is what -1 shows: nothing
        behind[first:end] = (b - a)[:, 0] * (c - a)[:, 1] > (b - a)[:, 1] * (c - a)[:, 0]
        return behind[picture.seen.triangle]


def _pose_in_frame(joints: np.ndarray, camera: Camera, face: bool = True) -> np.ndarray:
    """(18, 3) float32: x, y, confidence; joints outside the frame are zeros."""
    point = camera.project(joints)
    inside = ((point >= 0) & (point < 1)).all(1)
    if not face:
        inside &= (np.arange(18) >= 1) & (np.arange(18) < 14)
    pose = np.concatenate([point, np.ones((18, 1))], 1)
    return np.where(inside[:, None], pose, 0).astype(np.float32)


def _grain(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) float32 noise of a sensor that is more or less good."""
    return np.float32(rng.uniform(0, 0.012)) * rng.standard_normal((size, size, 3), np.float32)


@dataclass(frozen=True)
class Setting:
    """All of a picture of a person but the person: the same setting twice shows nothing else changed.

    Attributes:
        camera, light: who looks, in what light.
        background: (N, N, 3) float32 linear RGB, N = size * quality.supersampling.
        exposure: factor on all light.
        grain: (S, S, 3) float32, the sensor's noise.
    """

    camera: Camera
    light: Light
    background: np.ndarray
    exposure: float
    grain: np.ndarray


def arrange(dressed: Dressed, framing: str, size: int, rng: np.random.Generator, quality: Quality) -> Setting:
    """Random surroundings for a person.

    Args:
        dressed: who stands there.
        framing: see `frame_person`.
        size: side of the picture in pixels.
        rng: camera, background, light, exposure and noise.
        quality: detail of the picture.
    """
    return Setting(
        camera=frame_person(dressed.posed, dressed.joints, framing, rng),
        background=random_background(rng, size * quality.supersampling),
        light=random_light(rng),
        exposure=rng.uniform(0.8, 1.2),
        grain=_grain(rng, size),
    )


def photograph_person(
    dressed: Dressed, clothes: list[Surface], garment_slot: str, setting: Setting, size: int, quality: Quality
) -> Shot:
    """Photograph a dressed person.

    Args:
        dressed: who stands there.
        clothes: their garments, see `cloth_surface`.
        garment_slot: name of the garment of interest among them.
        setting: where, see `arrange`.
        size: side of the picture in pixels.
        quality: detail of the picture.
    """
    picture = take_picture(
        [*dressed.body, *clothes],
        setting.camera,
        setting.light,
        setting.background,
        size,
        quality,
        exposure=setting.exposure,
        grain=setting.grain,
    )
    garment = next(surface for surface in clothes if surface.name == garment_slot)
    return Shot(picture, _pose_in_frame(dressed.joints, setting.camera), garment)


def lay_out(points: np.ndarray, joints: np.ndarray, flat: bool, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Flatten (if `flat`) and turn a displayed garment and the joints in it, in the picture."""
    depth = points[:, 2].mean()
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    moved = []
    for part in (points, joints):
        part = part.copy()
        if flat:
            part[:, 2] = depth + (part[:, 2] - depth) * _FLATNESS
        moved.append(part @ rotation.T)
    return moved[0].astype(np.float32), moved[1]


def frame_product(points: np.ndarray, joints: np.ndarray, category: str, margin: float, offset: np.ndarray) -> Camera:
    """A camera that shows a whole garment and the joints its category needs.

    `margin` is the factor on the larger side, `offset` moves the centre in shares of the frame.
    """
    shown = np.concatenate([points, joints[_PRODUCT_JOINTS[category]]])
    low, high = shown.min(0), shown.max(0)
    extent = float((high - low)[:2].max() * margin)
    centre = np.append((low + high)[:2] / 2 + offset * extent, 0)
    return Camera(centre, _PRODUCT_DISTANCE, extent)


def photograph_product(
    surface: Surface,
    joints: np.ndarray,
    category: str,
    flat: bool,
    size: int,
    rng: np.random.Generator,
    quality: Quality,
) -> Shot:
    """Photograph a garment alone, on an invisible mannequin or lying flat.

    Args:
        surface: the garment as it hangs on the mannequin.
        joints: (18, 3) joints of the body inside.
        category: of the garment.
        flat: lay it on a table.
        size: side of the picture in pixels.
        rng: turn, camera, light, background and noise.
        quality: detail of the picture.
    """
    points, joints = lay_out(surface.vertices, joints, flat, rng.normal(0, _ROTATION))
    margin, offset = rng.uniform(1.08, 1.3), rng.normal(0, 0.02, 2)
    camera = frame_product(points, joints, category, margin, offset)
    light = studio_light(rng.uniform(-0.6, 0.6), rng.uniform(0.6, 0.9))
    samples = size * quality.supersampling
    if rng.random() < 0.7:
        background = plain_background(samples, rng.uniform(0.82, 0.95))
    else:
        background = random_background(rng, samples)
    lying = replace(surface, vertices=points)
    picture = take_picture([lying], camera, light, background, size, quality, grain=_grain(rng, size))
    return Shot(picture, _pose_in_frame(joints, camera, face=False), lying)


def trace_flow(target: Shot, source: Shot) -> np.ndarray:
    """Where in `source` the cloth is that each pixel of `target` shows.

    Args:
        target: a shot of a garment.
        source: another shot of it.

    Returns:
        (64, 64, 3) float16 for the middle of each block of target pixels: x, y in [0, 1] of
        source and 1 if that point is visible there, else 0; all -1 where target shows other
        things. Points outside the source frame are clipped to [-0.5, 1.5].
    """
    picture = target.picture
    seen = picture.seen.strided(len(picture.image) // FLOW_SIZE)
    surface = picture.surface_names.index(target.garment.name)
    first, end = picture.first_triangle[surface : surface + 2]
    shows = (seen.triangle >= first) & (seen.triangle < end)
    corners = target.garment.triangles[seen.triangle[shows] - first]
    second, third = seen.second[shows][:, None], seen.third[shows][:, None]
    a, b, c = (source.garment.vertices[corners[:, k]] for k in range(3))
    points = a * (1 - second - third) + b * second + c * third

    size = len(source.picture.image)
    position = source.picture.camera.project(points)
    depth = source.picture.camera.depth(points)
    inside = ((position >= 0) & (position.astype(np.float16) < 1)).all(1)  # as it is stored
    column, row = np.clip((position * size).astype(int), 0, size - 1).T
    nearest = source.picture.seen.depth[row, column]
    visible = inside & (np.abs(depth - nearest) < _SAME_DEPTH)
    flow = np.full((FLOW_SIZE, FLOW_SIZE, 3), -1, np.float16)
    flow[shows] = np.concatenate([np.clip(position, -0.5, 1.5), visible[:, None]], 1)
    return flow
