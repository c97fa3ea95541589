"""The values that formats write, and those that they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from annotator.errors import CorruptData, InvalidMask, NotFound
from annotator.formats.problems import Problems
from annotator.masks import rle
from annotator.types import RLE, Annotation, ImageRecord, Label, Source

T = TypeVar("T")


def _no_file(image: ImageRecord) -> bytes:
    raise NotFound(f"The file of {image.name} is not here.")


def _untold(_: int) -> None:
    """Nobody follows."""


def _go_on() -> None:
    """Nobody stops it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What an export holds: images, all labels of the project, and annotations of these images with these labels.

    `read_image` gives the bytes of an image's file; only formats that need them call it. `subsets` says by image id
    whether an image is for `train`, `val` or `test`. `progress` is told how many images are written. `check` is
    called for each object: an image may have very many. What these two raise ends the writing.
    """

    images: Sequence[ImageRecord]
    labels: Sequence[Label]
    annotations: Sequence[Annotation]
    read_image: Callable[[ImageRecord], bytes] = _no_file
    subsets: Mapping[str, str] = field(default_factory=dict)
    progress: Callable[[int], object] = _untold
    check: Callable[[], object] = _go_on

    def by_image(self) -> Iterator[tuple[ImageRecord, list[tuple[Annotation, Label]]]]:
        """Every image with its objects, images in the order of their names. Raises as `checked_mask` does."""
        labels = {label.id: label for label in self.labels}
        images = {image.id: image for image in self.images}
        objects: dict[str, list[tuple[Annotation, Label]]] = {image.id: [] for image in self.images}
        for annotation in self.annotations:
            image, label = images.get(annotation.image_id), labels.get(annotation.label_id)
            if image is None or label is None:
                raise not_exported(annotation)
            objects[image.id].append((annotation, label))
        for done, image in enumerate(sorted(self.images, key=lambda each: each.name)):
            self.progress(done)
            for annotation, _ in self.each(objects[image.id]):
                checked_mask(annotation, image)
            yield image, objects[image.id]
        self.progress(len(self.images))

    def each(self, objects: Iterable[T]) -> Iterator[T]:
        """The objects of an image, with a `check` before each. Formats that work long on each object go through it."""
        for each in objects:
            self.check()
            yield each


def not_exported(annotation: Annotation) -> CorruptData:
    """The error of an annotation without its image or its label."""
    return CorruptData(f"Annotation {annotation.id} belongs to an image or a label that is not exported.")


def checked_mask(annotation: Annotation, image: ImageRecord) -> RLE:
    """The mask, written as COCO does and read back.

    Raises `InvalidMask` if it is malformed or does not fit its image, `CorruptData` if it contradicts its area or its
    box. Both name the annotation.
    """
    where, mask = f"Annotation {annotation.id} of {image.name}", annotation.mask
    if (mask.height, mask.width) != (image.height, image.width):
        raise InvalidMask(
            f"{where}: its mask is {mask.width} x {mask.height}, its image {image.width} x {image.height}."
        )
    try:
        written = rle.from_coco_string(rle.to_coco_string(mask), mask.height, mask.width)
    except InvalidMask as error:
        raise InvalidMask(f"{where}: {error}") from error
    if (written, rle.area(written), rle.bbox(written)) != (mask, annotation.area, annotation.bbox):
        raise CorruptData(f"{where}: its mask, area and box do not agree.")
    return written


@dataclass(frozen=True, slots=True)
class FileCategory:
    """A class as a file names it. `id` is the file's number for it, 0 or more; None if it has no usable one."""

    name: str
    supercategory: str = ""
    id: int | None = None


@dataclass(frozen=True, slots=True)
class FileObject:
    """One usable object of a file: a mask of the size of its upright image, and the class it belongs to.

    `source` is where the object came from before it was in the file, where the file tells.
    """

    image_id: str
    category: FileCategory
    mask: RLE
    score: float | None = None
    crowd: bool = False
    source: Source = "import"


@dataclass(frozen=True, slots=True)
class FileContents:
    """What could be read of a file.

    `categories` are those of the objects, and those that no annotation of the file uses. It is empty if the file has
    annotations but none could be used: then the file is probably for other images.
    """

    objects: Sequence[FileObject]
    categories: Sequence[FileCategory]
    problems: Problems
