"""What is around the pixels in JPEG, PNG, GIF and WebP files: found without decoding anything, and left out for it.

Metadata is of no use for the pixels, and decoders fail on it: wrongly typed EXIF tags, text that unpacks to gigabytes,
comments in a million parts, lists of further frames. Only the EXIF orientation is read. A damaged file is
stripped as far as it makes sense. The rest stays unchanged, and the decoder decides.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
GIF = (b"GIF87a", b"GIF89a")
_SOS, _EOI = 0xDA, 0xD9
# JFIF, ICC profiles and Adobe's colour transform change how the pixels look. Other application data does not.
_KEPT_SEGMENTS = (b"JFIF", b"ICC_PROFILE", b"Adobe")
_KEPT_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_MAX_PARTS = 100_000
"""Chunks of a PNG or segments of a JPEG. Pillow takes some microseconds for each, and a small file can hold many."""
_MAX_BLOCKS = 1_000_000
"""Data blocks of a GIF, of up to 255 bytes."""


class Stripped(NamedTuple):
    """`data` shows the same pixels without metadata; `exif` is the EXIF block, if there is one, without its prefix.

    `scans` is how often a JPEG decoder passes over the picture. `showable` is false if other programs should not get
    the original file: it lists further pictures, or holds packed text of unlimited size. `animated` is true for a PNG
    or GIF of several frames.
    """

    data: bytes
    exif: bytes | None = None
    scans: int = 1
    showable: bool = True
    animated: bool = False


def strip(data: bytes) -> Stripped:
    """Leave out metadata, by the type that the first bytes tell. Raises ValueError for a file in too many parts."""
    if data.startswith(JPEG):
        return _strip_jpeg(data)
    if data.startswith(PNG):
        return _strip_png(data)
    if data.startswith(GIF):
        return _strip_gif(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Stripped(data, _webp_exif(data))
    return Stripped(data)


def _strip_jpeg(data: bytes) -> Stripped:
    """Keep what decoding needs, up to the end of the first picture."""
    kept: list[memoryview] = [memoryview(data)[:2]]
    exif: bytes | None = None
    scans, showable, at = 0, True, 2
    for marker, start, end in _jpeg_segments(data):
        body = data[start + 4 : min(end, start + 4 + 16)] if marker != _EOI else b""
        at = end
        application = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if marker == 0xE1 and body.startswith(b"Exif\0") and exif is None:
            exif = data[start + 10 : end]
        showable &= not (marker == 0xE2 and body.startswith(b"MPF\0"))
        scans += marker == _SOS
        if not application or body.startswith(_KEPT_SEGMENTS):
            kept.append(memoryview(data)[start:end])
        if marker == _EOI:
            break
    else:
        kept.append(memoryview(data)[at:])  # cut short or odd: for the decoder to judge
    return Stripped(b"".join(kept), exif, max(scans, 1), showable)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment, as far as they make sense. A scan's reaches to the next marker."""
    at, parts = 2, 0
    while at + 2 <= len(data):
        parts = _counted(parts, _MAX_PARTS)
        marker = data[at + 1]
        if data[at] != 0xFF:  # junk
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0 or 0xD0 <= marker <= 0xD8:  # stands alone
            at += 2
            continue
        if marker == _EOI:
            yield marker, at, at + 2
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker < 0xC0 or end < at + 4 or end > len(data):
            return
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, end)
            if found is None:
                return
            end = found.start()
        yield marker, at, end
        at = end


def _strip_png(data: bytes) -> Stripped:
    """Keep the header, the palette, transparency and the pixels of the still picture."""
    kept = [memoryview(data)[: len(PNG)]]
    exif: bytes | None = None
    showable, animated, parts = True, False, 0
    at = len(PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if kind in _KEPT_CHUNKS:
            kept.append(memoryview(data)[at:end])
        elif kind == b"eXIf" and exif is None:
            exif = data[at + 8 : end - 4]
        elif kind == b"acTL":
            animated |= data[at + 8 : at + 12] not in (bytes(4), b"\0\0\0\1")
        showable &= kind not in (b"zTXt", b"iTXt", b"acTL")
        at = end
        parts = _counted(parts, _MAX_PARTS)
    kept.append(memoryview(data)[at:])
    return Stripped(b"".join(kept), exif, showable=showable, animated=animated)


def _strip_gif(data: bytes) -> Stripped:
    """Keep the first picture and what controls it."""
    at = 13 + _color_table(data, 10)
    kept = [memoryview(data)[:at]]
    pictures = 0
    while at < len(data) and data[at] != 0x3B:
        start = at
        if data[at] == 0x21:  # an extension
            at = _after_blocks(data, at + 2)
            if data[start + 1 : start + 2] == b"\xf9":
                kept.append(memoryview(data)[start:at])
        elif data[at] == 0x2C:
            pictures += 1
            if pictures == 2:
                break
            at = _after_blocks(data, at + 11 + _color_table(data, at + 9))
            kept.append(memoryview(data)[start:at])
        else:
            return Stripped(data)
    return Stripped(b"".join((*kept, b";")), animated=pictures > 1)


def _color_table(data: bytes, flags_at: int) -> int:
    """The size of a GIF's colour table in bytes."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Where a GIF's row of data blocks ends."""
    blocks = 0
    while at < len(data) and data[at]:
        at += data[at] + 1
        blocks = _counted(blocks, _MAX_BLOCKS)
    return at + 1


def _counted(parts: int, limit: int) -> int:
    if parts >= limit:
        raise ValueError("it has too many parts")
    return parts + 1


def _webp_exif(data: bytes) -> bytes | None:
    at, parts = 12, 0
    while at + 8 <= len(data):
        parts = _counted(parts, _MAX_PARTS)
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            return data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
    return None
