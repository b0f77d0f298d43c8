"""Fabrics: what a garment is made of, painted on a flat square of 14.5 x 14.5 dm, both sides.

To add a pattern, write a function that paints `Cloth` and add a row to `PATTERNS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from tryon.synthetic.noise import fractal_noise, random_dye, random_hue
from tryon.synthetic.prints import MOTIFS, WORDS, Spot, add_print

WIDTH = 14.5  # dm; u runs from -7.25 to 7.25 and v from 6.5 (top) to -8
_CHEST = ("print", "text")
_PRINTABLE = ("plain", "gradient", "colourblock", "heather")


@dataclass(frozen=True)
class Cloth:
    """An undyed square: its side in pixels, two colours, further ones if given, and the dice for its pattern.

    `drawn` says that the dice gave the colours, too, so that a pattern may prefer its own.
    """

    size: int
    base: np.ndarray
    accent: np.ndarray
    others: Sequence[np.ndarray]
    rng: np.random.Generator
    drawn: bool = True

    @property
    def pixels_per_dm(self) -> float:
        """Pixels in a decimetre."""
        return self.size / WIDTH

    def another(self) -> np.ndarray:
        """One of the further colours, or any if none are given."""
        if len(self.others):
            return self.others[int(self.rng.integers(len(self.others)))]
        return random_hue(self.rng)

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates u and v of every pixel, in dm."""
        rows, columns = np.mgrid[0 : self.size, 0 : self.size].astype(np.float32)
        return (columns / self.size - 0.5) * WIDTH, 6.5 - rows / self.size * WIDTH

    def mixed(self, share: np.ndarray) -> np.ndarray:
        """(n, n, 3): base where `share` is 0, accent where it is 1."""
        image = np.empty((*np.shape(share), 3), np.float32)
        for k in range(3):
            image[..., k] = self.base[k] + share * np.float32(self.accent[k] - self.base[k])
        return image


def _plain(cloth: Cloth) -> np.ndarray:
    return np.broadcast_to(cloth.base, (cloth.size, cloth.size, 3))


def _striped(cloth: Cloth, along: np.ndarray) -> np.ndarray:
    width = cloth.rng.uniform(0.12, 0.9)
    phase = np.abs(along / width % 1 - 0.5)
    half = 0.25 if cloth.rng.random() < 0.6 else 0.38
    return cloth.mixed(np.clip((phase - half) * cloth.pixels_per_dm * width * 0.5 + 0.5, 0, 1))


def _stripes(cloth: Cloth) -> np.ndarray:
    return _striped(cloth, cloth.grid[1])


def _vertical_stripes(cloth: Cloth) -> np.ndarray:
    return _striped(cloth, cloth.grid[0])


def _check(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    width = cloth.rng.uniform(0.3, 1.0)
    share = ((u / width) % 1 < 0.5) * 0.5 + ((v / width) % 1 < 0.5) * 0.5
    pattern = cloth.mixed(share)
    if cloth.rng.random() < 0.5:
        line = ((u / width + 0.25) % 1 < 0.07) | ((v / width + 0.25) % 1 < 0.07)
        pattern = np.where(line[..., None], random_dye(cloth.rng), pattern)
    return pattern


def _dots(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    width = cloth.rng.uniform(0.25, 0.8)
    radius = cloth.rng.uniform(0.2, 0.38)
    row = np.floor(v / width) % 2
    distance = np.hypot((u / width + 0.5 * row) % 1 - 0.5, (v / width) % 1 - 0.5)
    return cloth.mixed(np.clip((radius - distance) * cloth.pixels_per_dm * width + 0.5, 0, 1))


def _floral(cloth: Cloth) -> np.ndarray:
    """Blossoms of two or three colours among leaves, without a flower upon another."""
    rng, largest = cloth.rng, cloth.rng.uniform(0.26, 0.65)
    colours = [cloth.accent, cloth.another(), cloth.another()]
    leaf = 0.5 * cloth.base + 0.5 * np.array([0.05, 0.16, 0.04])
    image = np.tile(cloth.base.astype(np.float32), (cloth.size, cloth.size, 1))
    step = largest * rng.uniform(1.9, 3.0) * cloth.pixels_per_dm
    row, column = np.divmod(np.arange((int(cloth.size / step) + 1) ** 2), int(cloth.size / step) + 1)
    count = len(row)
    centre = (np.stack([column, row], 1) + rng.uniform(0.15, 0.85, (count, 2))) * step
    radius = largest * rng.uniform(0.45, 1, count) * cloth.pixels_per_dm
    dye, petals, turn = rng.choice(3, count, p=[0.5, 0.3, 0.2]), rng.integers(5, 8, count), rng.uniform(0, 6, count)
    leaves = turn[:, None] + np.array([0.3, 2.6])
    around = turn[:, None] + np.arange(7) * (2 * np.pi / petals[:, None])
    leafs = _petals(centre, radius * 1.35, leaves, 0.2)
    rims, insides = _petals(centre, radius, around, 0.3), _petals(centre, radius * 0.92, around, 0.26)
    inks = [tuple(map(float, colour)) for colour in colours]
    shadows, green = [tuple(map(float, colour * 0.75)) for colour in colours], tuple(map(float, leaf))
    for flower in range(count):
        for outline in leafs[flower]:
            cv2.fillPoly(image, [outline], green, cv2.LINE_AA, 3)
        ink, shadow = inks[dye[flower]], shadows[dye[flower]]
        for petal in range(petals[flower]):
            cv2.fillPoly(image, [rims[flower, petal]], shadow, cv2.LINE_AA, 3)
            cv2.fillPoly(image, [insides[flower, petal]], ink, cv2.LINE_AA, 3)
        _dot(image, centre[flower], radius[flower] * 0.24, (0.7, 0.45, 0.06))
    return image


def _petals(centre: np.ndarray, length: np.ndarray, angle: np.ndarray, width: float) -> np.ndarray:
    """(n, k, 18, 2) int32 outlines, in eighths of a pixel, of ellipses that reach from n centres outwards."""
    around = np.arange(18) * (2 * np.pi / 18)
    along, across = 0.55 + 0.45 * np.cos(around), width * np.sin(around)
    cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]
    outline = np.stack([along * cosine - across * sine, along * sine + across * cosine], -1)
    return np.int32(8 * (centre[:, None, None] + length[:, None, None, None] * outline))


def _dot(image: np.ndarray, centre: np.ndarray, radius: float, colour: Sequence[float]) -> None:
    x, y = centre
    cv2.circle(image, (int(8 * x), int(8 * y)), int(8 * radius), colour, -1, cv2.LINE_AA, 3)


def _tartan(cloth: Cloth) -> np.ndarray:
    """Bands of several colours that cross: where two meet they blend, as dyed threads do."""
    rng, width = cloth.rng, cloth.rng.uniform(0.7, 2.2)
    bands = [(0.0, rng.uniform(0.3, 0.5), cloth.accent)]
    for _ in range(int(rng.integers(1, 4))):
        bands.append((rng.uniform(0, 1), rng.uniform(0.03, 0.14), cloth.another()))
    line = (np.arange(cloth.size) + 0.5) / cloth.pixels_per_dm / width % 1
    threads = np.tile(cloth.base.astype(np.float32), (cloth.size, 1))
    for start, share, colour in bands:
        threads[(line - start) % 1 < share] = colour
    threads = cv2.blur(threads[None], (max(1, round(cloth.size / 400)), 1))[0]
    return 0.5 * threads[None] + 0.5 * threads[:, None]


def _denim(cloth: Cloth) -> np.ndarray:
    """Twill with worn, paler patches; blue, black or in the colour of the cloth."""
    rng = cloth.rng
    u, v = cloth.grid
    dyes = ((0.03, 0.06, 0.16), (0.02, 0.02, 0.025), cloth.base)
    dye = np.array(dyes[rng.choice(3, p=[0.7, 0.15, 0.15])]) if cloth.drawn else cloth.base
    worn = np.exp(-(((np.abs(u) - 1.3) / 0.8) ** 2)) * np.exp(-(((v + 2) / 2.6) ** 2))
    pale = rng.uniform(0, 0.5) + rng.uniform(0, 0.4) * worn + 0.04 * fractal_noise(rng, cloth.size, 4, 16)
    pale = np.clip(pale, 0, 0.9)
    twill = 1 + 0.10 * np.sin((u + 2 * v) * 2 * np.pi / max(0.09, 3 / cloth.pixels_per_dm))
    slub = 1 + 0.05 * cv2.blur(rng.standard_normal((cloth.size, cloth.size)).astype(np.float32), (1, 9)) * 3
    return (dye + (0.45 - dye) * pale[..., None] * 0.7) * (twill * slub)[..., None]


def _knit(cloth: Cloth) -> np.ndarray:
    """Columns of stitches, with cables between them on some."""
    rng = cloth.rng
    u, v = cloth.grid
    stitch = max(rng.uniform(0.11, 0.2), 4 / cloth.pixels_per_dm)
    column = np.abs(u / stitch % 1 - 0.5) * 2  # 0 in the middle of a column
    rows = np.sin((v / stitch + 0.45 * column) * 2 * np.pi)
    relief = 1 + 0.12 * rows - 0.22 * column**3
    if rng.random() < 0.5:
        across = np.abs(u) % (stitch * 14) / (stitch * 6)
        twist = np.cos((across * 2 + np.sin(v * 3.2)) * np.pi)
        relief = np.where(across < 1, 1 + 0.2 * twist * np.sin(across * np.pi) - 0.12 * (across > 0.94), relief)
    return cloth.base * relief[..., None]


def _heather(cloth: Cloth) -> np.ndarray:
    """Fibres of two colours, spun before weaving."""
    fibres = cloth.rng.standard_normal((cloth.size, cloth.size)).astype(np.float32)
    fibres = cv2.blur(fibres, (5, 1)) * 2.2 + 0.5 * fractal_noise(cloth.rng, cloth.size, 3, 40)
    pale = 0.6 * cloth.base + 0.4
    return cloth.base + (pale - cloth.base) * np.clip(0.35 + 0.22 * fibres, 0, 1)[..., None]


def _all_over(cloth: Cloth) -> np.ndarray:
    """One motif, again and again."""
    rng = cloth.rng
    name = str(rng.choice([motif for motif in MOTIFS if motif not in ("photo", "mountains")]))
    step, half = rng.uniform(0.9, 1.8) * cloth.pixels_per_dm, rng.uniform(0.26, 0.42)
    second = cloth.another()
    image = np.tile(cloth.base.astype(np.float32), (cloth.size, cloth.size, 1))
    for row in range(int(cloth.size / step) + 1):
        for column in range(int(cloth.size / step) + 1):
            x, y = (column + 0.5 * (row % 2)) * step, (row + 0.25) * step
            ink = (cloth.accent, second) if (row + column) % 2 else (second, cloth.accent)
            MOTIFS[name](image, Spot(x, y, half * step, (*ink, cloth.base)), np.random.default_rng(0))
    return image


def _gradient(cloth: Cloth) -> np.ndarray:
    top, length = cloth.rng.uniform(3, 6), cloth.rng.uniform(3, 8)
    return cloth.mixed(np.clip((top - cloth.grid[1]) / length, 0, 1))


def _colourblock(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    if cloth.rng.random() < 0.6:
        return cloth.mixed((v > cloth.rng.uniform(2, 4.2)) * 1.0)
    return cloth.mixed((u > 0) * 1.0)


def _tie_dye(cloth: Cloth) -> np.ndarray:
    u, v = cloth.grid
    noise = fractal_noise(cloth.rng, cloth.size, 4, 10)
    return cloth.mixed(np.clip(np.sin(np.hypot(u, v - 3) * 2.2 + noise * 1.2) * 0.8 + 0.5, 0, 1))


def _camouflage(cloth: Cloth) -> np.ndarray:
    noise = fractal_noise(cloth.rng, cloth.size, 4, 10)[..., None]
    pattern = np.where(noise > 0.3, cloth.accent, cloth.base)
    pattern = np.where(noise > 0.9, cloth.accent * 0.4, pattern)
    return np.where(noise < -1.1, cloth.base * 0.5, pattern)


# Pattern -> painter and how often it is drawn. A painter returns one (n, n, 3) image for both
# sides or (2, n, n, 3) for front and back.
PATTERNS: dict[str, tuple[Callable[[Cloth], np.ndarray], float]] = {
    "plain": (_plain, 0.13),
    "print": (_plain, 0.15),
    "text": (_plain, 0.11),
    "stripes": (_stripes, 0.09),
    "vertical_stripes": (_vertical_stripes, 0.04),
    "check": (_check, 0.04),
    "tartan": (_tartan, 0.07),
    "dots": (_dots, 0.05),
    "floral": (_floral, 0.07),
    "all_over": (_all_over, 0.04),
    "gradient": (_gradient, 0.03),
    "colourblock": (_colourblock, 0.03),
    "tie_dye": (_tie_dye, 0.02),
    "camouflage": (_camouflage, 0.02),
    "heather": (_heather, 0.05),
    "knit": (_knit, 0.06),
    "denim": (_denim, 0.04),
}


def _draw_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two dyes that can be told apart."""
    base, accent = random_dye(rng), random_dye(rng)
    for _ in range(4):
        if np.abs(base - accent).sum() > 0.35:
            break
        accent = random_dye(rng)
    return base, accent


def make_fabric(
    rng: np.random.Generator,
    size: int,
    pattern: str | None = None,
    *,
    colours: tuple[np.ndarray, np.ndarray] | None = None,
    others: Sequence[np.ndarray] = (),
    words: Sequence[str] = WORDS["train"],
    motifs: Sequence[str] = tuple(MOTIFS),
    printed: bool = True,
) -> tuple[np.ndarray, str]:
    """Weave, dye and print a fabric.

    Args:
        rng: source of everything not given.
        size: side in pixels.
        pattern: key of `PATTERNS`; None draws one.
        colours: two (3,) linear RGB colours, cloth and pattern; None draws them.
        others: further (3,) colours for patterns with many; none means any.
        words: what may be printed on it.
        motifs: which motifs may be printed on it.
        printed: False draws no pattern with a picture or word on the chest.

    Returns:
        fabric: (2, size, size, 3) float32 linear RGB in [0, 0.95]: front and back.
        pattern: key of `PATTERNS`; what came to be printed on plainer cloth makes it "text" (most of it is).

    Raises:
        ValueError: there is no such pattern.
    """
    base, accent = colours or _draw_colours(rng)
    if pattern is None:
        odds = np.array([odds * (printed or name not in _CHEST) for name, (_, odds) in PATTERNS.items()])
        pattern = str(rng.choice(list(PATTERNS), p=odds / odds.sum()))
    if pattern not in PATTERNS:
        raise ValueError(f"There is no pattern {pattern!r}: choose one of {', '.join(PATTERNS)}.")
    image = PATTERNS[pattern][0](Cloth(size, base, accent, others, rng, colours is None))
    fabric = np.array(np.broadcast_to(image, (2, size, size, 3)), np.float32, order="C")
    if pattern in _CHEST or (printed and colours is None and pattern in _PRINTABLE and rng.random() < 0.25):
        sides = [0] if rng.random() < 0.75 else [0, 1]
        for side in sides:
            fabric[side] = add_print(fabric[side], pattern, (base, accent), words, motifs, others, rng)
        pattern = "print" if pattern == "print" else "text"
    return np.clip(fabric, 0, 0.95, out=fabric), pattern
