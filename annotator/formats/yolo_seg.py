"""Masks as YOLO's labels: class, x0, y0, x1, y1, ..., one ring an object.

The rings go through the outermost pixels, a quarter of a pixel from their corners. Some readers cut coordinates down to
whole pixels, as ultralytics does, others round them; all that fill with OpenCV then make the very same pixels of a mask
of one part. The parts of others are joined by lines, which they draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from annotator.errors import InvalidMask
from annotator.formats import yolo
from annotator.formats.archive import Archive
from annotator.formats.dataset import FileCategory, FileContents, FileObject
from annotator.formats.file_names import stems
from annotator.formats.problems import Problem, Problems
from annotator.formats.registry import Format
from annotator.imaging.names import match_names
from annotator.masks import rle
from annotator.masks.outlines import center_rings, joined
from annotator.types import RLE, ImageRecord

_MAX_CLASS = 1_000_000_000
"""Numbers of classes are smaller; those of YOLO's boxes, too."""

_BOX = Problem("One line is a box and has no mask.", "{count} lines are boxes and have no masks.")
_BAD_LINE = Problem(
    "A line of {which} is no class with the points of a polygon.",
    "{count} lines are no classes with the points of polygons: in {which}.",
)
_NOT_HERE = Problem(
    "{which} belongs to no image of this project.", "{count} files belong to no image of this project: {which}."
)
_AMBIGUOUS = Problem(
    "{which} may belong to several images of this project.",
    "{count} files may each belong to several images of this project: {which}.",
)
_NAMELESS = Problem(
    "Class {which} has no name in the file; its number was used.",
    "{count} objects have classes without names in the file; their numbers were used: {which}.",
)

_LEEWAY = 0.01
"""So far outside the image, as a share of its sides, points are moved to its border."""


def polygon(mask: RLE) -> list[float]:
    """One ring through the outermost pixels, as shares of the image's sides; at least three points."""
    ring = joined(center_rings(mask)) + 0.25
    if len(ring) < 3:  # a pixel or a line of them, for which YOLO wants three points and an area
        ring = np.concatenate((ring - 0.125, ring + 0.125, ring))
    shares: list[float] = (ring / (mask.width, mask.height)).ravel().tolist()
    return shares


def fill(shares: npt.NDArray[np.float64], height: int, width: int) -> RLE:
    """The mask that ultralytics makes of a line's coordinates, float64 [2 K], K >= 3.

    Raises `InvalidMask` for points that lie outside the image.
    """
    if not np.isfinite(shares).all() or shares.min() < -_LEEWAY or shares.max() > 1 + _LEEWAY:
        raise InvalidMask("Its points are not shares of the image's sides, from 0 to 1.")
    # In float32, and cut off, as there.
    corners = (shares.astype(np.float32).reshape(-1, 2) * np.array([width, height], np.float32)).astype(np.int32)
    corners = corners.clip(0, (width - 1, height - 1))
    x, y = corners.min(axis=0)
    w, h = corners.max(axis=0) + 1 - (x, y)
    canvas = np.zeros((h, w), np.uint8)
    cv2.fillPoly(canvas, [(corners - (x, y)).astype(np.int32)], 1)
    return rle.encode_at(canvas.view(np.bool_), int(x), int(y), height, width)


def restored_mask(mask: RLE) -> RLE:
    """What comes back of a mask."""
    return fill(np.array(polygon(mask)), mask.height, mask.width)


def read(data: bytes, images: Sequence[ImageRecord]) -> FileContents:
    """What can be used of an archive. Raises `InvalidRequest` for a damaged one."""
    archive, problems = Archive(data), Problems()
    classes = yolo.read_classes(archive)
    names = stems(images)
    files = list(yolo.label_files(archive))
    matches = match_names([name.removesuffix(".txt") for name in files], [names[image.id] for image in images])
    objects: list[FileObject] = []
    for name, match in zip(files, matches, strict=True):
        if len(match.places) != 1:
            problems.add(_AMBIGUOUS if match.places else _NOT_HERE, name)
            continue
        image = images[match.places[0]]
        for number, coordinates in _lines(name, archive.read(name), problems):
            archive.deadline.check()
            if number not in classes:
                problems.add(_NAMELESS, number)
            try:
                mask = fill(coordinates, image.height, image.width)
            except InvalidMask:
                problems.add(_BAD_LINE, name)
                continue
            objects.append(FileObject(image.id, FileCategory(classes.get(number, str(number))), mask))
    unused = [FileCategory(name) for name in classes.values()] if objects or not files else []
    return FileContents(objects, list(dict.fromkeys([*unused, *(each.category for each in objects)])), problems)


def _lines(name: str, content: bytes, problems: Problems) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Class and coordinates of each usable line."""
    for line in content.splitlines():
        try:
            values = np.array(line.split(), dtype=np.float64)
        except ValueError:
            problems.add(_BAD_LINE, name)
            continue
        if values.size == 5:
            problems.add(_BOX)
        elif values.size >= 7 and values.size % 2 and values[0].is_integer() and 0 <= values[0] < _MAX_CLASS:
            yield int(values[0]), values[1:]
        elif values.size:
            problems.add(_BAD_LINE, name)


FORMAT = Format(
    name="yolo-seg",
    title="YOLO segmentation",
    media_type="application/zip",
    file_name="yolo-seg.zip",
    losses=f"An object is one ring: holes and parts are joined by lines. {yolo.LOSSES}",
    write=partial(yolo.write, coordinates=polygon),
    read=read,
    recognises=yolo.is_yolo,
    restored=partial(yolo.without_crowds, restored=restored_mask),
    has_subsets=True,
)
