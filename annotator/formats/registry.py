"""Every format: a module of this folder with a constant `FORMAT`. REST, the command line and the page find it."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import IO

from annotator import formats
from annotator.errors import InvalidRequest, NotFound
from annotator.formats.archive import is_zip
from annotator.formats.dataset import Dataset, FileContents
from annotator.types import RLE, Annotation, ImageRecord


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file. `name` stands in addresses and on the command line, `title` is for people.

    `losses` is a sentence: what a project has and the file does not. `write` writes the file into a stream and leaves
    the stream at its end. It raises `InvalidMask` or `CorruptData` if the data contradict each other. `read` returns
    what can be used of a file's bytes for these images. It raises `NotJson` or `InvalidRequest` if the file is of
    another kind. `recognises` says whether a file's bytes look like this format.

    `restored` gives each annotation with the mask that a reader of the file gets, None if it gets no such object. A
    format without it loses no pixel. `has_subsets` says that the file tells images for training and validation apart.
    """

    name: str
    title: str
    media_type: str
    file_name: str
    losses: str
    write: Callable[[Dataset, IO[bytes]], None]
    read: Callable[[bytes, Sequence[ImageRecord]], FileContents] | None = None
    recognises: Callable[[bytes], bool] | None = None
    restored: Callable[[Dataset], Iterator[tuple[Annotation, RLE | None]]] | None = None
    has_subsets: bool = False

    @property
    def reads(self) -> bool:
        """Whether files of this format can be imported."""
        return self.read is not None


def all_formats() -> dict[str, Format]:
    """The formats by name, in alphabetical order of their modules."""
    modules = [import_module(f"{formats.__name__}.{info.name}") for info in pkgutil.iter_modules(formats.__path__)]
    found = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return {each.name: each for each in found}


def find_format(name: str) -> Format:
    """The format of this name. Raises `NotFound`."""
    known = all_formats()
    if name not in known:
        raise NotFound(f"There is no format {name!r:.40}; there are {', '.join(known)}.")
    return known[name]


def detect_format(data: bytes) -> Format:
    """The format of a file, by its bytes; COCO for what no other format recognises.

    Raises `InvalidRequest` for an archive without files of any known format.
    """
    for kind in all_formats().values():
        if kind.recognises is not None and kind.recognises(data):
            return kind
    if is_zip(data):
        readable = ", ".join(kind.name for kind in all_formats().values() if kind.reads)
        raise InvalidRequest(f"The archive holds no files of a known format; these can be read: {readable}.")
    return find_format("coco")
