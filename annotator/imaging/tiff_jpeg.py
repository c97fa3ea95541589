"""TIFF files packed as JPEG, block by block with Pillow's JPEG decoder.

libtiff would decode them as well, but where a block is cut short it reports success and leaves in the picture what its
buffer held before: memory of the server, such as other people's images. Pillow's JPEG decoder fails instead.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from annotator.imaging import containers, tiff
from annotator.imaging.tiff import Directory

COMPRESSION = 7
_TABLES = 347
_RGB = 2
_MAX_BLOCKS = 10_000
_MAX_SCANS = 32
# Adobe's marker with transform 0: the three components are red, green and blue.
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


class _Block(NamedTuple):
    x: int
    y: int
    data: bytes


def read(directory: Directory, max_pixels: int) -> Image.Image:
    """The first picture, grey or RGB. Raises ValueError, and what Pillow raises for JPEG."""
    width, height = directory.number(tiff.WIDTH, 0), directory.number(tiff.HEIGHT, 0)
    samples = directory.number(tiff.SAMPLES, 1)
    if samples not in (1, 3) or directory.number(tiff.PLANAR, 1) != 1:
        raise ValueError("JPEG in a TIFF has to be grey or in three colours")
    columns, rows = _block_size(directory, width, height)
    if columns * rows > max_pixels:
        raise ValueError("its blocks are too large")
    picture = Image.new("L" if samples == 1 else "RGB", (width, height))
    for block in _blocks(directory, width, height, columns, rows):
        stripped = containers.strip(block.data)
        with Image.open(io.BytesIO(stripped.data), formats=("JPEG",)) as part:
            needed = min(rows, height - block.y)
            if part.width != columns or not needed <= part.height <= rows or stripped.scans > _MAX_SCANS:
                raise ValueError("a block is not what its directory says")
            picture.paste(part.convert(picture.mode), (block.x, block.y))
    return picture


def _block_size(directory: Directory, width: int, height: int) -> tuple[int, int]:
    """Columns and rows of a tile, or of a strip."""
    if tiff.TILES in directory.entries:
        return max(1, directory.number(tiff.TILE_WIDTH, width)), max(1, directory.number(tiff.TILE_HEIGHT, height))
    return width, max(1, min(height, directory.number(tiff.ROWS_PER_STRIP, height)))


def _blocks(directory: Directory, width: int, height: int, columns: int, rows: int) -> Iterator[_Block]:
    """Where each block lies, and its JPEG file, made whole with the tables that all share."""
    tiled = tiff.TILES in directory.entries
    starts = directory.numbers(tiff.TILES if tiled else tiff.STRIPS)
    sizes = directory.numbers(tiff.TILE_BYTES if tiled else tiff.STRIP_BYTES)
    places = [(x, y) for y in range(0, height, rows) for x in range(0, width, columns)][: _MAX_BLOCKS + 1]
    if len(places) > _MAX_BLOCKS or not len(starts) == len(sizes) == len(places):
        raise ValueError("it has too many or too few blocks")
    start = b"\xff\xd8" + (_ADOBE_RGB if directory.number(tiff.PHOTOMETRIC, 1) == _RGB else b"")
    tables = directory.content(_TABLES)
    for (x, y), at, size in zip(places, starts, sizes, strict=True):
        yield _Block(x, y, start + tables[2:-2] + directory.data[at + 2 : at + size])
