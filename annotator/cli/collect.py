"""Masks of image after image into one COCO file, with progress; an interrupted run goes on where it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.files import for_each_image
from annotator.cli.results import FoundMask, MaskedImage, PartialResults
from annotator.errors import InvalidImage
from annotator.settings import Settings
from annotator.words import counted

if TYPE_CHECKING:
    from annotator.imaging.decode import DecodedImage
    from annotator.sam.automask import AutomaskSettings
    from annotator.sam.predictor import Predictor


MasksOf = Callable[[Path, "DecodedImage"], list[FoundMask]]
"""Gives the masks of an image."""

Produce = Callable[[Sequence[Path], Callable[[MaskedImage], None]], object]
"""Hands over the masks of these images, one by one in their order."""


def automasks(predictor: Predictor, chosen: AutomaskSettings) -> MasksOf:
    """Automatic masks of an image."""
    from annotator.sam.automask import automask as propose

    def masks_of(_: Path, image: DecodedImage) -> list[FoundMask]:
        (embedding,) = predictor.encode([image.pixels])
        return [FoundMask(each.mask, each.score) for each in propose(predictor, embedding, chosen)]

    return masks_of


def one_by_one(settings: Settings, masks_of: MasksOf) -> Produce:
    """In this process, under a progress bar."""

    def produce(paths: Sequence[Path], add: Callable[[MaskedImage], None]) -> object:
        def work(path: Path, image: DecodedImage) -> None:
            add(MaskedImage(str(path), image.height, image.width, masks_of(path, image)))

        return for_each_image(paths, settings, work)

    return produce


def collect(paths: Iterable[Path], output: Path, run: Mapping[str, object], produce: Produce) -> None:
    """Write the masks of all images. `run` is all that the masks depend on: only the same run is gone on with.

    Raises InvalidImage if there is nothing to write, and as `PartialResults` does.
    """
    from annotator.masks import rle

    results = PartialResults(output, run)
    if results.images:
        print(f"Going on with {results.path}: {counted(len(results.images), 'image')} done.", file=sys.stderr)
    try:
        produce([path for path in paths if str(path) not in results.images], results.add)
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
