"""`annotator eval`: measure a model on photos with masks. The measuring itself is in `evaluate.py`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.models import load_predictor
from annotator.cli.options import MODEL, add_command
from annotator.errors import AnnotatorError
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers

COLUMNS = {
    "regions": "regions",
    "miou_1": "mIoU@1",
    "miou_3": "mIoU@3",
    "noc80": "NoC@80",
    "score_correlation": "corr",
    "best_of_three_gap": "gap",
    "boundary_f": "bound F",
    "connected": "1 piece",
    "miou_box": "box",
}
DIGITS = {"regions": 0, "noc80": 2, "score_correlation": 2}


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "eval", run, "Measure a model on photos with masks.", MODEL)
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="holds images/NAME.jpg and masks/NAME.png (0 for nothing, 255 ignored, else a region's id)",
    )
    parser.add_argument("--untrained", action="store_true", help="random weights: the figures without any skill")
    parser.add_argument("--raw", action="store_true", help="keep holes and specks that the model's answers lose")
    parser.add_argument("--limit", type=int, metavar="N", help="regions of an image at most, the same each time")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Print a table per source and, as the last line, the figures as JSON."""
    from tqdm import tqdm

    from annotator.cli.evaluate import by_source, evaluate, read_photos, summary

    predictor = load_predictor(settings, options.untrained)
    share = 0.0 if options.raw else predictor.spec.speck_share
    images = tqdm(evaluate(predictor, read_photos(options.folder), share, options.limit), unit="image", disable=None)
    results = [result for image in images for result in image]
    if not results:
        raise AnnotatorError(f"{options.folder} holds no region of at least 0.5 % of its image.")
    whole = summary(results)
    print(f"{'source':12}" + "".join(f"{title:>8}" for title in COLUMNS.values()))
    for name, row in [*by_source(results).items(), ("all", whole)]:
        print(f"{name:12}" + "".join(f"{row[key]:8.{DIGITS.get(key, 3)}f}" for key in COLUMNS))
    print(json.dumps({key: round(value, 4) for key, value in whole.items()}))
