"""Every kind of upload becomes upright RGB or a helpful refusal; frames go there and back without touching the rest."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_pictures import hostile_pictures
from PIL import Image, ImageCms

from tryon.images import Frame, InputError, read_image, to_images, to_tensor


def scene(width: int = 96, height: int = 128) -> np.ndarray:
    """A picture whose corners all differ: red grows to the right, green downwards, blue is a disc."""
    y, x = np.mgrid[:height, :width]
    disc = ((x - width * 0.3) ** 2 + (y - height * 0.3) ** 2 < (width * 0.2) ** 2) * 200
    return np.stack([x * 255 // width, y * 255 // height, disc], axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def close(image: Image.Image, expected: np.ndarray, tolerance: float) -> bool:
    return np.abs(np.asarray(image, float) - expected).mean() < tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = scene()
    inverse = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(inverse(upright)))
    image = read_image(encoded(stored, "JPEG", exif=exif, quality=95, subsampling=0))
    assert image.size == (96, 128)
    assert close(image, upright, 4)
    again = read_image(image)
    assert np.array_equal(np.asarray(again), np.asarray(image)), "orientation must not be applied twice"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode):
    picture = Image.fromarray(scene()).convert("RGBA")
    alpha = np.full((128, 96), 255, np.uint8)
    alpha[:, :20] = 0
    alpha[:, 20:40] = 128
    picture.putalpha(Image.fromarray(alpha))
    if mode == "P":
        alpha[alpha == 128] = 255
        picture = Image.fromarray(scene()).quantize(200)
        pixels = np.array(picture)
        pixels[alpha == 0] = 255
        transparent = Image.fromarray(pixels, "P")
        transparent.putpalette(picture.getpalette() + [0] * (768 - len(picture.getpalette())))
        data = encoded(transparent, "PNG", transparency=255)
    else:
        data = encoded(picture.convert(mode), "PNG")
    pixels = np.asarray(read_image(data))
    assert (pixels[:, :20] == 255).all()
    if mode == "RGBA":
        expected = (scene()[:, 20:40].astype(float) + 255) / 2
        assert np.abs(pixels[:, 20:40] - expected).max() < 2
        assert np.array_equal(pixels[:, 40:], scene()[:, 40:])


def test_grey_palette_cmyk_bilevel_and_animation():
    picture = Image.fromarray(scene())
    grey = np.repeat(np.asarray(picture.convert("L"))[..., None], 3, axis=2)
    assert close(read_image(encoded(picture.convert("L"), "PNG")), grey, 0.01)
    assert close(read_image(encoded(picture.quantize(256), "PNG")), scene(), 8)
    assert close(read_image(encoded(picture.convert("CMYK"), "JPEG", quality=95)), scene(), 4)
    assert close(read_image(encoded(picture.convert("CMYK"), "TIFF")), scene(), 2)
    assert set(np.unique(np.asarray(read_image(encoded(picture.convert("1"), "PNG"))))) == {0, 255}
    second = Image.new("RGB", picture.size, "red")
    for kind in ("GIF", "WEBP", "PNG"):
        data = encoded(
            picture, kind, save_all=True, append_images=[second], **({"lossless": True} if kind == "WEBP" else {})
        )
        assert close(read_image(data), scene(), 12), kind


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_pictures_of_phones(orientation):
    """HEIC, which stores how the phone was held in a box of its own besides EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(scene()), "HEIF", quality=95, exif=exif.tobytes())
    turned = {1: 0, 3: 2, 6: -1}[orientation]
    assert close(read_image(data), np.rot90(scene(), turned), 6)


def test_sixteen_bits():
    deep = (np.mgrid[:128, :96][1] * 65535 // 95).astype(np.uint16)
    expected = np.repeat(np.round(deep / 257)[..., None], 3, axis=2)
    for kind in ("PNG", "TIFF"):
        assert close(read_image(encoded(Image.fromarray(deep), kind)), expected, 0.6), kind
    rgb = np.repeat(deep[..., None], 3, axis=2).astype(">u2").tobytes()
    rows = b"".join(b"\0" + rgb[i * 96 * 6 : (i + 1) * 96 * 6] for i in range(128))
    png = b"\x89PNG\r\n\x1a\n"
    for name, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 96, 128, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        png += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    assert close(read_image(png), expected, 1)


def test_colour_profile_is_followed_and_a_broken_one_is_ignored():
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(scene())
    assert np.array_equal(np.asarray(read_image(encoded(picture, "PNG", icc_profile=lab_like))), scene())
    assert np.array_equal(np.asarray(read_image(encoded(picture, "PNG", icc_profile=b"nonsense"))), scene())
    swapped = bytearray(lab_like)
    red, green = swapped.find(b"rXYZ"), swapped.find(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    name = swapped.find("sRGB".encode("utf-16-be"))
    swapped[name : name + 8] = "abcd".encode("utf-16-be")
    pixels = np.asarray(read_image(encoded(picture, "PNG", icc_profile=bytes(swapped))))
    assert np.abs(pixels.astype(float)[..., [1, 0, 2]] - scene()).mean() < 4, (
        "red and green are exchanged by the profile"
    )


def test_arrays_paths_and_pillow_images(tmp_path: Path):
    picture = scene()
    Image.fromarray(picture).save(tmp_path / "picture.png")
    floats = picture.astype(np.float64) / 255
    wide = picture.astype(np.uint16) * 257
    for source in (
        tmp_path / "picture.png",
        str(tmp_path / "picture.png"),
        picture,
        floats,
        wide,
        Image.fromarray(picture),
    ):
        assert np.array_equal(np.asarray(read_image(source)), picture)
    assert read_image(picture[..., 0]).mode == read_image(picture[..., :1]).mode == "RGB"
    assert read_image(np.dstack([picture, picture[..., :1]])).mode == "RGB"


def huge_png(width: int, height: int) -> bytes:
    """A PNG that only claims to be large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    return data + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "upload a JPEG"),
        (b"no picture at all" * 99, "upload a JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "upload a JPEG"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 99, "upload a JPEG"),
        ("missing/picture.jpg", "no picture at"),
        (np.zeros((0, 0, 3), np.uint8), "upload a JPEG"),
        (np.zeros((99, 99, 7), np.uint8), "upload a JPEG"),
        (np.zeros((99, 99, 3), np.int64), "upload a JPEG"),
        (np.zeros((63, 200, 3), np.uint8), "200 x 63"),
        (huge_png(8000, 6000), "48 megapixels"),
        (huge_png(12000, 9000), "108 megapixels"),
        (huge_png(60000, 60000), "at most 40"),
        (encoded(Image.fromarray(scene()), "JPEG")[:900], "damaged"),
        (encoded(Image.fromarray(scene()), "PNG")[:-200], "damaged"),
    ],
    ids=[
        "empty",
        "text",
        "postscript",
        "heic",
        "missing",
        "no-pixels",
        "channels",
        "integers",
        "tiny",
        "large",
        "larger",
        "bomb",
        "jpeg",
        "png",
    ],
)
def test_refusals_say_what_to_do(source, words):
    with pytest.raises(InputError, match=words) as refusal:
        read_image(source)
    assert "please" in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_forty_megapixels_are_accepted():
    assert read_image(Image.new("L", (8000, 5000))).size == (8000, 5000)


@pytest.mark.parametrize(
    "frame", [Frame(-20, 10, 90, 96, 128), Frame(10, 20, 64, 96, 128), Frame(-16, 0, 128, 96, 128)]
)
def test_paste_is_the_inverse_of_crop(frame):
    original = Image.fromarray(scene())
    for size in (frame.side, 2 * frame.side, 48):
        square = frame.crop(original, size)
        back = frame.paste(original, square, np.ones((size, size)))
        assert back.size == original.size
        assert np.abs(np.asarray(back, float) - scene()).mean() < (
            0.01 if size == frame.side else 1 if size > 48 else 5
        )


def test_crop_fills_what_lies_outside():
    square = Frame(-32, -32, 256, 96, 128).crop(Image.fromarray(scene()), 256, (1, 2, 3))
    assert np.array_equal(square[32:160, 32:128], scene())
    square[32:160, 32:128] = (1, 2, 3)
    assert (square == (1, 2, 3)).all()
    nothing = Frame(500, 500, 64, 96, 128)
    assert (nothing.crop(Image.fromarray(scene()), 64, (9, 9, 9)) == 9).all()
    assert np.array_equal(np.asarray(nothing.paste(Image.fromarray(scene()), square, np.ones((256, 256)))), scene())


@pytest.mark.parametrize("size", [32, 100, 256])
def test_pixels_outside_the_mask_are_untouched(size):
    original, frame = Image.fromarray(scene(480, 640)), Frame(-50, 100, 400, 480, 640)
    changed = np.zeros((size, size), np.float32)
    changed[size // 4 : size // 2, size // 4 : size // 2] = 1
    changed[size // 4] = 0.3
    pasted = np.asarray(frame.paste(original, np.full((size, size, 3), 255, np.uint8), changed))
    differs = (pasted != scene(480, 640)).any(axis=2)
    rows, columns = np.nonzero(differs)
    cells = changed[
        np.clip(((rows + 0.5 - 100) * size / 400).astype(int), 0, size - 1),
        np.clip(((columns + 0.5 + 50) * size / 400).astype(int), 0, size - 1),
    ]
    assert len(cells) > 5000
    assert (cells > 0).all()
    middle = np.asarray(pasted)[100 + 150, 100]
    assert (middle == 255).all(), "the middle of the mask shows the result alone"


def test_masks_are_cropped_like_pictures():
    mask = np.zeros((128, 96), bool)
    mask[:, :48] = True
    cropped = Frame(-16, 0, 128, 96, 128).crop_mask(mask, 32)
    assert cropped.shape == (32, 32)
    assert (cropped[:, :4] == 0).all()
    assert (cropped[:, 4:16] == 1).all()
    assert (cropped[:, 16:] == 0).all()


def test_frames_refuse_other_pictures():
    frame = Frame.around(Image.new("RGB", (100, 80)))
    assert (frame.left, frame.top, frame.side) == (0, -10, 100)
    with pytest.raises(ValueError, match="100 x 80"):
        frame.crop(Image.new("RGB", (80, 100)), 64)


def test_tensors_round_trip_and_hidden_is_zero():
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    tensor = to_tensor(values)
    assert tensor.shape == (1, 3, 16, 16)
    assert tensor.min() >= -1
    assert tensor.max() == 1
    assert (to_tensor(np.full((4, 4, 3), 127, np.uint8)) == 0).all()
    for copy in (tensor, tensor.to(torch.bfloat16)):
        assert np.array_equal(np.stack(to_images(copy)), values)
    assert to_images(torch.full((1, 3, 2, 2), 9.0))[0].max() == 255


def test_only_pixels_that_the_picture_fills_are_within_it():
    picture = np.ones((128, 100), bool)
    for frame in (Frame(-16, 0, 128, 100, 128), Frame(10, 60, 80, 100, 128), Frame(20, 30, 64, 100, 128)):
        within = frame.within(32)
        assert np.array_equal(within, frame.crop_mask(picture, 32) > 0.999)
    assert within.all()


def test_a_mask_goes_back_to_where_it_came_from():
    frame = Frame(-16, 10, 64, 96, 128)
    mask = np.zeros((32, 32), bool)
    mask[4:20, 8:24] = True
    placed = frame.place_mask(mask)
    assert placed.shape == (128, 96)
    assert placed[18:50, 0:32].all()
    assert placed.sum() == 32 * 32
    assert np.array_equal(frame.crop_mask(placed, 32) > 0.5, mask)


def test_two_hundred_hostile_and_odd_files_end_in_a_picture_or_a_sentence(tmp_path):
    outcomes = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (name, data) in enumerate(hostile_pictures()):
            path = tmp_path / (f"{number:03} {name}" if len(name) < 200 else name)
            path.write_bytes(data)
            try:
                image = read_image(path)
            except InputError as refusal:
                outcomes[name] = str(refusal)
            else:
                assert image.mode == "RGB", name
                assert image.size[0] * image.size[1] <= 40_000_000, name
                outcomes[name] = "picture"
    assert len(outcomes) >= 200
    for name, words in outcomes.items():
        assert words == "picture" or ("please" in words and words.endswith(".")), name
    for name in ("good.jpeg", "name with\nnewline.png", "exif_6.jpg", "exif_99.jpg", "broken_exif.jpg", "trailing.png"):
        assert outcomes[name] == "picture", name
    for name in ("zero_bytes.jpg", "program.eps", "drawing.svg", "page.html.jpg", "random.jpg", "wrong_magic.png"):
        assert "upload a JPEG" in outcomes[name], name
    for name in ("bomb.png", "endless.png", "hundred_real_megapixels.png"):
        assert "at most 40" in outcomes[name], name
