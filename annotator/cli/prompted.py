"""Images whose objects are prompted for: what `segment` and `boxes` share."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from annotator.cli.collect import collect, one_by_one
from annotator.cli.models import load_predictor
from annotator.cli.results import FoundMask
from annotator.formats.dataset import FileCategory
from annotator.settings import Settings
from annotator.types import Prompt, Source

if TYPE_CHECKING:
    from annotator.imaging.decode import DecodedImage


class Wanted(NamedTuple):
    """One object to segment. `where` names it for the user."""

    where: str
    prompt: Prompt
    category: FileCategory | None = None
    source: Source = "prompt"


def segment_wanted(wanted: Mapping[Path, Sequence[Wanted]], settings: Settings, output: Path) -> None:
    """Write the best mask of each wanted object. One without a mask is named in a line. Raises as `collect` does."""
    from tqdm import tqdm

    from annotator.masks import rle
    from annotator.sam.candidates import find_best

    predictor = load_predictor(settings)

    def masks_of(path: Path, image: DecodedImage) -> list[FoundMask]:
        objects = wanted[path]
        (embedding,) = predictor.encode([image.pixels])
        found = {}
        for answered in find_best(predictor, embedding, [each.prompt for each in objects]):
            found.update(answered)
        masks = []
        for place, each in enumerate(objects):
            masks.append(FoundMask(found[place].mask, found[place].score, each.category, each.source))
            if not rle.area(found[place].mask):
                tqdm.write(f"no mask: {each.where} of {path}", file=sys.stderr)
        return masks

    digest = hashlib.sha256(repr(wanted).encode()).hexdigest()
    run = {"model": predictor.model, "key": predictor.key, "wanted": digest}
    collect(wanted, output, run, one_by_one(settings, masks_of))
