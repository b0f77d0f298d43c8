"""Scissors: the pieces that garments are sewn from, cut from the body's helper meshes.

A piece is cut from `tights` (close to the body everywhere) or `skirt` (a tube around both legs) by
keeping the parts where a field over the unmorphed body is positive, so every hem, neckline and
sleeve is an iso-line. Heights are y on the unmorphed body in dm: neck 5.8, waist 1.6, crotch -0.8,
knee -4, sole -8.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from tryon.synthetic import mesh
from tryon.synthetic.asset import load_body

SLEEVELESS = -1.0
RIB = 0.55  # dm, height of a knitted band at hem and cuffs
# Where on the fabric (dm right and up of their place on the body) pieces are cut that lie over others.
COLLAR_CLOTH = (5.3, 0.0)
UNDER_CLOTH = (-5.2, -7.0)

Neckline = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Piece(NamedTuple):
    """One cut piece.

    Attributes:
        triangles: (T, 3) rows of `weights`.
        weights: (n, V) map onto the vertices of the body.
        ease: (n,) dm between body and cloth.
        held: it keeps its shape instead of hanging, as a stiff collar does.
        lift: dm by which it stays further off the body than other cloth.
        under: it lies under the other pieces.
        opens: skin comes out at its borders.
        place: (2,) dm from its place on the body to its place on the fabric.
    """

    triangles: np.ndarray
    weights: sparse.csr_matrix
    ease: np.ndarray
    held: bool = False
    lift: float = 0.0
    under: bool = False
    opens: bool = True
    place: tuple[float, float] = (0.0, 0.0)


@cache
def _helper_mesh(name: str, level: int, lowest: float) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Triangles and map of the part of a helper mesh above `lowest`, after `level` Catmull-Clark steps."""
    body = load_body()
    quads = body.quads[name]
    quads, used = mesh.compact(quads[(body.vertices[quads, 1] > lowest).all(1)])
    weights = mesh.selection(used, len(body.vertices))
    for _ in range(level):
        quads, weights = mesh.subdivide(quads, weights)
    return mesh.split_quads(quads), weights.tocsr()


@cache
def _arm_weight() -> np.ndarray:
    return load_body().weight_of(("upperarm", "lowerarm", "hand"))


class Cut:
    """A helper mesh under the scissors."""

    def __init__(self, name: str, level: int, lowest: float = -np.inf) -> None:
        self.triangles, self.weights = _helper_mesh(name, level, lowest)

    def position(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y, z of the vertices on the unmorphed body."""
        return tuple(np.asarray(self.weights @ load_body().vertices).T)

    def keep(self, field: np.ndarray) -> None:
        """Throw away the part where `field` is not positive."""
        self.triangles, self.weights = mesh.clip(self.triangles, self.weights, field)

    def piece(self, ease: float | np.ndarray, **kind: object) -> Piece:
        """What is left, as a piece; `kind` are further attributes of `Piece`."""
        count = self.weights.shape[0]
        return Piece(self.triangles, self.weights, np.broadcast_to(np.float32(ease), count), **kind)

    def arm_share(self) -> np.ndarray:
        """How much of a vertex is moved by the bones of the arms."""
        return self.weights @ _arm_weight()

    def along_arm(self) -> np.ndarray:
        """Position along the nearer arm: 0 shoulder, 1 elbow, 2 wrist."""
        body = load_body()
        point = np.asarray(self.weights @ body.vertices)
        along = np.full(len(point), -1.0)
        for side in "lr":
            shoulder, elbow, wrist = (
                body.rest_joints[body.bone[f"{bone}_{side}"]] for bone in ("upperarm", "lowerarm", "hand")
            )
            upper, fore = elbow - shoulder, wrist - elbow
            upper_length, fore_length = np.linalg.norm(upper), np.linalg.norm(fore)
            on_upper = (point - shoulder) @ upper / upper_length**2
            on_fore = (point - elbow) @ fore / fore_length**2
            behind = (point - elbow) @ (upper / upper_length + fore / fore_length) > 0
            value = np.where(behind, 1 + np.maximum(on_fore, 0), np.minimum(on_upper, 1))
            along = np.where((point[:, 0] > 0) == (side == "l"), value, along)
        return along


def crew(x: np.ndarray, y: np.ndarray, z: np.ndarray, depth: float = 0.42) -> np.ndarray:
    """A round neckline, `depth` dm deep; like all necklines a field that is positive below it."""
    lowered = np.where(z > 0, depth * np.clip(1 - (x / 0.75) ** 2, 0, 1), 0)
    return 5.85 - y - lowered + np.maximum(np.abs(x) - 0.8, 0) * 0.5


def v_neck(x: np.ndarray, y: np.ndarray, z: np.ndarray, depth: float = 1.05) -> np.ndarray:
    """A pointed neckline."""
    side = np.abs(x)
    lowered = np.where(z > 0, np.clip(depth - side * depth / 0.7, 0, depth), 0)
    return 5.72 - y - lowered + side * 0.12


def scoop(x: np.ndarray, y: np.ndarray, z: np.ndarray, depth: float = 0.75) -> np.ndarray:
    """A wide and deep round neckline."""
    lowered = np.where(z > 0, depth * np.clip(1 - (x / 0.95) ** 2, 0, 1), 0.1)
    return 5.55 - y - lowered + np.maximum(np.abs(x) - 0.7, 0) * 0.8


def square(x: np.ndarray, y: np.ndarray, z: np.ndarray, depth: float = 0.8) -> np.ndarray:
    """A neckline with corners."""
    lowered = np.where(z > 0, depth * np.clip((0.95 - np.abs(x)) / 0.12, 0, 1), 0)
    return 5.68 - y - lowered + np.maximum(np.abs(x) - 0.9, 0) * 0.3


def boat(x: np.ndarray, y: np.ndarray, z: np.ndarray, depth: float = 0.2) -> np.ndarray:
    """A neckline from shoulder to shoulder."""
    lowered = np.where(z > 0, depth * np.clip(1 - (x / 1.2) ** 2, 0, 1), 0.05)
    return 5.62 - y - lowered


def under_collar(x: np.ndarray, y: np.ndarray, z: np.ndarray, depth: float = 0.0) -> np.ndarray:
    """The neckline that a collar is sewn to, with a slit of `depth` dm below its button."""
    slit = (np.abs(x) - 0.34 * np.clip((y - (5.58 - depth)) / (depth + 0.1), 0, 1)) * 1.5
    round_ = 5.86 - y - np.where(z > 0, 0.26 * np.clip(1 - (x / 0.7) ** 2, 0, 1), 0)
    round_ += np.maximum(np.abs(x) - 0.7, 0) * 0.5
    return np.where((z > 0) & (y > 5.58 - depth) & (depth > 0), np.minimum(round_, slit), round_)


def bodice(
    level: int,
    hem: float,
    sleeve: float,
    neckline: Neckline,
    ease: float,
    *,
    ribbed: bool = False,
    gap: float = 0.0,
    lift: float = 0.0,
) -> Piece:
    """The part of a garment that covers the trunk and, up to `sleeve` along the arm, the arms.

    Args:
        level: Catmull-Clark steps.
        hem: its height.
        sleeve: its end along the arm (0 shoulder, 1 elbow, 2 wrist), or `SLEEVELESS`.
        neckline: one of the fields above.
        ease: dm between body and cloth.
        ribbed: hem and cuffs are gathered by knitted bands.
        gap: dm from the middle to the front edges if it is open in front, else 0.
        lift: see `Piece`.
    """
    cut = Cut("tights", level)
    x, y, _ = cut.position()
    cut.keep(y - hem + 0.06 * np.cos(x * 1.2))
    if sleeve == SLEEVELESS:
        x, y, _ = cut.position()
        side = np.abs(x)
        armhole = 1.30 - side + np.clip(4.4 - y, -0.4, 1.2) * 0.35
        cut.keep(np.where(y > 3.2, armhole, np.where(side > 2.1, -1, 1)))
    else:
        cut.keep(np.maximum(sleeve - cut.along_arm(), (0.35 - cut.arm_share()) * 3))
    cut.keep(neckline(*cut.position()))
    if gap:
        x, y, z = cut.position()
        cut.keep(np.where(z > 0, np.abs(x) - gap * np.clip(1.15 - (y - 1) * 0.06, 0.6, 1.4), 1))
    profile = np.ones(cut.weights.shape[0])
    if ribbed:
        _, y, _ = cut.position()
        profile = np.clip((y - hem - 0.5 * RIB) / RIB, 0.12, 1)
        if sleeve > 1.5:
            cuff = np.clip((sleeve - cut.along_arm()) / 0.5, 0.12, 1)
            profile = np.where(cut.arm_share() > 0.5, cuff, profile)
    return cut.piece(ease * profile, lift=lift)


def tucked(piece: Piece, below: float = 2.0) -> Piece:
    """The same piece, without ease where it goes under the waist of a skirt."""
    y = np.asarray(piece.weights @ load_body().vertices)[:, 1]
    return piece._replace(ease=piece.ease * np.clip((y - 1.6) / (below - 1.6), 0.1, 1))


def skirt(level: int, waist: float, hem: float, ease: float, flare: float = 0.0) -> Piece:
    """A tube around both legs, `flare` dm wider (or narrower) at the sole than as it was modelled."""
    cut = Cut("skirt", min(level + 1, 2))  # the helper mesh is coarse
    cut.keep(waist - cut.position()[1])
    cut.keep(cut.position()[1] - hem)
    return cut.piece(ease + flare * np.clip((0.6 - cut.position()[1]) / 8, 0, 1))


def legs(level: int, waist: float, hem: float, ease: float, flare: float = 0.0) -> Piece:
    """Both legs, `flare` dm wider at the sole."""
    cut = Cut("tights", level)
    cut.keep(waist - cut.position()[1])
    cut.keep(0.1 - cut.arm_share())
    cut.keep(cut.position()[1] - hem)
    return cut.piece(ease + flare * np.clip((0 - cut.position()[1]) / 8, 0, 1))


_neck_cut = partial(Cut, "tights", lowest=3.6)
_on_collar = {"held": True, "opens": False, "place": COLLAR_CLOTH}


def _around_neck(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Share of the way around the neck: 0 in front, 1 at the nape."""
    return 0.5 - 0.5 * np.cos(np.arctan2(np.abs(x), z - 0.12))


def neckband(level: int, low: float, high: float, ease: float, opened: float = 0.0) -> Piece:
    """A band that stands up around the neck; `opened` dm are missing on each side of the front."""
    cut = _neck_cut(level)
    x, y, z = cut.position()
    nape = _around_neck(x, z)
    cut.keep(high - (1 - nape) * 0.24 - y)
    x, y, z = cut.position()
    cut.keep(y - low + 0.08 * (1 - _around_neck(x, z)) ** 2)
    x, y, z = cut.position()
    cut.keep(1.1 - np.abs(x))
    if opened:
        x, y, z = cut.position()
        cut.keep(np.where(z > 0.2, np.abs(x) - opened, 1))
    return cut.piece(ease, **_on_collar)


def collar(level: int, point: tuple[float, float], opened: float = 0.03, stand: float = 6.08) -> list[Piece]:
    """A folded collar: the band it stands on, and both leaves.

    Args:
        level: Catmull-Clark steps.
        point: x and y of the tips of the leaves.
        opened: dm from the middle to the beginning of a leaf.
        stand: height of the fold at the nape.
    """
    cut = _neck_cut(level)
    x, y, z = cut.position()
    cut.keep(stand - 0.34 * (1 - _around_neck(x, z)) - y)
    x, y, z = cut.position()
    side, front = np.abs(x), z > 0.25
    tip_x, tip_y = point
    # Along the shoulder from the tip of the leaf to its middle at the nape.
    lower = np.where(front, tip_y + (5.62 - tip_y) * (side - tip_x) / (1.12 - tip_x), 5.58)
    cut.keep(np.minimum(y - np.maximum(lower, tip_y), 1.12 - side))
    x, y, z = cut.position()
    edge = opened + (5.74 - y) * (tip_x - opened) / (5.74 - tip_y)
    cut.keep(np.where(z > 0.25, np.abs(x) - np.maximum(edge, opened), 1))
    x, y, z = cut.position()
    fallen = np.clip((stand - 0.34 * (1 - _around_neck(x, z)) - y) / 0.5, 0, 1)
    leaves = cut.piece(0.17 + 0.1 * fallen, **_on_collar)
    return [neckband(level, 5.62, stand + 0.02, 0.13, opened), leaves]


def hood(level: int, volume: float) -> Piece:
    """A hood that lies on shoulders and back, `volume` dm thick at the nape."""
    cut = _neck_cut(level)
    x, y, z = cut.position()
    cut.keep(6.16 - 0.5 * (1 - _around_neck(x, z)) ** 1.5 - y)
    x, y, z = cut.position()
    cut.keep(1 - _across_hood(x, y, z))
    x, y, z = cut.position()
    cut.keep(np.where(z > 0.3, np.abs(x) - 0.03 - 0.3 * np.clip(y - 5.3, 0, 1), 1))
    x, y, z = cut.position()
    nape, across = _around_neck(x, z), _across_hood(x, y, z)
    rim, roll = 0.16 + 0.55 * volume * nape, 0.24 + volume * nape
    rising = rim + (roll - rim) * np.clip(across / 0.4, 0, 1)
    ease = np.where(across < 0.4, rising, 0.1 + (roll - 0.1) * (1 - np.clip((across - 0.4) / 0.6, 0, 1) ** 2.5))
    return cut.piece(ease, **_on_collar)


def _across_hood(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """0 at the neck, 1 where a hood that lies down ends."""
    nape = _around_neck(x, z)
    from_neck = np.sqrt(x**2 + (y - 6.0) ** 2 + (z - 0.15) ** 2) - 0.5
    reach = np.interp(nape, [0, 0.5, 1], [0.62, 0.85, 1.55])
    return from_neck / reach


def underlayer(level: int, hem: float, neckline: Neckline) -> Piece:
    """The front of a shirt that is worn under an open garment."""
    cut = Cut("tights", level)
    x, y, z = cut.position()
    cut.keep(np.minimum(y - hem, np.clip(1.45 - (y - 5.0), 1.0, 1.45) - np.abs(x)))
    x, y, z = cut.position()
    cut.keep(np.where(y > 5.4, 1, z + 0.05))
    cut.keep(neckline(*cut.position()))
    _, y, _ = cut.position()
    return cut.piece(0.09 - 0.06 * np.clip((y - 4.6) / 0.6, 0, 1), held=True, under=True, place=UNDER_CLOTH)
