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
    from collections.abc import Sequence

    from annotator.cli.options import Subparsers
    from annotator.formats.file_boxes import FileBox
    from annotator.formats.problems import Problems
    from annotator.types import ImageRecord


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "Turn the boxes of a file into masks. The same command goes on after an interruption."
    parser = add_command(subparsers, "boxes", run, text, MODEL)
    parser.add_argument("boxes", type=Path, metavar="BOXES", help="COCO, CSV, or YOLO labels as a folder or zip")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="files or folders")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.json")


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Write a COCO file with a mask for each box, and a line for each box without one."""
    from annotator.formats.problems import Problems

    check_output(options.output)
    records = image_records(image_paths(options.images), settings)
    problems = Problems(named=sys.maxsize)
    boxes = _read(options.boxes, list(records.values()), problems)
    for problem, line in problems.lines():
        print(line if problem.is_used else f"no mask: {line}", file=sys.stderr)
    if not boxes:
        raise InvalidRequest(f"{options.boxes} holds no box that can be used for these images.")
    wanted: dict[Path, list[Wanted]] = {}
    for each in boxes:
        one = Wanted(each.where, Prompt(box=each.box), each.category, "box")
        wanted.setdefault(Path(each.image_id), []).append(one)
    segment_wanted(wanted, settings, options.output)


def _read(path: Path, images: Sequence[ImageRecord], problems: Problems) -> list[FileBox]:
    """The boxes of a file, or of a folder of YOLO's labels. Raises InvalidRequest and NotJson."""
    from annotator.formats import box_files, yolo_boxes

    try:
        if not path.is_dir():
            return box_files.read(path.read_bytes(), images, problems)
        files = {
            each.relative_to(path).as_posix(): each.read_bytes()
            for each in path.rglob("*")
            if each.suffix in yolo_boxes.SUFFIXES and each.is_file()
        }
    except OSError as error:
        raise InvalidRequest(f"{error.filename or path} cannot be read ({error.strerror}).") from None
    return yolo_boxes.read_yolo(files, images, problems)
