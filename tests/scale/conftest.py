"""A real server on two replicas. Ray replaces those that a test breaks."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.conftest import Server


def replicas_of(server: Server) -> list[psutil.Process]:
    """The processes that hold a model."""
    assert server.process is not None
    below = psutil.Process(server.process.pid).children(recursive=True)
    return [each for each in below if each.name().startswith("ray::ServeRepli")]


@pytest.fixture(scope="module")
def ray_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data"), ANNOTATOR_BACKEND="ray", ANNOTATOR_REPLICA_TIMEOUT="6")
    server.start()
    assert server.process is not None
    below = psutil.Process(server.process.pid).children(recursive=True)
    yield server
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)
    _, left = psutil.wait_procs(below, 30)
    for each in left:
        each.kill()
    assert not left, "Ray was left behind"
