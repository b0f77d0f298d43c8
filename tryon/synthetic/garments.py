"""The kinds of garments the studio sews.

To add a kind, write a function that draws its measures and returns its `Pattern` - pieces from
`cuts.py`, details from `details.py` - and add one row to `KINDS`; sewing, draping, texture, labels,
joints and how often it is drawn for training follow from the row. All measures are continuous, so
that no two garments of a kind are alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from tryon.synthetic import cuts, details
from tryon.synthetic.cuts import SLEEVELESS, Neckline, Piece, bodice, collar
from tryon.synthetic.details import Detail
from tryon.synthetic.noise import random_dye


class Pattern(NamedTuple):
    """What a garment is sewn from: its pieces, and what is sewn onto them."""

    pieces: list[Piece]
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True)
class GarmentKind:
    """A row of `KINDS`.

    Attributes:
        category: one of `tryon.conditions.CATEGORIES`.
        cut: `(rng, level) -> Pattern`, level being the number of Catmull-Clark steps.
        odds: how often it is drawn among its category, as a ratio.
        waist_piece: the piece whose upper edge stays at the wearer's waist, or None.
        shoulder_piece: the piece that hangs from the shoulders, or None.
        loose_hem: the hem keeps its height above the knees when the trunk is longer.
        drape_steps: steps of cloth relaxation.
        printed: pictures and words may be printed on its chest.
    """

    category: str
    cut: Callable[[np.random.Generator, int], Pattern]
    odds: float
    waist_piece: int | None = None
    shoulder_piece: int | None = None
    loose_hem: bool = False
    drape_steps: int = 50
    printed: bool = True


def _draw_ease(rng: np.random.Generator) -> float:
    """Regular for most, a quarter oversized."""
    return float(rng.uniform(0.08, 0.34) if rng.random() < 0.75 else rng.uniform(0.34, 0.55))


def _draw_neckline(rng: np.random.Generator) -> Neckline:
    shape, depth = rng.choice(5, p=[0.46, 0.24, 0.18, 0.06, 0.06]), rng.uniform(0.75, 1.3)
    shapes = (cuts.crew, cuts.v_neck, cuts.scoop, cuts.square, cuts.boat)
    return partial(shapes[shape], depth=float(depth * (0.42, 1.05, 0.75, 0.8, 0.2)[shape]))


def _draw_hem(rng: np.random.Generator) -> float:
    """Height of the hem of a top: most end on the hips, some are cropped and some long."""
    low, high = ((0.3, 1.15), (1.3, 2.3), (-0.3, 0.3))[rng.choice(3, p=[0.74, 0.12, 0.14])]
    return float(rng.uniform(low, high))


def _cut_tee(rng: np.random.Generator, level: int) -> Pattern:
    return Pattern([bodice(level, _draw_hem(rng), rng.uniform(0.35, 1.0), _draw_neckline(rng), _draw_ease(rng))])


def _cut_longsleeve(rng: np.random.Generator, level: int) -> Pattern:
    hem, ease, neckline = _draw_hem(rng), _draw_ease(rng), _draw_neckline(rng)
    if rng.random() < 0.3:  # three quarters
        return Pattern([bodice(level, hem, rng.uniform(1.15, 1.6), neckline, ease)])
    sleeve = float(rng.uniform(1.75, 1.93))
    if rng.random() < 0.65:
        return Pattern([bodice(level, hem, sleeve, neckline, ease)])
    ribs = partial(details.ribs, hem=hem, sleeve=sleeve, tint=float(rng.choice([1.0, 0.9, 1.08])))
    return Pattern([bodice(level, hem, sleeve, neckline, max(ease, 0.2), ribbed=True)], (ribs,))


def _cut_tank(rng: np.random.Generator, level: int) -> Pattern:
    neckline = partial(cuts.scoop, depth=rng.uniform(0.5, 1.0))
    return Pattern([bodice(level, _draw_hem(rng), SLEEVELESS, neckline, _draw_ease(rng) * 0.6)])


def _cut_turtleneck(rng: np.random.Generator, level: int) -> Pattern:
    hem, ease, sleeve = _draw_hem(rng), _draw_ease(rng), rng.uniform(1.75, 1.93)
    sleeve = float(rng.uniform(0.4, 0.9) if rng.random() < 0.15 else sleeve)
    band = cuts.neckband(level, 5.55, rng.uniform(6.05, 6.25), rng.uniform(0.09, 0.15))
    sewn = (partial(details.ribbed_collar, tint=1.0),)
    ribbed = bool(rng.random() < 0.4 and sleeve > 1.5)
    if ribbed:
        sewn += (partial(details.ribs, hem=hem, sleeve=sleeve, tint=1.0),)
    return Pattern([bodice(level, hem, sleeve, partial(cuts.crew, depth=0.2), ease, ribbed=ribbed), band], sewn)


def _draw_collar(rng: np.random.Generator, level: int, opened: float) -> list[Piece]:
    point = rng.uniform(0.5, 0.8) + 0.6 * opened, rng.uniform(4.9, 5.15)
    return collar(level, point, 0.04 + opened, rng.uniform(6.02, 6.12))


def _cut_shirt(rng: np.random.Generator, level: int) -> Pattern:
    hem, ease = float(rng.uniform(-0.3, 0.8)), float(rng.uniform(0.1, 0.4))
    sleeve = float(rng.uniform(0.6, 1.0) if rng.random() < 0.3 else rng.uniform(1.75, 1.93))
    slit = float(rng.choice([0, rng.uniform(0.3, 0.9)]))
    front = bodice(level, hem, sleeve, partial(cuts.under_collar, depth=slit), ease)
    contrast = float(rng.choice([0.0, 0.1, 0.5, 1.0]))
    buttons = int(rng.integers(6, 9))
    sewn = [partial(details.placket, top=5.5 - slit, bottom=hem, buttons=buttons, contrast=contrast)]
    if sleeve > 1.5:
        sewn.append(partial(details.cuffs, sleeve=sleeve))
    if rng.random() < 0.5:
        pocket = partial(details.chest_pocket, top=rng.uniform(3.9, 4.2), width=rng.uniform(0.75, 0.95))
        sides = (1,) if rng.random() < 0.6 else (-1, 1)
        flap = bool(rng.random() < 0.3)
        sewn += [partial(pocket, u=0.9 * side, flap=flap) for side in sides]
    if rng.random() < 0.08:
        sewn.append(partial(details.tinted_collar, ink=np.array([0.8, 0.79, 0.76])))
    return Pattern([front, *_draw_collar(rng, level, 0.28 * min(slit, 1))], tuple(sewn))


def _cut_polo(rng: np.random.Generator, level: int) -> Pattern:
    hem, ease = float(rng.uniform(0.2, 1.0)), float(rng.uniform(0.08, 0.3))
    slit = float(rng.choice([0, rng.uniform(0.2, 0.5)]))
    front = bodice(level, hem, rng.uniform(0.5, 0.95), partial(cuts.under_collar, depth=slit), ease)
    end = 5.5 - rng.uniform(1.3, 1.8)
    contrast = float(rng.choice([0.0, 0.5, 1.0]))
    sewn = [partial(details.placket, top=5.5 - slit, bottom=end - 0.25, buttons=3 - (slit > 0), contrast=contrast)]
    if rng.random() < 0.3:
        sewn.append(partial(details.tinted_collar, ink=random_dye(rng)))
    return Pattern([front, *_draw_collar(rng, level, 0.28 * slit)], tuple(sewn))


def _cut_hoodie(rng: np.random.Generator, level: int) -> Pattern:
    hem, ease, sleeve = float(rng.uniform(0.1, 1.2)), float(rng.uniform(0.22, 0.5)), float(rng.uniform(1.8, 1.95))
    front = bodice(level, hem, sleeve, partial(cuts.crew, depth=0.5), ease, ribbed=True, lift=0.03)
    contrast = float(rng.choice([0.0, 0.0, 1.0]))
    sewn = [partial(details.ribs, hem=hem, sleeve=sleeve, tint=float(rng.choice([1.0, 0.9])))]
    height, width = rng.uniform(1.35, 1.65), rng.uniform(2.1, 2.5)
    zipped = rng.random() < 0.3
    sewn.append(partial(details.kangaroo_pocket, bottom=hem + cuts.RIB + 0.05, height=height, width=width))
    if zipped:
        sewn.append(partial(details.zip_fastener, top=5.35, bottom=hem, contrast=contrast))
    if rng.random() < 0.85:
        sewn.append(partial(details.drawstrings, top=5.4, length=rng.uniform(1.0, 1.6), contrast=contrast))
    return Pattern([front, cuts.hood(level, rng.uniform(0.42, 0.62))], tuple(sewn))


def _cut_jacket(rng: np.random.Generator, level: int) -> Pattern:
    """A closed jacket: a bomber with a zip, or a buttoned one with a collar and pockets."""
    ease, sleeve = float(rng.uniform(0.22, 0.45)), float(rng.uniform(1.85, 1.98))
    contrast = float(rng.uniform(0, 1))
    if rng.random() < 0.45:
        hem = float(rng.uniform(0.3, 1.2))
        front = bodice(level, hem, sleeve, cuts.under_collar, ease, ribbed=True, lift=0.05)
        tint = float(rng.choice([1.0, 0.75, 1.2]))
        sewn = [partial(details.ribs, hem=hem, sleeve=sleeve, tint=tint), partial(details.ribbed_collar, tint=tint)]
        sewn += [partial(details.zip_fastener, top=5.6, bottom=hem, contrast=contrast)]
        sewn += [partial(details.side_pockets, v=hem + 1.9, slant=0.6)]
        return Pattern([front, cuts.neckband(level, 5.62, rng.uniform(5.98, 6.1), 0.17, 0.02)], tuple(sewn))
    hem = float(rng.uniform(-0.3, 1.2))
    front = bodice(level, hem, sleeve, cuts.under_collar, ease, lift=0.05)
    sewn = [partial(details.front_edge, top=5.5, bottom=hem, u=0.2), partial(details.cuffs, sleeve=sleeve)]
    sewn += [partial(details.button_row, u=0.0, top=5.2, bottom=hem + 0.4, buttons=int(rng.integers(5, 7)))]
    sewn[-1] = partial(sewn[-1], contrast=contrast)
    sewn += [partial(details.chest_pocket, u=side * 0.95, top=4.1, width=0.95, flap=True) for side in (-1, 1)]
    if rng.random() < 0.6:
        sewn.append(partial(details.side_pockets, v=hem + 1.4, slant=rng.uniform(0, 0.7)))
    return Pattern([front, *_draw_collar(rng, level, 0.0)], tuple(sewn))


def _cut_open_jacket(rng: np.random.Generator, level: int) -> Pattern:
    """A blazer, a cardigan or an overshirt, open over a tee."""
    hem, ease = float(rng.uniform(-0.3, 0.7)), float(rng.uniform(0.2, 0.42))
    sleeve, gap = float(rng.uniform(1.75, 1.98)), float(rng.uniform(0.25, 0.75))
    under = cuts.underlayer(level, hem + rng.uniform(0.05, 0.4), partial(cuts.crew, depth=rng.uniform(0.35, 0.6)))
    stripes = float(rng.choice([0, 0, 0, rng.uniform(0.2, 0.5)]))
    sewn = [partial(details.under_dye, ink=random_dye(rng), stripes=stripes, accent=random_dye(rng))]
    style = rng.choice(3, p=[0.4, 0.25, 0.35])
    neckline = partial(cuts.crew, depth=0.3)
    front = bodice(level, hem, sleeve, neckline, ease, gap=gap, lift=0.11, ribbed=style == 1)
    if style == 0:
        sewn.append(partial(details.side_pockets, v=hem + 1.2, slant=0.05, flap=0.24))
        sewn.append(partial(details.lapels, depth=hem + rng.uniform(1.2, 2.4), width=rng.uniform(0.55, 0.9) + gap))
        return Pattern([front, *collar(level, (0.95, 5.2), 0.5 + gap * 0.4, 6.0), under], tuple(sewn))
    if style == 1:
        sewn.append(partial(details.ribs, hem=hem, sleeve=sleeve, tint=1.0))
        sewn.append(partial(details.side_pockets, v=hem + 1.5, slant=0.0))
        return Pattern([front, under], tuple(sewn))
    sewn.append(partial(details.cuffs, sleeve=sleeve))
    sewn += [partial(details.chest_pocket, u=side * 1.05, top=4.1, width=0.8, flap=True) for side in (-1, 1)]
    return Pattern([front, *_draw_collar(rng, level, 0.3 + gap * 0.5), under], tuple(sewn))


def _cut_skirt(rng: np.random.Generator, level: int) -> Pattern:
    waist, hem = 1.55, float(rng.uniform(-6.3, -1.8))
    flare = float(rng.choice([0, rng.uniform(-1.1, -0.4), rng.uniform(0.3, 1.1)]))
    sewn: tuple[Detail, ...] = ()
    if flare > 0 and rng.random() < 0.4:
        sewn = (partial(details.pleats, top=waist - 0.3, bottom=hem - 0.3, count=int(rng.integers(9, 20))),)
    return Pattern([cuts.skirt(level, waist, hem, 0.06, flare)], sewn)


def _cut_trousers(rng: np.random.Generator, level: int, hem: tuple[float, float]) -> Pattern:
    waist, ease = float(rng.uniform(1.3, 1.75)), float(rng.uniform(0.04, 0.25))
    flare = float(rng.choice([0, rng.uniform(-0.1, 0), rng.uniform(0.2, 0.7)], p=[0.5, 0.2, 0.3]))
    sewn: tuple[Detail, ...] = ()
    if rng.random() < 0.7:
        sewn = partial(details.fly, waist=waist), partial(details.back_pockets, v=waist - 0.9)
    return Pattern([cuts.legs(level, waist, rng.uniform(*hem), max(ease + min(flare, 0), 0.02), flare)], sewn)


def _cut_dress(rng: np.random.Generator, level: int) -> Pattern:
    ease = min(_draw_ease(rng), 0.12)
    sleeve = float(rng.choice([SLEEVELESS, rng.uniform(0.3, 1.0), rng.uniform(1.2, 1.9)], p=[0.35, 0.4, 0.25]))
    hem, flare = float(rng.uniform(-6, -1.8)), float(rng.choice([0, rng.uniform(-0.6, 0.9)]))
    sewn: list[Detail] = []
    pieces: list[Piece] = []
    neckline = _draw_neckline(rng)
    if sleeve != SLEEVELESS and rng.random() < 0.25:  # a shirt dress
        slit = float(rng.uniform(0.2, 0.7))
        neckline, pieces = partial(cuts.under_collar, depth=slit), _draw_collar(rng, level, 0.28 * slit)
        sewn.append(partial(details.placket, top=5.5 - slit, bottom=max(hem, -3.0), buttons=8, contrast=0.1))
    if rng.random() < 0.3:
        sewn.append(partial(details.belt, v=1.6, width=0.32, ink=random_dye(rng)))
    body = cuts.tucked(bodice(level, 1.35, sleeve, neckline, ease))
    return Pattern([body, cuts.skirt(level, 1.62, hem, 0.10, flare), *pieces], tuple(sewn))


_TOP = {"shoulder_piece": 0, "loose_hem": True, "drape_steps": 60}

KINDS: dict[str, GarmentKind] = {
    "tshirt": GarmentKind("upper", _cut_tee, 3, **_TOP),
    "longsleeve": GarmentKind("upper", _cut_longsleeve, 1.6, **_TOP),
    "tank": GarmentKind("upper", _cut_tank, 1.2, **_TOP),
    "turtleneck": GarmentKind("upper", _cut_turtleneck, 0.6, **_TOP),
    "polo": GarmentKind("upper", _cut_polo, 0.7, **_TOP, printed=False),
    "shirt": GarmentKind("upper", _cut_shirt, 2, **_TOP, printed=False),
    "hoodie": GarmentKind("upper", _cut_hoodie, 1.4, **_TOP),
    "jacket": GarmentKind("upper", _cut_jacket, 1, **_TOP, printed=False),
    "open_jacket": GarmentKind("upper", _cut_open_jacket, 1, **_TOP, printed=False),
    "trousers": GarmentKind("lower", lambda rng, level: _cut_trousers(rng, level, (-7.45, -6.6)), 2, 0, printed=False),
    "shorts": GarmentKind("lower", lambda rng, level: _cut_trousers(rng, level, (-3.3, -1.4)), 1, 0, printed=False),
    "skirt": GarmentKind("lower", _cut_skirt, 1, 0, drape_steps=66, printed=False),
    "dress": GarmentKind("dress", _cut_dress, 1, 1, 0, drape_steps=60),
}
