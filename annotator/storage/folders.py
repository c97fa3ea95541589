"""Folders of the server whose images may be added by path: only those the operator named, and what lies inside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from annotator.errors import InvalidImage, NotFound
from annotator.imaging.decode import SUFFIXES

MAX_LISTED = 10_000
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})


def folders_of(user: str, folders: Iterable[Path]) -> list[Path]:
    """The `folders` that this user may add from: {user} in a path is the user's name. Own ones that are missing go,
    and links in their place: nobody gets more by making one.
    """
    own = {each: Path(str(each).replace("{user}", user)) for each in folders}
    return [path for each, path in own.items() if path == each or (path.is_dir() and path == path.resolve())]


def images_in(folder: str, roots: Sequence[Path]) -> list[str]:
    """Paths of the image files in a folder and those below it. Raises NotFound, InvalidImage if there are too many."""
    inside = _allowed(folder, roots)
    if not os.path.isdir(inside):
        raise NotFound("There is no such folder on the server.")
    found = list(islice(find_images(inside), MAX_LISTED + 1))
    if len(found) > MAX_LISTED:
        raise InvalidImage(f"There are more than {MAX_LISTED} images in {folder}; add its folders one by one.")
    return found


def find_images(folder: Path) -> Iterator[str]:
    """Paths of the image files in a folder and those below it, by suffix, folder by folder in the order of names.

    Hidden files and folders, and copies that systems make for themselves, are left out.
    """
    for directory, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in _SYSTEM_FOLDERS)
        paths = (os.path.join(directory, name) for name in sorted(names))
        yield from (path for path in paths if _is_image(path))


def relative_name(path: str, roots: Sequence[Path]) -> str:
    """A file's path below its allowed folder, so that files of one name in different folders stay apart.

    Raises NotFound if it is not allowed.
    """
    real = _allowed(path, roots)
    for candidate in (Path(os.path.normpath(path)), real):  # what the user sees, where links lead elsewhere
        for root in roots:
            if candidate.is_relative_to(root):
                return candidate.relative_to(root).as_posix()
    raise AssertionError("the path with links followed is in an allowed folder")


def read_image(path: str, roots: Sequence[Path], max_bytes: int) -> bytes:
    """The file's bytes, at most one more than `max_bytes`. Raises NotFound if it is not there or not allowed."""
    inside = _allowed(path, roots)
    try:
        with inside.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise NotFound(f"The file cannot be read ({error.strerror}).") from None


def _is_image(path: str) -> bool:
    """By its suffix. Hidden files are left out, and paths that are no valid text and cannot be told to a browser."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    name = os.path.basename(path)
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def _allowed(path: str, roots: Sequence[Path]) -> Path:
    """The path with all links followed. Raises NotFound if it leaves the allowed folders, whether it exists or not."""
    try:
        real = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):  # too long, a null character, a loop of links
        raise NotFound("This is not a path of the server.") from None
    if not Path(path).is_absolute() or not any(real.is_relative_to(root) for root in roots):
        raise NotFound("The operator of this server has not allowed this folder; see ANNOTATOR_IMAGE_FOLDERS.")
    return real
