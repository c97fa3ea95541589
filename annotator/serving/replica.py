"""The far end of `RemoteSegmenter`: a segmenter in a process of its own, and what travels between the two."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import Metric

from annotator import logs
from annotator.errors import AnnotatorError
from annotator.serving.metrics import HERE
from annotator.serving.segmenter import ImageSource, ModelInfo, caller
from annotator.types import UInt8Array

if TYPE_CHECKING:
    from annotator.serving.local import LocalSegmenter


class PixelsMissing(AnnotatorError):
    """Images of these keys are not encoded here, and their pixels were not sent."""

    def __init__(self, *keys: str) -> None:
        super().__init__("The image is no longer in the memory of the model's process; try again.")
        self.keys = keys

    def __reduce__(self) -> tuple[type[PixelsMissing], tuple[str, ...]]:
        return PixelsMissing, self.keys


@dataclass(slots=True)
class SentPixels:
    """The `load` of an image that has travelled. It gives the pixels once, so that nothing holds on to them."""

    key: str
    pixels: UInt8Array | None = None

    def __call__(self) -> UInt8Array:
        """The pixels [height, width, 3]. Raises PixelsMissing."""
        pixels, self.pixels = self.pixels, None
        if pixels is None:
            raise PixelsMissing(self.key)
        return pixels


@dataclass(frozen=True, slots=True)
class Request:
    """A call of a method of the replica that answers for `key`.

    `images` are those among the arguments that have to be encoded. `caller` is the user whose work it is, `id` that of
    the HTTP request, for log lines.
    """

    key: str
    method: str
    arguments: tuple[Any, ...] = ()
    images: tuple[ImageSource, ...] = ()
    caller: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a replica serves and has counted. The model `wanted` was asked for at `switched`, Unix time; 0: never."""

    replica: str
    info: ModelInfo
    wanted: str
    switched: float
    metrics: Sequence[Metric]


class Replica:
    """Answers requests with a segmenter. Expected errors are returned and not raised: they travel as values."""

    def __init__(self, name: str, segmenter: LocalSegmenter) -> None:
        self._name, self._segmenter = name, segmenter
        self._wanted, self._switched = "", 0.0

    async def answer(self, request: Request) -> Any:
        """The result of a method of the segmenter or of one below, or the AnnotatorError that it ended with.

        PixelsMissing if an image has to be encoded and came without its pixels. Cancelling the task drops the work.
        """
        logs.request_id.set(request.id)
        caller.set(request.caller)
        missing = [
            each.key for each in request.images if _came_empty(each) and not self._segmenter.has_embedding(each.key)
        ]
        if missing:
            return PixelsMissing(*missing)
        owner = self if request.method in ("follow", "report") else self._segmenter
        try:
            result = getattr(owner, request.method)(*request.arguments)
            return await asyncio.wrap_future(result) if isinstance(result, Future) else result
        except AnnotatorError as error:
            return error

    def follow(self, name: str, switched: float) -> None:
        """Serve the model that was asked for at `switched`, unless a later wish is known. Raises NotFound."""
        if switched > self._switched:
            self._segmenter.switch(name)
            self._wanted, self._switched = name, switched

    def report(self) -> Report:
        """How this replica is."""
        return Report(self._name, self._segmenter.info(), self._wanted, self._switched, list(HERE.collect()))

    def close(self) -> None:
        """Release the device."""
        self._segmenter.close()


def _came_empty(image: ImageSource) -> bool:
    return isinstance(image.load, SentPixels) and image.load.pixels is None
