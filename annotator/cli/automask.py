"""`annotator automask`: masks of everything in images or folders of images."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.collect import collect
from annotator.cli.files import image_paths
from annotator.cli.models import load_predictor
from annotator.cli.options import MODEL, add_command
from annotator.cli.results import FoundMask, check_output
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers
    from annotator.imaging.decode import DecodedImage


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Segment everything in images or folders of images. The same command goes on after an interruption."
    parser = add_command(subparsers, "automask", run, text, MODEL)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--points-per-side", type=_points, help="of the grid of clicks. Default: the model's own.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write one COCO file. Raises InvalidImage if there is nothing to write."""
    from annotator.sam import zoo
    from annotator.sam.automask import AutomaskSettings
    from annotator.sam.automask import automask as propose

    check_output(options.output)
    paths = image_paths(options.paths)
    predictor = load_predictor(settings)
    chosen = AutomaskSettings.of(zoo.spec_of(predictor.model), options.points_per_side)

    def masks_of(_: Path, image: DecodedImage) -> list[FoundMask]:
        (embedding,) = predictor.encode([image.pixels])
        return [FoundMask(each.mask, each.score) for each in propose(predictor, embedding, chosen)]

    run = {"model": predictor.model, "key": predictor.key, **asdict(chosen)}
    collect(paths, settings, options.output, run, masks_of)


def _points(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number from 1")
    return int(text)
