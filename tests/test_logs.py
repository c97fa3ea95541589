"""Log lines: every line of a request tells its id, in the request's own code and in the model's thread."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from annotator import logs
from annotator.serving.engine import Engine, Priority
from annotator.settings import Settings
from annotator.web.guard import Guard
from annotator.web.request_log import RequestLog


class Lines(logging.StreamHandler):  # type: ignore[type-arg]
    """Formats each record where it is logged, as a stream does."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    handler = Lines(logs.JsonFormatter() if request.param == "json" else logs.TextFormatter())
    logger = logging.getLogger("annotator")
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)


@pytest.fixture
def client() -> Iterator[TestClient]:
    app, engine, log = FastAPI(), Engine(), logging.getLogger("annotator.test")

    @app.get("/api/here")
    def here() -> None:
        log.warning("In the route.")

    @app.get("/api/engine")
    def there() -> None:
        engine.submit(Priority.CLICK, lambda: log.warning("In the engine.")).result(10)

    @app.get("/api/broken")
    def broken() -> None:
        raise ZeroDivisionError

    app.add_middleware(Guard, settings=Settings())
    app.add_middleware(RequestLog)
    with TestClient(app) as running:
        yield running
    engine.close()


@pytest.mark.parametrize("path", ["/api/here", "/api/engine", "/api/broken"])
def test_every_line_of_a_request_tells_its_id(client: TestClient, lines: list[str], path: str) -> None:
    reply = client.get(path, headers={"X-Request-ID": "from-the.proxy_1"})
    assert reply.headers["X-Request-ID"] == "from-the.proxy_1"
    assert lines
    assert all("from-the.proxy_1" in line for line in lines)


@pytest.mark.parametrize("given", ["", "short", "a" * 65, 'quoted"and more', "spaces in it", "line%0abreak"])
def test_an_id_of_another_shape_is_replaced(client: TestClient, given: str) -> None:
    reply = client.get("/api/here", headers={"X-Request-ID": given} if given else {})
    assert len(reply.headers["X-Request-ID"]) == 32


def test_two_requests_have_two_ids(client: TestClient) -> None:
    first, second = (client.get("/nowhere").headers["X-Request-ID"] for _ in range(2))
    assert first != second


def test_a_json_line_tells_what_happened() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError:
        record = logging.LogRecord("annotator.x", logging.ERROR, "", 1, "It %s.", ("failed\n",), sys.exc_info())
    record.fields = {"status": "500"}
    (line,) = logs.JsonFormatter().format(record).splitlines()
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("ERROR", "annotator.x", "It failed\n.")
    assert found["status"] == "500"
    assert "request_id" not in found
    assert found["exception"].endswith("ValueError: a\nb")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_everything_that_is_logged_has_the_format(log_format: str) -> None:
    code = (
        "import logging, sys; from annotator import logs; logging.warning('Before.'); logs.configure(sys.argv[1])\n"
        "logging.getLogger('uvicorn.error').warning('Of a library.'); logging.getLogger('annotator.x').info('Ours.')\n"
        "logs.requests.info('GET / 200')"
    )
    done = subprocess.run([sys.executable, "-c", code, log_format], capture_output=True, text=True, check=True)
    _, *written = done.stderr.splitlines()
    if log_format == "text":
        assert written == ["WARNING Of a library.", "INFO Ours."]
    else:
        assert [json.loads(line)["message"] for line in written] == ["Of a library.", "Ours.", "GET / 200"]


def test_json_has_a_line_for_each_request(client: TestClient, lines: list[str]) -> None:
    logs.requests.setLevel(logging.INFO)
    try:
        reply = client.get("/api/here")
    finally:
        logs.requests.setLevel(logging.NOTSET)
    last = lines[-1]
    assert reply.headers["X-Request-ID"] in last
    if last.startswith("{"):
        found = json.loads(last)
        assert (found["method"], found["path"], found["status"]) == ("GET", "/api/here", "200")
        assert found["ms"] >= 0
