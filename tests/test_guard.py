"""What happens to a request before a route sees it: limits, foreign pages, Gradio's own routes, unexpected errors."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.web import guard, protocol
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.conftest import ROOT
from tests.fake_segmenter import FakeSegmenter


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        allowed_hosts=("test",),
        public_url="https://labels.example.org/here/",
        insecure_no_login=True,
    )
    return create_app(Workspace(settings, Store(settings.store_url), FakeSegmenter()), settings)


@pytest.fixture(scope="module")
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://test") as running:
        yield running


GRADIO_ROUTES = [
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/component_server"),
    ("POST", "/gradio_api/stream/1"),
    ("POST", "/gradio_api/run/predict"),
    ("POST", "/gradio_api/reset"),
    ("POST", "/process_recording"),
    ("GET", "/gradio_api/file=/etc/passwd"),
    ("GET", "/gradio_api/file=http://127.0.0.1/"),
    ("GET", "/gradio_api/proxy=http://127.0.0.1/"),
    ("GET", "/dev/reload"),
    ("GET", "/login"),
    ("POST", "/"),
]


@pytest.mark.parametrize(("method", "path"), GRADIO_ROUTES)
def test_routes_of_gradio_that_the_page_does_not_need_are_not_there(client: TestClient, method: str, path: str) -> None:
    reply = client.request(method, path, files={"files": ("a.txt", b"a")} if method == "POST" else None)
    assert (reply.status_code, reply.json()["detail"]) == (404, "There is nothing here.")


@pytest.mark.parametrize(
    "path", ["/", "/config", "/theme.css", "/page/main.js", "/docs", "/openapi.json", "/api/v1/status"]
)
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'self'" in reply.headers["Content-Security-Policy"]


@pytest.mark.parametrize("encoding", ["gzip, br", "identity"])
def test_the_policy_allows_the_scripts_of_the_page_alone(client: TestClient, encoding: str) -> None:
    hashed = {}
    for path in ("/", "/docs", "/page/main.js", "/api/v1/none"):
        headers = client.get(path, headers={"Accept-Encoding": encoding}).headers
        policy = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
        assert policy["object-src"] == "'none'"
        assert "unsafe" not in policy["script-src"] and "*" not in policy["script-src"]
        hashed[path] = policy["script-src"].count("'sha256-")
        assert (headers.get("Cache-Control") == "no-store") == (path in ("/", "/docs"))
    assert hashed["/"] > 1 and hashed["/docs"] == 1
    assert hashed["/page/main.js"] == hashed["/api/v1/none"] == 0


def test_the_description_of_the_routes_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "http" not in page.replace("http://www.w3.org", "")
    assert client.get("/docs/assets/swagger-ui-bundle.js").status_code == 200
    assert client.get("/docs/assets/swagger-ui.css").status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://test", 201), ("https://labels.example.org", 201), ("https://evil.test", 403), ("null", 403)],
)
def test_only_our_own_page_may_change_anything(client: TestClient, origin: str, status: int) -> None:
    new = {"name": uuid.uuid4().hex}
    assert client.post("/api/v1/projects", json=new, headers={"Origin": origin}).status_code == status
    refused = client.post("/gradio_api/queue/join", json={}, headers={"Origin": origin}).status_code == 403
    assert refused == (status == 403)


def chunks(count: int) -> AsyncIterator[bytes]:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 1024

    return body()


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(
    app: Any, announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_MAX_JSON_BYTES", 64 * 1024)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            body: Any = b" " * 1024 * 1024 if announced else chunks(1024)
            return await client.post("/api/v1/projects", content=body, headers={"Content-Type": "application/json"})

    reply = asyncio.run(send())
    assert reply.status_code == 413
    assert "MiB" in reply.json()["detail"]


def test_an_unexpected_error_is_one_true_sentence_and_the_connection_stays_open(
    app: Any, client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Store, "projects", lambda *_: 1 / 0)
        reply = client.get("/api/v1/projects")  # the client would raise an exception that leaves the application
    assert reply.status_code == 500
    assert reply.json()["detail"] == "Something went wrong on the server. Its log has the details."
    assert "ZeroDivisionError" in caplog.text
    assert client.get("/api/v1/projects").status_code == 200


def test_headers_that_trickle_in_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)

    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"hi"})

    async def run() -> None:
        config = uvicorn.Config(hello, port=0, log_level="warning", http=protocol.PatientProtocol, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert await asyncio.wait_for(reader.read(), 10) == b"", "cut off without an answer"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):  # a client that asks now and then keeps its connection
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200 OK" in await asyncio.wait_for(reader.read(4096), 10)
            await asyncio.sleep(0.4)
        server.should_exit = True
        await serving

    asyncio.run(run())


def test_stopping_finishes_answers_and_waits_for_no_event_stream() -> None:
    ended: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kind = b"application/json" if scope["path"] == "/click" else b"text/event-stream; charset=utf-8"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        if scope["path"] == "/click":
            while not server.should_exit:
                await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b"answered"})
        else:
            while (await receive())["type"] != "http.disconnect":
                pass
        ended.append(scope["path"])

    async def ask(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())  # scripts say not what they accept
        await asyncio.wait_for(reader.readuntil(b"begun"), 10)
        return reader, writer

    async def run() -> None:
        nonlocal port
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        click, events = await ask("/click"), await ask("/events")
        server.should_exit = True
        assert b"answered" in await asyncio.wait_for(click[0].read(), 10)
        await asyncio.wait_for(events[0].read(), 10)
        await asyncio.wait_for(serving, 10)

    port = 0
    config = uvicorn.Config(app, port=0, log_level="warning", http=protocol.PatientProtocol, lifespan="off")
    server = uvicorn.Server(config)
    asyncio.run(run())
    assert sorted(ended) == ["/click", "/events"]


def test_both_ways_to_start_a_server_listen_alike() -> None:
    for path in ("app.py", "annotator/cli/serve.py"):
        text = (ROOT / path).read_text()
        assert "listen(app, settings)" in text and "uvicorn.run" not in text


def test_a_request_of_another_site_without_an_origin_changes_nothing(client: TestClient) -> None:
    for site, status in (("cross-site", 403), ("same-origin", 201), ("none", 201)):
        reply = client.post("/api/v1/projects", json={"name": uuid.uuid4().hex}, headers={"Sec-Fetch-Site": site})
        assert reply.status_code == status
