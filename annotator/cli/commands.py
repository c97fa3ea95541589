"""What the commands of `annotator` do, except serving. Each takes the parsed options and the settings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.errors import AnnotatorError, InvalidImage, InvalidPrompt
from annotator.settings import Settings
from annotator.types import RLE, Annotation, ImageRecord, Label, Prompt

if TYPE_CHECKING:
    from annotator.imaging.decode import DecodedImage
    from annotator.sam.predictor import Predictor


def _predictor(settings: Settings, untrained: bool = False) -> Predictor:
    from annotator.sam import zoo
    from annotator.sam.predictor import Predictor
    from annotator.serving.model_host import pick_device, pick_dtype

    device = pick_device(settings.device)
    name = settings.model
    if name == "auto":
        name, reason = zoo.default_model(str(device), settings.models_dir)
        print(f"Model: {name} ({reason}).", file=sys.stderr)
    path = None if untrained else _fetch(name, settings)
    return Predictor.eager(name, path, device, pick_dtype(settings.dtype, device))


def _read_image(path: Path, settings: Settings) -> DecodedImage:
    from annotator.imaging import decode as images

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidImage(f"{path} cannot be read ({error.strerror}).") from None
    return images.decode(data, path.name, settings.max_pixels)


def segment(options: argparse.Namespace, settings: Settings) -> None:
    """One object's mask, as COCO."""
    from annotator.masks import rle as rles
    from annotator.sam.candidates import find_candidates
    from annotator.workspace.prompting import check_prompt

    if not options.point and options.box is None:
        raise InvalidPrompt("Say what to segment: --point X,Y or --box X0,Y0,X1,Y1.", "point")
    image = _read_image(options.image, settings)
    prompt = Prompt(tuple(options.point), options.box)
    check_prompt(prompt, image.height, image.width)
    predictor = _predictor(settings)
    (embedding,) = predictor.encode([image.pixels])
    (best,) = find_candidates(predictor, embedding, prompt, keep=1).masks
    _write_coco(options.output, [(options.image, image.height, image.width, [(best.mask, best.score)])])
    print(f"{rles.area(best.mask)} pixels, score {best.score:.2f} -> {options.output}", file=sys.stderr)


def automask(options: argparse.Namespace, settings: Settings) -> None:
    """Automatic masks of many images, as one COCO file; unreadable files are named and skipped."""
    from annotator.sam import zoo
    from annotator.sam.automask import AutomaskSettings
    from annotator.sam.automask import automask as propose

    paths = _image_paths(options.paths)
    predictor = _predictor(settings)
    chosen = AutomaskSettings.of(zoo.spec_of(predictor.model), options.points_per_side)
    entries = []
    for path, image in _readable(paths, settings):
        (embedding,) = predictor.encode([image.pixels])
        proposals = propose(predictor, embedding, chosen)
        entries.append((path, image.height, image.width, [(each.mask, each.score) for each in proposals]))
    if not entries:
        raise InvalidImage("None of the files could be read.")
    _write_coco(options.output, entries)
    print(
        f"{sum(len(masks) for *_, masks in entries)} masks of {len(entries)} images -> {options.output}",
        file=sys.stderr,
    )


def embed(options: argparse.Namespace, settings: Settings) -> None:
    """Fill the server's disk tier with the embeddings of images or folders."""
    from annotator.serving.embeddings import DiskTier, embedding_key

    paths = _image_paths(options.paths)
    tier = DiskTier(settings.embedding_disk_bytes, settings.data_dir / "embeddings")
    predictor = _predictor(settings)
    encoded = known = 0
    for _, image in _readable(paths, settings):
        key = embedding_key(image.pixel_key, predictor.key, predictor.dtype)
        if key in tier:
            known += 1
            continue
        (embedding,) = predictor.encode([image.pixels])
        tier.put(key, embedding)
        encoded += 1
    print(f"{encoded} encoded, {known} were there already, {len(paths) - encoded - known} skipped.", file=sys.stderr)


def purge(options: argparse.Namespace, settings: Settings) -> None:
    """Remove what was deleted for good; until then it can be brought back."""
    from annotator.storage.files import ImageFiles
    from annotator.storage.store import Store

    store = Store(settings.store_url)
    files = ImageFiles(settings.data_dir / "images")
    gone = store.purge_deleted()
    for key in {each.content_key for each in gone}:
        if not store.content_in_use(key):
            files.remove(key)
    store.close()
    print(f"{len(gone)} deleted images removed for good.")


def _image_paths(paths: Sequence[Path]) -> list[Path]:
    """Files as given, folders searched for images. Raises InvalidImage if there are none."""
    from annotator.imaging.decode import SUFFIXES

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found.extend(sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES))
        else:
            found.append(path)
    if not found:
        raise InvalidImage("There are no images under the given paths.")
    return found


def _readable(paths: Sequence[Path], settings: Settings) -> Iterator[tuple[Path, DecodedImage]]:
    """The images that can be read, under a progress bar; the others are named and skipped."""
    from tqdm import tqdm

    for path in tqdm(paths, unit="image", disable=None):
        try:
            yield path, _read_image(path, settings)
        except InvalidImage as error:
            tqdm.write(f"skipped: {error}", file=sys.stderr)


def models(options: argparse.Namespace, settings: Settings) -> None:
    """List the models and where they are, or fetch one."""
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


def compile_model(options: argparse.Namespace, settings: Settings) -> None:
    """Make the packages the server would make on its first start."""
    from annotator.sam.compile import compile_packages
    from annotator.sam.predictor import Predictor
    from annotator.serving.model_host import pick_device, pick_dtype

    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    predictor = Predictor.eager(options.model, _fetch(options.model, settings), device, dtype)
    print(compile_packages(predictor, settings.packages_dir))


def bench(options: argparse.Namespace, settings: Settings) -> None:
    """Measure against official SAM 2 and write the report."""
    from annotator.sam import zoo

    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks/ stands beside the package
    try:
        from benchmarks.report import write_report
        from benchmarks.run import bench as measure
    except ImportError as error:
        raise AnnotatorError(f"Run this in the source checkout with the [dev] extra ({error}).") from None
    model = options.model or "nano"
    untrained = options.untrained or not zoo.is_present(zoo.spec_of(model), settings.models_dir)
    path = measure(
        model, settings, options.repeats, options.automask_images, options.points_per_side, untrained=untrained
    )
    print(f"{path}\n{write_report()}")


def evaluate(options: argparse.Namespace, settings: Settings) -> None:
    """Print a table per source and, as the last line, the figures as JSON."""
    from tqdm import tqdm

    from annotator.cli.evaluate import by_source, summary
    from annotator.cli.evaluate import evaluate as images

    predictor = _predictor(settings, options.untrained)
    results = [each for image in tqdm(images(predictor, options.folder), unit="image", disable=None) for each in image]
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
