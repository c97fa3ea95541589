"""Every format: a module of this folder with a constant `FORMAT`. REST and the command line find it.

The page offers COCO only.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import IO

from annotator import formats
from annotator.errors import NotFound
from annotator.formats.dataset import Dataset, FileContents
from annotator.types import ImageRecord


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file. `name` stands in addresses and on the command line, `title` is for people.

    `losses` is a sentence: what a project has and the file does not. `write` writes the file into a stream and leaves
    the stream at its end. It raises `InvalidMask` or `CorruptData` if the data contradict each other. `read` returns
    what can be used of a file's bytes for these images. It raises `NotJson` or `InvalidRequest` if the file is of
    another kind.
    """

    name: str
    title: str
    media_type: str
    file_name: str
    losses: str
    write: Callable[[Dataset, IO[bytes]], None]
    read: Callable[[bytes, Sequence[ImageRecord]], FileContents] | None = None


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
