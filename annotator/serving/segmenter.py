"""The interface between the use cases and whatever serves the model. Plain values go in and come out.

`serving/local.py` implements it in this process. Nothing above this folder reaches behind it, so another
implementation needs no change elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, Protocol

from annotator.types import RLE, BoolArray, Box, Candidate, FloatArray, Prompt, Proposal, UInt8Array

JobState = Literal["running", "done", "cancelled", "failed"]

caller: ContextVar[str] = ContextVar("caller", default="")
"""For whom the work is, which a server sets for each request. Work that waits is shared out fairly between callers."""


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image, or a part of one, that may have to be encoded.

    `key` names its embedding: the same key means the same pixels. `load` returns them, uint8 [height, width, 3], and is
    called only when there is no embedding yet, possibly from another thread.
    """

    key: str
    height: int
    width: int
    load: Callable[[], UInt8Array]


@dataclass(frozen=True, slots=True)
class Refinement:
    """A candidate of an earlier answer, whose logits the next prompt starts from."""

    token: str
    index: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one prompt's spans. `encode` is None when the embedding was cached."""

    queue: float
    encode: float | None
    decode: float
    postprocess: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Candidates in recommended order. `token` names the answer for a later `Refinement`.

    `refined` says whether they start from an earlier answer or mask, and not from the prompts alone.
    """

    token: str
    candidates: list[Candidate]
    timing: Timing
    refined: bool = False


@dataclass(frozen=True, slots=True)
class AutomaskOptions:
    """What to look for: `points_per_side` of the grid (None: the model's own), inside `region` or everywhere.

    Holes and specks of at most `min_region_area` pixels are removed from the masks. What is nearly one of the masks
    `kept` is left out.
    """

    points_per_side: int | None = None
    region: Box | None = None
    min_region_area: int = 0
    kept: Sequence[RLE] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an image, its top left corner at (x, y)."""

    x: int
    y: int
    source: ImageSource


@dataclass(frozen=True, slots=True)
class Example:
    """An object that shows what to look for: its mask in `source`, with at least one pixel."""

    source: ImageSource
    mask: RLE


@dataclass(frozen=True, slots=True)
class SimilarOptions:
    """Look for what is like the `examples` in the `parts` of an image of `height` x `width` pixels.

    The examples' sources show objects as large as the parts do. What covers one of the masks `kept` is left out.
    """

    examples: Sequence[Example]
    parts: Sequence[Part]
    kept: Sequence[RLE]
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a run is: `done` of `total` steps. `proposals` are there once it is no longer running."""

    state: JobState
    done: int
    total: int
    error: str | None = None
    proposals: list[Proposal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loading:
    """A model on its way; `fraction` in 0..1."""

    name: str
    fraction: float


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model one can switch to. `ready` means that its weights are on this machine."""

    name: str
    title: str
    ready: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What serves now, and why. `name` is "" until the first model is loaded.

    `image_size` is the side of the model's input in pixels. `loading` is the model being fetched or built, `error` why
    the last attempt failed, `offer` a finer model that can be fetched now.
    """

    name: str
    title: str
    device: str
    dtype: str
    image_size: int
    backend: str
    compiling: bool
    reason: str
    loading: Loading | None
    error: str | None
    offer: str | None
    choices: list[ModelChoice]


class Segmenter(Protocol):
    """A model that answers prompts on images. Its methods return at once and may be called from any thread.

    Futures end with Busy, Cancelled, ModelUnavailable or another AnnotatorError when there is no answer. Cancelling a
    future drops the work if it has not begun.
    """

    def info(self) -> ModelInfo:
        """What serves now."""

    def has_embedding(self, key: str) -> bool:
        """Whether a prompt on the image of this key would not have to encode."""

    def encoding_error(self, key: str) -> str | None:
        """Why the image of this key could not be encoded when that was last tried; None if nothing is known."""

    def encode(self, image: ImageSource, upcoming: Sequence[ImageSource], group: str) -> None:
        """Encode `image` in the background after all prompts, and the `upcoming` ones when nothing else waits.

        In each `group`, such as a project, only the last few images wait. A new call replaces the `upcoming` images of
        the call before. Raises Busy.
        """

    def prompt(
        self,
        image: ImageSource,
        prompt: Prompt,
        refine: Refinement | None = None,
        start: BoolArray | None = None,
        hover: str | None = None,
    ) -> Future[Answer]:
        """Answer the prompts of one object.

        They refine the candidate `refine`. Where that is not known any more, they refine the mask `start`
        [height, width] if it is given. `hover` names a pointer: its newer request ends its older one with Cancelled.
        Raises Busy.
        """

    def prompt_many(self, image: ImageSource, prompts: Sequence[Prompt]) -> Future[list[Candidate]]:
        """The best candidate for each of up to 1024 objects, decoded in batches. Raises Busy."""

    def start_automask(self, job_id: str, image: ImageSource, options: AutomaskOptions) -> None:
        """Propose masks in the background, under a new id of the caller's. Raises Busy.

        Nothing happens if there is a run of this id: it was started by somebody else at the same time.
        """

    def start_similar(self, job_id: str, options: SimilarOptions) -> None:
        """Propose masks of what looks like the examples, in the background, as `start_automask` does. Raises Busy."""

    def resume_job(self, job_id: str) -> None:
        """Go on with a run that was cancelled or failed. After a switch of the model it starts anew.

        Raises Busy, NotFound if the run is not known (any more), Conflict while it is being stopped.
        """

    def poll_job(self, job_id: str) -> JobStatus:
        """How far a run is. Raises NotFound if it is not known (any more)."""

    def cancel_job(self, job_id: str) -> None:
        """Stop a run after the current chunk. What it found can be polled. Raises NotFound."""

    def describe(self, objects: Sequence[tuple[ImageSource, RLE]]) -> Future[list[FloatArray | None]]:
        """What objects look like: a vector float32 [C] of length 1 for each mask of an image.

        The cosine of two vectors says how alike the objects are. An object whose image is not encoded gets None:
        nothing is encoded for this. Vectors of one model say nothing about those of another. Raises Busy.
        """

    def switch(self, name: str) -> None:
        """Fetch if needed, load, then serve the model `name`; `info` tells the progress. Raises NotFound.

        Until then, and if it fails, the present model goes on serving.
        """

    def close(self) -> None:
        """Cancel what waits and release the device."""
