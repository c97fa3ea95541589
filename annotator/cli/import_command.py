"""`annotator import`: objects of other tools' files, for images that a project has."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.data import find_project, open_store
from annotator.cli.options import add_command
from annotator.errors import AnnotatorError
from annotator.settings import Settings
from annotator.words import counted

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Import objects of other tools' files, for images that a project has. The server may be running."
    parser = add_command(subparsers, "import", run, text, ["data_dir", "database_url", "image_store"])
    parser.add_argument("project", metavar="PROJECT", help="name or id")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--format", metavar="NAME", help="Default: what the file's content says.")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Add the objects. Raises NotFound for an unknown project or format, AnnotatorError for an unusable file."""
    from annotator.storage.files import ImageFiles
    from annotator.workspace.exchange import Exchange

    with open_store(settings) as store:
        project = find_project(store, options.project)
        exchange = Exchange(store, ImageFiles.of(settings))
        for path in options.files:
            try:
                with path.open("rb") as file:
                    kept, present, problems = exchange.import_file(project, options.format, file)
            except OSError as error:
                raise AnnotatorError(f"{path} cannot be read ({error.strerror}).") from None
            known = f", {present:,} more there already" if present else ""
            print(f"{path} -> {project.name}: {counted(kept, 'object')}{known}", *problems, sep="\n", file=sys.stderr)
