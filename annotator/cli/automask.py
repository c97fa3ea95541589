"""`annotator automask`: masks of everything in images or folders of images."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.collect import automasks, collect, one_by_one
from annotator.cli.files import image_paths
from annotator.cli.models import fetched, load_predictor, model_name
from annotator.cli.options import MODEL, add_command
from annotator.cli.results import check_output
from annotator.cli.shards import collect_shards
from annotator.settings import Settings
from annotator.types import MAX_POINTS_PER_SIDE

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Segment everything in images or folders of images. The same command goes on after an interruption."
    parser = add_command(subparsers, "automask", run, text, (*MODEL, "backend", "replicas"))
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument(
        "--points-per-side",
        type=_points_per_side,
        help=f"of the grid of clicks, at most {MAX_POINTS_PER_SIDE}. Default: the model's own.",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="COCO file, or folder of them")
    text = "Make OUT a folder of COCO files with the masks of N images each."
    parser.add_argument("--shard-images", type=_whole_number, metavar="N", help=text)


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write one COCO file, or several.

    Raises InvalidImage if there is nothing to write, InvalidSetting where Ray is missing.
    """
    from annotator.sam import zoo
    from annotator.sam.automask import AutomaskSettings

    check_output(options.output, is_folder=options.shard_images is not None)
    paths = image_paths(options.paths)
    if settings.backend == "ray":
        from annotator.cli.automask_ray import on_ray

        spec = zoo.spec_of(model_name(settings))
        key = zoo.checkpoint_key(spec, fetched(spec.name, settings))
        chosen = AutomaskSettings.of(spec, options.points_per_side)
        produce = on_ray(settings.model_copy(update={"model": spec.name}), chosen)
    else:
        predictor = load_predictor(settings)
        spec, key = predictor.spec, predictor.key
        chosen = AutomaskSettings.of(spec, options.points_per_side)
        produce = one_by_one(settings, automasks(predictor, chosen))
    what = {"model": spec.name, "key": key, **asdict(chosen)}
    if options.shard_images is None:
        collect(paths, options.output, what, produce)
    else:
        collect_shards(paths, options.output, options.shard_images, what, produce)


def _whole_number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number from 1")
    return int(text)


def _points_per_side(text: str) -> int:
    number = _whole_number(text)
    if number > MAX_POINTS_PER_SIDE:
        raise argparse.ArgumentTypeError(f"{number} is more than {MAX_POINTS_PER_SIDE}")
    return number
