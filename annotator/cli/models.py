"""`annotator models`: what models there are. Also loads one for the other commands."""

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
    from annotator.api.model import fetch
    from annotator.sam import zoo

    if options.fetch:
        print(fetch(options.fetch, settings))
        return
    for spec in zoo.MODELS.values():
        path = zoo.checkpoint_path(spec, settings.models_dir)
        where = str(path) if path.is_file() else f"not here; {spec.size_bytes / 1e6:.0f} MB from {spec.repository}"
        print(f"{spec.name:10} {spec.title:16} {where}")


def load_predictor(settings: Settings, untrained: bool = False) -> Predictor:
    """The model of the settings, fetched if needed, or its untrained twin. Raises ModelUnavailable."""
    from annotator.sam.predictor import Predictor
    from annotator.serving.model_host import pick_device, pick_dtype

    device = pick_device(settings.device)
    name = model_name(settings)
    path = None if untrained else fetched(name, settings)
    return Predictor.eager(name, path, device, pick_dtype(settings.dtype, device))


def model_name(settings: Settings) -> str:
    """The model of the settings; says which one `auto` is."""
    from annotator.sam import zoo
    from annotator.serving.model_host import pick_device

    if settings.model != "auto":
        return settings.model
    name, reason = zoo.default_model(str(pick_device(settings.device)), settings.models_dir)
    print(f"Model: {name} ({reason}).", file=sys.stderr)
    return name


def fetched(name: str, settings: Settings) -> Path:
    """The checkpoint of a model, fetched if needed. Raises ModelUnavailable."""
    from annotator.api.model import fetch

    return fetch(name, settings)
