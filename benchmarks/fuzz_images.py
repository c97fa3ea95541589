"""Damaged image files for `benchmarks.fuzz`: mutations of small valid files of every kind."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

from annotator.errors import Busy, InvalidImage
from annotator.imaging.decode import decode, decode_pixels, thumbnail
from tests.data.pictures import every_kind

MAX_PIXELS = 4_000_000
_NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
_PNG = b"\x89PNG\r\n\x1a\n"


@cache
def _seeds() -> list[bytes]:
    return list(every_kind().values())


def case(rng: random.Random) -> bytes:
    """One to six random changes to a valid file."""
    data = bytearray(rng.choice(_seeds()))
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        _mutate(data, rng)
    fixed = bytes(data)
    if fixed.startswith(_PNG) and rng.random() < 0.8:  # else the checksum is all that is ever tested
        fixed = with_checksums(fixed)
    return fixed


def run(data: bytes) -> str:
    """Decode; check what comes out. Any error but the expected ones is a crash."""
    try:
        decoded = decode(data, "x", MAX_PIXELS)
    except InvalidImage as error:
        if "\n" in str(error) or len(str(error)) > 300:
            raise ValueError(f"not one short sentence: {error}") from error
        return "refused"
    except Busy:
        return "busy"
    pixels = decoded.pixels
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert pixels.shape == (decoded.height, decoded.width, 3) and 0 < pixels.size <= 3 * MAX_PIXELS
    _spoil_free_memory()
    assert np.array_equal(decode_pixels(data, "x", MAX_PIXELS), pixels), "the pixels alone differ"
    assert len(decoded.pixel_key) == 64
    assert thumbnail(pixels)[:2] == b"\xff\xd8"
    if decoded.display is not data:
        with Image.open(io.BytesIO(decoded.display)) as shown:
            shown.load()
            assert shown.size == (decoded.width, decoded.height), "the browser shows another size"
            assert f"image/{(shown.format or '').lower()}" == decoded.display_type
    return "decoded"


def _spoil_free_memory() -> None:
    """Fill memory that is free now, so that a decoder that shows what it did not write gives itself away."""
    spoiled = [np.full(size, 0xA5, np.uint8) for size in range(16, 4096, 16) for _ in range(2)]
    del spoiled


def with_checksums(data: bytes) -> bytes:
    """A PNG with right checksums, as far as its chunks make sense."""
    fixed, at = bytearray(data), len(_PNG)
    while at + 12 <= len(fixed):
        end = at + 12 + struct.unpack_from(">I", fixed, at)[0]
        if end > len(fixed):
            break
        struct.pack_into(">I", fixed, end - 4, zlib.crc32(fixed[at + 4 : end - 4]))
        at = end
    return bytes(fixed)


def _mutate(data: bytearray, rng: random.Random) -> None:
    """One change in place: half of them near the start or the end, where headers and directories are."""
    if not data:
        data += rng.randbytes(8)
    size = len(data)
    at = rng.choice((rng.randrange(size), rng.randrange(min(size, 64)), size - 1 - rng.randrange(min(size, 300))))
    kind = rng.randrange(8)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    elif kind in (2, 3):
        number, length = rng.choice(_NUMBERS), rng.choice((2, 4, 4, 8))
        packed = (number % 256**length).to_bytes(length, rng.choice(("little", "big")))
        data[at : at + length] = packed[: size - at]
    elif kind == 4:
        del data[at : at + rng.choice((1, 2, 4, 16, size))]
    elif kind == 5:
        data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 200)))
    elif kind == 6:
        source = rng.randrange(size)
        data[at:at] = data[source : source + rng.choice((4, 12, 64, 500))]
    else:
        other = rng.choice(_seeds())
        start = rng.randrange(len(other))
        data[at : at + 64] = other[start : start + rng.choice((4, 12, 64, 500))]
