"""What is sewn onto a garment: plackets, buttons, zips, pockets, lapels and ribs, drawn on its fabric.

Drawing happens on the flat pattern, in dm as in `garment.Garment.uv`; so what is drawn follows every fold.
A detail is a function that takes a `Canvas` and, bound in advance, its measures. To add one, write it here.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from tryon.synthetic.asset import load_body
from tryon.synthetic.canvas import ButtonInk, Canvas, Drawing, Ink, Point
from tryon.synthetic.cuts import COLLAR_CLOTH, RIB, UNDER_CLOTH

_BOTH = (0, 1)

Detail = Callable[[Canvas], None]


def seam(canvas: Canvas, points: Sequence[Point], sides: tuple = (0,), depth: float = 0.5) -> None:
    """A seam: a dark groove with a bright edge beside it."""
    canvas.line(points, 0.035, 1 - depth, sides=sides)
    canvas.line([(u + 0.03, v - 0.03) for u, v in points], 0.03, 1.12, sides=sides)


def _button(canvas: Canvas, point: Point, radius: float, ink: Ink) -> None:
    u, v = point
    canvas.dot((u + 0.015, v - 0.025), radius * 1.25, 0.55)
    canvas.dot(point, radius, ink)
    canvas.dot(point, radius * 0.45, 0.7)


def placket(canvas: Canvas, top: float, bottom: float, buttons: int, contrast: float, width: float = 0.17) -> None:
    """A button strip down the middle of the front."""
    canvas.line([(width + 0.03, top), (width + 0.03, bottom)], 0.07, 0.78)
    for u in (-width, width):
        canvas.line([(u, top), (u, bottom)], 0.03, 0.55)
    canvas.line([(-width + 0.04, top), (-width + 0.04, bottom)], 0.03, 1.12)
    ink = ButtonInk(contrast)
    for v in np.linspace(top - 0.12, bottom + 0.45, buttons):
        _button(canvas, (0.0, float(v)), 0.065, ink)


def button_row(canvas: Canvas, u: float, top: float, bottom: float, buttons: int, contrast: float) -> None:
    """Large buttons, one above the other."""
    ink = ButtonInk(contrast)
    for v in np.linspace(top, bottom, buttons):
        _button(canvas, (u, float(v)), 0.1, ink)


def front_edge(canvas: Canvas, top: float, bottom: float, u: float = 0.12) -> None:
    """The edge of a front that laps over the other."""
    canvas.line([(u + 0.05, top), (u + 0.05, bottom)], 0.12, 0.75)
    canvas.line([(u, top), (u, bottom)], 0.035, 0.45)
    canvas.line([(u - 0.06, top), (u - 0.06, bottom)], 0.03, 1.12)


def zip_fastener(canvas: Canvas, top: float, bottom: float, contrast: float) -> None:
    """A zip down the middle of the front."""
    for u in (-0.13, 0.13):
        canvas.line([(u, top), (u, bottom)], 0.03, 0.6)
    canvas.line([(0, top), (0, bottom)], 0.13, 0.45)
    teeth = np.full(3, 0.5 - 0.35 * contrast)
    canvas.line([(0, top), (0, bottom)], 0.07, teeth)
    canvas.rib([((-0.04, v), (0.04, v)) for v in np.arange(bottom, top, 0.09)])
    canvas.line([(0, top - 0.14), (0, top - 0.4)], 0.07, teeth * 1.3)


def chest_pocket(canvas: Canvas, u: float, top: float, width: float, flap: bool = False) -> None:
    """A patch pocket on the chest."""
    left, right, bottom = u - width / 2, u + width / 2, top - width * 1.1
    outline = [(left, top), (left, bottom + 0.1), (u, bottom), (right, bottom + 0.1), (right, top)]
    canvas.line([(a + 0.03, b - 0.04) for a, b in outline], 0.07, 0.85)
    canvas.line([*outline, outline[0]], 0.03, 0.6)
    fold = top - (0.35 if flap else 0.14)
    canvas.line([(left, fold), (right, fold)], 0.035, 0.5)
    if flap:
        canvas.line([(left, fold - 0.05), (right, fold - 0.05)], 0.08, 0.8)


def side_pockets(canvas: Canvas, v: float, slant: float = 0.25, flap: float = 0.0) -> None:
    """Two pockets low on the front: slits, or flaps `flap` dm high."""
    for sign in (-1, 1):
        inner, outer = (sign * 0.62, v), (sign * 1.25, v - slant)
        if flap:
            low = [(u, w - flap) for u, w in (outer, inner)]
            canvas.line([(a, b - 0.05) for a, b in low], 0.1, 0.75)
            canvas.line([inner, outer, *low, inner], 0.03, 0.6)
        canvas.line([inner, outer], 0.06, 0.4)


def kangaroo_pocket(canvas: Canvas, bottom: float, height: float, width: float) -> None:
    """The wide pocket of a hooded sweater, open at both sides."""
    top, half, narrow = bottom + height, width / 2, width / 2 - 0.42
    outline = [(-half, bottom), (-half, bottom + 0.35), (-narrow, top), (narrow, top), (half, bottom + 0.35)]
    outline += [(half, bottom), (-half, bottom)]
    canvas.patch(outline, 1.05)
    canvas.line([(u, v - 0.04) for u, v in outline], 0.09, 0.85)
    seam(canvas, outline, depth=0.4)
    for sign in (-1, 1):
        slit = [(sign * half, bottom + 0.35), (sign * narrow, top)]
        canvas.line([(u + sign * 0.04, v) for u, v in slit], 0.1, 0.6)
        canvas.line([(u - sign * 0.1, v) for u, v in slit], 0.025, 0.7)


def drawstrings(canvas: Canvas, top: float, length: float, contrast: float) -> None:
    """The two cords of a hood."""
    ink = ButtonInk(contrast)
    for sign, longer in ((-1, 0.0), (1, 0.12)):
        cord = [(sign * 0.22, top), (sign * 0.26, top - 0.5 * length), (sign * 0.24, top - length - longer)]
        canvas.line([(u + 0.03, v - 0.02) for u, v in cord], 0.08, 0.7)
        canvas.line(cord, 0.065, ink)
        canvas.line([cord[-1], (cord[-1][0], cord[-1][1] - 0.14)], 0.09, ButtonInk(contrast, 0.6))


def _forearm() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Elbow and wrist on the pattern, and the direction across."""
    body = load_body()
    elbow, wrist = (body.rest_joints[body.bone[bone]][:2] for bone in ("lowerarm_l", "hand_l"))
    along = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    return elbow, wrist, np.array([-along[1], along[0]])


def cuffs(canvas: Canvas, sleeve: float, height: float = 0.2) -> None:
    """A seam around the sleeves, `height` of the forearm's length before their ends."""
    elbow, wrist, across = _forearm()
    middle = elbow + (wrist - elbow) * (sleeve - 1 - height)
    for mirror in (1, -1):
        ends = [(mirror * u, v) for u, v in (middle - 0.75 * across, middle + 0.75 * across)]
        canvas.line(ends, 0.04, 0.5, sides=_BOTH)


def ribs(canvas: Canvas, hem: float | None, sleeve: float | None, tint: float) -> None:
    """Knitted bands at hem and cuffs, `tint` times as bright as the cloth.

    `hem` and `sleeve` are as in `cuts.bodice`; None for none.
    """
    stripe = 0.16
    if hem is not None:
        top = hem + RIB
        canvas.patch([(-2.6, hem - 0.2), (2.6, hem - 0.2), (2.6, top), (-2.6, top)], tint, sides=_BOTH)
        canvas.rib([((u, hem - 0.2), (u, top)) for u in np.arange(-2.5, 2.5, stripe)], sides=_BOTH)
        canvas.line([(-2.6, top), (2.6, top)], 0.04, 0.5, sides=_BOTH)
    if sleeve is not None:
        elbow, wrist, across = _forearm()
        low, high = (elbow + (wrist - elbow) * (sleeve - 1 + share) for share in (0.15, -0.26))
        for mirror in (1, -1):
            flip = np.array([mirror, 1])
            corners = [(p + s * across) * flip for p, s in ((low, -0.8), (low, 0.8), (high, 0.8), (high, -0.8))]
            canvas.patch(corners, tint, sides=_BOTH)
            furrows = np.arange(-0.75, 0.75, stripe)
            canvas.rib([((low + s * across) * flip, (high + s * across) * flip) for s in furrows], sides=_BOTH)
            canvas.line([corners[2], corners[3]], 0.04, 0.5, sides=_BOTH)


def ribbed_collar(canvas: Canvas, tint: float) -> None:
    """Ribs on everything that is cut from the collar's cloth."""
    u, v = COLLAR_CLOTH
    canvas.patch([(u - 1.3, 4.9 + v), (u + 1.3, 4.9 + v), (u + 1.3, 6.45 + v), (u - 1.3, 6.45 + v)], tint, sides=_BOTH)
    furrows = np.arange(u - 1.25, u + 1.25, 0.13)
    canvas.rib([((across, 4.9 + v), (across, 6.45 + v)) for across in furrows], sides=_BOTH)


def tinted_collar(canvas: Canvas, ink: Ink) -> None:
    """A collar in another colour."""
    u, v = COLLAR_CLOTH
    canvas.patch([(u - 1.3, 4.3 + v), (u + 1.3, 4.3 + v), (u + 1.3, 6.45 + v), (u - 1.3, 6.45 + v)], ink, sides=_BOTH)


def lapels(canvas: Canvas, depth: float, width: float) -> None:
    """The turned-over fronts beside an opening that ends at height `depth`."""
    top = 5.75
    for sign in (-1, 1):
        notch = 4.95
        leaf = [(0.62, top), (0.95 + width * 0.35, notch + 0.1), (0.6 + width, notch - 0.12), (0.02, depth)]
        leaf = [(sign * u, v) for u, v in leaf]
        canvas.line([(u + sign * 0.05, v - 0.07) for u, v in leaf[1:]], 0.16, 0.72)
        canvas.patch([*leaf, (sign * 0.02, top)], 1.06)
        canvas.line(leaf[1:], 0.035, 0.4)
        canvas.line([(sign * 0.45, notch + 0.12), leaf[1]], 0.035, 0.5)


def under_dye(canvas: Canvas, ink: np.ndarray, stripes: float, accent: np.ndarray) -> None:
    """The colour of what is worn underneath, with stripes `stripes` dm apart (0 for none)."""
    u, v = UNDER_CLOTH
    corners = [(u - 1.7, v), (u + 1.7, v), (u + 1.7, v + 6.3), (u - 1.7, v + 6.3)]
    for side in _BOTH:
        canvas.patch(corners, ink, sides=(side,))
    if stripes:
        for height in np.arange(v, v + 6.3, stripes):
            canvas.line([(u - 1.7, height), (u + 1.7, height)], stripes * 0.4, accent)


def belt(canvas: Canvas, v: float, width: float, ink: Ink) -> None:
    """A belt around the waist."""
    for edge in (v, v - width):
        canvas.line([(-2.4, edge), (2.4, edge)], 0.05, 0.5, sides=_BOTH)
    canvas.patch([(-2.4, v), (2.4, v), (2.4, v - width), (-2.4, v - width)], ink, sides=_BOTH)


def fly(canvas: Canvas, waist: float) -> None:
    """Waistband, button, fly, belt loops and pockets of trousers."""
    band = waist - 0.34
    canvas.line([(-2.4, band), (2.4, band)], 0.035, 0.55, sides=_BOTH)
    for u in (-1.05, -0.5, 0.5, 1.05):
        canvas.line([(u, waist), (u, band)], 0.1, 0.85, sides=_BOTH)
    curve = [(0.22, band), (0.22, band - 0.7), (0.1, band - 1.05), (0.0, band - 1.15)]
    canvas.line(curve, 0.03, 0.65)
    canvas.line([(0, waist), (0, band - 1.3)], 0.03, 0.55)
    _button(canvas, (0.0, waist - 0.17), 0.075, ButtonInk(0.6))
    for sign in (-1, 1):
        slit = [(sign * 0.75, band), (sign * 1.1, band - 0.5), (sign * 1.65, band - 0.75)]
        seam(canvas, slit, depth=0.5)


def back_pockets(canvas: Canvas, v: float) -> None:
    """Two patch pockets on the seat."""
    for sign in (-1, 1):
        u = sign * 0.85
        outline = [(u - 0.5, v), (u - 0.45, v - 0.9), (u, v - 1.1), (u + 0.45, v - 0.9), (u + 0.5, v), (u - 0.5, v)]
        canvas.line(outline, 0.035, 0.55, sides=(1,))


def pleats(canvas: Canvas, top: float, bottom: float, count: int) -> None:
    """Pressed folds down a skirt."""
    for share in np.linspace(-1, 1, count):
        ends = [(share * 1.5, top), (share * 2.6, bottom)]
        canvas.line(ends, 0.05, 0.6, sides=_BOTH)
        canvas.line([(u + 0.07, v) for u, v in ends], 0.08, 1.12, sides=_BOTH)


@lru_cache(maxsize=1024)
def _draw(details: tuple[Detail, ...], size: int) -> Drawing:
    canvas = Canvas(size)
    for detail in details:
        detail(canvas)
    return canvas.drawing()


def decorate(fabric: np.ndarray, details: tuple[Detail, ...]) -> np.ndarray:
    """A fabric with details drawn on: a copy, or the fabric itself if there are none.

    Args:
        fabric: (2, m, m, 3) float32 linear RGB, front and back.
        details: what to draw, in this order; kept for later calls.

    Returns:
        (2, m, m, 3) float32 in [0, 0.95].
    """
    return _draw(details, fabric.shape[1]).print_on(fabric) if details else fabric
