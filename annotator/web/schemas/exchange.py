"""Imports and exports as JSON."""

from __future__ import annotations

from annotator.web.schemas.base import Reply
from annotator.workspace.exports import ExportState


class Format(Reply):
    """A kind of file. `losses` says what a project has and the file does not; `reads`, whether it can be imported.

    `has_subsets` says that the file tells images for training and validation apart.
    """

    name: str
    title: str
    file_name: str
    losses: str
    has_subsets: bool
    reads: bool


class Export(Reply):
    """An export that is written: `done` of `total` images are. `error` is a sentence if it failed."""

    id: str
    state: ExportState
    done: int
    total: int
    size: int
    error: str | None


class Losses(Reply):
    """How masks come back from a file; `text` is for people.

    `empty` images of `images` have no objects. Of `compared` objects, some `changed` and some `left_out`. `mean_iou`
    and `min_iou` are those of the changed ones; 1 if there are none.
    """

    objects: int
    images: int
    empty: int
    compared: int
    changed: int
    left_out: int
    mean_iou: float
    min_iou: float
    text: str


class Imported(Reply):
    """What an import brought: `kept` objects are new, `present` ones were there already.

    `problems` has a sentence for each kind of entry that was not used as it is.
    """

    kept: int
    present: int
    problems: list[str]
