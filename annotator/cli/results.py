"""Masks of image files, as one COCO file, and as lines on the way to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from annotator.errors import AnnotatorError, InvalidMask
from annotator.formats.dataset import FileCategory
from annotator.types import RLE, Annotation, ImageRecord, Label, Source

_OBJECT = FileCategory("object")


class FoundMask(NamedTuple):
    """A mask, its score, the class it belongs to, None for one called object, and where it comes from."""

    mask: RLE
    score: float
    category: FileCategory | None = None
    source: Source = "prompt"


@dataclass(frozen=True, slots=True)
class MaskedImage:
    """The masks of one image file. `height` and `width` are those of the upright image."""

    file: str
    height: int
    width: int
    masks: list[FoundMask]


def check_output(path: Path, is_folder: bool = False) -> None:
    """Raises AnnotatorError if no file, or folder, can be written at this path, so that no work is done in vain."""
    if path.exists() and path.is_dir() != is_folder:
        raise AnnotatorError(f"{path} cannot be written (it is a {'file' if is_folder else 'folder'}).")
    if not path.parent.is_dir():
        raise AnnotatorError(f"{path} cannot be written (there is no folder {path.parent}).")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise AnnotatorError(f"{path} cannot be written (permission denied).")


def write_coco(path: Path, images: Iterable[MaskedImage]) -> None:
    """Write a COCO file; empty masks are left out. Raises AnnotatorError if the file cannot be written."""
    from annotator.formats import coco
    from annotator.masks import rle

    records, annotations = [], []
    labels: dict[FileCategory, Label] = {}
    for index, image in enumerate(images):
        records.append(ImageRecord(str(index), 0, image.file, "", "", image.width, image.height))
        for number, (mask, score, category, source) in enumerate(image.masks):
            if area := rle.area(mask):
                label = _label(category or _OBJECT, labels)
                key = f"{index}/{number}"
                annotations.append(Annotation(key, str(index), label.id, mask, area, rle.bbox(mask), score, source))
    document = coco.build(records, list(labels.values()), annotations)
    try:
        path.write_text(json.dumps(document))
    except OSError as error:
        raise AnnotatorError(f"{path} cannot be written ({error.strerror}).") from None


def _label(category: FileCategory, labels: dict[FileCategory, Label]) -> Label:
    """The label that stands for a category, which is made when it is first met."""
    if category not in labels:
        number, parent = len(labels) + 1, category.supercategory
        labels[category] = Label(number, 0, category.name, "#000000", parent, category_id=category.id)
    return labels[category]


class PartialResults:
    """The results of a run so far: JSON lines in OUTPUT.part, so that an interrupted run can go on.

    The first line says which run it is, each other one holds the masks of an image.
    """

    def __init__(self, output: Path, run: Mapping[str, object]) -> None:
        """Open or create the file. Raises AnnotatorError if it is of another `run` or cannot be written."""
        self.path = output.with_name(f"{output.name}.part")
        self.images: dict[str, MaskedImage] = {}
        try:
            self._file = self.path.open("a+b")
            self._read(run)
        except OSError as error:
            raise AnnotatorError(f"{self.path} cannot be written ({error.strerror}).") from None

    def add(self, image: MaskedImage) -> None:
        """Keep the masks of one image; a killed process does not lose them. Raises AnnotatorError."""
        from annotator.masks import rle

        masks = [
            {
                "counts": rle.to_coco_string(mask),
                "score": score,
                "category": category and asdict(category),
                "source": source,
            }
            for mask, score, category, source in image.masks
        ]
        self._write({"file": image.file, "height": image.height, "width": image.width, "masks": masks})
        self.images[image.file] = image

    def finish(self, output: Path) -> None:
        """Write the COCO file in place of the lines. Raises AnnotatorError; then the lines are still there."""
        write_coco(output, self.images.values())
        self.remove()

    def remove(self) -> None:
        """Delete the lines: what they hold is elsewhere."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Keep the lines for another run, if there are any."""
        self._file.close()
        if not self.images:
            self.path.unlink(missing_ok=True)

    def _read(self, run: Mapping[str, object]) -> None:
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):  # a process was killed while it wrote this line
            self._file.truncate(self._file.tell() - len(lines.pop()))
        if not lines:
            self._write(run)
            return
        try:
            same = json.loads(lines[0]) == run
            for line in lines[1:] if same else []:
                entry = json.loads(line)
                file, height, width = entry["file"], entry["height"], entry["width"]
                masks = [_read_mask(each, height, width) for each in entry["masks"]]
                self.images[file] = MaskedImage(file, height, width, masks)
        except (ValueError, KeyError, TypeError, InvalidMask):
            same = False
        if not same:
            raise AnnotatorError(
                f"{self.path} holds results of a run with another model or other options; "
                "remove it or choose another output."
            )

    def _write(self, entry: Mapping[str, object]) -> None:
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise AnnotatorError(f"{self.path} cannot be written ({error.strerror}).") from None


def _read_mask(entry: Mapping[str, Any], height: int, width: int) -> FoundMask:
    from annotator.masks import rle

    category = entry["category"]
    mask = rle.from_coco_string(entry["counts"], height, width)
    return FoundMask(mask, entry["score"], category and FileCategory(**category), entry["source"])
