"""Waiting for the segmenter without holding a thread, and not forever. Work for which nobody waits any more ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from annotator.errors import Busy, Cancelled

T = TypeVar("T")


DEADLINE_SECONDS = 30.0
"""For a click and the encoding that it may need. Nobody waits longer for one."""


async def result_of(request: Request, future: Future[T], seconds: float = DEADLINE_SECONDS) -> T:
    """The future's result. If the client goes away first, the work is cancelled and Cancelled raised.

    After so many seconds, the work is cancelled and Busy raised.
    """
    waiting = asyncio.wrap_future(future)
    gone = asyncio.create_task(_disconnected(request))
    try:
        either: set[asyncio.Future[Any]] = {waiting, gone}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done() and not gone.done():
            raise Busy("The model did not come to this in time; try again in a moment.", retry_after=2)
        if not waiting.done():
            raise Cancelled("The client has gone.")
        return waiting.result()
    finally:
        gone.cancel()
        waiting.cancel()  # cancels the work too, unless it is done


async def run_until_gone(request: Request, work: Callable[[Callable[[], None]], T]) -> T:
    """Run `work` in a thread. It is given a function that raises Cancelled once the client has gone."""
    gone = threading.Event()

    def check() -> None:
        if gone.is_set():
            raise Cancelled("The client has gone.")

    waiting = asyncio.create_task(_disconnected(request))
    waiting.add_done_callback(lambda _: gone.set())
    try:
        return await run_in_threadpool(work, check)
    finally:
        waiting.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
