"""From untrusted bytes to upright RGB pixels, and to what a browser can show.

The bytes decide the type, not the name. Limits on bytes, pixels and frames are checked from the header, before any
pixel is decoded; the memory of all decodes together is limited by `BUDGET`. Pixels are converted a few rows at a time
and written where they belong in the upright image, so an image is held twice at most: by Pillow and as an array.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from annotator.errors import AnnotatorError, Busy, InvalidImage
from annotator.imaging.budget import MemoryBudget, return_free_memory
from annotator.imaging.sources import Source, open_source
from annotator.types import UInt8Array

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
BUDGET = MemoryBudget(1 << 30)
"""One image of the default limit, 128 megapixels, needs about all of it."""
_THUMBNAIL = 160
_ROWS_PIXELS = 1 << 17
"""So many are converted at once: they fit the processor's cache, which makes this eight times as fast as 2^20."""
_TRIM_FROM = 64 << 20


@dataclass(frozen=True)
class DecodedImage:
    """`pixels` is uint8 [H, W, 3], upright. `display` are bytes a browser shows upright, of type `display_type`.

    `stretched` says that the file has more than 8 bits a sample and was spread over 8, see `stretch.py`.
    """

    pixels: UInt8Array
    orientation: int
    display: bytes
    display_type: str
    stretched: bool = False

    @property
    def height(self) -> int:
        """Rows of the upright image."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the upright image."""
        return int(self.pixels.shape[1])

    @cached_property
    def pixel_key(self) -> str:
        """sha256 of the size and the upright pixels: the same picture in two files has one key."""
        digest = hashlib.sha256(f"{self.width}x{self.height}:".encode())
        digest.update(self.pixels.data)
        return digest.hexdigest()


def decode(data: bytes, name: str, max_pixels: int) -> DecodedImage:
    """Decode `data`; `name` is only used in messages.

    Raises InvalidImage with one sentence for the user, or Busy where too much is being decoded already.
    """
    with one_sentence(name):
        source = open_source(data, name, max_pixels)
        with _budget(source):
            pixels, stretched = _pixels(source)
            if source.plain is not None and source.orientation == 1 and not stretched:
                return DecodedImage(pixels, 1, source.plain, source.plain_type)
            display, display_type = _encode(pixels, source.lossy)
            return DecodedImage(pixels, source.orientation, display, display_type, stretched)


def decode_pixels(data: bytes, name: str, max_pixels: int) -> UInt8Array:
    """Only the pixels of `decode`: this saves encoding them again where a browser needs other bytes."""
    with one_sentence(name):
        source = open_source(data, name, max_pixels)
        with _budget(source):
            return _pixels(source)[0]


def read_size(data: bytes, name: str, max_pixels: int) -> tuple[int, int, int]:
    """Width and height of the upright image and its EXIF orientation (1..8), without decoding. Raises InvalidImage."""
    with one_sentence(name):
        source = open_source(data, name, max_pixels)
        turned = source.orientation >= 5
        size = (source.height, source.width) if turned else (source.width, source.height)
        return *size, source.orientation


@contextmanager
def one_sentence(name: str) -> Iterator[None]:
    """Turn whatever decoding raises into an error for the user."""
    try:
        yield
    except AnnotatorError:
        raise
    except UnidentifiedImageError:
        raise InvalidImage(f"{name} is not an image we can read (JPEG, PNG, WebP, TIFF, BMP or GIF).") from None
    except MemoryError:
        raise Busy(f"{name} is too large just now; try again when the server has more memory.", 30) from None
    except Exception as error:
        # Pillow reports damage by exceptions of every class; their text is technical, so it is only appended.
        reason = " ".join(str(error).split()).rstrip(".")[:120]
        raise InvalidImage(f"{name} is damaged or cut short ({reason or type(error).__name__}).") from None


@contextmanager
def _budget(source: Source) -> Iterator[None]:
    with BUDGET.hold(source.cost):
        try:
            yield
        finally:
            if source.cost >= _TRIM_FROM:
                return_free_memory()


def _pixels(source: Source) -> tuple[UInt8Array, bool]:
    """The upright pixels, and whether they were stretched."""
    turned = source.orientation >= 5
    shape = (source.width, source.height, 3) if turned else (source.height, source.width, 3)
    pixels = np.empty(shape, np.uint8)
    stored = _as_stored(pixels, source.orientation)
    step = max(1, _ROWS_PIXELS // source.width)
    with source.load() as (rows, stretched):
        for y in range(0, source.height, step):
            stop = min(y + step, source.height)
            stored[y:stop] = rows(y, stop)
    return pixels, stretched


def _as_stored(upright: UInt8Array, orientation: int) -> UInt8Array:
    """A view of the upright image [H, W, 3] in which rows and columns lie as in the file, by EXIF's definition."""
    view = upright.swapaxes(0, 1) if orientation >= 5 else upright
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    if orientation >= 5:
        flip_rows, flip_columns = flip_columns, flip_rows
    return view[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _encode(pixels: UInt8Array, lossy: bool) -> tuple[bytes, str]:
    """A file that every browser shows, and its type: JPEG for photos that were JPEGs, else lossless."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if lossy:
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue(), "image/jpeg" if lossy else "image/png"


def thumbnail(pixels: UInt8Array) -> bytes:
    """A JPEG of at most 160 x 160 pixels. Takes next to no memory."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _THUMBNAIL / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(small).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
