"""The command line. Expected failures are one line on stderr and exit code 2.

Each module adds its own command. It imports torch, Gradio and the model only when it runs, so that --help is instant.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from annotator import __version__
from annotator.cli import (
    automask,
    boxes,
    compile,
    embed,
    eval_command,
    export,
    import_command,
    models,
    purge,
    segment,
    serve,
)
from annotator.cli.options import given_settings
from annotator.errors import AnnotatorError
from annotator.settings import Settings

COMMANDS = (serve, segment, boxes, automask, export, import_command, embed, models, compile, purge, eval_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 after an expected failure, 130 after Ctrl+C."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("annotator").setLevel(logging.INFO)
    run: Callable[[argparse.Namespace, Settings], None] = options.run
    try:
        run(options, Settings.from_environment(**given_settings(options)))
    except AnnotatorError as error:
        print(f"annotator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("annotator", description="Click-to-segment image annotation with SAM 2.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
