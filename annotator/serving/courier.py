"""Questions to replicas: each travels to the replica of its image, with the pixels where they are needed there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Protocol

from annotator import logs
from annotator.errors import AnnotatorError, Busy
from annotator.serving.engine import Priority
from annotator.serving.pixels import PixelReader
from annotator.serving.replica import PixelsMissing, Request, SentPixels
from annotator.serving.segmenter import ImageSource, caller
from annotator.types import UInt8Array

_COLD = 6
"""An answer may take so many times as long when an image has to be encoded, or when it is about many objects."""


class Replicas(Protocol):
    """The processes that hold a model each. `ask` and `ask_all` run in one event loop."""

    async def ask(self, request: Request, patience: float | None) -> Any:
        """The reply of the replica that answers for `request.key`.

        If it ends, or says nothing for `patience` seconds, another one is asked, once. Raises Busy.
        """

    async def ask_all(self, request: Request, patience: float) -> list[Any]:
        """The reply of each replica: Busy if it says nothing for `patience` seconds. Raises Busy if there is none."""

    def close(self) -> None:
        """Let go of the replicas. Nothing is asked any more."""


class Parcel:
    """Makes the images of a question fit to travel, with their pixels where these are given by key."""

    def __init__(self, pixels: Mapping[str, UInt8Array]) -> None:
        self._pixels = pixels
        self.given: dict[str, ImageSource] = {}
        self.images: dict[str, ImageSource] = {}

    def __call__(self, image: ImageSource) -> ImageSource:
        """The image as it travels."""
        self.given[image.key] = image
        self.images[image.key] = replace(image, load=SentPixels(image.key, self._pixels.get(image.key)))
        return self.images[image.key]


Arguments = Callable[[Parcel], tuple[Any, ...]]
"""Makes the arguments of a method of the segmenter; every image goes through the parcel."""


class Courier:
    """Asks replicas. The reply is the result of a method of the segmenter there, or an AnnotatorError is raised."""

    def __init__(self, replicas: Replicas, reader: PixelReader, patience: float) -> None:
        self._replicas, self._reader, self._patience = replicas, reader, patience

    async def ask(
        self, image: ImageSource, method: str, arguments: Arguments, priority: Priority = Priority.CLICK
    ) -> Any:
        """Ask about an image that may have to be encoded, and about others with it. Raises AnnotatorError.

        Pixels are read at this priority, and sent only if they are missed.
        """
        patience = self._patience if priority <= Priority.HOVER else None
        parcel = Parcel({})
        reply = await self._send(image.key, method, arguments(parcel), patience, parcel)
        if isinstance(reply, PixelsMissing):
            with ExitStack() as stack:
                pixels = {}
                for key in reply.keys:
                    reading = stack.enter_context(self._reader.read(parcel.given[key], priority))
                    pixels[key] = await asyncio.wrap_future(reading)
                full = Parcel(pixels)
                reply = await self._send(image.key, method, arguments(full), patience and patience * _COLD, full)
        return _result(reply)

    async def ask_about(self, key: str, method: str, *arguments: Any, long: bool = False) -> Any:
        """Ask the replica of an image something for which nothing is encoded. Raises AnnotatorError."""
        return _result(await self._send(key, method, arguments, self._patience * (_COLD if long else 1)))

    async def ask_all(self, method: str, *arguments: Any) -> list[Any]:
        """Ask every replica. The replies may be AnnotatorErrors, Busy of one that is silent. Raises Busy if all are."""
        request = Request("", method, arguments, (), caller.get(), logs.request_id.get())
        replies = await self._replicas.ask_all(request, self._patience)
        if all(isinstance(each, Busy) for each in replies):
            raise replies[0]
        return replies

    async def _send(
        self, key: str, method: str, arguments: tuple[Any, ...], patience: float | None, parcel: Parcel | None = None
    ) -> Any:
        images = tuple(parcel.images.values()) if parcel else ()
        # The parts of an image are at the same replica as the whole.
        request = Request(key.partition(":")[0], method, arguments, images, caller.get(), logs.request_id.get())
        return await self._replicas.ask(request, patience)


def _result(reply: Any) -> Any:
    if isinstance(reply, AnnotatorError):
        raise reply
    return reply
