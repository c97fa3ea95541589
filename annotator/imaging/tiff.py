"""TIFF directories (which are EXIF blocks as well), and rows of TIFF files that Pillow does not open.

Pillow reads 8-bit pictures and single bands. Floats, 16-bit colours and any number of bands are read here: a new
directory describes the file's bytes as a grey 8-bit picture, so that Pillow and libtiff only unpack them, and numpy
gives them their type. Layout, tags and predictors are those of TIFF 6.0, BigTIFF and Adobe's technical note 3.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Values = npt.NDArray[Any]
Rows = Callable[[int, int], Values]
"""From row `y0` up to row `y1` of a picture as an array [rows, width] or [rows, width, 3]."""

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS, ORIENTATION, SAMPLES, ROWS_PER_STRIP = (
    254, 256, 257, 258, 259, 262, 273, 274, 277, 278,
)  # fmt: skip
STRIP_BYTES, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, SUB_DIRECTORIES, FORMAT, NODATA = (
    279, 284, 317, 322, 323, 324, 325, 330, 339, 42113,
)  # fmt: skip
# Beside those above: fill order, colour map, ink set, extra samples, reference black and white.
_KEPT = frozenset({WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR,
                   PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, FORMAT,
                   266, 320, 332, 338, 532})  # fmt: skip
BYTEWISE = frozenset({1, 5, 8, 32773, 32946, 50000})  # none, LZW, Deflate, PackBits, Deflate, Zstandard
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8}
_HEADERS = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
_MAX_ENTRIES = 4096
_MAX_PAGES = 64
_MAX_VALUES = 1_000_000


class Entry(NamedTuple):
    """One tag of a directory: its type, how many values, and where in the file they are."""

    kind: int
    values: int
    at: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Directory:
    """The tags of one picture of a TIFF file."""

    data: bytes
    order: str
    big: bool
    entries: dict[int, Entry]
    next: int

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag; none if it is absent, of another type or outside the file."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS or entry.values > _MAX_VALUES:
            return ()
        if entry.at + entry.values * _SIZES[entry.kind] > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{entry.values}{_INTEGERS[entry.kind]}", self.data, entry.at)

    def number(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return (self.numbers(tag) or (default,))[0]

    @property
    def parts(self) -> int:
        """How many strips or tiles it has."""
        return max((self.entries[tag].values for tag in (STRIPS, TILES) if tag in self.entries), default=0)

    def content(self, tag: int) -> bytes:
        """The bytes of a tag; none if it is absent or no bytes."""
        entry = self.entries.get(tag)
        return self.data[entry.at : entry.at + entry.values] if entry is not None and entry.kind in (1, 7) else b""

    @property
    def orientation(self) -> tuple[int, bool]:
        """The orientation, 1 to 8, and whether other programs will certainly read the same.

        Anything odd (a wrong type, several values, a value outside 1 to 8) is orientation 1 and uncertain.
        """
        entry, values = self.entries.get(ORIENTATION), self.numbers(ORIENTATION)
        if entry is None:
            return 1, True
        if entry.kind == 3 and len(values) == 1 and 1 <= values[0] <= 8:
            return values[0], True
        return 1, False

    @property
    def nodata(self) -> float | None:
        """GDAL's value for 'nothing was measured here', an ASCII tag."""
        entry = self.entries.get(NODATA)
        if entry is None or entry.kind != 2 or entry.values > 64:
            return None
        try:
            return float(self.data[entry.at : entry.at + entry.values].split(b"\0")[0])
        except ValueError:
            return None


def read_directory(data: bytes, at: int | None = None) -> Directory | None:
    """The directory at a place of the file, else the first one. None if there is none.

    A damaged one ends where it stops making sense.
    """
    if data[:4] not in _HEADERS:
        return None
    order, big = _HEADERS[data[:4]]
    size, head, entry_format = (20, 8, "HHQ") if big else (12, 2, "HHI")
    inline = 8 if big else 4
    offset_format = f"{order}{'Q' if big else 'I'}"
    try:
        if at is None:
            (at,) = struct.unpack_from(offset_format, data, 8 if big else 4)
        (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, at)
    except (struct.error, OverflowError):  # outside the file
        return None
    if not 0 < count <= _MAX_ENTRIES:
        return None
    entries: dict[int, Entry] = {}
    for place in range(at + head, min(at + head + count * size, len(data) - size + 1), size):
        tag, kind, values = struct.unpack_from(order + entry_format, data, place)
        field = place + size - inline
        fits = values * _SIZES.get(kind, inline) <= inline
        where = field if fits else struct.unpack_from(offset_format, data, field)[0]
        entries.setdefault(tag, Entry(kind, values, where, data[place : place + size]))
    end = at + head + count * size
    following = struct.unpack_from(offset_format, data, end)[0] if end + inline <= len(data) else 0
    return Directory(data, order, big, entries, following)


def has_further_pages(first: Directory) -> bool:
    """Whether there are pictures beside the first one. Smaller copies and masks of it do not count."""
    seen: set[int] = set()
    page: Directory | None = first
    while page is not None and page.next and page.next not in seen and len(seen) < _MAX_PAGES:
        seen.add(page.next)
        page = read_directory(first.data, page.next)
        if page is not None and not page.number(SUBFILE, 0) & 0b101:
            return True
    return False


def is_raw_preview(first: Directory) -> bool:
    """Whether the first picture is a small preview of others, as in camera raw files (DNG, NEF)."""
    return bool(first.number(SUBFILE, 0) & 1 and SUB_DIRECTORIES in first.entries)


def first_picture(directory: Directory) -> bytes:
    """The file with a directory of the first picture only, and in it only the tags that decoding needs."""
    return _with_directory(directory, {}, _KEPT)


def dtype_of(directory: Directory) -> np.dtype[Any] | None:
    """The samples' type in the file's byte order, if all bands have the same one of whole bytes."""
    samples = directory.number(SAMPLES, 1)
    bits = set(directory.numbers(BITS)[:samples] or (1,))
    kinds = set(directory.numbers(FORMAT)[:samples] or (1,))
    if len(bits) != 1 or len(kinds) != 1:
        return None
    name = {1: "u", 2: "i", 3: "f", 4: "u"}.get(kinds.pop(), "") + {8: "1", 16: "2", 32: "4", 64: "8"}.get(
        bits.pop(), ""
    )
    return np.dtype(directory.order + name) if len(name) == 2 and name != "f1" else None


class Bands(NamedTuple):
    """How to read a file band by band; see `bands_of`."""

    directory: Directory
    width: int
    height: int
    dtype: np.dtype[Any]
    samples: int
    tile_width: int
    planar: bool

    @property
    def used(self) -> int:
        """How many bands are read: the first three, or the first."""
        return 3 if self.samples >= 3 else 1

    @property
    def _pixel(self) -> int:
        return self.dtype.itemsize * (1 if self.planar else self.samples)

    @property
    def nbytes(self) -> int:
        """Memory of the unpacked file, in bytes."""
        across = -(-self.width // self.tile_width) * self.tile_width
        return across * self.height * self._pixel * (self.used if self.planar else 1)

    def load(self) -> Rows:
        """Unpack the file. The rows hold what the bands hold, in native byte order. Raises what Pillow raises."""
        planes = [self._plane(index) for index in range(self.used if self.planar else 1)]
        across = -(-self.width // self.tile_width)
        together = 1 if self.planar else self.samples
        predictor = self.directory.number(PREDICTOR, 1)

        def rows(y0: int, y1: int) -> Values:
            bands = []
            for plane in planes:
                raw = np.asarray(plane.crop((0, y0, plane.width, y1)))
                tiles = raw.reshape(y1 - y0, across, self.tile_width * self._pixel)
                values = _undo_predictor(tiles, predictor, self.dtype, together)
                bands.append(values.reshape(y1 - y0, across * self.tile_width, together)[:, : self.width])
            values = np.concatenate(bands, axis=2)[..., : self.used]
            return values if self.used == 3 else values[..., 0]

        return rows

    def _plane(self, index: int) -> Image.Image:
        """The bytes of all bands, or of one where they are stored one after the other, as a loaded grey picture."""
        tags = self.directory
        across = -(-self.width // self.tile_width) * self.tile_width
        changes: dict[int, Sequence[int]] = {
            WIDTH: [across * self._pixel], BITS: [8], PHOTOMETRIC: [1], SAMPLES: [1],
        }  # fmt: skip
        if TILE_WIDTH in tags.entries:
            changes[TILE_WIDTH] = [self.tile_width * self._pixel]
        if self.planar:
            for tag in (STRIPS, STRIP_BYTES, TILES, TILE_BYTES):
                if values := tags.numbers(tag):
                    share = len(values) // self.samples
                    changes[tag] = values[index * share : (index + 1) * share]
        kept = frozenset({HEIGHT, COMPRESSION, ROWS_PER_STRIP, TILE_HEIGHT, STRIPS, STRIP_BYTES, TILES, TILE_BYTES})
        image = Image.open(io.BytesIO(_with_directory(tags, changes, kept)), formats=("TIFF",))
        image.load()
        return image


def bands_of(directory: Directory) -> Bands | None:
    """How to read a file whose samples are whole bytes, packed without loss. None for any other."""
    dtype, width, height = dtype_of(directory), directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    samples = directory.number(SAMPLES, 1)
    tile_width = directory.number(TILE_WIDTH, width)
    plain = directory.number(COMPRESSION, 1) in BYTEWISE and directory.number(PHOTOMETRIC, 1) in (0, 1, 2)
    if dtype is None or not plain or min(width, height, samples, tile_width) < 1:
        return None
    planar = directory.number(PLANAR, 1) == 2 and samples > 1
    return Bands(directory, width, height, dtype, samples, tile_width, planar)


def _undo_predictor(tiles: Values, predictor: int, dtype: np.dtype[Any], samples: int) -> Values:
    """uint8 [rows, tiles, bytes of a tile's row] to native values [rows, tiles, samples of a tile's row]."""
    rows, across, row_bytes = tiles.shape
    native = dtype.newbyteorder("=")
    if predictor == 3:  # differences of bytes, the most significant bytes of a row first
        steps = tiles.reshape(rows, across, row_bytes // samples, samples)
        summed = np.cumsum(steps, axis=2, dtype=np.uint8).reshape(rows, across, dtype.itemsize, -1)
        return np.ascontiguousarray(summed.swapaxes(2, 3)).view(dtype.newbyteorder(">"))[..., 0].astype(native)
    values = tiles.view(dtype).astype(native, copy=False)
    if predictor == 2:  # differences to the pixel on the left
        unsigned = np.dtype(f"u{dtype.itemsize}")
        steps = values.view(unsigned).reshape(rows, across, -1, samples)
        values = np.cumsum(steps, axis=2, dtype=unsigned).reshape(rows, across, -1).view(native)
    return values


def _with_directory(old: Directory, changes: Mapping[int, Sequence[int]], kept: frozenset[int]) -> bytes:
    """The file with a new directory at its end: the `kept` tags of the old one, and the `changes`.

    It is never a BigTIFF: Pillow does not read all of them, and uploads are small enough.
    """
    end = len(old.data) + len(old.data) % 2
    lists = b""
    entries = {tag: _entry(old.order, tag, each) for tag, each in old.entries.items() if tag in kept}
    numbers = {tag: old.numbers(tag) for tag in entries} if old.big else {}
    for tag, values in {**{tag: each for tag, each in numbers.items() if each}, **changes}.items():
        packed = struct.pack(f"{old.order}{len(values)}I", *values)
        if len(packed) > 4:
            packed, lists = struct.pack(f"{old.order}I", end + len(lists)), lists + packed
        entries[tag] = struct.pack(f"{old.order}HHI", tag, 4, len(values)) + packed
    directory = struct.pack(f"{old.order}H", len(entries))
    directory += b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    header = struct.pack(f"{old.order}2sHI", old.data[:2], 42, end + len(lists))
    return b"".join((header, memoryview(old.data)[8:], bytes(end - len(old.data)), lists, directory))


def _entry(order: str, tag: int, entry: Entry) -> bytes:
    """An entry of a plain TIFF directory."""
    if len(entry.raw) == 12:
        return entry.raw
    return struct.pack(f"{order}HHII", tag, entry.kind, entry.values, entry.at)
