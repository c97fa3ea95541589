"""Boxes as CSV: a header line, then a box a line.

There is a column for the image's name, four for the box, and perhaps one for the class, under any of the usual names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

from annotator.errors import InvalidRequest
from annotator.formats.coco_images import match_images
from annotator.formats.coco_read import LEFT_OUT
from annotator.formats.dataset import FileCategory
from annotator.formats.file_boxes import NOWHERE, OBJECT, FileBox, place_box
from annotator.formats.problems import Problem, Problems
from annotator.types import ImageRecord

_SHORT_LINE = Problem(
    "{which} does not have as many values as the first line.",
    "{count} lines do not have as many values as the first line: {which}.",
)

_IMAGE = ("image", "filename", "file_name", "image_name", "image_path", "path", "file")
_CLASS = ("class", "category", "label", "class_name", "category_name", "name")
_CORNERS = (
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
_SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))


class _Row(NamedTuple):
    """One line of the file. The box is as it stands there: corners, or a corner and sides."""

    number: int
    image: str
    box: Sequence[float]
    category: str


def read_csv(data: bytes, images: Sequence[ImageRecord], problems: Problems) -> list[FileBox]:
    """The usable boxes of a file for these images. Raises `InvalidRequest` if it is no CSV file of boxes."""
    try:
        text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
        lines = csv.reader(text, skipinitialspace=True, strict=True)
        row_of = _header(next(lines, []))
        rows = []
        for values in lines:
            if (row := row_of(lines.line_num, values)) is not None:
                rows.append(row)
            elif values:
                problems.add(_SHORT_LINE, f"Line {lines.line_num}")
    except (UnicodeDecodeError, csv.Error):
        raise InvalidRequest("This file holds no boxes: it is neither COCO, CSV nor a zip of YOLO's labels.") from None
    targets = match_images({row.image: {"file_name": row.image} for row in rows}, images, True, problems)
    found: list[FileBox] = []
    for number, image, box, name in rows:
        if image not in targets:
            problems.add(LEFT_OUT)
        else:
            category = FileCategory(name) if name else OBJECT
            found += place_box(box, targets[image], f"line {number}", category, problems)
    return found


def _header(names: Sequence[str]) -> Callable[[int, Sequence[str]], _Row | None]:
    """How to read a line, by the first one. Raises `InvalidRequest` if that names no image or no box."""
    place = {name.strip().lower(): number for number, name in reversed(list(enumerate(names)))}
    image = next((place[each] for each in _IMAGE if each in place), None)
    category = next((place[each] for each in _CLASS if each in place), None)
    corners = next((each for each in _CORNERS if place.keys() >= set(each)), None)
    box = corners or next((each for each in _SIDES if place.keys() >= set(each)), None)
    if image is None or box is None:
        raise InvalidRequest("A CSV file of boxes should begin with the names of its columns: image,x0,y0,x1,y1,class.")
    columns = [place[each] for each in box]
    known: dict[str, str] = {}  # each name is kept once, however often it stands there

    def row_of(number: int, values: Sequence[str]) -> _Row | None:
        if len(values) != len(names):
            return None
        file, name = values[image], "" if category is None else values[category].strip()
        numbers = _numbers([values[each] for each in columns], corners is None)
        return _Row(number, known.setdefault(file, file), numbers, known.setdefault(name, name))

    return row_of


def _numbers(texts: Sequence[str], sides: bool) -> Sequence[float]:
    try:
        x0, y0, x1, y1 = map(float, texts)
    except ValueError:
        return NOWHERE
    return (x0, y0, x0 + x1, y0 + y1) if sides else (x0, y0, x1, y1)
