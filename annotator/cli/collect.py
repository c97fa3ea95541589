"""Masks of image after image into one COCO file, with progress; an interrupted run goes on where it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.files import for_each_image
from annotator.cli.results import FoundMask, MaskedImage, PartialResults
from annotator.errors import InvalidImage
from annotator.settings import Settings
from annotator.words import counted

if TYPE_CHECKING:
    from annotator.imaging.decode import DecodedImage


def collect(
    paths: Iterable[Path],
    settings: Settings,
    output: Path,
    run: Mapping[str, object],
    masks_of: Callable[[Path, DecodedImage], list[FoundMask]],
) -> None:
    """Write the masks of all images. `run` is all that the masks depend on: only the same run is gone on with.

    Raises InvalidImage if there is nothing to write, and as `PartialResults` does.
    """
    from annotator.masks import rle

    results = PartialResults(output, run)

    def add(path: Path, image: DecodedImage) -> None:
        results.add(MaskedImage(str(path), image.height, image.width, masks_of(path, image)))

    if results.images:
        print(f"Going on with {results.path}: {counted(len(results.images), 'image')} done.", file=sys.stderr)
    try:
        for_each_image([path for path in paths if str(path) not in results.images], settings, add)
        if not results.images:
            raise InvalidImage("None of the files could be segmented.")
        results.finish(output)
    except KeyboardInterrupt:
        print(
            f"Interrupted. Masks of {counted(len(results.images), 'image')} are kept in {results.path}.",
            file=sys.stderr,
        )
        raise
    finally:
        results.close()
    count = sum(bool(rle.area(each.mask)) for image in results.images.values() for each in image.masks)
    print(f"{counted(count, 'mask')} of {counted(len(results.images), 'image')} -> {output}", file=sys.stderr)
