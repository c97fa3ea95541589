"""Boxes of YOLO's labels for detection: a text file an image, with `class x y width height` as shares of its sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from annotator.errors import InvalidRequest
from annotator.formats.archive import Archive
from annotator.formats.coco_images import Target, match_images
from annotator.formats.dataset import FileCategory
from annotator.formats.file_boxes import HAS_MASK, NOWHERE, FileBox, place_box
from annotator.formats.problems import Problems
from annotator.formats.yolo import NAME_FILES, names_of_yaml
from annotator.types import ImageRecord

SUFFIXES = (".txt", ".yaml", ".yml", ".names")
"""Of all the files that matter."""

_MAX_BYTES = 64 << 20
_MAX_BOXES = 100_000


def read_zip(data: bytes, images: Sequence[ImageRecord], problems: Problems) -> list[FileBox]:
    """`read_yolo` of the files of a zip. Raises `InvalidRequest` if it is damaged, or too large unpacked."""
    archive, files = Archive(data), {}
    left = _MAX_BYTES
    for name in (each for suffix in SUFFIXES for each in archive.names(suffix)):
        files[name] = archive.read(name)
        left -= len(files[name])
        if left < 0:
            raise InvalidRequest("The zip holds too many labels: split it.")
    return read_yolo(files, images, problems)


def read_yolo(files: Mapping[str, bytes], images: Sequence[ImageRecord], problems: Problems) -> list[FileBox]:
    """The usable boxes of label files by path, for these images. Class names stand in data.yaml or classes.txt.

    Raises `InvalidRequest` if there are no labels, or if the YAML is none.
    """
    texts = [name for name in sorted(files) if name.endswith(".txt") and _last(name) not in NAME_FILES]
    labels = [name for name in texts if "labels" in name.split("/")[:-1]] or texts
    if not labels:
        raise InvalidRequest("There are no YOLO labels: text files with a line for each box.")
    names = _class_names(files)
    entries = {name: {"file_name": _stem(name.rpartition("labels/")[2])} for name in labels}
    stems = [replace(image, name=_stem(image.name)) for image in images]
    targets = match_images(entries, stems, True, problems)
    found: list[FileBox] = []
    for name, target in targets.items():
        for number, line in enumerate(files[name].decode("utf-8", "replace").splitlines(), 1):
            if values := line.split():
                if len(found) >= _MAX_BOXES:
                    raise InvalidRequest(f"The labels hold more than {_MAX_BOXES:,} boxes: split them.")
                found += _line(values, target, f"line {number} of {name}", names, problems)
    return found


def _line(
    values: Sequence[str], target: Target, where: str, names: Mapping[int, str], problems: Problems
) -> list[FileBox]:
    if len(values) > 6:  # a polygon; six values are a box with its score
        problems.add(HAS_MASK, where)
        return []
    corners: Sequence[float] = NOWHERE
    number = int(values[0]) if values[0].isascii() and values[0].isdecimal() and len(values[0]) < 10 else None
    try:
        x, y, w, h = map(float, values[1:5])
        width, height = target.image.width, target.image.height
        if number is not None:
            corners = (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
    except ValueError:
        pass
    return place_box(
        corners, target, where, FileCategory(names.get(number or 0, f"class {number}"), id=number), problems
    )


def _class_names(files: Mapping[str, bytes]) -> dict[int, str]:
    """The names of the classes by number; none if no file tells."""
    for name, content in sorted(files.items()):
        if name.endswith((".yaml", ".yml")):
            if found := names_of_yaml(name, content):
                return found
        elif _last(name) in NAME_FILES:
            return dict(enumerate(content.decode("utf-8", "replace").splitlines()))
    return {}


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    """The path without its suffix."""
    folder, slash, last = path.rpartition("/")
    return f"{folder}{slash}{last.rpartition('.')[0] or last}"
