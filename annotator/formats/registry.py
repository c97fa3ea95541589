"""The formats a project can be exported to: every module of this folder that has a `FORMAT`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from annotator import formats
from annotator.errors import NotFound
from annotator.types import Annotation, ImageRecord, Label


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is exported. Every annotation belongs to one of the images and one of the labels."""

    images: Sequence[ImageRecord]
    labels: Sequence[Label]
    annotations: Sequence[Annotation]


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of file is written. `name` stands in addresses and options, `losses` says what the file lacks.

    `write` raises InvalidMask or CorruptData, naming the annotation, for a dataset that contradicts itself.
    """

    name: str
    title: str
    media_type: str
    suffix: str
    losses: str
    write: Callable[[Dataset, BinaryIO], None]


def all_formats() -> dict[str, Format]:
    """The formats by name."""
    modules = (
        importlib.import_module(each.name) for each in pkgutil.iter_modules(formats.__path__, "annotator.formats.")
    )
    found = (getattr(module, "FORMAT", None) for module in modules)
    return {each.name: each for each in found if isinstance(each, Format)}


def find_format(name: str) -> Format:
    """The format called `name`. Raises NotFound listing those there are."""
    known = all_formats()
    if name not in known:
        raise NotFound(f"There is no format {name!r}; choose from {', '.join(known)}.")
    return known[name]
