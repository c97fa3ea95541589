"""Files of boxes, to be prompts. Each bad entry is reported, the rest is kept."""

from __future__ import annotations

from collections.abc import Sequence

from annotator.formats import cvat_read
from annotator.formats.archive import is_zip
from annotator.formats.coco_boxes import read_coco
from annotator.formats.csv_boxes import read_csv
from annotator.formats.file_boxes import FileBox
from annotator.formats.json_file import load_json
from annotator.formats.problems import Problems
from annotator.formats.yolo_boxes import read_zip
from annotator.types import ImageRecord


def read(data: bytes, images: Sequence[ImageRecord], problems: Problems) -> list[FileBox]:
    """The boxes of a file for these images: COCO, CVAT, CSV, or a zip of YOLO's labels, which the bytes tell.

    Raises `NotJson`, and `InvalidRequest` if it is none of them or too large.
    """
    if cvat_read.recognises(data):
        return cvat_read.read_boxes(data, images, problems)
    if is_zip(data):
        return read_zip(data, images, problems)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return read_coco(load_json(data, problems), images, problems)
    return read_csv(data, images, problems)
