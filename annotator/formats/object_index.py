"""`objects.json` of archives of pictures: which file belongs to which image, and what pixels cannot say of objects.

{"format": "masks", "images": [{"image": "a.jpg", "width": 640, "height": 480, "objects": [{"label": "cat", ...}]}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from annotator.errors import InvalidMask, InvalidRequest, NotJson
from annotator.formats.archive import Archive, is_zip
from annotator.formats.dataset import FileCategory, FileContents, FileObject
from annotator.formats.json_file import load_json
from annotator.formats.problems import AMBIGUOUS, NOT_HERE, Problem, Problems
from annotator.imaging.names import match_names
from annotator.masks import rle
from annotator.types import RLE, Annotation, ImageRecord, Label

NAME = "objects.json"
LOSSES = "Colours and keys of labels, the prompts of each object and its history are not in the files."

_NOT_AN_INDEX = Problem("objects.json does not say what the archive holds.", "")
_BAD_OBJECT = Problem("An object of {which} cannot be used.", "{count} objects cannot be used: of {which}.")


def about(annotation: Annotation, label: Label, **fields: object) -> dict[str, object]:
    """What the index says of an object."""
    return {
        **fields,
        "label": label.name,
        "supercategory": label.supercategory,
        "category_id": label.category_id,
        "crowd": annotation.crowd,
        "score": annotation.score,
    }


def about_image(image: ImageRecord, objects: Sequence[Mapping[str, object]], **fields: object) -> dict[str, object]:
    """What the index says of an image."""
    return {"image": image.name, "width": image.width, "height": image.height, **fields, "objects": objects}


def to_json(kind: str, images: Sequence[Mapping[str, object]]) -> str:
    """The text of the index."""
    return json.dumps({"format": kind, "images": images}, ensure_ascii=False, indent=1)


def is_index_of(kind: str, data: bytes) -> bool:
    """Whether this is an archive with the index of this format."""
    if not is_zip(data):
        return False
    archive = Archive(data)
    if (name := _place(archive)) is None:
        return False
    try:
        document = load_json(archive.read(name), Problems())
    except NotJson:
        return False
    return isinstance(document, dict) and document.get("format") == kind


class IndexReader:
    """Finds the images of an index and their files, and collects the objects."""

    def __init__(self, data: bytes, images: Sequence[ImageRecord]) -> None:
        self.archive, self._images = Archive(data), images
        self.problems = Problems()
        self._objects: list[FileObject] = []
        name = _place(self.archive)
        if name is None:
            raise InvalidRequest(f"The archive has no {NAME}.")
        self._folder = name.removesuffix(NAME)
        self._document = load_json(self.archive.read(name), self.problems)

    def images(self) -> Iterator[tuple[ImageRecord, Mapping[str, Any]]]:
        """The images of the project that the index names, each with what it says of them."""
        entries = self._document.get("images") if isinstance(self._document, dict) else None
        if not isinstance(entries, list):
            self.problems.add(_NOT_AN_INDEX)
            return
        named = [each for each in entries if isinstance(each, dict) and isinstance(each.get("image"), str)]
        matches = match_names([each["image"] for each in named], [image.name for image in self._images])
        for entry, match in zip(named, matches, strict=True):
            if len(match.places) == 1:
                yield self._images[match.places[0]], entry
            else:
                self.problems.add(AMBIGUOUS if match.places else NOT_HERE, entry["image"])

    def file(self, name: object) -> bytes:
        """The content of a file that the index names. Raises `InvalidMask` if it is not there."""
        try:
            return self.archive.read(f"{self._folder}{name}")
        except KeyError:
            raise InvalidMask(f"The file {name!s:.100} is not in the archive.") from None

    def add(self, image: ImageRecord, entry: object, mask: RLE) -> None:
        """Collect an object. Raises `InvalidMask`."""
        label = entry.get("label") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(label, str) or not label.strip():
            raise InvalidMask("It has no label.")
        if not rle.area(mask):
            raise InvalidMask("Its mask is empty.")
        rle.check_intricacy(mask)
        parent, number, score = entry.get("supercategory"), entry.get("category_id"), entry.get("score")
        category = FileCategory(
            name=label,
            supercategory=parent if isinstance(parent, str) else "",
            id=number if type(number) is int and 0 <= number < 2**53 else None,
        )
        score = float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None
        self._objects.append(FileObject(image.id, category, mask, score, entry.get("crowd") is True))

    def refuse(self, image: ImageRecord, error: InvalidMask, count: int = 1) -> None:
        """Say that objects of an image cannot be used."""
        for _ in range(count):
            self.problems.add(_BAD_OBJECT, image.name, str(error))

    def contents(self) -> FileContents:
        """All that was collected."""
        categories = dict.fromkeys(each.category for each in self._objects)
        return FileContents(self._objects, list(categories), self.problems)


def listed(entry: Mapping[str, Any]) -> list[Any]:
    """The objects that the index names of an image."""
    objects = entry.get("objects")
    return objects if isinstance(objects, list) else []


def _place(archive: Archive) -> str | None:
    """The path of the index: it may lie in a folder."""
    return next((name for name in archive.names(NAME) if name.rpartition("/")[2] == NAME), None)
