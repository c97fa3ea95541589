"""Downloading checkpoints, against a real HTTP server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from annotator.errors import ModelUnavailable, NotFound
from annotator.sam import zoo
from annotator.sam.zoo import ModelSpec

CONTENT = bytes(range(256)) * 20_000  # 5 MB: several chunks


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges, as the hub does; can break off."""

    break_after: int | None = None
    requests: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        Hub.requests.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:][: Hub.break_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    Hub.break_after, Hub.requests = None, []
    yield Hub
    server.shutdown()


@pytest.fixture
def spec() -> ModelSpec:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return ModelSpec("test", "Test", "x.yaml", "test.pt", "facebook/test", digest, len(CONTENT))


def test_a_download_reports_progress_and_ends_as_the_checked_file(
    hub: type[Hub], spec: ModelSpec, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    path = zoo.fetch(spec, tmp_path, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 2
    assert [each.name for each in tmp_path.iterdir()] == ["test.pt"]


def test_a_broken_download_is_resumed_where_it_broke(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    hub.break_after = 2_000_000
    with pytest.raises(ModelUnavailable, match="could not be downloaded"):
        zoo.fetch(spec, tmp_path)
    kept = (tmp_path / "test.part").stat().st_size
    assert 0 < kept <= 2_000_000
    hub.break_after = None
    assert zoo.fetch(spec, tmp_path).read_bytes() == CONTENT
    assert hub.requests == [None, f"bytes={kept}-"]


def test_a_download_with_a_wrong_checksum_is_refused_and_forgotten(
    hub: type[Hub], spec: ModelSpec, tmp_path: Path
) -> None:
    wrong = ModelSpec("test", "Test", "x.yaml", "test.pt", "facebook/test", "0" * 64, len(CONTENT))
    with pytest.raises(ModelUnavailable, match="checksum"):
        zoo.fetch(wrong, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_overlong_partial_file_is_started_over(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "test.part").write_bytes(b"x" * (len(CONTENT) + 5))
    assert zoo.fetch(spec, tmp_path).read_bytes() == CONTENT


def test_an_unreachable_hub_is_one_sentence(spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match="could not be downloaded"):
        zoo.fetch(spec, tmp_path)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelUnavailable, match=r"broken\.pt"):
        zoo.build(zoo.MODELS["nano"], path)


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="nano"):
        zoo.spec_of("huge")


def test_auto_takes_tiny_on_a_cpu_only_when_its_weights_are_here(tmp_path: Path) -> None:
    assert zoo.default_model("cpu", tmp_path)[0] == "nano"
    (tmp_path / "sam2.1_hiera_tiny.pt").touch()
    assert zoo.default_model("cpu", tmp_path)[0] == "tiny"
