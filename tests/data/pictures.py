"""Picture files as strangers send them, made by code: odd metadata, odd pixel formats, files that pretend."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, kind, **options)  # a copy: saving leaves settings of the encoder behind
    return buffer.getvalue()


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack((x, y, 255 - x), -1).astype(np.uint8))


def tiff(values: npt.NDArray[Any], **options: Any) -> bytes:
    """A TIFF with samples of the array's type: [H, W], [H, W, bands], or [bands, H, W] with a planarconfig."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **{"photometric": "minisblack", "metadata": None, **options})
    return buffer.getvalue()


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


def deep_png(values: npt.NDArray[np.uint16]) -> bytes:
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


# --- everything ---


def every_kind() -> dict[str, bytes]:
    """Small valid files of every format and pixel type that is taken, and of odd ones."""
    small = gradient(24, 16)
    values = np.asarray(small)
    other = Image.new("RGB", (12, 8))
    turned = exif_block(orientation(6), (0x0110, 2, 4, b"cam"), (0x011A, 5, 1, b"\x40"))
    exif = segment(0xE1, b"Exif\0\0" + turned)
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 5000))
    bands = np.random.default_rng(1).normal(0, 9, (16, 24, 5))
    holes = bands[..., 0].astype(np.float32)
    holes[:4] = -9999
    return {
        "jpeg": encoded(small, "JPEG"),
        "jpeg progressive": encoded(small, "JPEG", progressive=True),
        "jpeg grey": encoded(small.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(small.convert("CMYK"), "JPEG"),
        "jpeg exif": jpeg_with(exif + segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(64)), small),
        "jpeg further pictures": encoded(small, "MPO", save_all=True, append_images=[other.copy()]),
        "png": encoded(small, "PNG"),
        "png grey": encoded(small.convert("L"), "PNG"),
        "png grey 16": encoded(Image.fromarray(values[..., 0].astype(np.uint16) * 3), "PNG"),
        "png 16": deep_png(values.astype(np.uint16) * 3),
        "png bilevel": encoded(small.convert("1"), "PNG"),
        "png palette": encoded(small.quantize(9), "PNG", transparency=2),
        "png alpha": encoded(small.convert("RGBA"), "PNG"),
        "png transparent": encoded(small, "PNG", transparency=(0, 0, 255)),
        "png text exif": png_with(text, png_chunk(b"eXIf", turned), image=small),
        "png animated": encoded(small, "PNG", save_all=True, append_images=[other.resize((24, 16))]),
        "webp": encoded(small, "WEBP"),
        "webp lossless": encoded(small.convert("RGBA"), "WEBP", lossless=True),
        "webp exif": encoded(small, "WEBP", exif=b"Exif\0\0" + turned),
        "gif": encoded(small, "GIF"),
        "gif animated": encoded(small, "GIF", save_all=True, append_images=[other.resize((24, 16))]),
        "bmp": encoded(small, "BMP"),
        "bmp palette": encoded(small.quantize(9), "BMP"),
        "tiff": encoded(small, "TIFF"),
        "tiff turned": encoded(small, "TIFF", exif=turned),
        "tiff lzw": encoded(small, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": encoded(small, "TIFF", compression="jpeg"),
        "tiff jpeg ycbcr": encoded(small.convert("YCbCr"), "TIFF", compression="jpeg"),
        "tiff jpeg grey": encoded(small.convert("L"), "TIFF", compression="jpeg"),
        "tiff palette": encoded(small.quantize(9), "TIFF"),
        "tiff cmyk": encoded(small.convert("CMYK"), "TIFF"),
        "tiff lab": encoded(Image.merge("LAB", small.split()), "TIFF"),
        "tiff pages": encoded(small, "TIFF", save_all=True, append_images=[other.copy()]),
        "tiff 16": tiff(values.astype(np.uint16) * 3, photometric="rgb", compression="zlib", predictor=True),
        "tiff float": tiff(holes, extratags=[(42113, "s", 0, "-9999", True)]),
        "tiff float predictor": encoded(Image.fromarray(holes), "TIFF", compression="tiff_lzw", tiffinfo={317: 3}),
        "tiff bands": tiff(bands.astype(np.float32), planarconfig="contig"),
        "tiff planes": tiff(np.moveaxis(bands, 2, 0).astype(np.int16), planarconfig="separate", byteorder=">"),
        "tiff tiles": tiff(bands.astype(np.float16), planarconfig="contig", tile=(16, 16), compression="zlib"),
        "tiff big": tiff(values, photometric="rgb", bigtiff=True, byteorder=">"),
    }
