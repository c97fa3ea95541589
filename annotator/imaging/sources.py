"""Headers of untrusted images: what they are, what decoding them costs, and how to read their rows as RGB."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from annotator.errors import InvalidImage
from annotator.imaging import containers, stretch, tiff, tiff_jpeg
from annotator.types import UInt8Array

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
# What every browser shows as it is, given 8-bit pixels, no transparency and no rotation.
_BROWSER_FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_BROWSER_MODES = ("RGB", "L", "P", "1")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_DARK = 64
_MAX_PACKED_BMP = 4 << 20
"""Pillow unpacks these in Python, a million runs a second."""
_MAX_TIFF_PARTS = 200_000
_MAX_SCANS = 100
"""Each scan passes over the whole picture: 45 ms for 128 megapixels, for a few bytes. Encoders write about ten."""

Rgb = tuple[Callable[[int, int], UInt8Array], bool]
"""Rows as uint8 [rows, width, 3] from one row up to another, and whether they were stretched."""

# Pillow's own bomb check only warns below twice its limit; ours replaces it.
Image.MAX_IMAGE_PIXELS = None
# What Pillow finds odd about a file is not the operator's business.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Source:
    """An image whose header was read. `load` decodes it and yields its rows as they are stored, as RGB.

    `cost` is the memory in bytes that decoding takes at its peak. `plain` are bytes that a browser shows as they are
    decoded, apart from the rotation, if there are any. `lossy` says that the file is a photo with JPEG's losses.
    """

    width: int
    height: int
    orientation: int
    cost: int
    load: Callable[[], AbstractContextManager[Rgb]]
    plain: bytes | None = None
    plain_type: str = ""
    lossy: bool = False


def open_source(data: bytes, name: str, max_pixels: int) -> Source:
    """Read the header. Raises InvalidImage, and whatever Pillow raises."""
    if not data:
        raise InvalidImage(f"{name} is empty.")
    directory = tiff.read_directory(data)
    if directory is not None:
        return _open_tiff(directory, name, max_pixels)
    stripped = containers.strip(data)
    image = Image.open(io.BytesIO(stripped.data), formats=FORMATS)
    _check_size(image.width, image.height, name, max_pixels)
    if stripped.animated or getattr(image, "is_animated", False):
        raise InvalidImage(f"{name} has several frames; upload a single picture.")
    if stripped.scans > _MAX_SCANS:
        raise InvalidImage(f"{name} is no ordinary JPEG: it has {stripped.scans} scans.")
    if image.format == "BMP" and len(data) > _MAX_PACKED_BMP and "bmp_rle" in str(getattr(image, "tile", "")):
        raise InvalidImage(f"{name} is a packed BMP of over {_MAX_PACKED_BMP >> 20} MiB; save it as PNG.")
    exif = tiff.read_directory(stripped.exif) if stripped.exif is not None else None
    orientation, certain = exif.orientation if exif is not None else (1, stripped.exif is None)
    plain = None
    if image.format in _BROWSER_FORMATS and image.mode in _BROWSER_MODES and "transparency" not in image.info:
        if certain and stripped.showable:
            plain = data
        elif stripped.data is not data:  # without what another program may understand otherwise
            plain = stripped.data
    deep = partial(_png_values, stripped.data) if _is_deep_color(stripped.data) else None
    encoded_again = plain is None or orientation != 1 or deep is not None
    return Source(
        image.width,
        image.height,
        orientation,
        image.width * image.height * _bytes_per_pixel(image, stripped.scans, encoded_again),
        partial(_load_image, image, deep),
        plain,
        _BROWSER_FORMATS.get(image.format or "", ""),
        image.format == "JPEG",
    )


def _open_tiff(directory: tiff.Directory, name: str, max_pixels: int) -> Source:
    width, height = directory.number(tiff.WIDTH, 0), directory.number(tiff.HEIGHT, 0)
    _check_size(width, height, name, max_pixels)
    if tiff.has_further_pages(directory):
        raise InvalidImage(f"{name} has several pages; upload a single picture.")
    if tiff.is_raw_preview(directory):
        raise InvalidImage(f"{name} holds a camera's raw data; convert it to JPEG, PNG or TIFF first.")
    if directory.parts > _MAX_TIFF_PARTS:
        raise InvalidImage(f"{name} has too many strips or tiles: {directory.parts}.")
    orientation, compression = directory.orientation[0], directory.number(tiff.COMPRESSION, 1)
    if compression == tiff_jpeg.COMPRESSION:
        return Source(width, height, orientation, 15 * width * height, partial(_load_tiff_jpeg, directory, max_pixels))
    if compression not in tiff.BYTEWISE:
        raise InvalidImage(f"{name} is packed in a way that we cannot read; save it with LZW or Deflate, or as PNG.")
    bands = tiff.bands_of(directory)
    try:
        image = Image.open(io.BytesIO(tiff.first_picture(directory)), formats=("TIFF",))
    except UnidentifiedImageError:
        if bands is None:
            raise InvalidImage(f"{name} is a TIFF of a kind that we cannot read.") from None
        image = None
    # Pillow keeps 8 bits of a sample, or one of several bands; but it knows of transparency, inks and packings.
    if image is not None and (bands is None or _keeps(image, bands) or image.mode in _ALPHA_MODES):
        deep = bands.load if bands is not None and bands.dtype.itemsize > 1 else None
        load, cost = partial(_load_image, image, deep), 12 * width * height
    else:
        assert bands is not None
        load, cost = partial(_load_bands, bands), 10 * width * height
    if bands is not None and bands.nbytes > 8 * max_pixels:
        raise InvalidImage(f"{name} has too many bands: unpacked it takes {bands.nbytes >> 20} MiB.")
    return Source(width, height, orientation, cost + (bands.nbytes if bands is not None else 0), load)


def _keeps(image: Image.Image, bands: tiff.Bands) -> bool:
    return bands.dtype == np.uint8 and len(image.getbands()) >= bands.used


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if min(width, height) < 1:
        raise InvalidImage(f"{name} has no pixels.")
    if width * height > max_pixels:
        raise InvalidImage(f"{name} has {width} x {height} pixels; the limit is {max_pixels // 1_000_000} megapixels.")


def _bytes_per_pixel(image: Image.Image, scans: int, encoded_again: bool) -> int:
    """At the peak. Pillow holds up to 4 bytes a pixel, the array 3, and a new file for the browser up to 3."""
    held = 4 + 3
    if image.format == "WEBP":
        held += 8  # libwebp's picture, and the copy that Pillow reads from
    elif image.format == "PNG" and image.mode == "RGB" and encoded_again:
        held += 4  # perhaps the lower halves of 16 bits
    elif image.format == "JPEG" and scans > 1:
        held += 6  # the coefficients of all scans
    return max(held + 1, 4 + 3 + 3 if encoded_again else 0)


@contextmanager
def _load_image(image: Image.Image, deep: Callable[[], tiff.Rows] | None) -> Iterator[Rgb]:
    """Decode with Pillow. Where that leaves a colour of 16 bits dark, `deep` reads the values themselves."""
    with closing(image):  # gives its memory back
        image.load()

        def values(y0: int, y1: int) -> tiff.Values:
            return np.asarray(image.crop((0, y0, image.width, y1)))

        if image.mode.startswith(("I", "F")):
            yield _stretched(values, image.width, image.height)
            return
        if deep is None or not _is_dark(image):
            yield partial(_image_rows, image), False
            return
    yield _stretched(deep(), image.width, image.height)


@contextmanager
def _load_tiff_jpeg(directory: tiff.Directory, max_pixels: int) -> Iterator[Rgb]:
    with closing(tiff_jpeg.read(directory, max_pixels)) as image:
        yield partial(_image_rows, image), False


def _image_rows(image: Image.Image, y0: int, y1: int) -> UInt8Array:
    return np.asarray(to_rgb(image.crop((0, y0, image.width, y1))))


@contextmanager
def _load_bands(bands: tiff.Bands) -> Iterator[Rgb]:
    inverted = bands.directory.number(tiff.PHOTOMETRIC, 1) == 0
    yield _stretched(bands.load(), bands.width, bands.height, bands.directory.nodata, inverted)


def _stretched(values: tiff.Rows, width: int, height: int, nodata: float | None = None, inverted: bool = False) -> Rgb:
    fitted = stretch.fit(values, width, height, nodata, inverted)

    def rows(y0: int, y1: int) -> UInt8Array:
        some = fitted.apply(values(y0, y1))
        return some if some.ndim == 3 else np.repeat(some[..., None], 3, axis=2)

    return rows, fitted.stretched


def _is_deep_color(data: bytes) -> bool:
    """Whether this is a PNG with colours of 16 bits, of which Pillow keeps 8."""
    return data.startswith(containers.PNG) and data[24:25] == b"\x10" and data[25:26] in (b"\2", b"\6")


def _png_values(data: bytes) -> tiff.Rows:
    """The 16-bit colours of a PNG: decoded twice, once as if its bytes were in the other order."""
    halves = []
    for order in "BL":
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        assert isinstance(image, ImageFile.ImageFile)
        image.tile = [tile._replace(args=f"{image.mode};16{order}") for tile in image.tile]
        image.load()
        halves.append(image)

    def rows(y0: int, y1: int) -> tiff.Values:
        high, low = (np.asarray(half.crop((0, y0, half.width, y1)))[..., :3] for half in halves)
        return np.asarray(high.astype(np.uint16) << 8 | low)

    return rows


def _is_dark(image: Image.Image) -> bool:
    """Whether the highest 8 bits of a 16-bit picture hold next to nothing, in a sample of it."""
    small = image.resize((min(image.width, 512), min(image.height, 512)), Image.Resampling.NEAREST).convert("RGB")
    return bool(np.percentile(np.asarray(small), 99.5) < _DARK)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any 8-bit Pillow mode to RGB; what is transparent lies on white."""
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    return image.convert("RGB")
