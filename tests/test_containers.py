"""What is around the pixels: left out, walked in few steps, never trusted."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from annotator.errors import InvalidImage
from annotator.imaging.containers import strip
from annotator.imaging.decode import decode
from tests.data.pictures import encoded, every_kind, gradient, jpeg_with, png_chunk, png_with, segment

LIMIT = 40_000_000


def gif_with(extension: bytes) -> bytes:
    """A GIF with something between its header and its picture."""
    data = encoded(gradient(), "GIF")
    header = 13 + (3 << (data[10] & 7) + 1)
    return data[:header] + extension + data[header:]


@pytest.mark.parametrize("kind", [kind for kind in every_kind() if kind.split()[0] in ("jpeg", "png", "gif", "webp")])
def test_without_metadata_the_pixels_are_the_same(kind: str) -> None:
    data = every_kind()[kind]
    bare = strip(data)
    assert strip(bare.data).data == bare.data
    with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(bare.data)) as stripped:
        assert whole.format == "WEBP" or not stripped.getexif()
        assert bare.animated == (getattr(whole, "is_animated", False) and whole.format in ("PNG", "GIF"))
        assert np.array_equal(np.asarray(whole.convert("RGBA")), np.asarray(stripped.convert("RGBA")))


@pytest.mark.parametrize(
    "data",
    [
        gif_with(b"\x21\xfe" + b"\x01x" * 300_000 + b"\0"),
        gif_with(b"\x21\xfe\x01x\0" * 90_000),
        png_with(*[png_chunk(b"teSt", b"")] * 90_000),
        jpeg_with(segment(0xE5, b"") * 90_000),
        jpeg_with(segment(0xE5, b"") + bytes(5_000_000)),
        jpeg_with(b"\xff" * 90_000),
        jpeg_with(b"\xff\xd8" * 45_000 + b"\xff\0" * 45_000),
    ],
    ids=["gif comment", "gif comments", "png chunks", "jpeg segments", "jpeg junk", "jpeg fill", "jpeg markers"],
)
def test_metadata_in_many_parts_is_left_out_before_a_slow_decoder_sees_it(data: bytes) -> None:
    assert len(strip(data).data) < 20_000
    assert decode(data, "x", LIMIT).pixels.shape == (40, 60, 3)


@pytest.mark.parametrize(
    "data",
    [
        png_with(*[png_chunk(b"IDAT", b"")] * 110_000),
        jpeg_with(segment(0xE5, b"") * 110_000),
        jpeg_with(b"\xff" * 110_000),
        gif_with(b"\x21\xfe" + b"\x01x" * 1_100_000 + b"\0"),
    ],
    ids=["png", "jpeg", "jpeg fill", "gif"],
)
def test_a_file_in_too_many_parts_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage, match="too many parts"):
        decode(data, "x", LIMIT)


def test_a_single_frame_that_could_be_shown_otherwise_is_shown_without_its_list() -> None:
    data = png_with(png_chunk(b"acTL", b"\0\0\0\1\0\0\0\0"))
    decoded = decode(data, "x", LIMIT)
    assert b"acTL" not in decoded.display
    assert np.array_equal(decoded.pixels, np.asarray(gradient()))
