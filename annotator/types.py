"""The values that travel between layers: plain, immutable, numpy only.

Coordinates are always pixels of the **upright** image (EXIF rotation applied): x to the right, y down, pixel (0, 0)
covering [0, 1) x [0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
UInt32Array = npt.NDArray[np.uint32]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]

WorkStatus = Literal["new", "in_progress", "done"]
"""How far the work on an image is, as those say who do it."""

Verdict = Literal["approved", "rejected"]
"""What a reviewer says about an image."""

ImageStatus = Literal[WorkStatus, Verdict]
FINISHED: tuple[ImageStatus, ...] = ("done", "approved")
"""An image of one of these leaves nothing for annotators to do."""

Source = Literal["prompt", "auto", "import", "edit", "box"]
"""Where an object comes from: prompts, automatic masks, a file with masks, an edit by hand, a box of a file."""

Right = Literal["annotate", "review", "own"]
"""What somebody may do with a project: see it and change objects; also say what is done; everything."""

Role = Literal["annotator", "reviewer"]
"""What a member of a project is: one with the right to annotate, or to review."""

RIGHTS: dict[Role, Right] = {"annotator": "annotate", "reviewer": "review"}
"""The right that a role gives."""

LOCAL_USER = "local"
"""The name of the one user where there is no login."""

MAX_POINTS = 64
"""Points of one prompt; a box counts as two."""

MAX_POINTS_PER_SIDE = 64
"""Of the grid of clicks for automatic masks."""

MAX_OBJECTS = 1024
"""Objects that are prompted for in one request."""

MAX_NAME = 200
"""Most characters of a project's or a label's name."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, x0 < x1 and y0 < y1."""


@dataclass(frozen=True, slots=True, eq=False)
class RLE:
    """A binary mask as column-major run lengths, COCO's order: the first run counts zeros (it may be 0), then ones, ...

    `counts` is uint32 and sums to `height * width`. Encoding, decoding and checks live in `masks/rle.py`.
    """

    height: int
    width: int
    counts: UInt32Array

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RLE):
            return NotImplemented
        same_size = (self.height, self.width) == (other.height, other.width)
        return same_size and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self.height, self.width, self.counts.tobytes()))


class CroppedRuns(NamedTuple):
    """A mask as the browser draws it: row-major runs (zeros first) over its bounding box only.

    `runs` sums to `w * h`. An empty mask has w = h = 0 and no runs.
    """

    x: int
    y: int
    w: int
    h: int
    runs: list[int]


class Point(NamedTuple):
    """One click. `label` is 1 for 'part of the object', 0 for 'not part of it'."""

    x: float
    y: float
    label: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the user said about one object: any number of points and at most one box."""

    points: tuple[Point, ...] = ()
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer to a prompt: a full-resolution mask, its predicted IoU in 0..1 and its stability in 0..1."""

    mask: RLE
    score: float
    stability: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """One mask that is proposed: `bbox` is x, y, w, h in pixels (tight), `point` the click that found it.

    `score` in 0..1 is the predicted IoU, of automatic masks of some models times their saliency. `similarity` in 0..1
    says how much it is like the examples, where there are some.
    """

    mask: RLE
    score: float
    stability: float
    area: int
    bbox: tuple[int, int, int, int]
    point: tuple[float, float]
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A class of a project. `color` is '#rrggbb', `key` a digit '1'..'9' or None.

    `category_id` is the number that an imported file has for it, 0 or more; exports keep it.
    """

    id: int
    project_id: int
    name: str
    color: str
    supercategory: str = ""
    key: str | None = None
    category_id: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A user who logs in. An admin has every right to every project.

    `password_hash` is argon2's; it is None for a user whom only a proxy vouches for.
    """

    name: str
    is_admin: bool = False
    password_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with whom a project is shared. `name` is the user's."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Project:
    """Images, labels and annotations that belong together. `owner` is the workspace's user name."""

    id: int
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Contribution:
    """What somebody did in a project: how many objects they made, some of which may be gone, on how many images.

    `user` is None for what was done before there were users.
    """

    user: str | None
    objects: int
    images: int


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """The counts of a project: images by status, kept objects by the id of their label, and what each person did."""

    images: dict[ImageStatus, int]
    objects: dict[int, int]
    people: list[Contribution]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image of a project. `content_key` is the sha256 of the stored file, `pixel_key` of the upright RGB pixels.

    `width` and `height` are those of the upright image; `orientation` is the EXIF value (1..8) that was applied.
    `stretched` says that the file has more than 8 bits a sample, and its values were spread over 8. `reviewer` gave the
    last verdict, and `review_comment` says what to change; an approval has no comment. Images lie in the order of their
    `ordinal`, the order in which they were added; it is 0 until the image is stored.
    """

    id: str
    project_id: int
    name: str
    content_key: str
    pixel_key: str
    width: int
    height: int
    orientation: int = 1
    status: ImageStatus = "new"
    stretched: bool = False
    reviewer: str | None = None
    review_comment: str | None = None
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """An image that somebody has open. `client` is the browser tab."""

    image_id: str
    user: str
    client: str


@dataclass(frozen=True, slots=True)
class ProjectVersion:
    """How far a project has come: every change of what it has makes `version` one larger.

    `labels` and `project` are the versions at which the labels, and the name or the members, changed last.
    """

    version: int = 0
    labels: int = 0
    project: int = 0


@dataclass(frozen=True, slots=True)
class ChangedImage:
    """An image that was added, changed or removed, its revision, and who did that, if this is known."""

    image: ImageRecord
    removed: bool
    revision: int
    by: str | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One kept object. `bbox` is the tight x, y, w, h of the mask; `score` the model's, if it made it.

    `prompts` keeps what produced the mask, to pick it up again: {"points": [[x, y, label]], "box": [...]}.
    `crowd` is COCO's `iscrowd`: the mask covers a group of objects that are not told apart.
    """

    id: str
    image_id: str
    label_id: int
    mask: RLE
    area: int
    bbox: tuple[int, int, int, int]
    score: float | None = None
    source: Source = "prompt"
    prompts: dict[str, Any] = field(default_factory=dict)
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """The step of one annotation from `before` to `after`; None means 'did not exist'."""

    before: Annotation | None
    after: Annotation | None


@dataclass(frozen=True, slots=True)
class History:
    """Where an image stands in its journal. `revision` grows with every commit, undo and redo.

    `undo` and `redo` name the changes that these would take back or repeat, `undo_author` and `redo_author` who made
    them.
    """

    revision: int
    undo: str | None
    redo: str | None
    undo_author: str | None = None
    redo_author: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """All there is to show of one image."""

    image: ImageRecord
    annotations: list[Annotation]
    history: History
