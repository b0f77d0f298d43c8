"""What the app understood of two photographs, as pictures; and the region, to be grown, shrunk or painted."""

import cv2
import numpy as np
from PIL import Image

from tryon.images import to_images
from tryon.preprocessing import Prepared
from tryon.preprocessing.photographs import PreparedPhotos
from tryon.preprocessing.pose import draw_pose

PAINT = (225, 29, 72)  # what may change is shown in this colour
EDITOR_SIDE = 720  # longest side of the picture in the editor, in pixels
BORDER = (231, 229, 228)
PAINTED = 60  # opacity from which paint counts, of 255
UNTOUCHED = 5e-4  # share of pixels that drawing and rounding may alter by themselves


def views(person_image: Image.Image, prepared: Prepared | PreparedPhotos, size: int = 512) -> tuple[Image.Image, ...]:
    """Three pictures: the person with the joints found, what the networks are shown of the person, and the garment."""
    if isinstance(prepared, PreparedPhotos):
        return prepared.views()
    joints = draw_pose(prepared.conditions.person_pose[0].numpy(), prepared.frame.crop(person_image, size))
    shown = (prepared.conditions.agnostic, prepared.conditions.garment)
    return (Image.fromarray(joints), *(Image.fromarray(to_images(picture)[0]) for picture in shown))


def grow(region: Image.Image, percent: float) -> Image.Image:
    """The region with its edge moved outwards, or inwards for negative values.

    Args:
        region: picture of mode L, 255 where the photo may change.
        percent: how far, in percent of the picture's longer side.
    """
    radius = round(abs(percent) / 100 * max(region.size))
    if radius == 0:
        return region
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    change = cv2.dilate if percent > 0 else cv2.erode
    return Image.fromarray(change(np.asarray(region), disc))


def editor_value(person_image: Image.Image, region: Image.Image) -> dict:
    """The photo with the region painted over it, for `gr.ImageEditor` with a canvas of `EDITOR_SIDE`.

    Both lie in the upper left of a square: the editor scales layers by the side of its canvas, not by the photo.
    """
    small = person_image.resize(_editor_size(person_image))
    alpha = region.resize(small.size, Image.Resampling.BILINEAR).point(lambda value: 150 if value > 127 else 0)
    background = Image.new("RGB", (EDITOR_SIDE, EDITOR_SIDE), BORDER)
    background.paste(small)
    layer = Image.new("RGBA", background.size, (*PAINT, 0))
    layer.paste(Image.merge("RGBA", (*Image.new("RGB", small.size, PAINT).split(), alpha)))
    return {"background": background, "layers": [layer]}


def painted_region(layers: list[Image.Image], found: Image.Image) -> Image.Image | None:
    """The region that a visitor painted, as a mask of the photo's size; None if nothing was altered.

    Args:
        layers: of `gr.ImageEditor`, their coverage: pictures of mode L.
        found: the region that was found, at the photo's size; a slider may have grown it before it was painted on.
    """
    if not layers:
        return None
    width, height = _editor_size(found)
    squares = [layer.resize((EDITOR_SIDE, EDITOR_SIDE)) for layer in layers]
    painted = np.max([np.asarray(layer) for layer in squares], axis=0)[:height, :width] > PAINTED
    small = np.asarray(found.resize((width, height), Image.Resampling.BILINEAR)) > 127
    if (painted != small).mean() < UNTOUCHED:
        return None
    region = Image.fromarray(painted.astype(np.uint8) * 255)
    return region.resize(found.size, Image.Resampling.BILINEAR).point(lambda value: 255 if value > 127 else 0)


def _editor_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of a photo in the editor."""
    return tuple(max(1, round(side * EDITOR_SIDE / max(image.size))) for side in image.size)
