"""What uvicorn lacks: a time limit on request headers, and an end of event streams when the server is stopped.

A client that trickles headers would hold a connection forever, and an open event stream would hold up the end.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request headers take more than 20 seconds."""

    _header_timer: asyncio.TimerHandle | None = None
    _sends_events = False
    _is_stopping = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answer, self.app = self.app, self._answer_noting_streams

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._watch_headers()

    def data_received(self, data: bytes) -> None:
        """Start or stop the clock, as the parser waits for headers or not."""
        super().data_received(data)
        self._watch_headers()

    def on_response_complete(self) -> None:
        """A kept-alive connection waits for headers again, under uvicorn's own keep-alive limit until data comes."""
        super().on_response_complete()
        self._stop_watch()

    def shutdown(self) -> None:
        """The server is being stopped: finish the answer that is being sent, unless it is a stream without an end."""
        super().shutdown()
        self._is_stopping = True
        self._end_stream()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._stop_watch()
        super().connection_lost(exc)

    async def _answer_noting_streams(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and note from the answer's headers whether it is a stream without an end."""
        self._sends_events = False

        async def noting(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                kind = Headers(raw=message.get("headers", [])).get("content-type", "")
                self._sends_events = kind.startswith("text/event-stream")
                self._end_stream()

        await self._answer(scope, receive, noting)

    def _end_stream(self) -> None:
        if self._is_stopping and self._sends_events and not self.cycle.response_complete:
            self.transport.close()  # the browser connects again by itself

    def _watch_headers(self) -> None:
        waiting = self.conn.their_state is h11.IDLE
        if waiting and self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)
        elif not waiting:
            self._stop_watch()

    def _stop_watch(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
