"""What comes to light where the old garment was and the new one is not: the wall behind it, trousers, bare arms.

The networks paint this too, but at 256 x 256 pixels, and the smaller they are the more it is a blur, next to a sharp
photograph. What they know better than any rule is where skin is bared; the rest is continued from what the photograph
shows around it. Not in the paper, whose networks are large enough to paint it.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from tryon.continuation import continue_picture, weighted_blur
from tryon.kept import enlarged
from tryon.preprocessing.parsing import SKIN, label_mask
from tryon.replaced import MARGIN, disc

SKIN_REACH = (0.02, 0.06, 0.2)  # of the square: standard deviations at which bare skin lends its colour
CHEST_REACH = 0.08  # of the square: how far from a neck that is seen all is chest; as far again, less and less
CHEST_LIGHT = 8  # power of their brightness by which skins are weighted for the chest, which is lit from above
SKIN_EDGE = 0.0013  # of the square: standard deviation of the soft edge of bare skin
SKIN_JOIN = 0.015  # of the square: how far from skin that is kept bared skin is fitted to its outline
SKIN_SIDE = 256  # pixels at which colours of skin are spread; they are smooth
SHADING_SCALE = 0.012  # of the square: finer shading is not the networks' to give
SHADING_REACH = 0.05  # of the square: what is brighter than skin this far around is shaded less
SHADING = (0.75, 1.25)  # factors of brightness that the networks may give to skin


def uncover(
    photo: np.ndarray,
    parsing: np.ndarray,
    gone: np.ndarray,
    skin: np.ndarray,
    painted: np.ndarray,
    mistaken: np.ndarray,
) -> np.ndarray:
    """The photograph without what is taken off.

    Args:
        photo: (S, S, 3) uint8 RGB, the person in a square frame.
        parsing: (s, s) uint8 labels of it.
        gone: (S, S) bool: pixels that must not be seen any more, from `taken_off`.
        skin: (S, S) float32 in [0, 1]: how likely each of them shows bare skin instead.
        painted: (S, S, 3) uint8 RGB, the networks' picture: the skin's shading is taken from it, and all where there is
            nothing to continue.
        mistaken: (S, S) float32 in [0, 1]: where the networks painted the inside of a garment; there is skin too.

    Returns:
        (S, S, 3) uint8 RGB, equal to `photo` where nothing is gone.
    """
    seen = enlarged(label_mask(parsing, SKIN), len(photo))
    bare = seen & ~gone
    person = enlarged(label_mask(parsing, (*SKIN, "hair")), len(photo))
    around = cv2.dilate(person.astype(np.uint8), disc(MARGIN * len(photo))) > 0
    free = ~gone & ~around
    continued = continue_picture(photo, free, gone) if free.any() else painted.astype(np.float32)
    # Skin that is only replaced because outlines may be off is skin still.
    share = np.where(seen, np.float32(1), _shape_of_skin(np.maximum(skin, mistaken), bare, ~seen & ~gone))
    share = cv2.GaussianBlur(share, (0, 0), SKIN_EDGE * len(photo))
    share = np.where(gone, share, 0).astype(np.float32)[..., None]
    if share.max() > 0.05 and bare.any():
        neck = label_mask(parsing, ("torso_skin",))
        continued = continued + share * (_skin(photo, bare, neck, painted, share, mistaken) - continued)
    return np.where(gone[..., None], np.clip(np.rint(continued), 0, 255), photo).astype(np.uint8)


def _shape_of_skin(skin: np.ndarray, kept_skin: np.ndarray, kept_rest: np.ndarray) -> np.ndarray:
    """Where skin is bared: an arm that is as likely as not is there or is not, and never half transparent.

    An arm whose width was guessed ends in a step at the wrist that the photograph shows, so it is made narrower there.

    Args:
        skin: (S, S) float32 in [0, 1], how likely each pixel shows bare skin.
        kept_skin: (S, S) bool, the skin of the photograph that stays.
        kept_rest: (S, S) bool, what else of the photograph stays.

    Returns:
        (S, S) float32, 0 or 1.
    """
    inside = (skin > 0.5).astype(np.uint8)
    if not inside.any():
        return np.zeros_like(skin)
    reach = SKIN_JOIN * len(skin)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    near, beside = (cv2.GaussianBlur(mask.astype(np.float32), (0, 0), reach) for mask in (kept_skin, kept_rest))
    # At a straight border half of what is around is kept; far from kept skin nothing is known of the arm's width.
    certainty = np.minimum(2 * (near + beside), 1) * np.minimum(10 * near, 1)
    too_wide = certainty * np.clip((beside - near) / np.maximum(near + beside, 1e-4), 0, 1)
    return (depth > 2 * reach * too_wide).astype(np.float32)


def _skin(
    photo: np.ndarray, bare: np.ndarray, neck: np.ndarray, painted: np.ndarray, share: np.ndarray, mistaken: np.ndarray
) -> np.ndarray:
    """(S, S, 3) float32: colours of the person's own skin, shaded as the networks painted it where it is no cloth.

    Args:
        photo: (S, S, 3) uint8 RGB.
        bare: (S, S) bool, the skin of the photograph that stays.
        neck: (s, s) bool, neck and chest that the photograph shows; they are taken to have the chest below them.
        painted: (S, S, 3) uint8 RGB, the networks' picture.
        share: (S, S, 1) float32 in [0, 1], how much of each pixel is to show bared skin.
        mistaken: (S, S) float32 in [0, 1], where the networks painted the inside of a garment.
    """
    size, small = len(photo), (SKIN_SIDE, SKIN_SIDE)
    inner = cv2.erode(bare.astype(np.uint8), disc(MARGIN * size))  # outlines are half something else
    seen = cv2.resize((inner if inner.any() else bare).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    colours, shown = (cv2.resize(p, small, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (photo, painted))
    tone = _spread(colours, seen, SKIN_REACH)
    # Around the neck, chin and hair throw their shade on the skin that is seen, and none on the chest below.
    brightness = cv2.GaussianBlur(colours.mean(-1), (0, 0), SHADING_SCALE * SKIN_SIDE)
    bright = seen * (brightness / max(np.average(brightness, weights=seen), 1)) ** CHEST_LIGHT
    other = cv2.resize((~neck).astype(np.uint8), small, interpolation=cv2.INTER_NEAREST)
    away = cv2.distanceTransform(other, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    chest = np.clip(2 - away / (CHEST_REACH * SKIN_SIDE), 0, 1)[..., None]
    tone = tone + chest * (_spread(colours, bright, SKIN_REACH[-1:]) - tone)
    there = cv2.resize(share[..., 0], small, interpolation=cv2.INTER_AREA)
    # The patches in which the networks see would show as a weave.
    light = cv2.GaussianBlur(shown.mean(-1), (0, 0), SHADING_SCALE * SKIN_SIDE)[..., None] + 8
    shading = np.clip(light / np.maximum(weighted_blur(light, there, SHADING_REACH * SKIN_SIDE), 1), *SHADING)
    cloth = cv2.resize(mistaken, small, interpolation=cv2.INTER_AREA)
    told = np.clip(1 - 3 * cv2.GaussianBlur(cloth, (0, 0), SHADING_REACH * SKIN_SIDE), 0, 1)[..., None]
    lit = tone * (1 + told * (shading - 1))
    # Next to skin that is kept, the photograph knows the light better than the networks: no seam across a neck.
    reach = SKIN_REACH[0]
    lit = lit + _presence(seen, reach) * weighted_blur(colours - lit, seen, reach * SKIN_SIDE)
    return cv2.resize(lit, (size, size), interpolation=cv2.INTER_CUBIC)


def _spread(colours: np.ndarray, weight: np.ndarray, reaches: Sequence[float]) -> np.ndarray:
    """(s, s, 3) float32: the weighted mean of (s, s, 3) colours around each pixel, of the least reach that has any."""
    tone = np.broadcast_to(np.average(colours, axis=(0, 1), weights=weight), colours.shape).astype(np.float32)
    for reach in sorted(reaches, reverse=True):
        nearby = weighted_blur(colours, weight, reach * SKIN_SIDE)
        tone = tone + _presence(weight, reach) * (nearby - tone)
    return tone


def _presence(mask: np.ndarray, reach: float) -> np.ndarray:
    """(s, s, 1) float32 in [0, 1]: 1 where at least a tenth of what lies around belongs to the (s, s) mask."""
    return np.clip(10 * cv2.GaussianBlur(mask, (0, 0), reach * SKIN_SIDE), 0, 1)[..., None]
