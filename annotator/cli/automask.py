"""`annotator automask`: masks of everything in images or folders of images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.files import MaskedImage, image_paths, readable_images, write_coco
from annotator.cli.models import load_predictor
from annotator.cli.options import MODEL, add_command
from annotator.errors import InvalidImage
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "automask", run, "Segment everything in images or folders of images.", MODEL)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--points-per-side", type=_points, help="of the grid of clicks. Default: the model's own.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")


def _points(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number from 1")
    return int(text)


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write one COCO file. Raises InvalidImage if no file could be read."""
    from annotator.sam import zoo
    from annotator.sam.automask import AutomaskSettings
    from annotator.sam.automask import automask as propose

    paths = image_paths(options.paths)
    predictor = load_predictor(settings)
    chosen = AutomaskSettings.of(zoo.spec_of(predictor.model), options.points_per_side)
    entries = []
    for path, image in readable_images(paths, settings):
        (embedding,) = predictor.encode([image.pixels])
        proposals = propose(predictor, embedding, chosen)
        masks = [(each.mask, each.score) for each in proposals]
        entries.append(MaskedImage(path, image.height, image.width, masks))
    if not entries:
        raise InvalidImage("None of the files could be read.")
    write_coco(options.output, entries)
    count = sum(len(entry.masks) for entry in entries)
    print(f"{count} masks of {len(entries)} images -> {options.output}", file=sys.stderr)
