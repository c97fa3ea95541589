"""Waiting for the segmenter: the answer arrives, or the client goes and the work is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from fastapi import Request

from annotator.errors import Busy, Cancelled
from annotator.web.waiting import result_of, run_until_gone


def request_of(*messages: dict[str, Any]) -> Request:
    """A request whose client sends these messages and then stays silent."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return Request({"type": "http"}, receive)


def test_the_answer_is_returned() -> None:
    future: Future[int] = Future()

    async def run() -> int:
        asyncio.get_running_loop().call_later(0.01, future.set_result, 42)
        return await result_of(request_of({"type": "http.request"}), future)

    assert asyncio.run(run()) == 42


def test_what_takes_too_long_is_busy_and_the_work_is_cancelled() -> None:
    future: Future[int] = Future()
    with pytest.raises(Busy) as told:
        asyncio.run(result_of(request_of({"type": "http.request"}), future, seconds=0.01))
    assert future.cancelled() and told.value.retry_after == 2


def test_the_segmenters_error_is_raised() -> None:
    future: Future[int] = Future()
    future.set_exception(Busy("later"))
    with pytest.raises(Busy):
        asyncio.run(result_of(request_of(), future))


def test_the_work_of_a_client_that_went_away_is_cancelled() -> None:
    future: Future[int] = Future()
    with pytest.raises(Cancelled):
        asyncio.run(result_of(request_of({"type": "http.request"}, {"type": "http.disconnect"}), future))
    assert future.cancelled()


def test_work_in_a_thread_gives_its_result_and_ends_when_its_client_has_gone() -> None:
    def work(check: Callable[[], None]) -> int:
        check()
        return 42

    def endless(check: Callable[[], None]) -> None:
        while True:
            check()

    assert asyncio.run(run_until_gone(request_of({"type": "http.request"}), work)) == 42
    with pytest.raises(Cancelled):
        asyncio.run(run_until_gone(request_of({"type": "http.request"}, {"type": "http.disconnect"}), endless))
