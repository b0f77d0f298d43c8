"""Writes a folder of two hundred hostile and odd picture files: `python tests/hostile_pictures.py FOLDER`."""

import io
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "TGA", "AVIF", "HEIF")


def scene(width: int = 96, height: int = 128) -> Image.Image:
    """A picture whose corners differ."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=2).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    """A file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, body: bytes, depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG that says what it is told to, whether it is true or not."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def text_chunk(length: int) -> bytes:
    """A compressed comment that unpacks to `length` bytes."""
    data = b"note\0\0" + zlib.compress(b"a" * length, 9)
    return struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))


def spoilt(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Every kind of file whole, cut off, altered and with something before or behind it."""
    for kind in KINDS:
        try:
            data = encoded(scene(), kind)
        except (OSError, KeyError):
            continue  # this build of Pillow cannot write it
        yield f"good.{kind.lower()}", data
        for share in (0.05, 0.3, 0.6, 0.9, 0.99):
            yield f"cut_{share}.{kind.lower()}", data[: int(share * len(data))]
        for i in range(6):
            altered = bytearray(data)
            for position in rng.integers(0, len(data), 1 + i * 8):
                altered[position] = int(rng.integers(256))
            yield f"altered_{i}.{kind.lower()}", bytes(altered)
        yield f"trailing.{kind.lower()}", data + b"<?php system('id'); ?>" * 99
        yield f"zip_behind.{kind.lower()}", data + b"PK\x03\x04" + bytes(64)
        yield f"wrong_magic.{kind.lower()}", b"%PDF-1.7\n" + data


def hostile_pictures(seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Names and contents: cut off, altered, lying, oversized, odd and merely unusual files."""
    rng = np.random.default_rng(seed)
    yield from spoilt(rng)
    good = encoded(scene(), "PNG")
    rows = zlib.compress(bytes(100 * 301))
    for name, width, height in (
        ("bomb", 60_000, 60_000),
        ("wide", 2_000_000, 3),
        ("endless", 2**31 - 1, 2**31 - 1),
        ("hundred_megapixels", 10_000, 10_000),
        ("claims_more_than_it_has", 6000, 6000),
        ("no_width", 0, 100),
    ):
        yield f"{name}.png", png(width, height, rows)
    yield "hundred_real_megapixels.png", png(10_000, 10_000, zlib.compress(bytes(10_000 * 1251)), 1, 0)
    yield "comment_bomb.png", png(100, 100, rows, extra=text_chunk(50_000_000))
    yield "unpacks_to_much_more.png", png(100, 100, zlib.compress(bytes(80_000_000), 9))
    yield "one_pixel.png", encoded(Image.new("RGB", (1, 1)), "PNG")
    yield "one_row.png", encoded(Image.new("RGB", (3000, 1)), "PNG")
    yield "thin.png", encoded(Image.new("RGB", (63, 9000)), "PNG")
    yield "long.png", encoded(Image.new("RGB", (64, 9000)), "PNG")
    yield "zero_bytes.jpg", b""
    yield "one_byte.jpg", b"\xff"
    yield "magic_only.jpg", b"\xff\xd8\xff\xe0"
    yield "random.jpg", rng.bytes(5000)
    yield "jpeg_magic_then_random.jpg", b"\xff\xd8\xff\xe0" + rng.bytes(5000)
    yield "page.html.jpg", b"<html><script>alert(1)</script></html>"
    yield "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'/>"
    yield "program.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(/etc/passwd) run\n"
    yield "heic.heic", b"\0\0\0\x18ftypheic" + bytes(99)
    yield "name with\nnewline.png", good
    yield "name; $(id) `id` 'quote' \"quote\".png", good
    yield "ünïcödé 名前 🎽.png", good
    yield f"{'long' * 50}.png", good
    yield "no_suffix", good
    yield "wrong_suffix.jpg", good
    for mode in ("1", "L", "LA", "P", "RGBA", "I", "I;16"):
        yield f"mode_{mode.replace(';', '_')}.png", encoded(scene().convert("L" if ";" in mode else mode), "PNG")
    for mode in ("CMYK", "YCbCr", "F", "I;16", "LAB"):
        image = scene().convert("L").convert("I;16") if mode == "I;16" else None
        try:
            yield f"mode_{mode.replace(';', '_')}.tiff", encoded(image or scene().convert(mode), "TIFF")
        except (OSError, ValueError):
            continue
    yield "cmyk.jpg", encoded(scene().convert("CMYK"), "JPEG")
    for orientation in (*range(9), 99):
        exif = Image.Exif()
        exif[274] = orientation
        yield f"exif_{orientation}.jpg", encoded(scene(), "JPEG", exif=exif)
    yield "broken_exif.jpg", encoded(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    yield "broken_profile.jpg", encoded(scene(), "JPEG", icc_profile=rng.bytes(500))
    frames = [Image.new("RGB", (96, 128), colour) for colour in ("red", "green", "blue")] * 20
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        yield f"animated.{kind.lower()}", encoded(scene(), kind, save_all=True, append_images=frames)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, data) in enumerate(hostile_pictures()):
        (folder / (f"{number:03} {name}" if len(name) < 200 else name)).write_bytes(data)
