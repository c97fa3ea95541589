"""Picture files as strangers send them, made by code: odd metadata, odd pixel formats, files that pretend."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack((x, y, 255 - x), -1).astype(np.uint8))


# --- EXIF ---


def exif_block(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """A directory of (tag, type, count, 4 bytes of value or place)."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3].ljust(4, b"\0")[:4] for entry in entries)
    return head + struct.pack(order + "IH", 8, len(entries)) + body + bytes(4)


def orientation(value: int, order: str = "<") -> tuple[int, int, int, bytes]:
    return (0x0112, 3, 1, struct.pack(order + "H", value))


def jpeg_with(segments: bytes, image: Image.Image | None = None) -> bytes:
    """A JPEG with more segments after its start."""
    data = encoded(image or gradient(), "JPEG", quality=95)
    return data[:2] + segments + data[2:]


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_with_exif(block: bytes, image: Image.Image | None = None) -> bytes:
    return jpeg_with(segment(0xE1, b"Exif\0\0" + block), image)


# --- PNG ---


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes, image: Image.Image | None = None) -> bytes:
    """A PNG with more chunks after its header."""
    data = encoded(image or gradient(), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def zeros_png(width: int, height: int, shade: int = 0) -> bytes:
    """A grey-less RGB picture of one shade, packed as well as it goes: 128 megapixels are half a megabyte."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pack = zlib.compressobj(9)
    row = b"\0" + bytes([shade]) * (3 * width)
    body = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def header_only_png(side: int) -> bytes:
    """A valid header of side x side pixels with next to no data, as an attacker would send."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def deep_png(values: np.ndarray) -> bytes:
    """16-bit colours, uint16 [H, W, 2, 3 or 4]."""
    height, width, samples = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[samples], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# --- JPEG and GIF that cost more than they weigh ---


def jpeg_of_many_scans(scans: int, side: int = 512) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = encoded(Image.new("RGB", (side, side), (90, 120, 30)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]
