"""The photo studio of pictures to look at: large soft lights, a sky of many weak ones, and a stage that takes shadows.

A network is trained on pictures with one hard light and an estimate of the occlusion: they cost little. Here some
thirty lights are added up, each with its own shadows, so that shadows get soft with the distance from what casts
them, and folds, armpits and the ground at the feet dark where they see little of the sky.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numba
import numpy as np

from tryon.synthetic.raster import Caster, ShadowMap, cast_shadows
from tryon.synthetic.scene import Camera
from tryon.synthetic.shade import Light

_GOLDEN = np.pi * (3 - np.sqrt(5))  # radians between neighbours of a sunflower
_MAP_SIZE = 640  # side of the shadow maps of the stage, whose shadows are soft
_DEEPEST = 0.12  # what is left of the light in the deepest shadow on the stage
_SPREAD = 0.13  # dm by which shadows on the wall are softer for each dm from what casts them
_NOWHERE = np.zeros(3)


@dataclass(frozen=True)
class Stage:
    """Where a person stands or a garment lies.

    Attributes:
        paint: gives the linear RGB of points of the stage: `(points (H, W, 3) in dm from the middle of the floor's
            edge at the wall, is_floor (H, W) bool) -> (H, W, 3)`.
        floor: height of the floor, dm, or None without one.
        wall: z of the wall, dm.
        blur: how far out of focus the wall is, in shares of the side of the picture.
        catches: how much of the shadows is seen, in [0, 1].
        seamless: the wall runs into the floor without an edge.
    """

    paint: Callable[[np.ndarray, np.ndarray], np.ndarray]
    floor: float | None
    wall: float
    blur: float = 0.0
    catches: float = 1.0
    seamless: bool = False


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _lamp(direction: np.ndarray, colour: np.ndarray) -> Light:
    return Light(direction, colour, _NOWHERE, _NOWHERE, np.array([0.0, 0.0, 1.0]), _NOWHERE)


def softbox(direction: np.ndarray, colour: np.ndarray, radius: float, count: int) -> list[Light]:
    """A round lamp.

    Args:
        direction: (3,) towards its middle.
        colour: (3,) linear RGB of all of it.
        radius: its half width in radians.
        count: of the lights it is made of.
    """
    direction = _unit(np.asarray(direction, float))
    right = _unit(np.cross([0, 1.0, 0], direction))
    up = np.cross(direction, right)
    lights = []
    for k in range(count):
        out, angle = np.tan(radius) * np.sqrt((k + 0.5) / count), k * _GOLDEN
        point = direction + out * (np.cos(angle) * right + np.sin(angle) * up)
        lights.append(_lamp(_unit(point), np.asarray(colour) / count))
    return lights


def dome(colour: np.ndarray, front: float, count: int) -> list[Light]:
    """A sky of `count` lights; `front` is how much brighter than its mean it is behind the camera, in [0, 1]."""
    lights = []
    for k in range(count):
        height, angle = (k + 0.5) / count, k * _GOLDEN
        flat = np.sqrt(1 - height**2)
        direction = np.array([flat * np.sin(angle), height, flat * np.cos(angle)])
        lights.append(_lamp(direction, np.asarray(colour) * (2 / count) * (1 + front * direction[2])))
    return lights


def ambience(sky: np.ndarray, ground: np.ndarray) -> Light:
    """What comes from everywhere without a shadow; linear RGB from above and from below."""
    return Light(_unit(np.array([0.3, 1, 1.0])), _NOWHERE, sky, ground, np.array([0.0, 0.0, 1.0]), _NOWHERE)


def _points_seen(camera: Camera, stage: Stage, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(side, side, 3) points of the stage in dm, and which lie on the floor."""
    grid = ((np.arange(side) + 0.5) / side - 0.5) * camera.extent
    x, y = np.meshgrid(grid, -grid)
    along = np.full((side, side), (camera.position[2] - stage.wall) / camera.distance)
    is_floor = np.zeros((side, side), bool)
    if stage.floor is not None:
        to_floor = (stage.floor - camera.position[1]) / np.minimum(y, -1e-3)
        is_floor = (to_floor > 0) & (to_floor < along)
        along = np.where(is_floor, to_floor, along)
    ray = np.stack([x, y, np.full_like(x, -camera.distance)], 2)
    return (camera.position + along[..., None] * ray).astype(np.float32), is_floor


@numba.njit(cache=True, fastmath=True)
def _add_light(
    points: np.ndarray, is_floor: np.ndarray, shadow: ShadowMap, weight: tuple[float, float], lit: np.ndarray
) -> None:
    """Add to `lit` what reaches each point of wall and floor, which a whole light gives `weight`."""
    side = shadow.height.shape[0]
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            share = weight[1] if is_floor[row, column] else weight[0]
            if share <= 0:
                continue
            px, py, pz = points[row, column, 0], points[row, column, 1], points[row, column, 2]
            x = px * shadow.right[0] + py * shadow.right[1] + pz * shadow.right[2]
            y = px * shadow.up[0] + py * shadow.up[1] + pz * shadow.up[2]
            z = px * shadow.towards[0] + py * shadow.towards[1] + pz * shadow.towards[2] - shadow.lowest + 1
            x = (x - shadow.centre_right) / shadow.extent * side + 0.5 * side - 0.5
            y = (y - shadow.centre_up) / shadow.extent * side + 0.5 * side - 0.5
            left, top = int(np.floor(x)), int(np.floor(y))
            open_ = 1.0
            if 0 <= left < side - 1 and 0 <= top < side - 1:
                open_ = 0.0
                for i in range(2):
                    for j in range(2):
                        height = shadow.height[top + i, left + j]
                        if height == 0 or z + 0.04 > height:
                            open_ += (1 - abs(y - top - i)) * (1 - abs(x - left - j))
            lit[row, column] += share * open_


def _soften(share: np.ndarray, part: np.ndarray, radius: float) -> np.ndarray:
    """Blur `share` by `radius` pixels within a part of the picture."""
    small = min(1.0, 3 / radius)  # wide blurs are done on a small picture
    size = max(8, round(len(share) * small))
    weight = cv2.resize(part.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    value = cv2.resize(share * part, (size, size), interpolation=cv2.INTER_AREA)
    weight, value = (cv2.GaussianBlur(grid, (0, 0), radius * size / len(share)) for grid in (weight, value))
    known = weight > 1e-3
    soft = cv2.resize(value / np.where(known, weight, 1), share.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(cv2.resize(known.astype(np.float32), share.shape[::-1]) == 1, soft, share)


def set_stage(
    stage: Stage, camera: Camera, casters: Sequence[Caster], lights: Sequence[Light], samples: int
) -> np.ndarray:
    """The background of a picture, with the shadows of what stands before it.

    Args:
        stage: what it is.
        camera: who looks.
        casters: what throws the shadows.
        lights: as for the picture.
        samples: its side.

    Returns:
        (samples, samples, 3) float32 linear RGB.
    """
    side = (samples + 1) // 2
    points, is_floor = _points_seen(camera, stage, side)
    origin = np.array([0, stage.floor or 0, stage.wall], np.float32)
    image = np.ascontiguousarray(stage.paint(points - origin, is_floor), np.float32)
    if stage.blur:  # the floor gets sharper towards the feet
        soft = cv2.GaussianBlur(image, (0, 0), stage.blur * side)
        near = np.clip((points[..., 2] - stage.wall) / max(-stage.wall, 0.1), 0, 1) * is_floor
        near = cv2.GaussianBlur(near.astype(np.float32), (0, 0), stage.blur * side)[..., None]
        image = soft * (1 - near) + image * near
    lit, whole = np.zeros((side, side), np.float32), np.zeros(2)
    for light in lights:
        strength = float(light.key.mean())
        weight = strength * max(light.direction[2], 0.0), strength * max(light.direction[1], 0.0)
        whole += weight
        if strength:
            _add_light(points, is_floor, cast_shadows(casters, light.direction, _MAP_SIZE), weight, lit)
    share = np.maximum(lit / np.where(is_floor, whole[1], whole[0]).astype(np.float32), _DEEPEST)
    pixels = side / camera.extent  # in a decimetre
    away = float(np.mean([caster.vertices[:, 2].mean() for caster in casters])) - stage.wall
    on_wall = _soften(share, ~is_floor, (0.02 + _SPREAD * away) * pixels)
    on_floor = _soften(share, is_floor, 0.15 * pixels)
    floor = is_floor.astype(np.float32)
    floor = cv2.GaussianBlur(floor, (0, 0), 0.02 * side) if stage.seamless else floor
    share = on_wall + floor * (on_floor - on_wall)
    image *= (1 - stage.catches * (1 - share))[..., None]
    return np.clip(cv2.resize(image, (samples, samples), interpolation=cv2.INTER_LINEAR), 0.005, 1)
