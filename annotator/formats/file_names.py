"""What the files of an export are called: safe on every system, and each name once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from annotator.imaging.names import relative_name
from annotator.types import ImageRecord

_UNSAFE = re.compile(r'[<>:"|?*\\]')
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)
_MAX_BYTES = 200
"""Of the last part, so that it has room for a number and a suffix."""


def stems(images: Sequence[ImageRecord]) -> dict[str, str]:
    """By image id, the image's path without its suffix, for a file that stands for the image.

    Names that Windows cannot have are changed. Names that a file system may take for the same, by case or Unicode form,
    get a number, whatever the order of the images.
    """
    found: dict[str, str] = {}
    used: set[str] = set()
    following: dict[str, int] = {}
    for image in sorted(images, key=lambda each: each.name):
        stem = _safe(image.name)
        key = _folded(stem)
        number = following.get(key, 1)
        name = stem if number == 1 else f"{stem}-{number}"
        while _folded(name) in used:
            number += 1
            name = f"{stem}-{number}"
        following[key] = number + 1
        used.add(_folded(name))
        found[image.id] = name
    return found


def _safe(name: str) -> str:
    *folders, last = relative_name(name).split("/")
    stem = last.rpartition(".")[0] or last
    return "/".join([*map(_safe_part, folders), _safe_part(stem.encode()[:_MAX_BYTES].decode(errors="ignore"))])


def _safe_part(part: str) -> str:
    part = _UNSAFE.sub("_", part).rstrip(". ") or "_"
    return f"{part}_" if _RESERVED.fullmatch(part.partition(".")[0]) else part


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
