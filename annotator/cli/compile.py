"""`annotator compile`: make the packages the server would make on its first start."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from annotator.cli.options import DEVICE, add_command
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Compile a model ahead of time for this machine."
    parser = add_command(subparsers, "compile", run, text, [*DEVICE, "models_dir"])
    parser.add_argument("model", help="nano, tiny, small, base_plus or large")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Compile and print where the packages are."""
    from annotator.api.model import fetch
    from annotator.sam.compile import compile_packages
    from annotator.sam.predictor import Predictor
    from annotator.serving.model_host import pick_device, pick_dtype

    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    predictor = Predictor.eager(options.model, fetch(options.model, settings), device, dtype)
    print(compile_packages(predictor, settings.packages_dir))
