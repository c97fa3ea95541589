"""From untrusted bytes to upright RGB pixels, and to what a browser can show. Pillow only.

The bytes decide the type, not the name. Limits on bytes, pixels and frames are checked from the header, before any
pixel is decoded.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from annotator.errors import InvalidImage
from annotator.types import UInt8Array

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
# What every browser shows as it is, given 8-bit pixels and no rotation.
_BROWSER_FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_EXIF_ORIENTATION = 0x0112
_THUMBNAIL = 160
_MAX_NAME = 200

# Pillow's own bomb check only warns below twice its limit; ours replaces it.
Image.MAX_IMAGE_PIXELS = None


def relative_name(name: str) -> str:
    """What an upload is called: its path with forward slashes, nothing that leads out, at most 200 characters."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..") and ":" not in part]
    return "/".join(parts)[-_MAX_NAME:].lstrip("/") or "image"


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """`pixels` is uint8 [H, W, 3], upright. `display` are bytes a browser shows upright, of type `display_type`."""

    pixels: UInt8Array
    orientation: int
    display: bytes
    display_type: str

    @property
    def height(self) -> int:
        """Rows of the upright image."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the upright image."""
        return int(self.pixels.shape[1])

    @property
    def pixel_key(self) -> str:
        """sha256 of the size and the upright pixels: the same picture in two files has one key."""
        size = f"{self.width}x{self.height}:".encode()
        return hashlib.sha256(size + self.pixels.tobytes()).hexdigest()


def decode(data: bytes, name: str, max_pixels: int) -> DecodedImage:
    """Decode `data`; `name` is only used in messages. Raises InvalidImage with one sentence for the user."""
    if not data:
        raise InvalidImage(f"{name} is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. malformed EXIF: harmless, and not the user's business
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _decode_opened(image, data, name, max_pixels)
    except UnidentifiedImageError:
        raise InvalidImage(f"{name} is not an image we can read (JPEG, PNG, WebP, TIFF, BMP or GIF).") from None
    except InvalidImage:
        raise
    except (OSError, SyntaxError, ValueError, ArithmeticError, MemoryError, EOFError) as error:
        # Pillow reports damage by all of these; the text is technical, so it is only appended.
        raise InvalidImage(f"{name} is damaged or cut short ({str(error).rstrip('.')[:120]}).") from None


def _decode_opened(image: Image.Image, data: bytes, name: str, max_pixels: int) -> DecodedImage:
    if image.width * image.height > max_pixels:
        raise InvalidImage(
            f"{name} has {image.width} x {image.height} pixels; the limit is {max_pixels // 1_000_000} megapixels."
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise InvalidImage(f"{name} has {frames} frames; upload a single picture.")
    browser_type = _BROWSER_FORMATS.get(image.format or "")
    showable = browser_type is not None and image.mode in ("RGB", "L")
    orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1) or 1)
    if not 1 <= orientation <= 8:
        orientation = 1
    image.load()
    upright = _to_rgb(ImageOps.exif_transpose(image))
    pixels = np.asarray(upright, dtype=np.uint8)
    if showable and orientation == 1 and browser_type is not None:
        return DecodedImage(pixels, orientation, data, browser_type)
    lossless = image.format != "JPEG"
    buffer = io.BytesIO()
    if lossless:
        upright.save(buffer, "PNG", compress_level=3)
    else:
        upright.save(buffer, "JPEG", quality=95, subsampling=0)
    return DecodedImage(pixels, orientation, buffer.getvalue(), "image/png" if lossless else "image/jpeg")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB: 16-bit and float images are stretched to their own range, alpha goes on white."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float32)
        values = np.where(np.isfinite(values), values, 0)
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
        return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def thumbnail(pixels: UInt8Array) -> bytes:
    """A JPEG of at most 160 x 160 pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
