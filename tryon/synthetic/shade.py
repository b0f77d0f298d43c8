"""Shading: the colour of each sample from surface, light, shadow and occlusion."""

from typing import NamedTuple

import numba
import numpy as np

from tryon.synthetic.fabric import WIDTH
from tryon.synthetic.raster import Fragments, ShadowMap

SKIN, CLOTH, HAIR, EYE, PLAIN = range(5)
THREADS = 260.0  # radians of the weave per dm


class Geometry(NamedTuple):
    """All triangles of a scene.

    Attributes:
        triangles: (T, 3) int32.
        vertices, normals: (V, 3) float32.
        corner_uv: (T, 3, 2) float32, texture coordinates.
        extra: (V, 3) float32: cloth - front, hem distance, unused; eyes - offset from the centre.
        material: (T,) int16, row of `Materials`.
    """

    triangles: np.ndarray
    vertices: np.ndarray
    normals: np.ndarray
    corner_uv: np.ndarray
    extra: np.ndarray
    material: np.ndarray


class Materials(NamedTuple):
    """One row per drawn surface.

    Attributes:
        kind: (M,) int64: SKIN, CLOTH, HAIR, EYE or PLAIN.
        colour: (M, 3) linear RGB of surfaces without a texture.
        specular, gloss: (M,) strength and exponent of the highlight.
        rib: (M, 3) linear RGB of the band along hems; negative for none.
        rib_width: (M,) dm from the border to the stitches.
        fabric: (M,) int64, row of `Textures.fabrics`.
    """

    kind: np.ndarray
    colour: np.ndarray
    specular: np.ndarray
    gloss: np.ndarray
    rib: np.ndarray
    rib_width: np.ndarray
    fabric: np.ndarray


class Textures(NamedTuple):
    """(n, n, 3) skin, (K, 2, m, m, 3) fabrics and (h, w) strands of hair, all float32."""

    skin: np.ndarray
    fabrics: np.ndarray
    hair: np.ndarray


class Light(NamedTuple):
    """A key light, sky and ground light, and a weak fill; vectors are (3,) float.

    Attributes:
        direction, fill_direction: unit vectors towards the lights.
        key, sky, ground, fill: linear RGB.
    """

    direction: np.ndarray
    key: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    fill_direction: np.ndarray
    fill: np.ndarray


@numba.njit(inline="always")
def _sample(texture: np.ndarray, x: float, y: float, out: np.ndarray) -> None:
    """Bilinear sample at pixel coordinates, clamped to the border."""
    height, width = texture.shape[0], texture.shape[1]
    x = min(max(x, 0.0), width - 1.001)
    y = min(max(y, 0.0), height - 1.001)
    column, row = int(x), int(y)
    a, b = x - column, y - row
    for k in range(3):
        upper = texture[row, column, k] * (1 - a) + texture[row, column + 1, k] * a
        lower = texture[row + 1, column, k] * (1 - a) + texture[row + 1, column + 1, k] * a
        out[k] = upper * (1 - b) + lower * b


@numba.njit(cache=True, fastmath=True)
def _cloth_colour(
    materials: Materials,
    textures: Textures,
    m: int,
    uv: tuple[float, float],
    extra: np.ndarray,
    back: bool,
    weave: float,
    out: np.ndarray,
) -> None:
    fabric = textures.fabrics[materials.fabric[m]]
    size = fabric.shape[1]
    u, v = uv
    x, y = u / WIDTH + 0.5, (6.5 - v) / WIDTH
    if extra[0] > 0:
        _sample(fabric[0], x * size - 0.5, y * size - 0.5, out)
    else:
        _sample(fabric[1], (1 - x) * size - 0.5, y * size - 0.5, out)
    hem, rib_width = extra[1], materials.rib_width[m]
    if materials.rib[m, 0] >= 0 and hem < rib_width:
        for k in range(3):
            out[k] = materials.rib[m, k]
    shade = 1 - 0.35 * np.exp(-(((hem - rib_width) / 0.018) ** 2))  # stitches
    if back:  # the inside of the garment
        shade *= 0.55
    shade *= 1 + weave * np.sin(u * THREADS) * np.sin(v * THREADS)
    for k in range(3):
        out[k] *= shade


@numba.njit(cache=True, fastmath=True)
def _eye_colour(colour: np.ndarray, offset: np.ndarray, out: np.ndarray) -> None:
    """Pupil, iris, rim and white by the angle from the line of sight."""
    across = np.sqrt(offset[0] ** 2 + offset[1] ** 2)
    angle = across / max(np.sqrt(across**2 + offset[2] ** 2), 1e-6)
    for k in range(3):
        if angle < 0.2:
            out[k] = 0.005
        elif angle < 0.46:
            out[k] = colour[k] * (0.6 + 1.2 * angle)
        elif angle < 0.52:
            out[k] = 0.05
        else:
            out[k] = 0.70 - 0.03 * k


@numba.njit(cache=True, fastmath=True)
def _lit_share(shadow: ShadowMap, point: np.ndarray, normal: np.ndarray) -> float:
    """Share of the key light that reaches a point: four taps of the shadow map."""
    size = shadow.height.shape[0]
    x = y = z = 0.0
    for k in range(3):
        p = point[k] + normal[k] * 0.05
        x += p * shadow.right[k]
        y += p * shadow.up[k]
        z += p * shadow.towards[k]
    x = (x - shadow.centre_right) / shadow.extent * size + 0.5 * size
    y = (y - shadow.centre_up) / shadow.extent * size + 0.5 * size
    z += 1 - shadow.lowest
    lit = 0.0
    for dx, dy in ((-0.9, -0.5), (0.9, 0.5), (-0.5, 0.9), (0.5, -0.9)):
        column = min(max(int(x + dx), 0), size - 1)
        row = min(max(int(y + dy), 0), size - 1)
        if z > shadow.height[row, column] - 0.06:
            lit += 0.25
    return lit


@numba.njit(cache=True, fastmath=True)
def _strand_cosine(normal: np.ndarray, half: np.ndarray) -> float:
    """Sine between the half vector and a strand that falls along the surface."""
    tx, ty, tz = normal[0] * 0.15, -1.0, normal[2] * 0.2
    along = tx * normal[0] + ty * normal[1] + tz * normal[2]
    tx, ty, tz = tx - along * normal[0], ty - along * normal[1], tz - along * normal[2]
    length = np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-6
    cosine = (tx * half[0] + ty * half[1] + tz * half[2]) / length
    return np.sqrt(max(1 - cosine**2, 0.0))


@numba.njit(cache=True, fastmath=True)
def _normalise(vector: np.ndarray) -> None:
    length = np.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2) + 1e-9
    for k in range(3):
        vector[k] /= length


@numba.njit(cache=True, fastmath=True)
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(cache=True, fastmath=True)
def shade(  # noqa: C901
    image: np.ndarray,
    fragments: Fragments,
    geometry: Geometry,
    materials: Materials,
    textures: Textures,
    light: Light,
    shadow: ShadowMap,
    occlusion: np.ndarray,
    eye: np.ndarray,
    weave: float,
) -> None:
    """Paint the lit colour of every covered sample into `image`.

    Args:
        image: (N, N, 3) float32 linear RGB, holds the background; changed in place.
        fragments: what each sample sees.
        geometry: the triangles.
        materials: their surfaces.
        textures: colours of skin, cloth and hair.
        light: the lights.
        shadow: the key light's view.
        occlusion: (N, N) float32 in [0, 1], share of sky that is seen.
        eye: (3,) position of the camera.
        weave: contrast of the threads of the cloth, 0 for none.
    """
    size = image.shape[0]
    colour, normal, point = np.zeros(3), np.zeros(3), np.zeros(3)
    view, extra, half = np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(size):
        for column in range(size):
            t = fragments.triangle[row, column]
            if t < 0:
                continue
            w1, w2 = fragments.second[row, column], fragments.third[row, column]
            w0 = 1 - w1 - w2
            a, b, c = geometry.triangles[t, 0], geometry.triangles[t, 1], geometry.triangles[t, 2]
            for k in range(3):
                point[k] = geometry.vertices[a, k] * w0 + geometry.vertices[b, k] * w1 + geometry.vertices[c, k] * w2
                normal[k] = geometry.normals[a, k] * w0 + geometry.normals[b, k] * w1 + geometry.normals[c, k] * w2
                extra[k] = geometry.extra[a, k] * w0 + geometry.extra[b, k] * w1 + geometry.extra[c, k] * w2
                view[k] = eye[k] - point[k]
            _normalise(normal)
            _normalise(view)
            facing = _dot(normal, view)
            back = facing < 0
            if back:
                for k in range(3):
                    normal[k] = -normal[k]
                facing = -facing
            m = geometry.material[t]
            kind = materials.kind[m]
            uv = geometry.corner_uv[t]
            u = uv[0, 0] * w0 + uv[1, 0] * w1 + uv[2, 0] * w2
            v = uv[0, 1] * w0 + uv[1, 1] * w1 + uv[2, 1] * w2
            if kind == SKIN:
                side = textures.skin.shape[0]
                _sample(textures.skin, u * side - 0.5, (1 - v) * side - 0.5, colour)
            elif kind == CLOTH:
                _cloth_colour(materials, textures, m, (u, v), extra, back, weave, colour)
            elif kind == HAIR:
                rows, columns = textures.hair.shape
                x, y = int((u * 0.35) % 1 * columns), int((v * 0.06) % 1 * rows)
                strand = textures.hair[y % rows, x % columns]
                for k in range(3):
                    colour[k] = materials.colour[m, k] * min(max(1 + 0.55 * strand, 0.15), 2.5)
                normal[0] += strand * 0.1
            elif kind == EYE:
                _eye_colour(materials.colour[m], extra, colour)
            else:
                for k in range(3):
                    colour[k] = materials.colour[m, k]

            lit = _lit_share(shadow, point, normal)
            towards = _dot(normal, light.direction)
            diffuse = max(towards, 0.0) * lit
            filled = min(max(_dot(normal, light.fill_direction) * 0.7 + 0.3, 0.0), 1.0)
            open_sky = occlusion[row, column]
            for k in range(3):
                half[k] = light.direction[k] + view[k]
            _normalise(half)
            highlight = max(_dot(normal, half), 0.0) ** materials.gloss[m]
            highlight *= materials.specular[m] * lit * 0.55
            rim = (1 - min(facing, 1.0)) ** 4 * materials.specular[m] * 0.35 * open_sky
            # Light that wraps around the terminator, as through skin.
            wrapped = min(max((towards + 0.35) / 1.35, 0.0), 1.0) * (0.35 + 0.65 * lit)
            gleam = sheen = 0.0
            if kind == HAIR:  # two lobes, after Kajiya and Kay 1989
                across = _strand_cosine(normal, half)
                gleam, sheen = across**60 * lit * 0.1, across**14 * lit * 0.6
            for k in range(3):
                direct = diffuse
                if kind == SKIN:
                    direct = wrapped * 0.45 * (1.0, 0.55, 0.45)[k]
                    direct += diffuse * (0.62, 0.8, 0.85)[k]
                ambient = light.sky[k] * (0.5 + 0.5 * normal[1])
                ambient += light.ground[k] * (0.5 - 0.5 * normal[1]) + filled * light.fill[k]
                image[row, column, k] = (
                    colour[k] * (light.key[k] * (direct + sheen) + ambient * open_sky)
                    + (highlight + gleam) * light.key[k]
                    + rim * light.sky[k]
                )
