"""Who and what is in the example pictures: the tables behind `examples.py`.

To add a picture, add a row to `PERSONS` or `GARMENTS`; colours are 8-bit sRGB.
"""

from dataclasses import dataclass

from tryon.synthetic.body import BodyShape
from tryon.synthetic.prints import MOTIFS

Colour = tuple[int, int, int]  # sRGB, 8 bit
_FRIENDLY = {"mouth-corner-puller": 0.5, "eyebrows-left-up": 0.4, "eyebrows-right-up": 0.4}
_WHITE, _GREY, _SAND = (230, 228, 222), (200, 201, 203), (214, 203, 186)
_BROWN, _FAIR, _SILVER = (98, 70, 48), (150, 116, 80), (150, 148, 146)  # hair
_PETALS = ((232, 150, 120), (116, 150, 120), (236, 190, 110), (150, 70, 96))
FURNITURE = ((176, 158, 136), (122, 132, 124), (92, 98, 108), (206, 198, 186), (150, 122, 98))


@dataclass(frozen=True)
class Model:
    """Who is in a picture; see `BodyShape`, `Hair` and `Person`."""

    shape: BodyShape
    tone: Colour
    hair: str
    hair_colour: Colour = (48, 42, 38)
    thickness: float = 0.16
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
    accent: Colour = _WHITE
    seed: int = 0
    others: tuple[Colour, ...] = ()
    words: tuple[str, ...] = ("COAST",)
    motifs: tuple[str, ...] = tuple(MOTIFS)


@dataclass(frozen=True)
class Portrait:
    """A person to photograph."""

    model: str
    top: Item
    lower: Item | None = None
    framing: str = "waist"
    arms: tuple[str, str] = ("down", "down")  # left, right
    yaw: float = 0.0
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    background: str = "studio"
    colour: Colour = _GREY
    light: float = 0.5  # x towards the light
    seed: int = 0


@dataclass(frozen=True)
class Product:
    """A garment to photograph alone."""

    item: Item
    model: str = "mannequin"
    flat: bool = False
    turn: float = 0.0
    grey: float = 0.86
    margin: float = 1.14


def _shape(gender: float, age: float, ancestry: tuple[float, float, float], **rest: object) -> BodyShape:
    return BodyShape(gender=gender, age=age, ancestry=ancestry, details=_FRIENDLY, proportion=0.7, **rest)


MODELS = {
    "ana": Model(_shape(0, 0.12, (0.1, 0.2, 0.7), weight=0.42), (221, 185, 165), "bun", _BROWN, eyes="brown", seed=1),
    "ben": Model(_shape(1, 0.25, (0.85, 0.05, 0.1), muscle=0.6), (112, 74, 54), "buzz", shoes=(235, 232, 226), seed=2),
    "chie": Model(_shape(0, 0.3, (0, 0.95, 0.05), weight=0.45), (216, 176, 150), "bob", thickness=0.14, seed=3),
    "dan": Model(_shape(1, 0.1, (0, 0.15, 0.85), weight=0.4), (220, 178, 156), "short", _FAIR, 0.2, "blue", seed=4),
    "efe": Model(_shape(0, 0.15, (0.95, 0, 0.05), weight=0.5), (92, 60, 44), "buzz", shoes=(200, 160, 90), seed=5),
    "fritz": Model(_shape(1, 0.75, (0, 0.1, 0.9), weight=0.6), (212, 168, 148), "short", _SILVER, 0.15, "blue", seed=6),
    "gita": Model(_shape(0, 0.6, (0.3, 0.5, 0.2), weight=0.58), (164, 118, 88), "bun", _SILVER, 0.13, seed=7),
    "hugo": Model(_shape(1, 0.2, (0.2, 0.5, 0.3), muscle=0.6), (186, 138, 106), "short", thickness=0.17, seed=8),
    "ines": Model(_shape(0, 0.2, (0.2, 0.3, 0.5), weight=0.48), (205, 160, 132), "bob", _BROWN, 0.15, seed=9),
    "jo": Model(_shape(1, 0.35, (0.5, 0.3, 0.2), weight=0.55), (140, 96, 70), "short", thickness=0.12, seed=10),
    "mannequin": Model(_shape(0, 0.2, (0.3, 0.3, 0.4), cup=-0.3, weight=0.45), _WHITE, "bald"),
    "mannequin_m": Model(_shape(1, 0.2, (0.3, 0.3, 0.4), muscle=0.55), _WHITE, "bald"),
}

_JEANS = Item("trousers", 8, (52, 68, 104))
_CHINOS = Item("trousers", 20, (176, 152, 118))

PERSONS = {
    "woman_white_tee": Portrait("ana", Item("tshirt", 4, _WHITE), _JEANS, "waist", yaw=0.12, seed=1),
    "man_grey_tee": Portrait(
        "ben",
        Item("tshirt", 9, (120, 126, 130)),
        _JEANS,
        "knee",
        ("pocket", "down"),
        -0.1,
        background="room",
        colour=(214, 204, 190),
        light=-0.5,
        seed=4,
    ),
    "woman_teal_top": Portrait(
        "chie",
        Item("longsleeve", 4, (38, 110, 112)),
        Item("skirt", 5, (198, 176, 148)),
        "knee",
        ("hip", "down"),
        0.1,
        background="wall",
        colour=_SAND,
        seed=3,
    ),
    "man_striped_tee": Portrait(
        "dan", Item("tshirt", 12, _WHITE, "stripes", (46, 72, 120), 4), _CHINOS, "full", ("away", "away"), 0.08, seed=4
    ),
    "woman_mustard_dress": Portrait(
        "efe", Item("dress", 14, (206, 150, 48)), None, "full", ("down", "hip"), -0.12, colour=(226, 220, 212), seed=5
    ),
    "man_olive_top": Portrait(
        "fritz",
        Item("longsleeve", 22, (96, 104, 66)),
        Item("trousers", 12, (54, 52, 50)),
        "waist",
        yaw=-0.15,
        background="wall",
        colour=(188, 200, 206),
        light=-0.4,
        seed=6,
    ),
    "woman_blue_dress": Portrait(
        "gita",
        Item("dress", 3, (58, 92, 150), "dots", _WHITE, 2),
        None,
        "knee",
        ("away", "down"),
        0.1,
        background="room",
        colour=(224, 214, 204),
        seed=7,
    ),
    "man_coral_vneck": Portrait(
        "hugo",
        Item("tshirt", 16, (196, 92, 78)),
        Item("shorts", 17, (66, 74, 82)),
        "full",
        ("a_pose", "down"),
        -0.1,
        background="wall",
        colour=(214, 222, 220),
        seed=8,
    ),
}

GARMENTS = {
    "upper_striped_tee": Product(Item("tshirt", 14, _WHITE, "stripes", (172, 44, 48), 11)),
    "upper_sun_tee": Product(
        Item("tshirt", 7, (28, 68, 92), "print", (240, 190, 70), 24, ((236, 120, 70),), motifs=("sun",)), "mannequin_m"
    ),
    "upper_word_tee": Product(
        Item("tshirt", 12, (236, 232, 222), "text", (190, 70, 50), 2), "mannequin_m", flat=True, turn=0.03
    ),
    "upper_check_longsleeve": Product(Item("longsleeve", 4, (236, 230, 218), "check", (40, 92, 80), 6), flat=True),
    "upper_dotted_tank": Product(Item("tank", 6, (30, 40, 72), "dots", (240, 236, 226), 7)),
    "upper_green_vneck_worn": Portrait(
        "ines",
        Item("tshirt", 10, (62, 128, 84)),
        Item("trousers", 3, (232, 228, 220)),
        "waist",
        ("hip", "down"),
        -0.1,
        seed=9,
    ),
    "lower_blue_jeans": Product(_JEANS, "mannequin_m"),
    "lower_check_skirt": Product(Item("skirt", 20, (150, 44, 44), "check", (36, 34, 48), 8), flat=True, turn=-0.03),
    "lower_khaki_shorts": Product(Item("shorts", 5, (150, 140, 104)), "mannequin_m", margin=1.3),
    "dress_floral": Product(Item("dress", 8, (242, 236, 224), "floral", (206, 84, 96), 9, others=_PETALS)),
    "dress_red": Product(Item("dress", 15, (170, 30, 48)), flat=True),
    "dress_striped_worn": Portrait(
        "ines",
        Item("dress", 20, (240, 238, 232), "stripes", (36, 56, 100), 10),
        None,
        "full",
        ("down", "away"),
        0.1,
        seed=10,
    ),
}
