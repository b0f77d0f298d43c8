"""What a row in the tables of the example pictures says, and the people and colours in them; colours are 8-bit sRGB."""

from dataclasses import dataclass

from tryon.synthetic.body import BodyShape
from tryon.synthetic.prints import MOTIFS

Colour = tuple[int, int, int]  # sRGB, 8 bit
_FRIENDLY = {"mouth-corner-puller": 0.5, "eyebrows-left-up": 0.4, "eyebrows-right-up": 0.4}
WHITE, CREAM, GREY, NAVY, INK = (230, 228, 222), (238, 230, 212), (150, 152, 154), (34, 44, 78), (34, 34, 38)
DENIM, SAND, OLIVE, WINE = (52, 70, 102), (196, 172, 136), (94, 102, 64), (120, 30, 46)
_BROWN, _FAIR, _BLOND, _RED, _SILVER = (84, 58, 40), (150, 116, 80), (190, 156, 104), (136, 66, 34), (158, 156, 154)
PETALS = ((232, 150, 120), (116, 150, 120), (236, 190, 110), (150, 70, 96))

# Thigh and shin of the left leg, then of the right; directions as in `Pose`.
STANCES = {
    "at ease": (((0.08, -1, 0.0), (0.05, -1, -0.04)), ((0.08, -1, 0.0), (0.05, -1, -0.04))),
    "one knee bent": (((0.13, -1, 0.16), (0.07, -1, -0.22)), ((0.03, -1, 0.0), (0.03, -1, -0.02))),
    "step": (((0.03, -1, 0.30), (0.02, -1, -0.02)), ((0.03, -1, -0.14), (0.02, -1, -0.42))),
    "apart": (((0.11, -1, 0.04), (0.09, -1, -0.03)), ((0.11, -1, 0.0), (0.09, -1, -0.05))),
}


@dataclass(frozen=True)
class Model:
    """Who is in a picture; see `BodyShape`, `Hair` and `Person`."""

    shape: BodyShape
    tone: Colour
    hair: str
    hair_colour: Colour = (34, 28, 24)
    thickness: float = 0.16
    length: float = 3.0
    wave: float = 0.05
    eyes: str = "dark brown"
    shoes: Colour = (70, 60, 55)
    seed: int = 0


@dataclass(frozen=True)
class Item:
    """A garment: number `number` of a kind, in a fabric."""

    kind: str
    number: int
    base: Colour
    pattern: str = "plain"
    accent: Colour = WHITE
    seed: int = 0
    others: tuple[Colour, ...] = ()
    words: tuple[str, ...] = ("COAST",)
    motifs: tuple[str, ...] = tuple(MOTIFS)


@dataclass(frozen=True)
class Portrait:
    """A person to photograph; `arms` is one of `ARM_PAIRS`, or of `ARM_PRESETS` for the left and the right."""

    model: str
    top: Item
    lower: Item | None = None
    framing: str = "waist"
    arms: str | tuple[str, str] = ("down", "down")
    stance: str = "at ease"
    yaw: float = 0.0
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spine: tuple[float, float, float] = (0.0, 0.0, 0.0)
    set: str = "paper"
    colour: Colour = (205, 206, 208)
    light: float = 0.6  # x towards the light
    seed: int = 0
    set_seed: int = 0


@dataclass(frozen=True)
class Product:
    """A garment to photograph alone."""

    item: Item
    model: str = "mannequin"
    flat: bool = False
    turn: float = 0.0
    set: str = "white"
    colour: Colour = (238, 238, 237)
    margin: float = 1.16


def _shape(gender: float, age: float, ancestry: tuple[float, float, float], **rest: object) -> BodyShape:
    return BodyShape(gender=gender, age=age, ancestry=ancestry, details=_FRIENDLY, **{"proportion": 0.7, **rest})


MODELS = {
    "ana": Model(_shape(0, 0.12, (0.1, 0.2, 0.7), weight=0.42), (221, 185, 165), "bun", _BROWN, eyes="brown", seed=1),
    "ben": Model(_shape(1, 0.2, (0.85, 0.05, 0.1), muscle=0.55), (112, 74, 54), "buzz", shoes=(235, 232, 226), seed=2),
    "chie": Model(_shape(0, 0.3, (0, 0.95, 0.05), weight=0.45), (216, 176, 150), "short", (30, 24, 22), 0.2, seed=3),
    "dan": Model(
        _shape(1, 0.1, (0, 0.15, 0.85), weight=0.4), (220, 178, 156), "short", _FAIR, 0.2, eyes="blue", seed=4
    ),
    "efe": Model(_shape(0, 0.15, (0.95, 0, 0.05), weight=0.5), (92, 60, 44), "buzz", shoes=(200, 160, 90), seed=5),
    "fritz": Model(_shape(1, 0.8, (0, 0.1, 0.9), weight=0.55), (212, 168, 148), "short", _SILVER, eyes="blue", seed=6),
    "gita": Model(_shape(0, 0.6, (0.3, 0.5, 0.2), weight=0.58), (164, 118, 88), "bun", _SILVER, 0.13, seed=7),
    "hugo": Model(_shape(1, 0.2, (0.2, 0.5, 0.3), muscle=0.6), (186, 138, 106), "short", thickness=0.17, seed=8),
    "ines": Model(_shape(0, 0.2, (0.2, 0.3, 0.5), weight=0.48), (205, 160, 132), "bob", _BROWN, 0.15, seed=9),
    "june": Model(
        _shape(0, 0.3, (0.1, 0.1, 0.8), weight=0.86, cup=0.4), (226, 184, 166), "bob", _RED, 0.16, eyes="green", seed=10
    ),
    "kofi": Model(_shape(1, 0.35, (0.9, 0, 0.1), weight=0.45, height=0.6), (98, 66, 50), "buzz", (22, 18, 16), seed=11),
    "lena": Model(
        _shape(0, 0.1, (0, 0.05, 0.95), weight=0.4), (228, 190, 172), "bun", _BLOND, 0.18, eyes="blue", seed=12
    ),
    "mateo": Model(_shape(1, 0.25, (0.05, 0.75, 0.2), weight=0.5), (198, 152, 120), "short", thickness=0.2, seed=13),
    "nia": Model(
        _shape(0, 0.15, (0.8, 0, 0.2), weight=0.45), (126, 84, 60), "bun", (26, 20, 18), 0.14, shoes=WHITE, seed=14
    ),
    "otto": Model(
        _shape(1, 0.65, (0.05, 0.1, 0.85), weight=0.88, muscle=0.45), (214, 166, 144), "short", _SILVER, 0.1, seed=15
    ),
    "pilar": Model(_shape(0, 0.4, (0.15, 0.3, 0.55), weight=0.52), (196, 148, 118), "bob", thickness=0.17, seed=16),
    "raj": Model(_shape(1, 0.3, (0.35, 0.45, 0.2), weight=0.6), (150, 104, 76), "short", thickness=0.14, seed=17),
    "rosa": Model(
        _shape(0, 0.85, (0.05, 0.1, 0.85), weight=0.6), (220, 180, 160), "short", _SILVER, 0.2, eyes="blue", seed=18
    ),
    "sol": Model(_shape(0, 0.2, (0.4, 0.2, 0.4), muscle=0.62, weight=0.42), (170, 120, 92), "bun", _BROWN, seed=19),
    "theo": Model(_shape(1, 0.4, (0.3, 0.3, 0.4), weight=0.5), (196, 150, 124), "bald", eyes="green", seed=20),
    "mannequin": Model(_shape(0, 0.2, (0.3, 0.3, 0.4), cup=-1, weight=0.45), WHITE, "bald"),
    "mannequin_m": Model(_shape(1, 0.2, (0.3, 0.3, 0.4), muscle=0.5), WHITE, "bald"),
}

JEANS = Item("trousers", 23, DENIM, "denim", seed=3)
BLACK_JEANS = Item("trousers", 27, (40, 40, 44), "denim", seed=5)
CHINOS = Item("trousers", 2, SAND)
