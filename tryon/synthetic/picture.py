"""Taking a picture: surfaces, camera and light in; pixels, labels and what was seen out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numba
import numpy as np

from tryon.synthetic.mesh import vertex_normals
from tryon.synthetic.quality import Quality
from tryon.synthetic.raster import Caster, Fragments, cast_shadows, empty_frame, rasterise
from tryon.synthetic.scene import Camera
from tryon.synthetic.shade import CLOTH, SKIN, THREADS, Light, Material, Mesh, shade

_BLANK_TEXTURE = np.zeros((1, 2, 2, 3), np.float32)
_THREADS_PER_DM, _THREAD_CONTRAST = THREADS / np.pi, 0.06
_BEYOND = 3.0  # dm behind the person at which the background counts for occlusion
_TONES, _BRIGHTEST = 1024, 1.5  # steps of the tone curve, and the root of the light at its end


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

    @cached_property
    def mesh(self) -> Mesh:
        """The triangles as they are drawn."""
        vertices = np.ascontiguousarray(self.vertices, np.float32)
        triangles = np.ascontiguousarray(self.triangles, np.int32)
        uv = np.zeros((len(triangles), 3, 2)) if self.corner_uv is None else self.corner_uv
        extra = np.zeros((len(vertices), 3)) if self.extra is None else self.extra
        return Mesh(
            triangles=triangles,
            vertices=vertices,
            normals=vertex_normals(vertices, triangles),
            corner_uv=np.ascontiguousarray(uv, np.float32),
            extra=np.ascontiguousarray(extra, np.float32),
        )

    def material(self, weave: float) -> Material:
        """What it is made of, for a picture that shows threads at a contrast of `weave`."""
        texture = _BLANK_TEXTURE if self.texture is None else self.texture
        if self.kind != CLOTH and self.texture is not None:
            texture = texture.reshape(1, *texture.shape[:2], -1)
        return Material(
            kind=self.kind,
            texture=np.ascontiguousarray(texture, np.float32),
            colour=_rgb(self.colour),
            specular=float(self.specular),
            gloss=round(self.gloss),
            rib=_rgb(self.rib),
            rib_width=float(self.rib_width),
            weave=float(weave),
        )


def _rgb(colour: np.ndarray | None) -> tuple[float, float, float]:
    return (-1.0, -1.0, -1.0) if colour is None else tuple(float(c) for c in colour)


@dataclass(frozen=True)
class Picture:
    """A finished picture and its exact truth.

    Attributes:
        image: (S, S, 3) uint8 sRGB.
        parsing: (S, S) uint8 labels.
        camera: that took it.
        seen: what each pixel's centre shows.
        surface_names: names of the surfaces.
        first_triangle: index of each surface's first triangle, and the number of all triangles.
    """

    image: np.ndarray
    parsing: np.ndarray
    camera: Camera
    seen: Fragments
    surface_names: tuple[str, ...]
    first_triangle: np.ndarray


@numba.njit(cache=True, fastmath=True)
def _open_share(depth: np.ndarray, near: np.ndarray, wide: np.ndarray, reach: tuple[float, float]) -> np.ndarray:
    share = np.empty_like(depth)
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            here = depth[row, column]
            closely = min(max((here - near[row, column]) / reach[0], 0.0), 1.0)
            widely = min(max((here - wide[row, column]) / reach[1], 0.0), 1.0)
            share[row, column] = (1 - 0.55 * closely) * (1 - 0.35 * widely)
    return share


def occlusion(depth: np.ndarray, extent: float) -> np.ndarray:
    """(N, N) float32 share of sky: what lies deeper than its surroundings is darker."""
    samples = len(depth)
    half = cv2.resize(depth, (samples // 2,) * 2, interpolation=cv2.INTER_AREA)
    eighth = cv2.resize(half, (max(samples // 8, 16),) * 2, interpolation=cv2.INTER_AREA)
    blurred, reach = [], []
    for radius, coarse in ((0.012, half), (0.035, eighth)):
        soft = cv2.GaussianBlur(coarse, (0, 0), radius * len(coarse))
        blurred.append(cv2.resize(soft, (samples, samples)))
        reach.append(radius * extent * 1.6)
    return _open_share(depth, *blurred, tuple(reach))


def _tone_curve() -> np.ndarray:
    """(_TONES + 2,) float32 sRGB over the root of linear light, with a soft shoulder in the highlights."""
    linear = np.linspace(0, _BRIGHTEST, _TONES + 1) ** 2
    linear = np.where(linear > 0.7, 0.7 + 0.3 * np.tanh((linear - 0.7) / 0.3), linear)
    curve = np.clip(linear, 0, 1) ** (1 / 2.2)
    return np.append(curve, curve[-1]).astype(np.float32)


_TONE_CURVE = _tone_curve()


@numba.njit(cache=True, fastmath=True)
def _expose(linear: np.ndarray, curve: np.ndarray, exposure: float, grain: np.ndarray, out: np.ndarray) -> None:
    step = linear.shape[0] // out.shape[0]
    scale, end = np.float32(_TONES / _BRIGHTEST), np.float32(_TONES)
    share, zero, one = np.float32(exposure / (step * step)), np.float32(0), np.float32(1)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            for k in range(3):
                light = zero
                for i in range(step):
                    for j in range(step):
                        light += linear[row * step + i, column * step + j, k]
                place = min(np.sqrt(max(light, zero) * share) * scale, end)
                low = np.int32(place)
                tone = curve[low] + (curve[low + 1] - curve[low]) * (place - np.float32(low))
                if grain.shape[0] > 0:
                    tone += grain[row, column, k]
                out[row, column, k] = np.int32(min(max(tone, zero), one) * np.float32(255) + np.float32(0.5))


def develop(linear: np.ndarray, size: int, exposure: float, grain: np.ndarray | None) -> np.ndarray:
    """Linear samples -> (size, size, 3) uint8 sRGB."""
    image = np.empty((size, size, 3), np.uint8)
    none = np.empty((0, 0, 3), np.float32)
    _expose(linear, _TONE_CURVE, float(exposure), none if grain is None else grain, image)
    return image


def _depths(meshes: list[Mesh]) -> tuple[float, float]:
    """Lowest and highest z."""
    ends = [(mesh.vertices[:, 2].min(), mesh.vertices[:, 2].max()) for mesh in meshes]
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def take_picture(
    surfaces: list[Surface],
    camera: Camera,
    light: Light | Sequence[Light],
    background: np.ndarray,
    size: int,
    quality: Quality,
    *,
    exposure: float = 1.0,
    grain: np.ndarray | None = None,
) -> Picture:
    """Draw surfaces before a background.

    Args:
        surfaces: what stands there.
        camera: who looks.
        light: the lights; of several, each with its own shadows, what they give is added up.
        background: (N, N, 3) float32 linear RGB, N = size * quality.supersampling.
        size: S, side of the picture.
        quality: samples per pixel and detail of the cloth.
        exposure: factor on all light.
        grain: (S, S, 3) float32 sensor noise; None for none.

    Returns:
        The picture and its truth.
    """
    samples = size * quality.supersampling
    meshes = [surface.mesh for surface in surfaces]
    firsts = np.cumsum([0] + [len(mesh.triangles) for mesh in meshes])
    # Skin closes upon itself, or upon the shoes: its far side never shows.
    closed = [surface.kind == SKIN for surface in surfaces]
    fragments = empty_frame(samples)
    windows = [
        rasterise(
            fragments,
            camera.project(mesh.vertices),
            camera.depth(mesh.vertices),
            mesh.triangles,
            first=int(first),
            closed=hides,
        )
        for mesh, first, hides in zip(meshes, firsts, closed, strict=False)
    ]
    far = np.float32(camera.distance + _BEYOND)
    open_sky = occlusion(np.minimum(fragments.depth, far), camera.extent)
    shadow_size = max(160, round(samples * quality.shadow_map))
    casters = [
        Caster(mesh.vertices, mesh.triangles, hides)
        for mesh, hides, window in zip(meshes, closed, windows, strict=True)
        if not window.empty
    ]
    shown = camera.frustum(*_depths(meshes))
    threads = np.clip(samples / camera.extent / _THREADS_PER_DM / 2.5 - 1, 0, 1) if quality.weave else 0
    linear = np.array(background, np.float32, order="C")
    eye = tuple(float(c) for c in camera.position)
    materials = [surface.material(_THREAD_CONTRAST * threads) for surface in surfaces]
    for number, one in enumerate((light,) if isinstance(light, Light) else light):
        shadow = cast_shadows(casters, one.direction, shadow_size, shown)
        canvas = np.zeros_like(linear) if number else linear
        for mesh, material, first, window in zip(meshes, materials, firsts, windows, strict=False):
            shade(canvas, fragments, window, int(first), mesh, material, one, shadow, open_sky, eye)
        if number:
            linear += canvas
    seen = fragments.strided(quality.supersampling)
    labels = [np.broadcast_to(np.asarray(s.label, np.uint8), len(s.triangles)) for s in surfaces]
    labels = np.append(np.concatenate(labels), np.uint8(0))  # the last is what -1 shows: nothing
    return Picture(
        image=develop(linear, size, exposure, grain),
        parsing=labels[seen.triangle],
        camera=camera,
        seen=seen,
        surface_names=tuple(surface.name for surface in surfaces),
        first_triangle=firsts,
    )
