"""The values that formats write, and those that they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.formats.problems import Problems
from annotator.types import RLE, Annotation, ImageRecord, Label


@dataclass(frozen=True, slots=True)
class Dataset:
    """What an export holds: images, all labels of the project, and annotations of these images with these labels."""

    images: Sequence[ImageRecord]
    labels: Sequence[Label]
    annotations: Sequence[Annotation]


@dataclass(frozen=True, slots=True)
class FileCategory:
    """A class as a file names it. `id` is the file's number for it, 0 or more; None if it has no usable one."""

    name: str
    supercategory: str = ""
    id: int | None = None


@dataclass(frozen=True, slots=True)
class FileObject:
    """One usable object of a file: a mask of the size of its upright image, and the class it belongs to."""

    image_id: str
    category: FileCategory
    mask: RLE
    score: float | None = None
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class FileContents:
    """What could be read of a file.

    `categories` are those of the objects, and those that no annotation of the file uses. It is empty if the file has
    annotations but none could be used: then the file is probably for other images.
    """

    objects: Sequence[FileObject]
    categories: Sequence[FileCategory]
    problems: Problems
