"""Folders of the server whose images may be added by path: only those the operator named, and what lies inside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from annotator.errors import InvalidImage, NotFound
from annotator.imaging.decode import SUFFIXES

MAX_LISTED = 10_000


def images_in(folder: str, roots: Sequence[Path]) -> list[str]:
    """Paths of the image files in a folder and those below it, sorted. Raises NotFound, InvalidImage if too many."""
    inside = _allowed(folder, roots)
    if not os.path.isdir(inside):
        raise NotFound(f"There is no folder {folder}.")
    found: list[str] = []
    for directory, below, names in os.walk(inside):
        below.sort()
        paths = (os.path.join(directory, name) for name in sorted(names))
        found.extend(path for path in paths if _is_image(path))
        if len(found) > MAX_LISTED:
            raise InvalidImage(f"There are more than {MAX_LISTED} images in {folder}; add its folders one by one.")
    return found


def read_image(path: str, roots: Sequence[Path], max_bytes: int) -> bytes:
    """The file's bytes, at most one more than `max_bytes`. Raises NotFound if it is not there or not allowed."""
    inside = _allowed(path, roots)
    try:
        with inside.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise NotFound(f"{path} cannot be read ({error.strerror}).") from None


def _is_image(path: str) -> bool:
    """By its suffix. Paths that are no valid text cannot be told to a browser and are left out."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return Path(path).suffix.lower() in SUFFIXES


def _allowed(path: str, roots: Sequence[Path]) -> Path:
    """The path with all links followed. Raises NotFound if it leaves the allowed folders, whether it exists or not."""
    try:
        real = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):  # too long, a null character, a loop of links
        raise NotFound("This is not a path of the server.") from None
    if not Path(path).is_absolute() or not any(real.is_relative_to(root) for root in roots):
        raise NotFound("The operator of this server has not allowed this folder; see ANNOTATOR_IMAGE_FOLDERS.")
    return real
