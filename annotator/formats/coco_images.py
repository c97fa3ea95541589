"""Which image of the project each image of a COCO file means, and which way up its masks are.

A photo may be stored turned or mirrored, with an EXIF orientation that says how to show it. Masks here belong to the
upright photo. In a COCO file they may belong to the stored pixels: pycocotools does not know about orientation.

- Orientations 5 to 8 swap width and height, so the size in the file tells which is meant.
- For 2 to 4, and for squares, the size is the same. Then the turned photos of the same file decide: one program wrote
  them all.
- Without any of those, upright is assumed, with a warning: people draw on photos in browsers, labelme or CVAT, which
  all show them upright.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from annotator.formats.problems import AMBIGUOUS, NOT_HERE, OTHER_SIZE, Problem, Problems, printable
from annotator.imaging.names import match_names
from annotator.types import ImageRecord

_Key = TypeVar("_Key")

EXIF_POLICY = "Sizes and masks are those of the upright images: rotate the files by their EXIF orientation before use."
"""Stands in the description of every file that this program writes, so that its masks are known to be upright."""

_MANY = 100
"""Of images with the same name, only this many are compared by size."""

_NO_NAME = Problem(
    "Image {which} of the file has no file name.", "{count} images of the file have no file name: {which}."
)
_OTHER_FOLDER = Problem(
    "{which} was taken for an image of that name in another folder.",
    "{count} images of the file were taken for images of the same names in other folders: {which}.",
)
_SHARED = Problem(
    "{which} means the same image as another one of the file.",
    "{count} images of the file mean the same image as others of the file: {which}.",
)


@dataclass(frozen=True, slots=True)
class Target:
    """The image of the project that masks of a file belong to.

    `turned` is True if the masks belong to the stored pixels, False if they are upright, None if the file does not say.
    """

    image: ImageRecord
    turned: bool | None = False


def whole_number(value: object) -> int | None:
    """The whole number that 64, 64.0 and "64" stand for; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def match_images(
    entries: Mapping[_Key, Mapping[str, Any]], images: Sequence[ImageRecord], upright: bool, problems: Problems
) -> dict[_Key, Target]:
    """The image for each of the file's `images` by key, if there is one; `upright` if all masks are known to be."""
    named: dict[_Key, str] = {}
    for key, entry in entries.items():
        if isinstance(name := entry.get("file_name"), str):
            named[key] = name
        else:
            problems.add(_NO_NAME, key)
    matches = match_names(list(named.values()), [image.name for image in images])
    found: dict[_Key, ImageRecord] = {}
    for (key, name), match in zip(named.items(), matches, strict=True):
        if not match.places:
            problems.add(NOT_HERE, name)
            continue
        candidates = [images[place] for place in match.places[:_MANY]]
        image = _by_size(name, _size(entries[key]), candidates, problems)
        if image is not None:
            found[key] = image
            if not match.whole:
                problems.add(_OTHER_FOLDER, name, f"Here it is {printable(image.name)}.")
    _leave_out_shared(found, named, problems)
    return _with_turns(found, {key: _size(entries[key]) for key in found}, upright)


_Size = tuple[int, int] | None
"""Width and height, if the file has them."""


def _size(entry: Mapping[str, Any]) -> _Size:
    width, height = whole_number(entry.get("width")), whole_number(entry.get("height"))
    return (width, height) if width is not None and height is not None and min(width, height) > 0 else None


def _fits(image: ImageRecord, size: _Size) -> bool:
    """Whether this is the size of the image, upright or as it is stored."""
    return size in (None, (image.width, image.height)) or _fits_stored(image, size)


def _fits_stored(image: ImageRecord, size: _Size) -> bool:
    """Whether this is the size of the stored pixels, and not of the upright image."""
    return image.orientation > 4 and image.width != image.height and size == (image.height, image.width)


def _by_size(name: str, size: _Size, candidates: Sequence[ImageRecord], problems: Problems) -> ImageRecord | None:
    """The one of several images of a name that has the size in the file."""
    fitting = [image for image in candidates if _fits(image, size)]
    upright = [image for image in fitting if not _fits_stored(image, size)]
    fitting = upright or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        first, second = (printable(image.name) for image in fitting[:2])
        problems.add(AMBIGUOUS, name, f"It may be {first} or {second}.")
    elif size is not None:
        here = candidates[0]
        detail = f"It is {size[0]} x {size[1]} in the file, {here.width} x {here.height} here (upright)."
        problems.add(OTHER_SIZE, name, detail)
    return None


def _leave_out_shared(found: dict[_Key, ImageRecord], named: Mapping[_Key, str], problems: Problems) -> None:
    """If several images of the file mean the same image here, keep the one with exactly its name, or none."""
    names: dict[str, set[str]] = {}
    for key, image in found.items():
        names.setdefault(image.id, set()).add(named[key])
    for key, image in list(found.items()):
        if len(names[image.id]) > 1 and named[key] != image.name:
            del found[key]
            problems.add(_SHARED, named[key], f"Here it would be {printable(image.name)}.")


def _with_turns(found: Mapping[_Key, ImageRecord], sizes: Mapping[_Key, _Size], upright: bool) -> dict[_Key, Target]:
    """The images with what the file says about their orientation."""

    def told_by_size(key: _Key) -> bool | None:
        image, size = found[key], sizes[key]
        if image.orientation <= 1:
            return False
        swapped = image.orientation > 4 and image.width != image.height
        return _fits_stored(image, size) if swapped and size is not None else None

    told = {key: told_by_size(key) for key in found}
    votes = {turned for key, turned in told.items() if found[key].orientation > 1} - {None}
    otherwise = False if upright else votes.pop() if len(votes) == 1 else None
    return {key: Target(image, otherwise if told[key] is None else told[key]) for key, image in found.items()}
