"""`annotator embed`: encode images ahead of time."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.files import for_each_image, image_paths
from annotator.cli.models import load_predictor
from annotator.cli.options import MODEL, add_command
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers
    from annotator.imaging.decode import DecodedImage


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Encode images ahead of time, to open them at once."
    parser = add_command(subparsers, "embed", run, text, [*MODEL, "data_dir"])
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write the embeddings of images or folders to the server's disk tier."""
    from annotator.serving.embeddings import DiskTier, embedding_key

    paths = image_paths(options.paths)
    tier = DiskTier(settings.embedding_disk_bytes, settings.data_dir / "embeddings")
    predictor = load_predictor(settings)
    known = 0

    def encode(_: Path, image: DecodedImage) -> None:
        nonlocal known
        key = embedding_key(image.pixel_key, predictor.key, predictor.dtype)
        if key in tier:
            known += 1
            return
        (embedding,) = predictor.encode([image.pixels])
        tier.put(key, embedding)

    skipped = for_each_image(paths, settings, encode)
    encoded = len(paths) - known - skipped
    print(f"{encoded} encoded, {known} were there already, {skipped} skipped.", file=sys.stderr)
