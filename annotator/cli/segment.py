"""`annotator segment`: masks of objects that are prompted for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.files import image_paths, image_records
from annotator.cli.options import MODEL, add_command
from annotator.cli.prompted import Wanted, segment_wanted
from annotator.cli.results import check_output
from annotator.errors import InvalidPrompt, InvalidRequest
from annotator.settings import Settings
from annotator.types import ImageRecord, Prompt

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers
    from annotator.formats.prompts import FilePrompt

_PROMPTS = "--point, --box, --object or --prompts"


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Segment objects of an image, or of many images. The same command goes on after an interruption."
    parser = add_command(subparsers, "segment", run, text, MODEL)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="files or folders")
    parser.add_argument("--point", action="append", default=[], metavar="X,Y[,0]", help="of one object; 0: background")
    parser.add_argument("--box", metavar="X0,Y0,X1,Y1", help="around one object")
    parser.add_argument(
        "--object",
        action="append",
        default=[],
        dest="objects",
        metavar="'X,Y X,Y,0 box:X0,Y0,X1,Y1'",
        help="points, a box or both; once for each object",
    )
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="objects of one or many images, as JSON or CSV")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write the best mask of each object as a COCO file. Raises before any work for a prompt that cannot be used."""
    check_output(options.output)
    prompts = _given(options)
    records = image_records(image_paths(options.images), settings)
    segment_wanted(_by_image(prompts, records), settings, options.output)


def _given(options: argparse.Namespace) -> list[FilePrompt]:
    """The prompts of the command line, or those of the file. Raises InvalidPrompt."""
    from annotator.formats import prompts

    typed = [*options.objects]
    if options.point or options.box is not None:
        typed.insert(0, " ".join([*options.point, *([] if options.box is None else [f"box:{options.box}"])]))
    if bool(typed) == (options.prompts is not None):
        choose = "Say what to segment" if not typed else "Choose one way to say what to segment"
        raise InvalidPrompt(f"{choose}: {_PROMPTS}.", "point")
    if options.prompts is None:
        return [prompts.FilePrompt("", f"Object {n}", _typed(text, n)) for n, text in enumerate(typed, 1)]
    try:
        return prompts.read(options.prompts.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{options.prompts} cannot be read ({error.strerror}).") from None
    except InvalidPrompt as error:
        raise InvalidPrompt(f"{options.prompts}: {error}", error.field) from None


def _typed(text: str, number: int) -> Prompt:
    """The prompt of one --object. Raises InvalidPrompt."""
    from annotator.formats.prompts import object_prompt

    points: list[list[str]] = []
    boxes: list[list[str]] = []
    for part in text.split():
        rows, numbers = (boxes, part.removeprefix("box:")) if part.startswith("box:") else (points, part)
        rows.append(numbers.split(","))
    if len(boxes) > 1:
        raise InvalidPrompt(f"Object {number}: It has {len(boxes)} boxes, and can have one.", "box")
    return object_prompt({"points": points, "box": boxes[0] if boxes else None}, f"Object {number}")


def _by_image(prompts: list[FilePrompt], records: dict[Path, ImageRecord]) -> dict[Path, list[Wanted]]:
    """The objects of each image. Raises InvalidPrompt for one whose image is not clear, or that lies outside of it."""
    from annotator.imaging.names import match_names
    from annotator.workspace.prompt_checks import check_prompt

    paths = list(records)
    names = list(dict.fromkeys(each.image for each in prompts))
    places = {}
    for name, match in zip(names, match_names(names, list(map(str, paths))), strict=True):
        found = match.places if name else range(len(paths))
        if len(found) != 1:
            if not name:
                raise InvalidPrompt(f"The prompts are of one image, and {len(found)} are given.", "image")
            raise InvalidPrompt(f"{name} is the name of {len(found) or 'none'} of the given images.", "image")
        places[name] = paths[found[0]]
    wanted: dict[Path, list[Wanted]] = {}
    for each in prompts:
        path = places[each.image]
        try:
            check_prompt(each.prompt, records[path].height, records[path].width)
        except InvalidPrompt as error:
            raise InvalidPrompt(f"{each.where}: {error}", error.field) from None
        wanted.setdefault(path, []).append(Wanted(each.where, each.prompt))
    return wanted
