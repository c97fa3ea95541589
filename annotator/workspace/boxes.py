"""Boxes of other tools' files, matched to the images of a project, to be prompts there."""

from __future__ import annotations

import os
from typing import IO

from annotator.formats.archive import parsed_bytes
from annotator.formats.box_files import read
from annotator.formats.file_boxes import FileBox
from annotator.formats.problems import Problems
from annotator.imaging.budget import MemoryBudget
from annotator.storage.store import Store
from annotator.types import Project
from annotator.workspace.exchange import content

_PARSED_BYTES = 1 << 30
_PARSED_PER_BYTE = 16
"""Parsing a file, and what was read of it, take about sixteen times its size: CSV takes most."""


class Boxes:
    """Reads files of boxes. Nothing is stored: the boxes become prompts, and what a person accepts becomes objects."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._budget = MemoryBudget(_PARSED_BYTES)

    def read(self, project: Project, file: IO[bytes]) -> tuple[dict[str, list[FileBox]], list[str]]:
        """The usable boxes by image id, in the order of the file, and sentences on what was not used.

        Raises `NotJson` and `InvalidRequest` for a file that cannot be read, `Busy` while other large files are read.
        """
        problems = Problems()
        records = list(self._store.iter_images(project.id))
        found: dict[str, list[FileBox]] = {}
        size = file.seek(0, os.SEEK_END)
        with self._budget.hold(size):
            needed = size + _PARSED_PER_BYTE * parsed_bytes(content(file))
        with self._budget.hold(needed):
            for each in read(content(file), records, problems):
                found.setdefault(each.image_id, []).append(each)
        return found, problems.sentences()
