"""Shading: the colour of each sample from surface, light, shadow and occlusion."""

from typing import NamedTuple

import numba
import numpy as np

from tryon.synthetic.fabric import WIDTH
from tryon.synthetic.raster import Fragments, ShadowMap, Window

SKIN, CLOTH, HAIR, EYE, PLAIN = range(5)
THREADS = 260.0  # radians of the weave per dm


class Mesh(NamedTuple):
    """The triangles of one surface.

    Attributes:
        triangles: (T, 3) int32.
        vertices, normals: (V, 3) float32.
        corner_uv: (T, 3, 2) float32, texture coordinates.
        extra: (V, 3) float32: cloth - front, hem distance, unused; eyes - offset from the centre.
    """

    triangles: np.ndarray
    vertices: np.ndarray
    normals: np.ndarray
    corner_uv: np.ndarray
    extra: np.ndarray


class Material(NamedTuple):
    """What a surface is made of.

    Attributes:
        kind: SKIN, CLOTH, HAIR, EYE or PLAIN.
        texture: float32, (1, n, n, 3) skin, (2, n, n, 3) front and back of a fabric or (1, h, w, 1) strands of hair.
        colour: three numbers, linear RGB of surfaces without a texture.
        specular, gloss: strength and exponent (int) of the highlight.
        rib: three numbers, linear RGB of the band along hems; negative for none.
        rib_width: dm from the border to the stitches.
        weave: contrast of the threads of the cloth, 0 for none.
    """

    kind: int
    texture: np.ndarray
    colour: tuple[float, float, float]
    specular: float
    gloss: int
    rib: tuple[float, float, float]
    rib_width: float
    weave: float


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


_Triple = tuple[float, float, float]


@numba.njit(inline="always")
def _sample(texture: np.ndarray, x: float, y: float) -> _Triple:
    """Bilinear sample at pixel coordinates, clamped to the border."""
    height, width = texture.shape[0], texture.shape[1]
    x = min(max(x, 0.0), width - 1.001)
    y = min(max(y, 0.0), height - 1.001)
    column, row = int(x), int(y)
    a, b = x - column, y - row
    first, second, third, fourth = (1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b
    one, two = texture[row, column], texture[row, column + 1]
    three, four = texture[row + 1, column], texture[row + 1, column + 1]
    return (
        one[0] * first + two[0] * second + three[0] * third + four[0] * fourth,
        one[1] * first + two[1] * second + three[1] * third + four[1] * fourth,
        one[2] * first + two[2] * second + three[2] * third + four[2] * fourth,
    )


@numba.njit(inline="always")
def _scaled(vector: _Triple, factor: float) -> _Triple:
    return vector[0] * factor, vector[1] * factor, vector[2] * factor


@numba.njit(inline="always")
def _cloth_colour(material: Material, u: float, v: float, front: float, hem: float, back: bool) -> _Triple:
    fabric = material.texture
    size = fabric.shape[1]
    x, y = u / WIDTH + 0.5, (6.5 - v) / WIDTH
    if material.rib[0] >= 0 and hem < material.rib_width:
        colour = material.rib
    elif front > 0:
        colour = _sample(fabric[0], x * size - 0.5, y * size - 0.5)
    else:
        colour = _sample(fabric[1], (1 - x) * size - 0.5, y * size - 0.5)
    shade = 1.0
    from_stitches = abs(hem - material.rib_width)
    if from_stitches < 0.06:
        shade = 1 - 0.35 * np.exp(-((from_stitches / 0.018) ** 2))
    if back:  # the inside of the garment
        shade *= 0.55
    if material.weave > 0:
        shade *= 1 + material.weave * np.sin(u * THREADS) * np.sin(v * THREADS)
    return _scaled(colour, shade)


@numba.njit(inline="always")
def _eye_colour(colour: _Triple, offset: _Triple) -> _Triple:
    """Pupil, iris, rim and white by the angle from the line of sight."""
    across = np.sqrt(offset[0] ** 2 + offset[1] ** 2)
    angle = across / max(np.sqrt(across**2 + offset[2] ** 2), 1e-6)
    if angle < 0.2:
        return 0.005, 0.005, 0.005
    if angle < 0.46:
        return _scaled(colour, 0.6 + 1.2 * angle)
    if angle < 0.52:
        return 0.05, 0.05, 0.05
    return 0.70, 0.67, 0.64


@numba.njit(inline="always")
def _lit_share(shadow: ShadowMap, point: _Triple, normal: _Triple) -> float:
    """Share of the key light that reaches a point: four taps of the shadow map."""
    size = shadow.height.shape[0]
    px, py, pz = point[0] + normal[0] * 0.05, point[1] + normal[1] * 0.05, point[2] + normal[2] * 0.05
    x = px * shadow.right[0] + py * shadow.right[1] + pz * shadow.right[2]
    y = px * shadow.up[0] + py * shadow.up[1] + pz * shadow.up[2]
    z = px * shadow.towards[0] + py * shadow.towards[1] + pz * shadow.towards[2]
    x = (x - shadow.centre_right) / shadow.extent * size + 0.5 * size
    y = (y - shadow.centre_up) / shadow.extent * size + 0.5 * size
    z += 1 - shadow.lowest + 0.06
    lit = 0.0
    for dx, dy in ((-0.9, -0.5), (0.9, 0.5), (-0.5, 0.9), (0.5, -0.9)):
        column = min(max(int(x + dx), 0), size - 1)
        row = min(max(int(y + dy), 0), size - 1)
        if z > shadow.height[row, column]:
            lit += 0.25
    return lit


@numba.njit(inline="always")
def _strand_sine(normal: _Triple, half: _Triple) -> float:
    """Sine between the half vector and a strand that falls along the surface."""
    tx, ty, tz = normal[0] * 0.15, -1.0, normal[2] * 0.2
    along = tx * normal[0] + ty * normal[1] + tz * normal[2]
    tx, ty, tz = tx - along * normal[0], ty - along * normal[1], tz - along * normal[2]
    length = np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-6
    cosine = (tx * half[0] + ty * half[1] + tz * half[2]) / length
    return np.sqrt(max(1 - cosine**2, 0.0))


@numba.njit(inline="always")
def _dot(a: _Triple, b: _Triple) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(inline="always")
def _unit(vector: _Triple) -> _Triple:
    return _scaled(vector, 1 / (np.sqrt(_dot(vector, vector)) + 1e-9))


@numba.njit(inline="always")
def _row(table: np.ndarray, row: int) -> _Triple:
    return table[row, 0], table[row, 1], table[row, 2]


@numba.njit(inline="always")
def _between(a: _Triple, b: _Triple, c: _Triple, w0: float, w1: float, w2: float) -> _Triple:
    return (
        a[0] * w0 + b[0] * w1 + c[0] * w2,
        a[1] * w0 + b[1] * w1 + c[1] * w2,
        a[2] * w0 + b[2] * w1 + c[2] * w2,
    )


@numba.njit(cache=True, fastmath=True)
def shade(
    image: np.ndarray,
    fragments: Fragments,
    window: Window,
    first: int,
    mesh: Mesh,
    material: Material,
    light: Light,
    shadow: ShadowMap,
    occlusion: np.ndarray,
    eye: _Triple,
) -> None:
    """Paint the lit colour of every sample that shows a surface into `image`.

    Args:
        image: (N, N, 3) float32 linear RGB; changed in place.
        fragments: what each sample sees.
        window: part of the frame to look at.
        first: index in `fragments` of the surface's first triangle.
        mesh: the surface.
        material: what it is made of.
        light: the lights.
        shadow: the key light's view.
        occlusion: (N, N) float32 in [0, 1], share of sky that is seen.
        eye: position of the camera, three numbers.
    """
    kind, last = material.kind, first + len(mesh.triangles)
    key, towards_key, towards_fill = light.key, light.direction, light.fill_direction
    for row in range(window.top, window.bottom):
        for column in range(window.left, window.right):
            t = fragments.triangle[row, column]
            if t < first or t >= last:
                continue
            t -= first
            w1, w2 = fragments.second[row, column], fragments.third[row, column]
            w0 = 1 - w1 - w2
            a, b, c = mesh.triangles[t, 0], mesh.triangles[t, 1], mesh.triangles[t, 2]
            point = _between(_row(mesh.vertices, a), _row(mesh.vertices, b), _row(mesh.vertices, c), w0, w1, w2)
            normal = _between(_row(mesh.normals, a), _row(mesh.normals, b), _row(mesh.normals, c), w0, w1, w2)
            normal = _unit(normal)
            view = _unit((eye[0] - point[0], eye[1] - point[1], eye[2] - point[2]))
            facing = _dot(normal, view)
            back = facing < 0
            if back:
                normal, facing = _scaled(normal, -1.0), -facing
            uv = mesh.corner_uv[t]
            u = uv[0, 0] * w0 + uv[1, 0] * w1 + uv[2, 0] * w2
            v = uv[0, 1] * w0 + uv[1, 1] * w1 + uv[2, 1] * w2
            if kind == SKIN:
                side = material.texture.shape[1]
                colour = _sample(material.texture[0], u * side - 0.5, (1 - v) * side - 0.5)
            elif kind == CLOTH:
                front = mesh.extra[a, 0] * w0 + mesh.extra[b, 0] * w1 + mesh.extra[c, 0] * w2
                hem = mesh.extra[a, 1] * w0 + mesh.extra[b, 1] * w1 + mesh.extra[c, 1] * w2
                colour = _cloth_colour(material, u, v, front, hem, back)
            elif kind == HAIR:
                rows, columns = material.texture.shape[1], material.texture.shape[2]
                x, y = int((u * 0.35) % 1 * columns), int((v * 0.06) % 1 * rows)
                strand = material.texture[0, y % rows, x % columns, 0]
                colour = _scaled(material.colour, min(max(1 + 0.55 * strand, 0.15), 2.5))
                normal = normal[0] + strand * 0.1, normal[1], normal[2]
            elif kind == EYE:
                offset = _between(_row(mesh.extra, a), _row(mesh.extra, b), _row(mesh.extra, c), w0, w1, w2)
                colour = _eye_colour(material.colour, offset)
            else:
                colour = material.colour

            lit = _lit_share(shadow, point, normal)
            towards = _dot(normal, towards_key)
            diffuse = max(towards, 0.0) * lit
            filled = min(max(_dot(normal, towards_fill) * 0.7 + 0.3, 0.0), 1.0)
            open_sky = occlusion[row, column]
            half = _unit((towards_key[0] + view[0], towards_key[1] + view[1], towards_key[2] + view[2]))
            highlight = max(_dot(normal, half), 0.0) ** material.gloss * material.specular * lit * 0.55
            rim = (1 - min(facing, 1.0)) ** 4 * material.specular * 0.35 * open_sky
            direct = (diffuse, diffuse, diffuse)
            if kind == SKIN:  # light wraps around the terminator
                wrapped = min(max((towards + 0.35) / 1.35, 0.0), 1.0) * (0.35 + 0.65 * lit) * 0.45
                direct = (
                    wrapped + diffuse * 0.62,
                    wrapped * 0.55 + diffuse * 0.8,
                    wrapped * 0.45 + diffuse * 0.85,
                )
            elif kind == HAIR:  # two lobes, after Kajiya and Kay 1989
                across = _strand_sine(normal, half)
                highlight += across**60 * lit * 0.1
                diffuse += across**14 * lit * 0.6
                direct = (diffuse, diffuse, diffuse)
            above, below = 0.5 + 0.5 * normal[1], 0.5 - 0.5 * normal[1]
            for k in range(3):
                ambient = light.sky[k] * above + light.ground[k] * below + filled * light.fill[k]
                image[row, column, k] = (
                    colour[k] * (key[k] * direct[k] + ambient * open_sky) + highlight * key[k] + rim * light.sky[k]
                )
