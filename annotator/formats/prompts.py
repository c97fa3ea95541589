"""Prompts that a program or a file gives: plain numbers, JSON and CSV. The first one that is wrong is named.

JSON is a list of objects, or {"photo.jpg": [objects], ...}. An object is {"points": [[x, y], [x, y, 0]],
"box": [x0, y0, x1, y1]} with either or both. CSV has a header line with the columns x, y and perhaps label for points,
x0, y0, x1 and y1 for boxes, `image` for its name, and `object`: rows of one image with the same `object` belong
together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from annotator.errors import InvalidPrompt
from annotator.formats.json_file import load_json
from annotator.formats.problems import Problems, printable
from annotator.types import AnyArray, Box, Point, Prompt

NumberRow = Sequence[float] | AnyArray
"""A few numbers, such as those of a point or a box."""

_POINT = "A point should be (x, y) or (x, y, label)"
_BOX = "A box should be (x0, y0, x1, y1)"
_CORNERS = ("x0", "y0", "x1", "y1")
_COLUMNS = ("image", "object", "x", "y", "label", *_CORNERS)


class FilePrompt(NamedTuple):
    """The prompt of one object. `image` is "" if the file names none; `where` says which object of the file it is."""

    image: str
    where: str
    prompt: Prompt


def prompt_of(points: Sequence[NumberRow] | AnyArray, box: NumberRow | None) -> Prompt:
    """A prompt from rows of numbers; a point without a label is a part of the object. Raises InvalidPrompt."""
    if isinstance(points, str | bytes) or not hasattr(points, "__len__"):
        raise InvalidPrompt("points should be a list of (x, y) or (x, y, label).", "points")
    found = tuple(_point(row, index) for index, row in enumerate(points))
    return Prompt(found, None if box is None else _box(box))


def object_prompt(entry: object, where: str) -> Prompt:
    """A prompt from {"points": ..., "box": ...}. Raises InvalidPrompt that begins with `where`."""
    if not isinstance(entry, Mapping):
        raise InvalidPrompt(f'{where}: It should be like {{"points": [[x, y]], "box": [x0, y0, x1, y1]}}.', "objects")
    if unknown := [key for key in entry if key not in ("points", "box")]:
        raise InvalidPrompt(f"{where}: {printable(unknown[0])!r} is not known; there are points and box.", "objects")
    try:
        prompt = prompt_of(entry.get("points", ()), entry.get("box"))
    except InvalidPrompt as error:
        raise InvalidPrompt(f"{where}: {error}", error.field) from None
    if not prompt.points and prompt.box is None:
        raise InvalidPrompt(f"{where}: It needs a point or a box.", "points")
    return prompt


def read(data: bytes) -> list[FilePrompt]:
    """The prompts of a file, JSON or CSV. Raises NotJson, and InvalidPrompt naming the object or the line."""
    found = list(_from_json(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{") else _from_csv(data))
    if not found:
        raise InvalidPrompt("It names no objects.", "objects")
    return found


def _point(row: Any, index: int) -> Point:
    values = _numbers(row, (2, 3), _POINT, f"points[{index}]")
    label = values[2] if len(values) == 3 else 1
    if label not in (0, 1):
        raise InvalidPrompt("The label of a point should be 1 (object) or 0 (background).", f"points[{index}]")
    return Point(values[0], values[1], int(label))


def _box(row: Any) -> Box:
    x0, y0, x1, y1 = _numbers(row, (4,), _BOX, "box")
    return x0, y0, x1, y1


def _numbers(row: Any, counts: Sequence[int], wanted: str, field: str) -> list[float]:
    try:
        if isinstance(row, str | bytes | Mapping) or len(row) not in counts:
            raise ValueError
        return [float(value) for value in row]
    except (TypeError, ValueError, OverflowError):
        raise InvalidPrompt(f"{wanted}, not {printable(str(row))}.", field) from None


def _from_json(data: bytes) -> Iterator[FilePrompt]:
    problems = Problems()
    document = load_json(data, problems)
    for sentence in problems.sentences():
        raise InvalidPrompt(sentence, "objects")
    images = document if isinstance(document, dict) else {"": document}
    for image, entries in images.items():
        of_image = f" of {printable(image)}" if image else ""
        if not isinstance(entries, list):
            raise InvalidPrompt(f"The objects{of_image} should be a list.", "objects")
        for number, entry in enumerate(entries, 1):
            where = f"Object {number}{of_image}"
            yield FilePrompt(image, where, object_prompt(entry, where))


def _from_csv(data: bytes) -> list[FilePrompt]:
    try:
        text = data.decode("utf-8-sig")
        lines = csv.DictReader(text.splitlines(), strict=True)
        unknown = [name for name in lines.fieldnames or [""] if name not in _COLUMNS]
        if unknown:
            names = ", ".join(_COLUMNS)
            raise InvalidPrompt(f"Line 1: {printable(unknown[0])!r} is no column of prompts; there are {names}.", "csv")
        return _grouped(list(_rows(lines)))
    except UnicodeDecodeError:
        raise InvalidPrompt("The file of prompts is neither JSON nor CSV: its text is not UTF-8.", "csv") from None
    except csv.Error as error:
        raise InvalidPrompt(f"Line {lines.line_num}: It is no line of CSV ({error}).", "csv") from None


def _rows(lines: csv.DictReader[str]) -> Iterator[tuple[tuple[str, str], FilePrompt]]:
    """What is prompted for on each line, with the image and the object it belongs to."""
    for row in lines:
        where = f"Line {lines.line_num}"
        if None in row or None in row.values():
            raise InvalidPrompt(f"{where}: It does not have as many values as the first line.", "csv")
        point = [row[name] for name in ("x", "y", "label") if row.get(name)]
        corners = [row[name] for name in _CORNERS if row.get(name)]
        entry = {"points": [point] if point else [], "box": corners or None}
        image, key = row.get("image", ""), row.get("object") or where
        yield (image, key), FilePrompt(image, where, object_prompt(entry, where))


def _grouped(rows: Sequence[tuple[tuple[str, str], FilePrompt]]) -> list[FilePrompt]:
    """Rows of one object as one prompt, at the place of its first row."""
    found: dict[tuple[str, str], FilePrompt] = {}
    for key, row in rows:
        before = found.get(key, row)
        if before is row:
            found[key] = row
            continue
        if before.prompt.box and row.prompt.box:
            raise InvalidPrompt(f"{row.where}: Object {printable(key[1])} has a box already.", "box")
        points, box = before.prompt.points + row.prompt.points, before.prompt.box or row.prompt.box
        found[key] = before._replace(prompt=Prompt(points, box))
    return list(found.values())
