"""Who and what is in the example pictures: the tables behind `examples.py`.

To add a picture, add a row to `PERSONS` or `GARMENTS`; colours are 8-bit sRGB.
"""

from dataclasses import dataclass

from tryon.synthetic.body import BodyShape
from tryon.synthetic.prints import MOTIFS

Colour = tuple[int, int, int]  # sRGB, 8 bit
_FRIENDLY = {"mouth-corner-puller": 0.5, "eyebrows-left-up": 0.4, "eyebrows-right-up": 0.4}
_WHITE, _CREAM, _GREY, _NAVY, _INK = (230, 228, 222), (238, 230, 212), (150, 152, 154), (34, 44, 78), (34, 34, 38)
_DENIM, _SAND, _OLIVE, _WINE = (52, 70, 102), (196, 172, 136), (94, 102, 64), (120, 30, 46)
_BROWN, _FAIR, _BLOND, _RED, _SILVER = (84, 58, 40), (150, 116, 80), (190, 156, 104), (136, 66, 34), (158, 156, 154)
_PETALS = ((232, 150, 120), (116, 150, 120), (236, 190, 110), (150, 70, 96))

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
    accent: Colour = _WHITE
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
    "chie": Model(_shape(0, 0.3, (0, 0.95, 0.05), weight=0.45), (216, 176, 150), "bob", (30, 24, 22), 0.14, seed=3),
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
        _shape(0, 0.15, (0.8, 0, 0.2), weight=0.45), (126, 84, 60), "bun", thickness=0.2, shoes=_WHITE, seed=14
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
    "mannequin": Model(_shape(0, 0.2, (0.3, 0.3, 0.4), cup=-1, weight=0.45), _WHITE, "bald"),
    "mannequin_m": Model(_shape(1, 0.2, (0.3, 0.3, 0.4), muscle=0.5), _WHITE, "bald"),
}

_JEANS = Item("trousers", 23, _DENIM, "denim", seed=3)
_BLACK_JEANS = Item("trousers", 27, (40, 40, 44), "denim", seed=5)
_CHINOS = Item("trousers", 2, _SAND)

PERSONS = {
    "woman_white_tee": Portrait("ana", Item("tshirt", 66, _WHITE), _JEANS, yaw=0.12, seed=1),
    "man_grey_tee": Portrait(
        "ben",
        Item("tshirt", 57, _GREY, "heather"),
        _BLACK_JEANS,
        "knee",
        ("pocket", "down"),
        yaw=-0.15,
        set="room",
        colour=(216, 208, 196),
        light=-0.6,
        seed=4,
        set_seed=1,
    ),
    "woman_teal_top": Portrait(
        "chie",
        Item("longsleeve", 12, (38, 110, 112)),
        Item("skirt", 27, (198, 176, 148)),
        "knee",
        ("hip", "down"),
        yaw=0.15,
        set="plaster",
        colour=(214, 203, 186),
        seed=3,
    ),
    "man_striped_tee": Portrait(
        "dan",
        Item("tshirt", 104, _WHITE, "stripes", (46, 72, 120), 4),
        _CHINOS,
        "full",
        ("pocket", "away"),
        "apart",
        0.15,
        set="street",
        colour=(196, 180, 160),
        seed=4,
        set_seed=2,
    ),
    "woman_mustard_dress": Portrait(
        "efe",
        Item("dress", 11, (206, 150, 48)),
        None,
        "full",
        ("down", "hip"),
        "one knee bent",
        -0.2,
        colour=(214, 190, 178),
        seed=5,
    ),
    "man_olive_top": Portrait(
        "fritz",
        Item("longsleeve", 32, _OLIVE),
        Item("trousers", 12, (54, 52, 50)),
        yaw=-0.15,
        set="plaster",
        colour=(176, 190, 198),
        light=-0.5,
        seed=6,
    ),
    "woman_blue_dress": Portrait(
        "gita",
        Item("dress", 13, (58, 92, 150), "dots", _WHITE, 2),
        None,
        "full",
        "clasped",
        yaw=0.1,
        set="room",
        colour=(222, 214, 200),
        seed=7,
        set_seed=3,
    ),
    "man_coral_vneck": Portrait(
        "hugo",
        Item("tshirt", 33, (196, 92, 78)),
        Item("shorts", 6, (66, 74, 82)),
        "full",
        ("a_pose", "down"),
        "step",
        -0.15,
        set="park",
        colour=(196, 184, 164),
        seed=8,
    ),
    "woman_denim_shirt": Portrait(
        "june",
        Item("shirt", 13, (120, 150, 186), "denim", seed=8),
        _BLACK_JEANS,
        "knee",
        ("down", "hip"),
        yaw=-0.2,
        set="brick",
        colour=(226, 222, 214),
        seed=10,
    ),
    "man_white_shirt": Portrait(
        "kofi",
        Item("shirt", 20, _WHITE),
        Item("trousers", 4, (60, 70, 92)),
        "full",
        ("pocket", "pocket"),
        "apart",
        0.2,
        colour=(150, 172, 190),
        light=-0.6,
        seed=11,
    ),
    "woman_red_turtleneck": Portrait(
        "lena",
        Item("turtleneck", 4, (164, 40, 44), "knit", seed=12),
        _JEANS,
        "waist",
        ("down", "hair"),
        yaw=0.25,
        set="street",
        colour=(190, 182, 172),
        seed=12,
        set_seed=5,
    ),
    "man_navy_hoodie": Portrait(
        "mateo",
        Item("hoodie", 0, _NAVY),
        _JEANS,
        "knee",
        ("pocket", "down"),
        yaw=-0.2,
        set="street",
        colour=(176, 168, 160),
        light=-0.6,
        seed=13,
        set_seed=9,
    ),
    "woman_floral_dress": Portrait(
        "nia",
        Item("dress", 9, _CREAM, "floral", (206, 84, 96), 9, _PETALS),
        None,
        "full",
        ("away", "down"),
        "step",
        0.25,
        set="park",
        colour=(200, 188, 168),
        seed=14,
        set_seed=4,
    ),
    "man_tartan_shirt": Portrait(
        "otto",
        Item("shirt", 21, (150, 36, 40), "tartan", (30, 40, 66), 6, ((222, 214, 196), (24, 60, 48))),
        _JEANS,
        "waist",
        "crossed",
        set="brick",
        colour=(206, 196, 182),
        seed=15,
    ),
    "woman_black_blazer": Portrait(
        "pilar",
        Item("open_jacket", 5, _INK),
        Item("trousers", 22, (176, 168, 156)),
        "knee",
        ("pocket", "down"),
        yaw=0.2,
        set="room",
        colour=(200, 206, 204),
        seed=16,
        set_seed=6,
    ),
    "man_green_polo": Portrait(
        "raj",
        Item("polo", 75, (40, 96, 70)),
        Item("shorts", 2, _SAND),
        "full",
        ("down", "hip"),
        "one knee bent",
        0.1,
        colour=(222, 214, 196),
        seed=17,
    ),
    "woman_striped_top": Portrait(
        "rosa",
        Item("longsleeve", 9, _WHITE, "stripes", _NAVY, 8),
        Item("trousers", 15, (70, 74, 84)),
        "knee",
        "holding_wrist",
        yaw=-0.12,
        set="room",
        colour=(214, 200, 190),
        light=-0.5,
        seed=18,
        set_seed=8,
    ),
    "woman_black_tank": Portrait(
        "sol",
        Item("tank", 46, _INK),
        Item("trousers", 27, (92, 96, 104)),
        "full",
        ("hip", "hip"),
        "apart",
        -0.15,
        colour=(196, 178, 192),
        light=-0.6,
        seed=19,
    ),
}

GARMENTS = {
    "upper_striped_tee": Product(Item("tshirt", 66, _WHITE, "stripes", (172, 44, 48), 11)),
    "upper_sun_tee": Product(
        Item("tshirt", 57, (28, 68, 92), "print", (240, 190, 70), 24, ((236, 120, 70),), motifs=("sun",)), "mannequin_m"
    ),
    "upper_word_tee": Product(
        Item("tshirt", 104, (236, 232, 222), "text", (190, 70, 50), 2),
        "mannequin_m",
        True,
        0.03,
        "table",
        (150, 112, 78),
    ),
    "upper_check_longsleeve": Product(
        Item("longsleeve", 82, (236, 230, 218), "check", (40, 92, 80), 6),
        flat=True,
        set="linen",
        colour=(214, 206, 194),
    ),
    "upper_dotted_tank": Product(Item("tank", 58, (30, 40, 72), "dots", (240, 236, 226), 7)),
    "upper_green_vneck_worn": Portrait(
        "ines",
        Item("tshirt", 97, (62, 128, 84)),
        Item("trousers", 3, (226, 222, 212)),
        "waist",
        ("hip", "down"),
        yaw=-0.1,
        colour=(222, 220, 216),
        seed=9,
    ),
    "upper_striped_shirt": Product(
        Item("shirt", 13, (228, 232, 238), "vertical_stripes", (90, 124, 178), 5),
        "mannequin_m",
        True,
        -0.02,
        "linen",
        (226, 220, 208),
    ),
    "upper_tartan_shirt": Product(
        Item("shirt", 20, (36, 62, 54), "tartan", (150, 40, 40), 3, ((216, 206, 180), (20, 28, 40))), "mannequin_m"
    ),
    "upper_navy_polo": Product(Item("polo", 88, _NAVY), "mannequin_m"),
    "upper_grey_hoodie": Product(Item("hoodie", 17, (128, 130, 134), "heather", seed=4), "mannequin_m"),
    "upper_word_hoodie_worn": Portrait(
        "mateo",
        Item("hoodie", 0, (216, 196, 160), "text", (60, 56, 90), 3, words=("RIVER",)),
        _BLACK_JEANS,
        "waist",
        yaw=0.1,
        set="plaster",
        colour=(206, 202, 196),
        seed=21,
    ),
    "upper_bomber_jacket": Product(Item("jacket", 23, (74, 80, 58)), "mannequin_m"),
    "upper_denim_jacket": Product(
        Item("jacket", 20, (64, 96, 146), "denim", seed=2), flat=True, turn=0.02, set="table", colour=(196, 176, 150)
    ),
    "upper_cream_turtleneck": Product(Item("turtleneck", 10, (226, 214, 190), "knit", seed=12)),
    "upper_pink_cardigan": Product(Item("open_jacket", 24, (206, 148, 152), "knit", seed=5), "mannequin_m"),
    "upper_camel_blazer_worn": Portrait(
        "pilar",
        Item("open_jacket", 20, (170, 126, 82)),
        _BLACK_JEANS,
        "waist",
        ("down", "down"),
        yaw=0.12,
        set="plaster",
        colour=(220, 216, 208),
        seed=22,
    ),
    "lower_blue_jeans": Product(Item("trousers", 4, _DENIM, "denim", seed=3), "mannequin_m"),
    "lower_black_trousers": Product(Item("trousers", 19, _INK)),
    "lower_sand_chinos": Product(Item("trousers", 2, _SAND), "mannequin_m", True, 0.03, "table", (110, 80, 58)),
    "lower_check_skirt": Product(
        Item("skirt", 20, (150, 44, 44), "check", (36, 34, 48), 8),
        flat=True,
        turn=-0.03,
        set="linen",
        colour=(220, 216, 208),
    ),
    "lower_pleated_skirt": Product(Item("skirt", 6, (44, 84, 76))),
    "lower_khaki_shorts": Product(Item("shorts", 18, (150, 140, 104)), "mannequin_m", margin=1.3),
    "lower_white_jeans_worn": Portrait(
        "ines",
        Item("tshirt", 21, (44, 52, 72)),
        Item("trousers", 7, (226, 222, 212), "denim", seed=9),
        "full",
        ("hip", "down"),
        "one knee bent",
        0.1,
        colour=(206, 196, 186),
        seed=23,
    ),
    "dress_floral": Product(Item("dress", 9, _CREAM, "floral", (206, 84, 96), 9, others=_PETALS)),
    "dress_red": Product(Item("dress", 10, (170, 30, 48)), flat=True, set="sheet"),
    "dress_striped_worn": Portrait(
        "ines",
        Item("dress", 12, (240, 238, 232), "stripes", (36, 56, 100), 10),
        None,
        "full",
        ("down", "away"),
        yaw=0.1,
        seed=10,
    ),
    "dress_black_belted": Product(Item("dress", 28, (38, 38, 44))),
    "dress_green_maxi": Product(Item("dress", 21, (46, 92, 74))),
    "dress_denim_shirtdress": Product(Item("dress", 2, (88, 118, 160), "denim", seed=7)),
    "dress_wine_worn": Portrait(
        "nia",
        Item("dress", 28, _WINE),
        None,
        "full",
        ("down", "hip"),
        "one knee bent",
        -0.15,
        set="plaster",
        colour=(208, 204, 198),
        seed=24,
    ),
}
