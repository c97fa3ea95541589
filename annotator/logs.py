"""Log lines as text or JSON. Each one tells the id of the request it belongs to, also in the model's thread."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

Format = Literal["text", "json"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the HTTP request that is worked on; "" outside of one."""

requests = logging.getLogger("annotator.requests")
"""A line for each answered request. Only the JSON format shows them."""


def configure(log_format: Format) -> None:
    """Log to stderr: warnings of every library, and what this program has to say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("annotator").setLevel(logging.INFO)
    requests.setLevel(logging.INFO if log_format == "json" else logging.WARNING)


class TextFormatter(logging.Formatter):
    """`WARNING Something happened. [id]`."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """The line before a traceback."""
        line, current = super().formatMessage(record), request_id.get()
        return f"{line} [{current}]" if current else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line. A `fields` dictionary, passed as `extra`, adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line: time (ISO 8601, UTC), level, logger, message, request_id and exception if there are any."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            line["request_id"] = current
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, "fields", {}), default=str)
