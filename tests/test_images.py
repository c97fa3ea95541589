"""Uploads of every kind: decoded upright, or refused in one sentence."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from annotator.errors import InvalidImage
from annotator.imaging.decode import decode, thumbnail

LIMIT = 40_000_000


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack((x, y, 255 - x), -1).astype(np.uint8))


def huge_png(side: int) -> bytes:
    """A valid header of side x side pixels with next to no data, as an attacker would send."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_and_recorded(orientation: int) -> None:
    upright = gradient()
    turns = {1: [], 2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}  # Image.Transpose that stores it so
    stored = upright
    for turn in turns[orientation]:
        stored = stored.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(encoded(stored, "PNG", exif=exif), "x.png", LIMIT)
    assert decoded.orientation == orientation
    assert np.array_equal(decoded.pixels, np.asarray(upright))
    shown = Image.open(io.BytesIO(decoded.display))
    assert np.array_equal(np.asarray(shown), np.asarray(upright))
    assert shown.getexif().get(0x0112, 1) == 1


def test_an_ordinary_jpeg_is_shown_as_it_is() -> None:
    data = encoded(gradient(), "JPEG")
    decoded = decode(data, "x.jpg", LIMIT)
    assert decoded.display is data
    assert decoded.display_type == "image/jpeg"


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.fromarray(np.array([[0, 65535], [32768, 65535]], np.uint16)), "PNG", [[0, 255], [128, 255]]),
        (Image.fromarray(np.array([[0, 1.0], [0.5, 1.0]], np.float32)), "TIFF", [[0, 255], [128, 255]]),
        (Image.new("L", (2, 2), 77), "PNG", [[77, 77], [77, 77]]),
        (Image.new("1", (2, 2), 1), "PNG", [[255, 255], [255, 255]]),
        (Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG", [[255, 255], [255, 255]]),
        (Image.new("LA", (2, 2), (0, 128)), "PNG", [[127, 127], [127, 127]]),
        (Image.new("RGB", (2, 2), (9, 9, 9)).quantize(4), "GIF", [[9, 9], [9, 9]]),
        (Image.new("CMYK", (2, 2), (0, 0, 0, 0)), "JPEG", [[255, 255], [255, 255]]),
    ],
    ids=["16-bit", "float", "grey", "bilevel", "alpha", "grey-alpha", "palette", "cmyk"],
)
def test_every_pixel_format_becomes_rgb(image: Image.Image, kind: str, expected: list[list[int]]) -> None:
    decoded = decode(encoded(image, kind), "x", LIMIT)
    assert decoded.pixels.dtype == np.uint8
    assert np.abs(decoded.pixels.astype(int) - np.array(expected)[..., None]).max() <= 1
    assert Image.open(io.BytesIO(decoded.display)).mode in ("RGB", "L", "1")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"just some text", "not an image"),
        (encoded(gradient(400, 300), "JPEG")[:2000], "damaged"),
        (encoded(gradient(400, 300), "PNG")[:500], "damaged"),
        (huge_png(30_000), "30000 x 30000"),
        (encoded(gradient(), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40))]), "2 frames"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not an image"),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "bomb", "animation", "postscript"],
)
def test_what_cannot_be_taken_is_refused_in_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(InvalidImage) as caught:
        decode(data, "photo.jpg", LIMIT)
    assert says in str(caught.value)
    assert str(caught.value).startswith("photo.jpg")
    assert "\n" not in str(caught.value)


def test_equal_pixels_have_one_key_whatever_the_file() -> None:
    a = decode(encoded(gradient(), "PNG"), "a", LIMIT)
    b = decode(encoded(gradient(), "BMP"), "b", LIMIT)
    c = decode(encoded(gradient().transpose(Image.Transpose.ROTATE_90), "PNG"), "c", LIMIT)
    assert a.pixel_key == b.pixel_key != c.pixel_key


def test_a_thumbnail_is_small() -> None:
    shown = Image.open(io.BytesIO(thumbnail(np.asarray(gradient(1000, 500)))))
    assert shown.size == (160, 80)
