"""Images in, COCO out: what the commands on image files share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.errors import AnnotatorError, InvalidImage
from annotator.settings import Settings
from annotator.types import RLE, Annotation, ImageRecord, Label

if TYPE_CHECKING:
    from annotator.imaging.decode import DecodedImage


@dataclass(frozen=True, slots=True)
class MaskedImage:
    """The masks of one image file, each with its score. `height` and `width` are those of the upright image."""

    path: Path
    height: int
    width: int
    masks: list[tuple[RLE, float]]


def image_paths(paths: Sequence[Path]) -> list[Path]:
    """Files as given, folders searched for images. Raises InvalidImage if there are none."""
    from annotator.imaging.decode import SUFFIXES

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found.extend(sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES))
        else:
            found.append(path)
    if not found:
        raise InvalidImage("There are no images under the given paths.")
    return found


def read_image(path: Path, settings: Settings) -> DecodedImage:
    """The upright RGB pixels of a file. Raises InvalidImage."""
    from annotator.imaging.decode import decode

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidImage(f"{path} cannot be read ({error.strerror}).") from None
    return decode(data, path.name, settings.max_pixels)


def readable_images(paths: Sequence[Path], settings: Settings) -> Iterator[tuple[Path, DecodedImage]]:
    """The images that can be read, under a progress bar. Names and skips the others, whatever is wrong with them."""
    from tqdm import tqdm

    for path in tqdm(paths, unit="image", disable=None):
        try:
            image = read_image(path, settings)
        except InvalidImage as error:
            tqdm.write(f"skipped: {error}", file=sys.stderr)
        except Exception as error:  # one odd file must not end the work on thousands of others
            tqdm.write(f"skipped: {path} cannot be read ({type(error).__name__}: {error}).", file=sys.stderr)
        else:
            yield path, image


def write_coco(path: Path, images: Sequence[MaskedImage]) -> None:
    """Write a COCO file with one category, 'object'. Raises AnnotatorError if the file cannot be written."""
    from annotator.formats import coco
    from annotator.masks import rle

    records = [
        ImageRecord(str(index), 0, str(image.path), "", "", image.width, image.height)
        for index, image in enumerate(images)
    ]
    annotations = [
        Annotation(f"{index}/{number}", str(index), 1, mask, rle.area(mask), rle.bbox(mask), score)
        for index, image in enumerate(images)
        for number, (mask, score) in enumerate(image.masks)
        if rle.area(mask)
    ]
    content = coco.build(records, [Label(1, 0, "object", "#000000")], annotations)
    try:
        path.write_text(json.dumps(content))
    except OSError as error:
        raise AnnotatorError(f"{path} cannot be written ({error.strerror}).") from None
