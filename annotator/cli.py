"""The command line. Expected failures are one line on stderr and exit code 2.

torch, Gradio and the model are imported by the commands that need them, so that --help is instant.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator import __version__
from annotator.errors import AnnotatorError, InvalidImage, InvalidPrompt
from annotator.settings import Settings
from annotator.types import RLE, Annotation, ImageRecord, Label, Point, Prompt

if TYPE_CHECKING:
    from annotator.sam.predictor import Predictor

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"}


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
    given = {name: getattr(options, name, None) for name in ("model", "device", "data_dir")}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("annotator", description="Click-to-segment image annotation with SAM 2.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Settings], None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    def with_model(sub: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub.add_argument("--model", help="auto, nano, tiny, small, base_plus or large (default: auto)")
        sub.add_argument("--device", help="auto, cpu or cuda (default: auto)")
        return sub

    serve = with_model(command("serve", _serve, "Serve the page and the REST routes."))
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=7860)
    serve.add_argument("--data-dir", type=Path, help="where images, masks and embeddings are kept")

    segment = with_model(command("segment", _segment, "Segment one object of an image."))
    segment.add_argument("image", type=Path)
    segment.add_argument("--point", action="append", type=_point, default=[], metavar="X,Y[,0]", help="0: background")
    segment.add_argument("--box", type=_box, metavar="X0,Y0,X1,Y1")
    segment.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")

    automask = with_model(command("automask", _automask, "Segment everything in images or folders of images."))
    automask.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    automask.add_argument("--points-per-side", type=int, default=32)
    automask.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")

    models = command("models", _models, "List the models, or fetch one.")
    models.add_argument("--fetch", metavar="MODEL")

    compile_model = command("compile", _compile, "Compile a model ahead of time for this machine.")
    compile_model.add_argument("model", help="nano, tiny, small, base_plus or large")
    compile_model.add_argument("--device", help="auto, cpu or cuda (default: auto)")
    compile_model.add_argument("--dtype", choices=["float16", "float32"], help="default: float16 on cuda, else float32")

    bench = with_model(command("bench", _bench, "Measure this machine against official SAM 2 (needs the checkout)."))
    bench.add_argument("--repeats", type=int, default=40, help="inputs for CLICK and SPS; a quarter of them for MPS")
    bench.add_argument("--automask-images", type=int, default=4)
    bench.add_argument("--points-per-side", type=int, default=32)
    bench.add_argument("--untrained", action="store_true", help="seeded random weights, 100 automatic masks by design")

    evaluate = with_model(command("eval", _evaluate, "Measure a model on photos with masks."))
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


# --- commands ---


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
    app = make_app(settings)
    print(f"Open http://{options.host}:{options.port} in a browser. Data is kept in {settings.data_dir}.", flush=True)
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")


def _predictor(settings: Settings, untrained: bool = False) -> Predictor:
    from annotator.models import pick_device, serving_dtype
    from annotator.sam import zoo
    from annotator.sam.predictor import Predictor

    device = pick_device(settings.device)
    name = settings.model
    if name == "auto":
        name, reason = zoo.default_model(str(device), settings.models_dir)
        print(f"Model: {name} ({reason}).", file=sys.stderr)
    path = None if untrained else _fetch(name, settings)
    return Predictor.eager(name, path, device, serving_dtype(device))


def _read_image(path: Path, settings: Settings) -> Any:
    from annotator import images

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidImage(f"{path} cannot be read ({error.strerror}).") from None
    return images.decode(data, path.name, settings.max_pixels)


def _segment(options: argparse.Namespace, settings: Settings) -> None:
    from annotator.prompts import check_prompt
    from annotator.sam.postprocess import masks_to_rle
    from annotator.sam.predictor import PromptBatch
    from annotator.segmenter import is_ambiguous, recommended_slots

    if not options.point and options.box is None:
        raise InvalidPrompt("Say what to segment: --point X,Y or --box X0,Y0,X1,Y1.", "point")
    image = _read_image(options.image, settings)
    prompt = Prompt(tuple(options.point), options.box)
    check_prompt(prompt, image.height, image.width)
    predictor = _predictor(settings)
    answer = predictor.decode(predictor.encode([image.pixels]), PromptBatch.single(prompt))
    slot = recommended_slots(answer, 0, is_ambiguous(prompt))[0]
    (mask,) = masks_to_rle(answer.logits[0, [slot]], image.height, image.width)
    score = float(answer.scores[0, slot].clamp(0, 1))
    _write_coco(options.output, [(options.image, mask.height, mask.width, [(mask, score)])])
    print(f"{int(mask.counts[1::2].sum())} pixels, score {score:.2f} -> {options.output}", file=sys.stderr)


def _automask(options: argparse.Namespace, settings: Settings) -> None:
    from tqdm import tqdm

    from annotator.sam.automask import AutomaskSettings, automask

    paths = list(_image_paths(options.paths))
    if not paths:
        raise InvalidImage("There are no images under the given paths.")
    chosen = AutomaskSettings(points_per_side=options.points_per_side)
    predictor = _predictor(settings)
    entries = []
    for path in tqdm(paths, unit="image", disable=None):
        try:
            image = _read_image(path, settings)
        except InvalidImage as error:
            tqdm.write(f"skipped: {error}", file=sys.stderr)
            continue
        (embedding,) = predictor.encode([image.pixels])
        run = automask(predictor, embedding, chosen)
        while True:
            try:
                next(run)
            except StopIteration as stop:
                proposals = stop.value
                break
        entries.append((path, image.height, image.width, [(each.mask, each.score) for each in proposals]))
    if not entries:
        raise InvalidImage("None of the files could be read.")
    _write_coco(options.output, entries)
    print(
        f"{sum(len(masks) for *_, masks in entries)} masks of {len(entries)} images -> {options.output}",
        file=sys.stderr,
    )


def _image_paths(paths: Sequence[Path]) -> list[Path]:
    """Files as given, folders searched for images."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found.extend(sorted(each for each in path.rglob("*") if each.suffix.lower() in _IMAGE_SUFFIXES))
        else:
            found.append(path)
    return found


def _models(options: argparse.Namespace, settings: Settings) -> None:
    from annotator.sam import zoo

    if options.fetch:
        print(_fetch(options.fetch, settings))
        return
    for spec in zoo.MODELS.values():
        path = zoo.checkpoint_path(spec, settings.models_dir)
        where = str(path) if path.is_file() else f"not here; {spec.size_bytes / 1e6:.0f} MB from {spec.repository}"
        print(f"{spec.name:10} {spec.title:16} {where}")


def _fetch(name: str, settings: Settings) -> Path:
    from tqdm import tqdm

    from annotator.sam import zoo

    spec = zoo.spec_of(name)
    with tqdm(desc=spec.filename, unit="B", unit_scale=True, disable=zoo.is_present(spec, settings.models_dir)) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return zoo.fetch(spec, settings.models_dir, progress)


def _compile(options: argparse.Namespace, settings: Settings) -> None:
    import torch

    from annotator.models import pick_device, serving_dtype
    from annotator.sam.compile import compile_packages
    from annotator.sam.predictor import Predictor

    device = pick_device(settings.device)
    dtype = getattr(torch, options.dtype) if options.dtype else serving_dtype(device)
    predictor = Predictor.eager(options.model, _fetch(options.model, settings), device, dtype)
    print(compile_packages(predictor, settings.packages_dir))


def _bench(options: argparse.Namespace, settings: Settings) -> None:
    from annotator.sam import zoo

    try:
        from benchmarks.report import write_report
        from benchmarks.run import bench
    except ImportError as error:
        raise AnnotatorError(f"Run this in the source checkout with the [dev] extra ({error}).") from None
    model = options.model or "nano"
    untrained = options.untrained or not zoo.is_present(zoo.spec_of(model), settings.models_dir)
    path = bench(
        model, settings, options.repeats, options.automask_images, options.points_per_side, untrained=untrained
    )
    print(f"{path}\n{write_report()}")


def _evaluate(options: argparse.Namespace, settings: Settings) -> None:
    from tqdm import tqdm

    from annotator.sam.evaluate import by_source, evaluate, summary

    predictor = _predictor(settings, options.untrained)
    results = [
        each for image in tqdm(evaluate(predictor, options.folder), unit="image", disable=None) for each in image
    ]
    if not results:
        raise AnnotatorError(f"{options.folder} holds no region of at least 0.5 % of its image.")
    whole = summary(results)
    print(f"{'source':10}{'regions':>8}{'mIoU@1':>8}{'mIoU@3':>8}{'NoC@80':>8}{'corr':>7}{'gap':>7}")
    for name, row in [*by_source(results).items(), ("all", whole)]:
        print(
            f"{name:10}{row['regions']:8.0f}{row['miou_1']:8.3f}{row['miou_3']:8.3f}{row['noc80']:8.2f}"
            f"{row['score_correlation']:7.2f}{row['best_of_three_gap']:7.3f}"
        )
    print(json.dumps({key: round(value, 4) for key, value in whole.items()}))


def _write_coco(path: Path, entries: Sequence[tuple[Path, int, int, list[tuple[RLE, float]]]]) -> None:
    """One category, 'object'; `entries` are (file, height, width, masks with scores)."""
    from annotator.formats import coco
    from annotator.masks import rle as rles

    records = [
        ImageRecord(str(index), 0, str(file), "", "", width, height)
        for index, (file, height, width, _) in enumerate(entries)
    ]
    annotations = [
        Annotation(f"{index}/{number}", str(index), 1, mask, rles.area(mask), rles.bbox(mask), score)
        for index, (*_, masks) in enumerate(entries)
        for number, (mask, score) in enumerate(masks)
        if rles.area(mask)
    ]
    content = coco.build(records, [Label(1, 0, "object", "#000000")], annotations)
    try:
        path.write_text(json.dumps(content))
    except OSError as error:
        raise AnnotatorError(f"{path} cannot be written ({error.strerror}).") from None


if __name__ == "__main__":
    sys.exit(main())
