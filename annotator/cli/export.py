"""`annotator export`: a project's objects as a file of another tool."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.data import find_project, open_store
from annotator.cli.options import add_command
from annotator.cli.results import check_output
from annotator.errors import AnnotatorError
from annotator.settings import Settings
from annotator.words import counted

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Export a project, by default as a COCO file. The server may be running."
    parser = add_command(subparsers, "export", run, text, ["data_dir", "database_url", "image_store"])
    parser.add_argument("project", metavar="PROJECT", help="name or id")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--format", default="coco", metavar="NAME", help="Default: coco. A wrong name lists all.")
    parser.add_argument("--finished", action="store_true", help="Only images that are done or approved.")
    text = "Share of the images for validation, 0 to 1. Default: folders called train, val or test tell."
    parser.add_argument("--val", type=_share, metavar="SHARE", help=text)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="Which images --val chooses. Default: 0.")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write the file, and say what it lacks. Raises NotFound for an unknown project or format."""
    from annotator.formats.losses import measure
    from annotator.formats.registry import find_format
    from annotator.storage.atomic import writing_whole
    from annotator.storage.files import ImageFiles
    from annotator.workspace.exchange import Exchange, Selection

    check_output(options.output)
    kind = find_format(options.format)
    with open_store(settings) as store:
        project = find_project(store, options.project)
        exchange = Exchange(store, ImageFiles.of(settings))
        selection = Selection(finished=options.finished, val=options.val, seed=options.seed)
        try:
            with writing_whole(options.output) as file:
                dataset = exchange.export(project, kind.name, file, selection)
        except OSError as error:
            raise AnnotatorError(f"{options.output} cannot be written ({error.strerror}).") from None
    counts = f"{counted(len(dataset.annotations), 'object')} of {counted(len(dataset.images), 'image')}"
    print(f"{project.name}: {counts} -> {options.output}", file=sys.stderr)
    print(f"{measure(kind, dataset).text} {kind.losses}", file=sys.stderr)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return share
