"""What is sewn onto a garment: plackets, buttons, zips, pockets, lapels and ribs, drawn on its fabric.

Drawing happens on the flat pattern, in dm as in `garment.Garment.uv`; so what is drawn follows every fold.
A detail is a function that takes a `Canvas` and, bound in advance, its measures. To add one, write it here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tryon.synthetic.asset import load_body
from tryon.synthetic.cuts import COLLAR_CLOTH, RIB, UNDER_CLOTH
from tryon.synthetic.fabric import WIDTH

Point = tuple[float, float]
_SHIFT = 3  # drawing coordinates have three binary places
_BOTH = (0, 1)
_DARK, _LIGHT = np.full(3, 0.02), np.full(3, 0.75)


@dataclass(frozen=True)
class Canvas:
    """A fabric to draw on: (2, m, m, 3) float32 linear RGB, front and back; changed in place."""

    fabric: np.ndarray

    @property
    def scale(self) -> float:
        """Pixels in a decimetre."""
        return self.fabric.shape[1] / WIDTH

    def colour(self) -> np.ndarray:
        """(3,) the fabric's mean colour."""
        return self.fabric[0, ::8, ::8].reshape(-1, 3).mean(0)

    def _pixels(self, points: Sequence[Point], side: int) -> np.ndarray:
        u, v = np.array(points, float).T
        u = -u if side else u  # the back is seen from behind
        return np.stack([u / WIDTH + 0.5, (6.5 - v) / WIDTH], 1) * self.fabric.shape[1] - 0.5

    def _stamp(
        self, points: Sequence[Point], margin: float, ink: np.ndarray | float, share: float, side: int, draw: Callable
    ) -> None:
        """Blend `ink` in where `draw` draws; a number is a factor on the light instead of a colour."""
        pixels, size = self._pixels(points, side), self.fabric.shape[1]
        reach = margin * self.scale + 2
        low = np.clip(np.floor(pixels.min(0) - reach), 0, size).astype(int)
        high = np.clip(np.ceil(pixels.max(0) + reach), 0, size).astype(int)
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        draw(mask, np.int32((pixels - low) * (1 << _SHIFT)))
        area = self.fabric[side, low[1] : high[1], low[0] : high[0]]
        weight = mask[..., None] * np.float32(share / 255)
        if isinstance(ink, float):
            area *= 1 + weight * (ink - 1)
        else:
            area += weight * (np.asarray(ink, np.float32) - area)
        np.minimum(area, 0.95, out=area)

    def line(
        self, points: Sequence[Point], width: float, ink: np.ndarray | float, share: float = 1.0, sides: tuple = (0,)
    ) -> None:
        """A line `width` dm wide through points; thinner than a pixel it is drawn paler."""
        thickness = width * self.scale
        share *= min(1.0, thickness)

        def draw(mask: np.ndarray, pixels: np.ndarray) -> None:
            cv2.polylines(mask, [pixels], False, 255, max(1, round(thickness)), cv2.LINE_AA, _SHIFT)

        for side in sides:
            self._stamp(points, width, ink, share, side, draw)

    def rib(self, segments: Sequence[tuple[Point, Point]], sides: tuple = (0,)) -> None:
        """The furrows of a knitted band, all at once."""
        thickness = max(1, round(0.06 * self.scale))

        def draw(mask: np.ndarray, pixels: np.ndarray) -> None:
            cv2.polylines(mask, list(pixels.reshape(-1, 2, 2)), False, 255, thickness, cv2.LINE_AA, _SHIFT)

        for side in sides:
            self._stamp([end for segment in segments for end in segment], 0.06, 0.72, 1.0, side, draw)

    def patch(self, points: Sequence[Point], ink: np.ndarray | float, share: float = 1.0, sides: tuple = (0,)) -> None:
        """A filled polygon."""

        def draw(mask: np.ndarray, pixels: np.ndarray) -> None:
            cv2.fillPoly(mask, [pixels], 255, cv2.LINE_AA, _SHIFT)

        for side in sides:
            self._stamp(points, 0.05, ink, share, side, draw)

    def dot(self, point: Point, radius: float, ink: np.ndarray | float, share: float = 1.0) -> None:
        """A disc on the front."""

        def draw(mask: np.ndarray, pixels: np.ndarray) -> None:
            column, row = pixels[0] / (1 << _SHIFT)
            rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
            distance = np.hypot(rows - row, columns - column)
            mask[:] = 255 * np.clip(radius * self.scale + 0.5 - distance, 0, 1)  # smoother than OpenCV's small circles

        self._stamp([point], radius, ink, share, 0, draw)


Detail = Callable[[Canvas], None]


def seam(canvas: Canvas, points: Sequence[Point], sides: tuple = (0,), depth: float = 0.5) -> None:
    """A seam: a dark groove with a bright edge beside it."""
    canvas.line(points, 0.035, 1 - depth, sides=sides)
    canvas.line([(u + 0.03, v - 0.03) for u, v in points], 0.03, 1.12, sides=sides)


def _button(canvas: Canvas, point: Point, radius: float, ink: np.ndarray) -> None:
    u, v = point
    canvas.dot((u + 0.015, v - 0.025), radius * 1.25, 0.55)
    canvas.dot(point, radius, ink)
    canvas.dot(point, radius * 0.45, 0.7)


def button_ink(canvas: Canvas, contrast: float) -> np.ndarray:
    """(3,) of buttons: light to dark with `contrast` in [0, 1], never the colour of the cloth."""
    ink = _LIGHT * (1 - contrast) + _DARK * contrast
    if np.abs(ink - canvas.colour()).mean() < 0.12:
        ink = _DARK if canvas.colour().mean() > 0.3 else _LIGHT
    return ink


def placket(canvas: Canvas, top: float, bottom: float, buttons: int, contrast: float, width: float = 0.17) -> None:
    """A button strip down the middle of the front."""
    canvas.line([(width + 0.03, top), (width + 0.03, bottom)], 0.07, 0.78)
    for u in (-width, width):
        canvas.line([(u, top), (u, bottom)], 0.03, 0.55)
    canvas.line([(-width + 0.04, top), (-width + 0.04, bottom)], 0.03, 1.12)
    ink = button_ink(canvas, contrast)
    for v in np.linspace(top - 0.12, bottom + 0.45, buttons):
        _button(canvas, (0.0, float(v)), 0.065, ink)


def button_row(canvas: Canvas, u: float, top: float, bottom: float, buttons: int, contrast: float) -> None:
    """Large buttons, one above the other."""
    ink = button_ink(canvas, contrast)
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
    ink = button_ink(canvas, contrast)
    for sign, longer in ((-1, 0.0), (1, 0.12)):
        cord = [(sign * 0.22, top), (sign * 0.26, top - 0.5 * length), (sign * 0.24, top - length - longer)]
        canvas.line([(u + 0.03, v - 0.02) for u, v in cord], 0.08, 0.7)
        canvas.line(cord, 0.065, ink)
        canvas.line([cord[-1], (cord[-1][0], cord[-1][1] - 0.14)], 0.09, ink * 0.6)


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


def tinted_collar(canvas: Canvas, ink: np.ndarray | float) -> None:
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


def belt(canvas: Canvas, v: float, width: float, ink: np.ndarray | float) -> None:
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
    _button(canvas, (0.0, waist - 0.17), 0.075, button_ink(canvas, 0.6))
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


def decorate(fabric: np.ndarray, details: Sequence[Detail]) -> np.ndarray:
    """A fabric with details drawn on: a copy, or the fabric itself if there are none.

    Args:
        fabric: (2, m, m, 3) float32 linear RGB, front and back.
        details: what to draw, in this order.

    Returns:
        (2, m, m, 3) float32 in [0, 0.95].
    """
    if not details:
        return fabric
    canvas = Canvas(fabric.copy())
    for detail in details:
        detail(canvas)
    return canvas.fabric
