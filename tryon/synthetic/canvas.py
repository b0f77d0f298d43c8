"""The flat pattern as a canvas: what is drawn on it is written down once, then printed on any fabric.

Drawing the details of a garment takes longer than all else that is done to its fabric, but what they
cover never changes. So a `Canvas` only notes which pixels take how much of which ink, and `Drawing.print_on`
does that to one fabric after another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numba
import numpy as np

from tryon.synthetic.fabric import WIDTH

Point = tuple[float, float]
_SHIFT = 3  # drawing coordinates have three binary places
_DARK, _LIGHT = np.full(3, 0.02), np.full(3, 0.75)
_BRIGHTEST = 0.95


@dataclass(frozen=True)
class ButtonInk:
    """The colour of buttons and cords: light to dark with `contrast` in [0, 1], never that of the cloth.

    `tone` is a factor on it.
    """

    contrast: float
    tone: float = 1.0

    def on(self, cloth: np.ndarray) -> np.ndarray:
        """(3,) linear RGB for cloth of a mean colour."""
        ink = _LIGHT * (1 - self.contrast) + _DARK * self.contrast
        if np.abs(ink - cloth).mean() < 0.12:
            ink = _DARK if cloth.mean() > 0.3 else _LIGHT
        return ink * self.tone


Ink = float | np.ndarray | ButtonInk  # a factor on the light, a colour, or one that depends on the cloth


class _Stamp(NamedTuple):
    """Pixels (n,) of a flattened fabric that take up `share` (n,) of an ink."""

    pixels: np.ndarray
    share: np.ndarray
    ink: Ink


@numba.njit(cache=True)
def _print(
    fabric: np.ndarray, pixels: np.ndarray, share: np.ndarray, ends: np.ndarray, ink: np.ndarray, dims: np.ndarray
) -> None:
    start = 0
    for stamp in range(len(ends)):
        for i in range(start, ends[stamp]):
            pixel, part = pixels[i], share[i]
            for k in range(3):
                here = fabric[pixel, k]
                if dims[stamp]:
                    here *= 1 + part * (ink[stamp, k] - 1)
                else:
                    here += part * (ink[stamp, k] - here)
                fabric[pixel, k] = min(here, np.float32(_BRIGHTEST))
        start = ends[stamp]


class Drawing:
    """Everything that is drawn on fabrics of `size` pixels."""

    def __init__(self, size: int, stamps: Sequence[_Stamp]) -> None:
        self.size = size
        self._pixels = np.concatenate([np.empty(0, np.int32), *(stamp.pixels for stamp in stamps)])
        self._share = np.concatenate([np.empty(0, np.float32), *(stamp.share for stamp in stamps)])
        self._ends = np.cumsum([len(stamp.pixels) for stamp in stamps])
        self._inks = [stamp.ink for stamp in stamps]
        self._dims = np.array([isinstance(ink, float) for ink in self._inks])

    def print_on(self, fabric: np.ndarray) -> np.ndarray:
        """A copy of (2, size, size, 3) float32 linear RGB with the drawing on it, at most 0.95."""
        printed = fabric.copy()
        if len(self._ends):
            cloth = fabric[0, ::8, ::8].reshape(-1, 3).mean(0)
            ink = np.empty((len(self._inks), 3), np.float32)
            for row, one in zip(ink, self._inks, strict=True):
                row[:] = one.on(cloth) if isinstance(one, ButtonInk) else one
            _print(printed.reshape(-1, 3), self._pixels, self._share, self._ends, ink, self._dims)
        return printed


@dataclass(frozen=True)
class Canvas:
    """A square of `size` pixels to draw on, front and back."""

    size: int
    stamps: list[_Stamp] = field(default_factory=list)

    @property
    def scale(self) -> float:
        """Pixels in a decimetre."""
        return self.size / WIDTH

    def drawing(self) -> Drawing:
        """What was drawn so far."""
        return Drawing(self.size, self.stamps)

    def _pixels(self, points: Sequence[Point], side: int) -> np.ndarray:
        u, v = np.array(points, float).T
        u = -u if side else u  # the back is seen from behind
        return np.stack([u / WIDTH + 0.5, (6.5 - v) / WIDTH], 1) * self.size - 0.5

    def _stamp(self, points: Sequence[Point], margin: float, ink: Ink, share: float, side: int, draw: Callable) -> None:
        """Note that `ink` goes where `draw` draws."""
        pixels = self._pixels(points, side)
        reach = margin * self.scale + 2
        low = np.clip(np.floor(pixels.min(0) - reach), 0, self.size).astype(int)
        high = np.clip(np.ceil(pixels.max(0) + reach), 0, self.size).astype(int)
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        draw(mask, np.int32((pixels - low) * (1 << _SHIFT)))
        rows, columns = np.nonzero(mask)
        index = (side * self.size + rows + low[1]) * self.size + columns + low[0]
        self.stamps.append(_Stamp(index.astype(np.int32), mask[rows, columns] * np.float32(share / 255), ink))

    def line(self, points: Sequence[Point], width: float, ink: Ink, share: float = 1.0, sides: tuple = (0,)) -> None:
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

    def patch(self, points: Sequence[Point], ink: Ink, share: float = 1.0, sides: tuple = (0,)) -> None:
        """A filled polygon."""

        def draw(mask: np.ndarray, pixels: np.ndarray) -> None:
            cv2.fillPoly(mask, [pixels], 255, cv2.LINE_AA, _SHIFT)

        for side in sides:
            self._stamp(points, 0.05, ink, share, side, draw)

    def dot(self, point: Point, radius: float, ink: Ink, share: float = 1.0) -> None:
        """A disc on the front."""

        def draw(mask: np.ndarray, pixels: np.ndarray) -> None:
            column, row = pixels[0] / (1 << _SHIFT)
            rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
            distance = np.hypot(rows - row, columns - column)
            mask[:] = 255 * np.clip(radius * self.scale + 0.5 - distance, 0, 1)  # smoother than OpenCV's small circles

        self._stamp([point], radius, ink, share, 0, draw)
