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


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "eval", run, "Measure a model on photos with masks.", MODEL)
    parser.add_argument("folder", type=Path, metavar="DIR", help="holds images/ and masks/")
    parser.add_argument("--untrained", action="store_true", help="random weights: the figures without any skill")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Print a table per source and, as the last line, the figures as JSON."""
    from tqdm import tqdm

    from annotator.cli.evaluate import by_source, evaluate, summary

    predictor = load_predictor(settings, options.untrained)
    images = tqdm(evaluate(predictor, options.folder), unit="image", disable=None)
    results = [result for image in images for result in image]
    if not results:
        raise AnnotatorError(f"{options.folder} holds no region of at least 0.5 % of its image.")
    whole = summary(results)
    print(f"{'source':10}{'regions':>8}{'mIoU@1':>8}{'mIoU@3':>8}{'NoC@80':>8}{'corr':>7}{'gap':>7}")
    for name, row in [*by_source(results).items(), ("all", whole)]:
        print(
            f"{name:10}{row['regions']:8.0f}{row['miou_1']:8.3f}{row['miou_3']:8.3f}{row['noc80']:8.2f}"
            f"{row['score_correlation']:7.2f}{row['best_of_three_gap']:7.3f}"
        )
    print(json.dumps({key: round(value, 4) for key, value in whole.items()}))
