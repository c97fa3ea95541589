"""Shared parts: the real bundled model, a workspace on disk, a server process for the browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotator.serving.engine import Chunks, Engine, Priority

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "assets" / "samples"
for variable in [name for name in os.environ if name.startswith("ANNOTATOR_")]:
    del os.environ[variable]  # tests do not depend on the settings of who runs them

BACKEND = {"ANNOTATOR_BACKEND": os.environ.get("TEST_BACKEND", "local"), "ANNOTATOR_REPLICAS": "2"}
"""Servers of the tests run the model in their own process; with TEST_BACKEND=ray on two replicas: `make test-scale`."""

PACKAGES = ROOT / "build" / "packages"
"""Compiling takes a minute or two, so packages are kept between runs; the manifest decides whether they still fit."""
COMPILE = ["nice", "-n", "10", sys.executable, "-m", "tests.compile_nano", str(PACKAGES)]
COMPILATION = pytest.StashKey[subprocess.Popen[bytes]]()


def needs_packages(item: pytest.Item) -> bool:
    return item.path.name in ("test_compile.py", "test_devices.py") and "cuda" not in item.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for the compilation come last."""
    items.sort(key=needs_packages)


def pytest_collection_finish(session: pytest.Session) -> None:
    """The packages are made while the other tests run. Of several test processes, the first one starts that."""
    is_first = os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0"
    if is_first and not session.config.option.collectonly and any(map(needs_packages, session.items)):
        session.config.stash[COMPILATION] = subprocess.Popen(COMPILE, cwd=ROOT)


def pytest_unconfigure(config: pytest.Config) -> None:
    """A compilation nobody waited for ends with the tests."""
    if COMPILATION in config.stash:
        config.stash[COMPILATION].terminate()
        config.stash[COMPILATION].wait()


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the bundled model's packages."""
    assert subprocess.run(COMPILE, cwd=ROOT).returncode == 0, "the bundled model did not compile"
    return PACKAGES


@pytest.fixture(scope="session")
def predictor():  # type: ignore[no-untyped-def]
    """The bundled model."""
    from annotator.sam import zoo
    from annotator.sam.predictor import Predictor

    return Predictor.eager("nano", zoo.checkpoint_path(zoo.MODELS["nano"], Path()))


@pytest.fixture(scope="session")
def cat() -> np.ndarray:
    """The sample photo of a cat, uint8 [300, 451, 3]."""
    return np.asarray(Image.open(SAMPLES / "skimage_chelsea.jpg").convert("RGB"))


@pytest.fixture(scope="session")
def coffee() -> np.ndarray:
    """The sample photo of a cup, a saucer and a spoon on a table, uint8 [400, 600, 3]."""
    return np.asarray(Image.open(SAMPLES / "skimage_coffee.jpg").convert("RGB"))


def all_done(engine: Engine) -> None:
    """Returns when nothing waits for the engine and nothing steps aside from it."""

    def last() -> Chunks[None]:
        while sum(map(engine.waiting, Priority)) > 1:  # this one is there itself
            yield None

    engine.submit(Priority.BACKGROUND, last()).result(60)


def errors_of(again: Callable[[], object], work: Callable[[int], object]) -> list[BaseException | None]:
    """Calls `work` with 0, 1 and 2 at once, and `again` over and over beside them; what each of the four raised."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            again()

    with ThreadPoolExecutor(4) as pool:
        repeated = pool.submit(repeat)
        errors = [each.exception() for each in [pool.submit(work, number) for number in range(3)]]
        stop.set()
    return [*errors, repeated.exception()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`annotator serve` in a process of its own, on a data folder that outlives it."""

    def __init__(self, data_dir: Path, model: str = "nano", **variables: str) -> None:
        """`variables` are set in the server's environment."""
        self.data_dir, self._model, self._variables = data_dir, model, {**BACKEND, **variables}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "ANNOTATOR_DATA_DIR": str(self.data_dir),
            "ANNOTATOR_COMPILE": "0",
            "ANNOTATOR_IMAGE_FOLDERS": str(SAMPLES),
            **self._variables,
        }
        command = [sys.executable, "-m", "annotator", "serve", "--port", str(self.port), "--model", self._model]
        log = (self.data_dir / "server.log").open("ab")
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + (90 if self._variables["ANNOTATOR_BACKEND"] == "local" else 300)
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/api/v1/status", timeout=5) as reply:
                    if b'"name":"nano"' in reply.read().replace(b" ", b"").split(b'"models"')[0]:
                        return
            except OSError:
                pass
            time.sleep(0.2)
        raise RuntimeError("the server did not start:\n" + (self.data_dir / "server.log").read_text()[-3000:])

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("data"))
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def server_url(server: Server) -> str:
    return server.url
