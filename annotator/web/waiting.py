"""Waiting for the segmenter without holding a thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Request

from annotator.errors import Cancelled

T = TypeVar("T")


async def result_of(request: Request, future: Future[T]) -> T:
    """The future's result. If the client goes away first, the work is cancelled and Cancelled raised."""
    waiting = asyncio.wrap_future(future)
    gone = asyncio.create_task(_disconnected(request))
    try:
        either: set[asyncio.Future[Any]] = {waiting, gone}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise Cancelled("The client has gone.")
        return waiting.result()
    finally:
        gone.cancel()
        waiting.cancel()  # cancels the work too, unless it is done


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
