"""Compiling the model that serves: what becomes of it, and of a switch meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.serving.model_host import ModelHost
from annotator.settings import Settings

Compiler = Callable[[str], None]


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """Puts a shell script in the place of `annotator compile`."""

    def install(script: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return install


def serve_nano(models_dir: Path) -> ModelHost:
    """A host that has loaded nano and is done with compiling it."""
    host = ModelHost(Settings(models_dir=models_dir, model="nano", device="cpu"))
    for name in ("load-nano", "compile"):  # the first starts the second
        for thread in [each for each in threading.enumerate() if each.name == name]:
            thread.join(60)
    return host


def test_what_the_compiler_said_is_in_the_log_and_its_last_line_in_the_status(
    tmp_path: Path, compiler: Compiler, caplog: pytest.LogCaptureFixture
) -> None:
    compiler("echo 'fatal error: cuda.h'; echo 'annotator: nano could not be compiled (no cuda.h).' >&2; exit 2")
    host = serve_nano(tmp_path)
    assert host.info().backend == "eager"
    assert host.info().error == "nano runs without compilation: nano could not be compiled (no cuda.h)."
    assert "fatal error: cuda.h" in caplog.text
    assert not host.info().compiling


def test_packages_that_do_not_fit_leave_the_eager_model_serving(tmp_path: Path, compiler: Compiler) -> None:
    compiler("exit 0")
    host = serve_nano(tmp_path)
    assert host.info().backend == "eager"
    assert "There are no packages for nano" in str(host.info().error)
