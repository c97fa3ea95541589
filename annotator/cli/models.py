"""`annotator models`: what models there are. Also fetches and loads one for the other commands."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.options import add_command
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers
    from annotator.sam.predictor import Predictor


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "models", run, "List the models, or fetch one.", ["models_dir"])
    parser.add_argument("--fetch", metavar="MODEL")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """List the models and where they are, or fetch one and print its path."""
    from annotator.sam import zoo

    if options.fetch:
        print(fetch(options.fetch, settings))
        return
    for spec in zoo.MODELS.values():
        path = zoo.checkpoint_path(spec, settings.models_dir)
        where = str(path) if path.is_file() else f"not here; {spec.size_bytes / 1e6:.0f} MB from {spec.repository}"
        print(f"{spec.name:10} {spec.title:16} {where}")


def fetch(name: str, settings: Settings) -> Path:
    """The checkpoint's path, after a download under a progress bar if it is not here. Raises ModelUnavailable."""
    from tqdm import tqdm

    from annotator.sam import zoo

    spec = zoo.spec_of(name)
    with tqdm(desc=spec.filename, unit="B", unit_scale=True, disable=zoo.is_present(spec, settings.models_dir)) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return zoo.fetch(spec, settings.models_dir, progress)


def load_predictor(settings: Settings, untrained: bool = False) -> Predictor:
    """The model of the settings, fetched if needed, or its untrained twin. Raises ModelUnavailable."""
    from annotator.sam import zoo
    from annotator.sam.predictor import Predictor
    from annotator.serving.model_host import pick_device, pick_dtype

    device = pick_device(settings.device)
    name = settings.model
    if name == "auto":
        name, reason = zoo.default_model(str(device), settings.models_dir)
        print(f"Model: {name} ({reason}).", file=sys.stderr)
    path = None if untrained else fetch(name, settings)
    return Predictor.eager(name, path, device, pick_dtype(settings.dtype, device))
