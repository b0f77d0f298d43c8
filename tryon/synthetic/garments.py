"""The kinds of garments the studio sews, and how each is cut from the body's helper meshes.

A garment is cut from `tights` (close to the body everywhere) or `skirt` (a tube around both legs)
by keeping the parts where a field over the unmorphed body is positive, so every hem, neckline and
sleeve is an iso-line. To add a kind, write a function that returns its pieces and add one row to
`KINDS`; sewing, draping, texture, labels and joints follow from the row.

Heights are y on the unmorphed body in dm: neck 5.8, waist 1.6, crotch -0.8, knee -4, sole -8.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import sparse

from tryon.synthetic import mesh
from tryon.synthetic.asset import load_body

NECKLINES = ("crew", "crew", "v", "scoop")  # the likelier one twice
SLEEVELESS = -1.0


class Piece(NamedTuple):
    """One cut piece: (T, 3) triangles, their (n, V) map onto the body and its ease in dm."""

    triangles: np.ndarray
    weights: sparse.csr_matrix
    ease: float


@dataclass(frozen=True)
class GarmentKind:
    """A row of `KINDS`.

    Attributes:
        category: one of `tryon.conditions.CATEGORIES`.
        cut: `(rng, level) -> [Piece, ...]`, level being the number of Catmull-Clark steps.
        waist_piece: the piece whose upper edge stays at the wearer's waist, or None.
        shoulder_piece: the piece that hangs from the shoulders, or None.
        loose_hem: the hem keeps its height above the knees when the trunk is longer.
        drape_steps: steps of cloth relaxation.
    """

    category: str
    cut: Callable[[np.random.Generator, int], list[Piece]]
    waist_piece: int | None = None
    shoulder_piece: int | None = None
    loose_hem: bool = False
    drape_steps: int = 50


@cache
def _helper_mesh(name: str, level: int) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Triangles and map of a helper mesh after `level` Catmull-Clark steps."""
    body = load_body()
    quads, used = mesh.compact(body.quads[name])
    weights = mesh.selection(used, len(body.vertices))
    for _ in range(level):
        quads, weights = mesh.subdivide(quads, weights)
    return mesh.split_quads(quads), weights.tocsr()


class _Cut:
    """A helper mesh under the scissors."""

    def __init__(self, name: str, level: int) -> None:
        self.triangles, self.weights = _helper_mesh(name, level)

    def position(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y, z of the vertices on the unmorphed body."""
        return tuple(np.asarray(self.weights @ load_body().vertices).T)

    def keep(self, field: np.ndarray) -> None:
        """Throw away the part where `field` is not positive."""
        self.triangles, self.weights = mesh.clip(self.triangles, self.weights, field)

    def piece(self, ease: float) -> Piece:
        return Piece(self.triangles, self.weights, ease)

    def arm_share(self) -> np.ndarray:
        """How much of a vertex is moved by the bones of the arms."""
        return self.weights @ load_body().weight_of(("upperarm", "lowerarm", "hand"))

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


def _neckline(style: str, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Field that is positive below a neckline."""
    front, side = z > 0, np.abs(x)
    if style == "v":
        depth = np.where(front, np.clip(1.05 - side * 1.5, 0, 1.2), 0)
        return 5.72 - y - depth + side * 0.12
    if style == "scoop":
        depth = np.where(front, 0.75 * np.clip(1 - (x / 0.95) ** 2, 0, 1), 0.1)
        return 5.55 - y - depth + np.maximum(side - 0.7, 0) * 0.8
    depth = np.where(front, 0.42 * np.clip(1 - (x / 0.75) ** 2, 0, 1), 0)
    return 5.85 - y - depth + np.maximum(side - 0.8, 0) * 0.5


def _bodice(level: int, hem: float, sleeve: float, neckline: str, ease: float) -> Piece:
    """The part of a garment that covers the trunk and, up to `sleeve` along the arm, the arms."""
    cut = _Cut("tights", level)
    x, y, _ = cut.position()
    cut.keep(y - hem + 0.06 * np.cos(x * 1.2))
    if sleeve == SLEEVELESS:
        x, y, _ = cut.position()
        side = np.abs(x)
        armhole = 1.30 - side + np.clip(4.4 - y, -0.4, 1.2) * 0.35
        cut.keep(np.where(y > 3.2, armhole, np.where(side > 2.1, -1, 1)))
    else:
        cut.keep(np.maximum(sleeve - cut.along_arm(), (0.35 - cut.arm_share()) * 3))
    cut.keep(_neckline(neckline, *cut.position()))
    return cut.piece(ease)


def _skirt(level: int, waist: float, hem: float, ease: float) -> Piece:
    cut = _Cut("skirt", min(level + 1, 2))  # the helper mesh is coarse
    cut.keep(waist - cut.position()[1])
    cut.keep(cut.position()[1] - hem)
    return cut.piece(ease)


def _legs(level: int, waist: float, hem: float, ease: float) -> Piece:
    cut = _Cut("tights", level)
    cut.keep(waist - cut.position()[1])
    cut.keep(0.1 - cut.arm_share())
    cut.keep(cut.position()[1] - hem)
    return cut.piece(ease)


def _draw_ease(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.08, 0.38))


def _cut_top(rng: np.random.Generator, level: int, long: bool) -> list[Piece]:
    neckline, ease = str(rng.choice(NECKLINES)), _draw_ease(rng)
    short_sleeve, long_sleeve = rng.uniform(0.45, 0.95), rng.uniform(1.75, 1.93)
    hem = rng.uniform(0.3, 1.15)
    return [_bodice(level, hem, long_sleeve if long else short_sleeve, neckline, ease)]


def _cut_tank(rng: np.random.Generator, level: int) -> list[Piece]:
    ease = _draw_ease(rng)
    rng.uniform(size=2)  # the sleeves it does not have: keeps a seed's garment what it was
    return [_bodice(level, rng.uniform(0.3, 1.1), SLEEVELESS, "scoop", ease * 0.6)]


def _cut_dress(rng: np.random.Generator, level: int) -> list[Piece]:
    neckline, ease = str(rng.choice(NECKLINES)), _draw_ease(rng)
    sleeve = float(rng.choice([SLEEVELESS, 0.6, 0.3, 1.85]))
    bodice = _bodice(level, 1.35, sleeve, neckline, min(ease, 0.12))
    return [bodice, _skirt(level, 1.62, rng.uniform(-6, -1.8), 0.10)]


def _cut_skirt(rng: np.random.Generator, level: int) -> list[Piece]:
    rng.choice(NECKLINES), _draw_ease(rng)
    return [_skirt(level, 1.55, rng.uniform(-6.3, -1.8), 0.06)]


def _cut_trousers(rng: np.random.Generator, level: int, hem: tuple[float, float]) -> list[Piece]:
    rng.choice(NECKLINES), _draw_ease(rng)
    return [_legs(level, rng.uniform(1.3, 1.75), rng.uniform(*hem), rng.uniform(0.04, 0.25))]


KINDS: dict[str, GarmentKind] = {
    "tshirt": GarmentKind("upper", lambda rng, level: _cut_top(rng, level, False), None, 0, True, 60),
    "longsleeve": GarmentKind("upper", lambda rng, level: _cut_top(rng, level, True), None, 0, True, 60),
    "tank": GarmentKind("upper", _cut_tank, None, 0, True, 60),
    "trousers": GarmentKind("lower", lambda rng, level: _cut_trousers(rng, level, (-7.45, -6.6)), 0),
    "shorts": GarmentKind("lower", lambda rng, level: _cut_trousers(rng, level, (-3.3, -1.4)), 0),
    "skirt": GarmentKind("lower", _cut_skirt, 0, drape_steps=66),
    "dress": GarmentKind("dress", _cut_dress, 1, 0, drape_steps=60),
}
