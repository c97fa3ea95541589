"""CVAT's XML for images as strangers write it: shapes with an area become masks, boxes can be prompts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.parsers import expat

import numpy as np

from annotator.errors import InvalidMask, InvalidRequest
from annotator.formats.archive import Archive, is_zip
from annotator.formats.coco_images import Target, match_images
from annotator.formats.dataset import FileCategory, FileContents, FileObject
from annotator.formats.deadline import Deadline
from annotator.formats.file_boxes import NOWHERE, FileBox, place_box
from annotator.formats.problems import Problem, Problems
from annotator.masks import geometry, rle
from annotator.types import RLE, CroppedRuns, ImageRecord

_ROOT = b"<annotations"
_SHAPES = {"mask", "polygon", "box", "ellipse", "polyline", "points", "cuboid", "skeleton"}
_BOX = Problem("One box has no mask.", "{count} boxes have no masks.")
_NO_AREA = Problem(
    "A shape of the kind {which} cannot be a mask.", "{count} shapes of these kinds cannot be masks: {which}."
)
_TRACK = Problem("A track of a video cannot be read.", "{count} tracks of a video cannot be read.")
_LEFT_OUT = Problem("One shape was left out with its image.", "{count} shapes were left out with their images.")
_BAD_SHAPE = Problem("A shape of {which} cannot be used.", "{count} shapes cannot be used: in {which}.")

_MAX_TEXT = 10_000
"""So much is kept of the name of a label. A name that is longer cannot be used."""

_NUMBERS = re.compile(r"\s*+[0-9]{1,10}+\s*+(?:,\s*+[0-9]{1,10}+\s*+)*+")


class _Shape(NamedTuple):
    """A shape of the file. `image` is the place of its image in the file."""

    image: int
    kind: str
    attributes: Mapping[str, str]


class _Document:
    """Collects the labels, images and shapes of a file while it is parsed. Raises `InvalidRequest`."""

    def __init__(self, data: bytes, deadline: Deadline) -> None:
        self.labels: list[str] = []
        self.images: list[Mapping[str, str]] = []
        self.shapes: list[_Shape] = []
        self.tracks = 0
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._deadline = deadline
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._collect
        parser.StartDoctypeDeclHandler = self._refuse  # definitions there can make a short file huge
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, ValueError, LookupError):  # the others: encodings that Python does not know
            raise InvalidRequest("This file is not XML, or it is cut short.") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._deadline.check()
        self._path.append(name)
        self._text, self._length = [], 0
        if name == "image":
            self.images.append(attributes)
        elif name == "track":
            self.tracks += 1
        elif name in _SHAPES and self._path[-2:-1] == ["image"]:
            self.shapes.append(_Shape(len(self.images) - 1, name, attributes))

    def _end(self, name: str) -> None:
        if self._path[-2:] == ["label", "name"]:
            self.labels.append("".join(self._text).strip())
        self._path.pop()

    def _collect(self, text: str) -> None:
        self._deadline.check()
        if self._path[-1:] == ["name"] and self._length < _MAX_TEXT:
            self._text.append(text)
            self._length += len(text)

    def _refuse(self, *_: object) -> None:
        raise InvalidRequest("This XML file has a document type, which no file of CVAT has.")


def read(data: bytes, images: Sequence[ImageRecord]) -> FileContents:
    """What can be used of a file, or of the only XML file of an archive. Raises `InvalidRequest`."""
    deadline, problems = Deadline(), Problems()
    document = _Document(_xml(data), deadline)
    problems.add_many(_TRACK, document.tracks)
    objects: list[FileObject] = []
    for shape, target in _placed(document, images, problems):
        deadline.check()
        if shape.kind == "box":
            problems.add(_BOX)
        elif shape.kind not in ("mask", "polygon"):
            problems.add(_NO_AREA, shape.kind)
        else:
            image = target.image
            try:
                objects.append(FileObject(image.id, _category(shape), _mask(shape, image.height, image.width)))
            except InvalidMask as error:
                problems.add(_BAD_SHAPE, image.name, str(error))
    named = [FileCategory(name) for name in document.labels if name] if objects or not document.shapes else []
    return FileContents(objects, list(dict.fromkeys([*named, *(each.category for each in objects)])), problems)


def read_boxes(data: bytes, images: Sequence[ImageRecord], problems: Problems) -> list[FileBox]:
    """The boxes of a file for these images. Raises `InvalidRequest`."""
    document = _Document(_xml(data), Deadline())
    found: list[FileBox] = []
    for number, (shape, target) in enumerate(_placed(document, images, problems), 1):
        if shape.kind == "box":
            try:
                x0, y0, x1, y1 = (float(shape.attributes[each]) for each in ("xtl", "ytl", "xbr", "ybr"))
                found += place_box((x0, y0, x1, y1), target, f"shape {number}", _category(shape), problems)
            except (KeyError, ValueError, InvalidMask):
                found += place_box(NOWHERE, target, f"shape {number}", FileCategory(""), problems)
    return found


def recognises(data: bytes) -> bool:
    """Whether this is a file of CVAT, or an archive with one."""
    if is_zip(data):
        archive = Archive(data)
        return any(_ROOT in archive.read(name) for name in archive.names(".xml")[:1])
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and _ROOT in data


def _xml(data: bytes) -> bytes:
    if not is_zip(data):
        return data
    archive = Archive(data)
    names = archive.names(".xml")
    if len(names) != 1:
        raise InvalidRequest(f"The archive holds {len(names)} XML files: import them one by one.")
    return archive.read(names[0])


def _placed(document: _Document, images: Sequence[ImageRecord], problems: Problems) -> Iterator[tuple[_Shape, Target]]:
    """The shapes whose image is here, each with it."""
    entries = {
        place: {"file_name": each.get("name"), "width": _whole(each.get("width")), "height": _whole(each.get("height"))}
        for place, each in enumerate(document.images)
    }
    targets = match_images(entries, images, True, problems)
    for shape in document.shapes:
        if shape.image in targets:
            yield shape, targets[shape.image]
        else:
            problems.add(_LEFT_OUT)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None


def _category(shape: _Shape) -> FileCategory:
    name = shape.attributes.get("label", "")
    if not name.strip():
        raise InvalidMask("It has no label.")
    return FileCategory(name)


def _runs(text: str, pixels: int) -> list[int]:
    """The numbers of a mask. Raises `InvalidMask` if they are too many, `ValueError` if they are none."""
    count = text.count(",") + 1
    if count > min(2 * pixels + 2, rle.MAX_ROW_RUNS):  # before there is a value in memory for each
        raise InvalidMask(f"It has {count:,} runs and {pixels:,} pixels.")
    if not _NUMBERS.fullmatch(text):
        raise ValueError
    found: list[int] = np.fromstring(text, np.int64, sep=",").tolist()
    return found


def _mask(shape: _Shape, height: int, width: int) -> RLE:
    """The mask of a mask or a polygon. Raises `InvalidMask`."""
    given = shape.attributes
    try:
        if shape.kind == "mask":
            x, y, w, h = (int(given[each]) for each in ("left", "top", "width", "height"))
            mask = rle.from_cropped(CroppedRuns(x, y, w, h, _runs(given["rle"], w * h)), height, width)
        else:
            points = [float(value) for point in given["points"].split(";") for value in point.split(",")]
            mask = geometry.fill_polygon(points, height, width)
    except (KeyError, ValueError, OverflowError):
        raise InvalidMask(f"Its {'runs' if shape.kind == 'mask' else 'points'} are not numbers.") from None
    if not rle.area(mask):
        raise InvalidMask("It covers no pixel of the image.")
    rle.check_intricacy(mask)
    return mask
