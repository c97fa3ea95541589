"""What uvicorn lacks: a time limit on request headers, and an end of event streams when the server is stopped.

A client that trickles headers would hold a connection forever, and an open event stream would hold up the end.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEADER_SECONDS = 20.0


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request headers take more than 20 seconds."""

    _header_timer: asyncio.TimerHandle | None = None

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
        if self.cycle is not None and not self.cycle.response_complete and _is_event_stream(self.cycle):
            self.transport.close()  # the browser connects again by itself

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._stop_watch()
        super().connection_lost(exc)

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


def _is_event_stream(cycle: RequestResponseCycle) -> bool:
    return b"text/event-stream" in dict(cycle.scope["headers"]).get(b"accept", b"")
