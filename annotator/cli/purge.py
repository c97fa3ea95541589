"""`annotator purge`: remove deleted images for good."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from annotator.cli.data import open_store
from annotator.cli.options import add_command
from annotator.settings import Settings
from annotator.words import counted

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Remove deleted images, and deleted projects with all their images, objects and labels, for good."
    add_command(subparsers, "purge", run, text, ["data_dir", "database_url", "image_store"])


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Remove the rows, the files that no other image has, and files left by a crash. Until then all can be restored."""
    from annotator.storage.files import ImageFiles
    from annotator.storage.library import ImageLibrary

    with open_store(settings) as store:
        library = ImageLibrary(store, ImageFiles.of(settings))
        images, projects = library.purge()
        library.sweep()
    print(f"Removed for good: {counted(projects, 'deleted project')} and {counted(images, 'image')}.")
