"""`annotator purge`: remove deleted images for good."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from annotator.cli.data import open_store
from annotator.cli.options import add_command
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Remove deleted images, with their objects and files, for good."
    add_command(subparsers, "purge", run, text, ["data_dir", "database_url"])


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Remove the rows and the files that no other image has. Until then a deleted image can be restored."""
    from annotator.storage.files import ImageFiles

    with open_store(settings) as store:
        files = ImageFiles(settings.data_dir / "images")
        gone = store.purge_deleted()
        for key in {each.content_key for each in gone}:
            if not store.content_in_use(key):
                files.remove(key)
    print(f"{len(gone)} deleted images removed for good.")
