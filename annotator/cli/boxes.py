"""`annotator boxes`: masks of all boxes of another tool's file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.cli.files import image_paths, image_records
from annotator.cli.options import MODEL, add_command
from annotator.cli.prompted import Wanted, segment_wanted
from annotator.cli.results import check_output
from annotator.errors import InvalidRequest
from annotator.settings import Settings
from annotator.types import Prompt

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers

_ALL = sys.maxsize


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Turn the boxes of a file into masks. The same command goes on after an interruption."
    parser = add_command(subparsers, "boxes", run, text, MODEL)
    parser.add_argument("boxes", type=Path, metavar="BOXES", help="COCO, CSV, or YOLO labels as a folder or zip")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="files or folders")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write a COCO file with a mask for each box, and a line for each box without one."""
    from annotator.formats import box_files, yolo_boxes
    from annotator.formats.problems import Problems

    check_output(options.output)
    files = _files(options.boxes)
    records = image_records(image_paths(options.images), settings)
    problems = Problems(named=_ALL)
    images = list(records.values())
    if options.boxes.is_dir():
        boxes = yolo_boxes.read_yolo(files, images, problems)
    else:
        (data,) = files.values()
        boxes = box_files.read(data, images, problems)
    for line in problems.lines():
        print(f"no mask: {line}", file=sys.stderr)
    if not boxes:
        raise InvalidRequest(f"{options.boxes} holds no box that can be used for these images.")
    wanted: dict[Path, list[Wanted]] = {}
    for each in boxes:
        wanted.setdefault(Path(each.image_id), []).append(Wanted(each.where, Prompt(box=each.box), each.category))
    segment_wanted(wanted, settings, options.output)


def _files(path: Path) -> dict[str, bytes]:
    """The file, or all of a folder that may be YOLO's labels, by path in the folder. Raises InvalidRequest."""
    from annotator.formats.yolo_boxes import SUFFIXES

    try:
        if not path.is_dir():
            return {path.name: path.read_bytes()}
        found = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES)
        return {each.relative_to(path).as_posix(): each.read_bytes() for each in found}
    except OSError as error:
        raise InvalidRequest(f"{error.filename or path} cannot be read ({error.strerror}).") from None
