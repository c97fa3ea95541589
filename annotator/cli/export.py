"""`annotator export`: a project's objects as a file of another tool."""

from __future__ import annotations

import argparse
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.data import open_store
from annotator.cli.options import add_command
from annotator.cli.results import check_output
from annotator.errors import AnnotatorError, NotFound
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers
    from annotator.storage.store import Store
    from annotator.types import Project


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Export a project, by default as a COCO file. The server may be running."
    parser = add_command(subparsers, "export", run, text, ["data_dir", "database_url"])
    parser.add_argument("project", metavar="PROJECT", help="name or id")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--format", default="coco", metavar="NAME", help="Default: coco.")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write the file. Raises NotFound for an unknown project or format."""
    from annotator.workspace.exchange import Exchange

    check_output(options.output)
    content = BytesIO()
    with open_store(settings) as store:
        project = _find(store, options.project)
        dataset = Exchange(store).export(project, options.format, content)
    try:
        options.output.write_bytes(content.getvalue())
    except OSError as error:
        raise AnnotatorError(f"{options.output} cannot be written ({error.strerror}).") from None
    counts = f"{len(dataset.annotations)} objects of {len(dataset.images)} images"
    print(f"{project.name}: {counts} -> {options.output}", file=sys.stderr)


def _find(store: Store, wanted: str) -> Project:
    """The project of this name or, if there is none, of this id."""
    from annotator.web.auth import LOCAL_USER

    projects = store.projects(LOCAL_USER)
    found = [each for each in projects if each.name == wanted] or [each for each in projects if str(each.id) == wanted]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{each.id} ({each.name})" for each in found or projects) or "none"
    if found:
        raise NotFound(f"There are {len(found)} projects called {wanted!r}; choose one by its id: {known}.")
    raise NotFound(f"There is no project {wanted!r}. The projects are: {known}.")
