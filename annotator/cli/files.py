"""The image files a command works on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.errors import AnnotatorError, Busy, InvalidImage
from annotator.settings import Settings
from annotator.types import ImageRecord

if TYPE_CHECKING:
    from annotator.imaging.decode import DecodedImage


def image_paths(paths: Sequence[Path]) -> list[Path]:
    """Files as given, folders searched for images; each file once. Raises InvalidImage if there are none."""
    from annotator.storage.folders import find_images

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found.extend(map(Path, find_images(path)))
        else:
            found.append(path)
    if not found:
        raise InvalidImage("There are no images under the given paths.")
    return list(dict.fromkeys(found))


def read_image(path: Path, settings: Settings) -> DecodedImage:
    """The upright RGB pixels of a file. Raises InvalidImage."""
    from annotator.imaging.decode import decode

    return decode(_read(path), path.name, settings.max_pixels)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidImage(f"{path} cannot be read ({error.strerror}).") from None


def image_records(paths: Sequence[Path], settings: Settings) -> dict[Path, ImageRecord]:
    """Size and orientation of each image, from its header. Each file that is no image is named.

    Raises InvalidImage if there is no image among them.
    """
    from annotator.imaging.decode import read_size

    records, reason = {}, ""
    for path in paths:
        try:
            width, height, orientation = read_size(_read(path), path.name, settings.max_pixels)
        except InvalidImage as error:
            reason = str(error)
            if len(paths) > 1:
                print(f"skipped: {reason}", file=sys.stderr)
        else:
            records[path] = ImageRecord(str(path), 0, str(path), "", "", width, height, orientation)
    if not records:
        raise InvalidImage(reason if len(paths) == 1 else "None of the files is an image that can be read.")
    return records


def for_each_image(paths: Sequence[Path], settings: Settings, work: Callable[[Path, DecodedImage], None]) -> int:
    """Do `work` on each image, under a progress bar. Returns how many were skipped.

    A file that cannot be read, or whose work fails in whatever way, is named and skipped. Other errors that are
    expected, such as a full disk, end the loop: raises AnnotatorError.
    """
    from tqdm import tqdm

    skipped = 0
    for path in tqdm(paths, unit="image", disable=None):
        reason = attempt(path, settings, work)
        if reason is not None:
            skipped += 1
            tqdm.write(f"skipped: {reason}", file=sys.stderr)
    return skipped


def attempt(path: Path, settings: Settings, work: Callable[[Path, DecodedImage], None]) -> str | None:
    """Do `work` on one image. Returns why it has to be skipped, or None. Raises AnnotatorError as `for_each_image`."""
    try:
        work(path, read_image(path, settings))
    except (InvalidImage, Busy) as error:  # Busy: too large to decode
        return str(error)
    except AnnotatorError:
        raise
    except Exception as error:  # one odd file must not end the work on thousands of others
        return f"{path} ({type(error).__name__}: {error})"
    return None
