"""Pictures: decoding whatever people upload, square frames and back, and arrays to tensors. Nothing about try-on."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps

with contextlib.suppress(ImportError):  # training needs no HEIC and may run where little is installed
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)  # what phones of one large maker store

MIN_SIDE = 64
MAX_MEGAPIXELS = 40
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM", "TGA")
"""What is decoded. Pillow knows more, but some of those start other programs or are of no use here."""


class InputError(ValueError):
    """A picture that cannot be used. The message is for the person who gave it: what is wrong and what to do."""


def read_image(source: str | Path | bytes | Image.Image | np.ndarray) -> Image.Image:
    """Decode a picture of any common kind into plain RGB, upright, on white.

    EXIF orientation is applied, transparency is laid on white, greyscale, palettes, CMYK and 16 bits are converted, of
    an animation the first frame is taken, and an embedded colour profile is converted to sRGB where it is readable.

    Args:
        source: path, encoded bytes, Pillow image, or an array: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8,
            uint16, bool or floats in [0, 1].

    Returns:
        Pillow image of mode RGB without metadata.

    Raises:
        InputError: it cannot be decoded, has a side under 64 pixels or more than 40 megapixels. Sizes are checked
            before any pixel is decoded.
    """
    try:
        image = _open(source)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(_TOO_LARGE.format("far more")) from error
    except Exception as error:  # decoders raise nearly anything on a broken file
        raise InputError(_unreadable(source)) from error
    width, height = image.size
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(_TOO_LARGE.format(f"{width * height / 1e6:.0f}"))
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"This picture is only {width} x {height} pixels; please use one with at least {MIN_SIDE} on each side."
        )
    try:
        image.load()
        image = _to_rgb(_upright(image))
    except Exception as error:
        raise InputError("This picture file is damaged or incomplete; please export or upload it again.") from error
    image.info = {}
    return image


_TOO_LARGE = f"This picture has {{}} megapixels; please scale it down to at most {MAX_MEGAPIXELS}."


def _open(source: str | Path | bytes | Image.Image | np.ndarray) -> Image.Image:
    """A lazily decoded image; its size is known, its pixels are not read yet."""
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        if source.ndim not in (2, 3) or source.size == 0:
            raise ValueError(f"not a picture: an array of shape {source.shape}")
        return _from_array(source)
    Image.init()  # Pillow registers decoders lazily, and some builds lack some
    known = [name for name in FORMATS if name in Image.OPEN]
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else Path(source), formats=known)


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype == np.uint16:
        array = np.round(array / 257)
    elif array.dtype == bool or np.issubdtype(array.dtype, np.floating):
        array = np.round(np.clip(array.astype(np.float32), 0, 1) * 255)
    elif array.dtype != np.uint8:
        raise TypeError(f"not a picture: an array of {array.dtype}")
    array = array.astype(np.uint8)
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _unreadable(source: object) -> str:
    """Why a file cannot be opened, as far as its first bytes tell."""
    if isinstance(source, str | Path) and not Path(source).is_file():
        return f"There is no picture at {source}; please check the path."
    return "This file cannot be read as a picture; please upload a JPEG, PNG or WebP."


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken metadata must not cost the picture
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """RGB on white, whatever the mode."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float32)
        top = values.max(initial=0)
        full = 65535 if top > 255 else 255 if top > 1 or image.mode != "F" else 1
        if image.mode.startswith("I;16"):
            full = 65535
        image = Image.fromarray(np.clip(values / full * 255 + 0.5, 0, 255).astype(np.uint8))
    alpha = None
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        profile = image.info.get("icc_profile")
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
        image.info["icc_profile"] = profile
    image = _to_srgb(image).convert("RGB")
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """Follow an embedded colour profile if it fits the picture; else the picture itself."""
    data = image.info.get("icc_profile")
    spaces = {"RGB ": ("RGB",), "GRAY": ("L",), "CMYK": ("CMYK",)}
    if not data:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        name = profile.profile.profile_description or ""
        if image.mode not in spaces.get(profile.profile.xcolor_space, ()) or "sRGB" in name:
            return image
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image


@dataclass(frozen=True)
class Frame:
    """A square of a picture, which may reach beyond its edges, and the way there and back.

    Attributes:
        left: of the square, in pixels of the picture; may be negative.
        top: of the square, in pixels of the picture; may be negative.
        side: of the square, in pixels of the picture.
        width: of the picture.
        height: of the picture.
    """

    left: int
    top: int
    side: int
    width: int
    height: int

    @classmethod
    def around(cls, image: Image.Image) -> "Frame":
        """The smallest square that holds the whole picture, in the middle."""
        width, height = image.size
        side = max(width, height)
        return cls((width - side) // 2, (height - side) // 2, side, width, height)

    @property
    def bottom(self) -> float:
        """Y of the picture's lower edge in sides of the square."""
        return (self.height - self.top) / self.side

    def _overlap(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom, in pixels of the picture, of what the square and the picture share."""
        right, bottom = min(self.left + self.side, self.width), min(self.top + self.side, self.height)
        left, top = max(self.left, 0), max(self.top, 0)
        return left, top, max(right, left), max(bottom, top)

    def crop(self, image: Image.Image, size: int, fill: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
        """What the square shows, scaled by an antialiased filter.

        Args:
            image: RGB picture of this frame's width and height.
            size: side of the result in pixels.
            fill: colour of what lies outside of the picture.

        Returns:
            (size, size, 3) uint8 RGB.

        Raises:
            ValueError: the picture is not of this frame's size.
        """
        self._check(image)
        square = Image.new("RGB", (self.side, self.side), fill)
        left, top, right, bottom = self._overlap()
        if right > left and bottom > top:
            square.paste(image.crop((left, top, right, bottom)), (left - self.left, top - self.top))
        return np.array(square.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0))

    def crop_mask(self, mask: np.ndarray, size: int) -> np.ndarray:
        """The same for a mask of the picture.

        Args:
            mask: (height, width) bool, or float in [0, 1].
            size: side of the result in pixels.

        Returns:
            (size, size) float32 in [0, 1]; 0 outside of the picture.
        """
        square = np.zeros((self.side, self.side), np.float32)
        left, top, right, bottom = self._overlap()
        square[top - self.top : bottom - self.top, left - self.left : right - self.left] = mask[top:bottom, left:right]
        resized = Image.fromarray(square).resize((size, size), Image.Resampling.BOX if self.side > size else 2)
        return np.clip(np.asarray(resized, np.float32), 0, 1)

    def within(self, size: int) -> np.ndarray:
        """Which pixels of the square, scaled to `size`, show nothing but the picture: (size, size) bool."""
        edges = np.arange(size + 1) * (self.side / size)
        rows, columns = (
            (origin + edges[:-1] >= 0) & (origin + edges[1:] <= extent)
            for origin, extent in ((self.top, self.height), (self.left, self.width))
        )
        return rows[:, None] & columns

    def place_mask(self, mask: np.ndarray) -> np.ndarray:
        """The inverse of `crop_mask`, for a mask of yes and no.

        Args:
            mask: (S, S) bool, of this square.

        Returns:
            (height, width) bool of the whole picture; False outside of the square.
        """
        placed = np.zeros((self.height, self.width), bool)
        left, top, right, bottom = self._overlap()
        scale = len(mask) / self.side
        rows, columns = (
            ((np.arange(start, stop) + 0.5 - origin) * scale).astype(int)
            for start, stop, origin in ((top, bottom, self.top), (left, right, self.left))
        )
        placed[top:bottom, left:right] = mask[np.ix_(rows, columns)]
        return placed

    def paste(
        self, original: Image.Image, result: np.ndarray, changed: np.ndarray, region: np.ndarray | None = None
    ) -> Image.Image:
        """Lay a result over the picture that `crop` took it from.

        Args:
            original: RGB picture of this frame's width and height.
            result: (S, S, 3) uint8 RGB, the square's new contents.
            changed: (S, S) float in [0, 1]: how much of the result shows. Its soft edges stay within the pixels of
                `changed` that are above 0.
            region: (height, width) bool, of the picture: what may change at all; None is all of it.

        Returns:
            RGB picture of the original's size. Where `changed` is 0, and outside of `region`, every pixel is the
            original's, bit for bit.

        Raises:
            ValueError: the picture is not of this frame's size.
        """
        self._check(original)
        left, top, right, bottom = self._overlap()
        pasted = original.copy()
        if right <= left or bottom <= top:
            return pasted
        scale = changed.shape[0] / self.side
        box = tuple(scale * value for value in (left - self.left, top - self.top, right - self.left, bottom - self.top))
        target = (right - left, bottom - top)
        smaller = self.side < changed.shape[0]
        over = Image.fromarray(result).resize(target, Image.Resampling.LANCZOS, box=box)
        soft = Image.fromarray(changed.astype(np.float32))
        touched = Image.fromarray((changed > 0).astype(np.uint8))
        weight = np.asarray(
            soft.resize(target, Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR, box=box)
        )
        touched = np.asarray(touched.resize(target, Image.Resampling.NEAREST, box=box)) > 0
        if region is not None:
            touched &= region[top:bottom, left:right]
        weight = np.clip(weight, 0, 1)[..., None] * touched[..., None]
        under = np.asarray(original.crop((left, top, right, bottom)), np.float32)
        mixed = np.rint(under + weight * (np.asarray(over, np.float32) - under)).astype(np.uint8)
        pasted.paste(Image.fromarray(mixed), (left, top))
        return pasted

    def _check(self, image: Image.Image) -> None:
        if image.size != (self.width, self.height):
            raise ValueError(f"This frame is for {self.width} x {self.height} pixels, the picture has {image.size}.")


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """Pictures as a network takes them.

    The scale is (value - 127) / 128: 127, which marks hidden pixels, becomes 0 exactly, white becomes 1, and every
    value is exact even in bfloat16.

    Args:
        images: (N, H, W, 3) or (H, W, 3) uint8 RGB.

    Returns:
        (N, 3, H, W) float32 in [-1, 1]; N is 1 for a single picture.
    """
    return as_tensor(torch.from_numpy(np.ascontiguousarray(images if images.ndim == 4 else images[None])))


def as_tensor(images: torch.Tensor) -> torch.Tensor:
    """The same of (N, H, W, 3) uint8 tensors, on their device."""
    return (images.permute(0, 3, 1, 2).float() - 127) / 128


def to_images(tensor: torch.Tensor) -> list[np.ndarray]:
    """The inverse of `to_tensor`; values outside [-1, 1] are clipped.

    Args:
        tensor: (N, 3, H, W) float.

    Returns:
        N pictures (H, W, 3) uint8 RGB.
    """
    values = (tensor.detach().float() * 128 + 127).round().clamp(0, 255).to(torch.uint8)
    return list(values.permute(0, 2, 3, 1).cpu().numpy())
