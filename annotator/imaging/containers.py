"""What is around the pixels in JPEG, PNG and WebP files: found without decoding anything, and left out for decoding.

Metadata is of no use for the pixels, and decoders fail on it: wrongly typed EXIF tags, text that unpacks to gigabytes,
lists of further frames. Only the EXIF orientation is read. A file that is not what it should be is returned as it is;
the decoder has the last word on it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
_SOS, _EOI = 0xDA, 0xD9
# JFIF, ICC profiles and Adobe's colour transform change how the pixels look. Other application data does not.
_KEPT_SEGMENTS = (b"JFIF", b"ICC_PROFILE", b"Adobe")
_DROPPED_CHUNKS = {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP"}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class Stripped(NamedTuple):
    """`data` shows the same pixels without metadata; `exif` is the EXIF block, if there is one, without its prefix.

    `scans` is how often a JPEG decoder passes over the picture. `showable` is false where other programs had better
    not get the file as it is: it lists further pictures, or holds packed text of any size.
    """

    data: bytes
    exif: bytes | None = None
    scans: int = 1
    showable: bool = True


def strip(data: bytes) -> Stripped:
    """Leave out metadata, by the type that the first bytes tell."""
    if data.startswith(JPEG):
        return _strip_jpeg(data)
    if data.startswith(PNG):
        return _strip_png(data)
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
    at = 2
    while at + 4 <= len(data) or data[at : at + 2] == b"\xff\xd9":
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _EOI:
            yield marker, at, at + 2
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker < 0xC0 or 0xD0 <= marker <= 0xD8 or end < at + 4 or end > len(data):
            return
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, end)
            if found is None:
                return
            end = found.start()
        yield marker, at, end
        at = end


def _strip_png(data: bytes) -> Stripped:
    """Leave out text, profiles and EXIF."""
    kept: list[memoryview] = []
    exif: bytes | None = None
    showable = True
    at = kept_from = len(PNG)
    kept.append(memoryview(data)[:at])
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if kind in _DROPPED_CHUNKS:
            kept.append(memoryview(data)[kept_from:at])
            kept_from = end
            if kind == b"eXIf" and exif is None:
                exif = data[at + 8 : end - 4]
            showable &= kind not in (b"zTXt", b"iTXt")
        at = end
    if kept_from == len(PNG):
        return Stripped(data)
    kept.append(memoryview(data)[kept_from:])
    return Stripped(b"".join(kept), exif, showable=showable)


def _webp_exif(data: bytes) -> bytes | None:
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            return data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
    return None
