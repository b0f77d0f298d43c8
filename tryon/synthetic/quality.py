"""How much work goes into a picture: presets for small and large training sizes and for pictures to look at."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Quality:
    """Levels of detail; all sizes in pixels.

    Attributes:
        cloth_level: Catmull-Clark steps of garments.
        drape_effort: factor on the steps of cloth relaxation.
        collision_stride: every how many-th vertex of the body cloth collides with.
        collision_neighbours: how many of these a cloth vertex heeds.
        gravity: dm a step squared; less for finer cloth, which relaxation leaves more elastic.
        cloth_smoothing: rounds of smoothing after draping; fine cloth needs it against ragged hems and stripes.
        hair_level: Catmull-Clark steps of the hair on the scalp.
        hair_grid: strands and points per strand of long hair.
        hair_rounds: how often long hair is pushed off the shoulders.
        skin_detail: dm, shorter edges of head and hands are left out; 0 for none.
        shoe_grid: points along and around a shoe.
        skin_texture, fabric_texture: sides of the textures.
        supersampling: samples per pixel along each axis.
        shadow_map: side of the shadow map in shares of the samples along a side.
        weave: draw the threads of the cloth where the picture can resolve them.
    """

    cloth_level: int = 1
    drape_effort: float = 0.6
    collision_stride: int = 2
    collision_neighbours: int = 1
    gravity: float = 0.0016
    cloth_smoothing: int = 0
    hair_level: int = 1
    hair_grid: tuple[int, int] = (40, 24)
    hair_rounds: int = 1
    skin_detail: float = 0.0
    shoe_grid: tuple[int, int] = (30, 24)
    skin_texture: int = 256
    fabric_texture: int = 384
    supersampling: int = 2
    shadow_map: float = 0.5
    weave: bool = False


TRAINING = Quality()
SMALL = replace(  # a pixel shows no more of cloth, skin, hair and shoes
    TRAINING,
    cloth_level=0,
    hair_grid=(30, 22),
    skin_detail=0.1,
    shoe_grid=(18, 16),
    fabric_texture=256,
)
DISPLAY = Quality(
    cloth_level=2,
    drape_effort=1.2,
    collision_stride=1,
    collision_neighbours=2,
    gravity=0.0005,
    cloth_smoothing=3,
    hair_level=2,
    hair_grid=(72, 34),
    hair_rounds=2,
    skin_texture=1536,
    fabric_texture=1536,
    supersampling=2,
    shadow_map=1.0,
    weave=True,
)


def quality_for(size: int) -> Quality:
    """The preset for pictures of `size` pixels: `SMALL` up to 128, `TRAINING` below 512, else `DISPLAY`."""
    if size <= 128:
        return SMALL
    return TRAINING if size < 512 else DISPLAY
