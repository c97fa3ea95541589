"""The command line. Expected failures are one line on stderr and exit code 2.

torch, Gradio and the model are imported by the commands that need them, so that --help is instant.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from annotator import __version__
from annotator.cli import commands
from annotator.errors import AnnotatorError
from annotator.settings import Settings
from annotator.types import Point


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        run: Callable[[argparse.Namespace, Settings], None] = options.run
        run(options, _settings(options))
        return 0
    except (AnnotatorError, ValueError) as error:
        print(f"annotator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _settings(options: argparse.Namespace) -> Settings:
    settings = Settings.from_environment()
    given = {name: getattr(options, name, None) for name in ("model", "device", "dtype", "data_dir")}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("annotator", description="Click-to-segment image annotation with SAM 2.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Settings], None], text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    def with_device(sub: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub.add_argument("--device", help="auto, cpu or cuda (default: auto)")
        sub.add_argument(
            "--dtype", choices=["auto", "float32", "float16", "float8"], help="auto: float16 on cuda, else float32"
        )
        return sub

    def with_model(sub: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub.add_argument("--model", help="auto, nano, tiny, small, base_plus or large (default: auto)")
        return with_device(sub)

    serve = with_model(command("serve", _serve, "Serve the page and the REST routes."))
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=7860)
    serve.add_argument("--data-dir", type=Path, help="where images, masks and embeddings are kept")

    segment = with_model(command("segment", commands.segment, "Segment one object of an image."))
    segment.add_argument("image", type=Path)
    segment.add_argument("--point", action="append", type=_point, default=[], metavar="X,Y[,0]", help="0: background")
    segment.add_argument("--box", type=_box, metavar="X0,Y0,X1,Y1")
    segment.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")

    automask = with_model(command("automask", commands.automask, "Segment everything in images or folders of images."))
    automask.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    automask.add_argument("--points-per-side", type=int, help="of the grid of clicks (default: the model's)")
    automask.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")

    embed = with_model(command("embed", commands.embed, "Encode images ahead of time, to open them at once."))
    embed.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    embed.add_argument("--data-dir", type=Path, help="the server's data folder")

    models = command("models", commands.models, "List the models, or fetch one.")
    models.add_argument("--fetch", metavar="MODEL")

    text = "Compile a model ahead of time for this machine."
    compile_model = with_device(command("compile", commands.compile_model, text))
    compile_model.add_argument("model", help="nano, tiny, small, base_plus or large")

    purge = command("purge", commands.purge, "Remove deleted images, with their objects and files, for good.")
    purge.add_argument("--data-dir", type=Path, help="the server's data folder")

    bench = with_model(command("bench", commands.bench, "Measure against official SAM 2 (needs the checkout)."))
    bench.add_argument(
        "--repeats", type=int, default=40, help="inputs for SPS, a quarter for MPS, 100 or more for CLICK"
    )
    bench.add_argument("--automask-images", type=int, default=4)
    bench.add_argument("--points-per-side", type=int, default=32)
    bench.add_argument("--untrained", action="store_true", help="seeded random weights, 100 automatic masks by design")

    evaluate = with_model(command("eval", commands.evaluate, "Measure a model on photos with masks."))
    evaluate.add_argument("folder", type=Path, metavar="DIR", help="holds images/ and masks/")
    evaluate.add_argument("--untrained", action="store_true", help="random weights: what the figures are without skill")
    return parser


def _numbers(text: str, counts: tuple[int, ...]) -> list[float]:
    try:
        values = [float(each) for each in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise argparse.ArgumentTypeError(f"{text!r} should be {' or '.join(map(str, counts))} numbers with commas")
    return values


def _point(text: str) -> Point:
    x, y, *label = _numbers(text, (2, 3))
    return Point(x, y, int(label[0]) if label else 1)


def _box(text: str) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = _numbers(text, (4,))
    return x0, y0, x1, y1


def _serve(options: argparse.Namespace, settings: Settings) -> None:
    import socket

    import uvicorn

    from annotator.web.server import make_app

    with socket.socket() as probe:  # a port in use should be one sentence, before the model loads
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise AnnotatorError(f"Port {options.port} on {options.host} cannot be used ({error.strerror}).") from None
    if options.host not in settings.allowed_hosts.split(",") and "ANNOTATOR_ALLOWED_HOSTS" not in os.environ:
        settings = replace(settings, allowed_hosts="*")  # the operator opened it to the network
    app = make_app(settings)
    print(f"Open http://{options.host}:{options.port} in a browser. Data is kept in {settings.data_dir}.", flush=True)
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    sys.exit(main())
