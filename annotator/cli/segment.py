"""`annotator segment`: the mask of one object."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.files import read_image
from annotator.cli.models import load_predictor
from annotator.cli.options import MODEL, add_command
from annotator.cli.results import MaskedImage, check_output, write_coco
from annotator.errors import InvalidPrompt
from annotator.settings import Settings
from annotator.types import Box, Point, Prompt

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "segment", run, "Segment one object of an image.", MODEL)
    parser.add_argument("image", type=Path)
    parser.add_argument("--point", action="append", type=_point, default=[], metavar="X,Y[,0]", help="0: background")
    parser.add_argument("--box", type=_box, metavar="X0,Y0,X1,Y1")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write the recommended candidate as a COCO file."""
    from annotator.masks import rle
    from annotator.sam.candidates import find_candidates
    from annotator.workspace.prompting import check_prompt

    if not options.point and options.box is None:
        raise InvalidPrompt("Say what to segment: --point X,Y or --box X0,Y0,X1,Y1.", "point")
    check_output(options.output)
    image = read_image(options.image, settings)
    prompt = Prompt(tuple(options.point), options.box)
    check_prompt(prompt, image.height, image.width)
    predictor = load_predictor(settings)
    (embedding,) = predictor.encode([image.pixels])
    (best,) = find_candidates(predictor, embedding, prompt, keep=1).masks
    write_coco(options.output, [MaskedImage(str(options.image), image.height, image.width, [(best.mask, best.score)])])
    print(f"{rle.area(best.mask)} pixels, score {best.score:.2f} -> {options.output}", file=sys.stderr)


def _numbers(text: str, counts: tuple[int, ...]) -> list[float]:
    try:
        values = [float(each) for each in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise argparse.ArgumentTypeError(f"{text!r} should be {' or '.join(map(str, counts))} numbers with commas")
    return values


def _point(text: str) -> Point:
    x, y, *label = _numbers(text, (2, 3))
    if label and label[0] not in (0, 1):
        raise argparse.ArgumentTypeError(f"the label in {text!r} should be 0 or 1")
    return Point(x, y, int(label[0]) if label else 1)


def _box(text: str) -> Box:
    x0, y0, x1, y1 = _numbers(text, (4,))
    return x0, y0, x1, y1
