"""Taking a picture: surfaces, camera and light in; pixels, labels and what was seen out."""

from dataclasses import dataclass

import cv2
import numpy as np

from tryon.synthetic.mesh import vertex_normals
from tryon.synthetic.quality import Quality
from tryon.synthetic.raster import Fragments, cast_shadows, rasterise
from tryon.synthetic.scene import Camera
from tryon.synthetic.shade import CLOTH, HAIR, SKIN, THREADS, Geometry, Light, Materials, Textures, shade

_BLANK_TEXTURE = np.zeros((2, 2, 3), np.float32)
_THREADS_PER_DM, _THREAD_CONTRAST = THREADS / np.pi, 0.06
_BEYOND = 3.0  # dm behind the person at which the background counts for occlusion


@dataclass(frozen=True)
class Surface:
    """One thing to draw; n vertices, t triangles.

    Attributes:
        name: what it is, e.g. "skin" or "lower".
        kind: one of the kinds of `shade`.
        vertices: (n, 3) float32, posed.
        triangles: (t, 3) int32.
        label: parsing label, one or (t,).
        corner_uv: (t, 3, 2), or None without a texture.
        extra: (n, 3), see `shade.Geometry`, or None.
        texture: skin, fabric or hair texture.
        colour: (3,) linear RGB where there is no texture.
        specular, gloss: the highlight.
        rib: (3,) colour along hems, or None.
        rib_width: dm from the border to the stitches.
    """

    name: str
    kind: int
    vertices: np.ndarray
    triangles: np.ndarray
    label: int | np.ndarray
    corner_uv: np.ndarray | None = None
    extra: np.ndarray | None = None
    texture: np.ndarray | None = None
    colour: np.ndarray | None = None
    specular: float = 0.0
    gloss: float = 20.0
    rib: np.ndarray | None = None
    rib_width: float = 0.15


@dataclass(frozen=True)
class Picture:
    """A finished picture and its exact truth.

    Attributes:
        image: (S, S, 3) uint8 sRGB.
        parsing: (S, S) uint8 labels.
        camera: that took it.
        seen: what each pixel's centre shows.
        surface_names: names of the surfaces, by `surface_of`.
        surface_of: (T,) int16, surface of a triangle.
        first_triangle: index of each surface's first triangle.
    """

    image: np.ndarray
    parsing: np.ndarray
    camera: Camera
    seen: Fragments
    surface_names: tuple[str, ...]
    surface_of: np.ndarray
    first_triangle: np.ndarray


def _geometry(surfaces: list[Surface]) -> Geometry:
    offsets = np.cumsum([0] + [len(surface.vertices) for surface in surfaces[:-1]])
    triangles = [s.triangles + offset for s, offset in zip(surfaces, offsets, strict=True)]
    triangles = np.ascontiguousarray(np.concatenate(triangles).astype(np.int32))
    vertices = np.concatenate([surface.vertices for surface in surfaces]).astype(np.float32)
    uv = [np.zeros((len(s.triangles), 3, 2)) if s.corner_uv is None else s.corner_uv for s in surfaces]
    extra = [np.zeros_like(s.vertices) if s.extra is None else s.extra for s in surfaces]
    material = np.repeat(np.arange(len(surfaces)), [len(s.triangles) for s in surfaces])
    return Geometry(
        triangles=triangles,
        vertices=vertices,
        normals=vertex_normals(vertices, triangles),
        corner_uv=np.concatenate(uv).astype(np.float32),
        extra=np.concatenate(extra).astype(np.float32),
        material=material.astype(np.int16),
    )


def _materials(surfaces: list[Surface]) -> tuple[Materials, Textures]:
    fabrics = [s.texture for s in surfaces if s.kind == CLOTH]
    cloth = np.cumsum([s.kind == CLOTH for s in surfaces]) - 1
    none = np.full(3, -1.0)
    materials = Materials(
        kind=np.array([s.kind for s in surfaces], np.int64),
        colour=np.array([none if s.colour is None else s.colour for s in surfaces], float),
        specular=np.array([s.specular for s in surfaces], float),
        gloss=np.array([s.gloss for s in surfaces], float),
        rib=np.array([none if s.rib is None else s.rib for s in surfaces], float),
        rib_width=np.array([s.rib_width for s in surfaces], float),
        fabric=np.maximum(cloth, 0).astype(np.int64),
    )
    textures = {s.kind: s.texture for s in surfaces if s.kind in (SKIN, HAIR)}
    return materials, Textures(
        skin=textures.get(SKIN, _BLANK_TEXTURE),
        fabrics=np.stack(fabrics) if fabrics else np.stack([_BLANK_TEXTURE] * 2)[None],
        hair=textures.get(HAIR, _BLANK_TEXTURE[..., 0].copy()),
    )


def _occlusion(depth: np.ndarray, extent: float) -> np.ndarray:
    """(N, N) float32 share of sky: what lies deeper than its surroundings is darker."""
    samples = len(depth)
    half = cv2.resize(depth, (samples // 2,) * 2, interpolation=cv2.INTER_AREA)
    eighth = cv2.resize(half, (max(samples // 8, 16),) * 2, interpolation=cv2.INTER_AREA)
    share = np.ones_like(depth)
    for radius, strength, coarse in ((0.012, 0.55, half), (0.035, 0.35, eighth)):
        blurred = cv2.GaussianBlur(coarse, (0, 0), radius * len(coarse))
        blurred = cv2.resize(blurred, (samples, samples))
        share *= 1 - strength * np.clip((depth - blurred) / (radius * extent * 1.6), 0, 1)
    return share.astype(np.float32)


def _develop(linear: np.ndarray, size: int, exposure: float, grain: np.ndarray | None) -> np.ndarray:
    """Linear samples -> (size, size, 3) uint8 sRGB with a soft shoulder in the highlights."""
    if len(linear) != size:
        linear = cv2.resize(linear, (size, size), interpolation=cv2.INTER_AREA)
    linear = linear * exposure
    linear = np.where(linear > 0.7, 0.7 + 0.3 * np.tanh((linear - 0.7) / 0.3), linear)
    image = np.clip(linear, 0, 1) ** (1 / 2.2)
    if grain is not None:
        image = image + grain
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def take_picture(
    surfaces: list[Surface],
    camera: Camera,
    light: Light,
    background: np.ndarray,
    size: int,
    quality: Quality,
    *,
    exposure: float = 1.0,
    noise_rng: np.random.Generator | None = None,
) -> Picture:
    """Draw surfaces before a background.

    Args:
        surfaces: what stands there.
        camera: who looks.
        light: the lights.
        background: (N, N, 3) float32 linear RGB, N = size * quality.supersampling.
        size: S, side of the picture.
        quality: samples per pixel and detail of the cloth.
        exposure: factor on all light.
        noise_rng: source of sensor noise; None for none.

    Returns:
        The picture and its truth.
    """
    samples = size * quality.supersampling
    geometry = _geometry(surfaces)
    materials, textures = _materials(surfaces)
    depth = camera.depth(geometry.vertices)
    fragments = rasterise(camera.project(geometry.vertices), depth, geometry.triangles, samples)
    far = np.float32(camera.distance + _BEYOND)
    fragments.depth[fragments.triangle < 0] = far
    occlusion = _occlusion(fragments.depth, camera.extent)
    shadow_size = max(192, round(samples * quality.shadow_map))
    threads = np.clip(samples / camera.extent / _THREADS_PER_DM / 2.5 - 1, 0, 1) if quality.weave else 0
    shadow = cast_shadows(geometry.vertices, geometry.triangles, light.direction, shadow_size)
    linear = np.ascontiguousarray(background, np.float32).copy()
    shade(
        linear,
        fragments,
        geometry,
        materials,
        textures,
        light,
        shadow,
        occlusion,
        camera.position,
        float(_THREAD_CONTRAST * threads),
    )
    grain = None
    if noise_rng is not None:
        strength = noise_rng.uniform(0, 0.012)
        grain = noise_rng.normal(0, strength, (size, size, 3))
    seen = fragments.strided(quality.supersampling)
    counts = [len(surface.triangles) for surface in surfaces]
    labels = np.concatenate([np.broadcast_to(np.asarray(s.label, np.uint8), len(s.triangles)) for s in surfaces])
    return Picture(
        image=_develop(linear, size, exposure, grain),
        parsing=np.where(seen.triangle >= 0, labels[seen.triangle], 0).astype(np.uint8),
        camera=camera,
        seen=seen,
        surface_names=tuple(surface.name for surface in surfaces),
        surface_of=geometry.material,
        first_triangle=np.cumsum([0, *counts[:-1]]),
    )
