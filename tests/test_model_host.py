"""Compiling the model that serves: what becomes of it, and of a switch meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from annotator.errors import ModelUnavailable
from annotator.sam import zoo
from annotator.sam.zoo import ModelSpec, Progress
from annotator.serving.model_host import ModelHost
from annotator.serving.segmenter import Loading
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


def test_what_becomes_of_a_compilation_is_known_though_the_model_was_chosen_again_meanwhile(
    tmp_path: Path, compiler: Compiler
) -> None:
    compiler(f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 2")
    host = ModelHost(Settings(models_dir=tmp_path, model="nano", device="cpu"))
    before = host.predictor
    while not host.info().compiling:
        time.sleep(0.01)
    host.switch("nano")
    while host.predictor is before:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    for thread in [each for each in threading.enumerate() if each.name == "compile"]:
        thread.join(60)
    assert "nano runs without compilation" in str(host.info().error)


@pytest.mark.parametrize(
    ("chosen", "loaded"),
    [
        (["tiny", "tiny"], ["tiny"]),
        (["tiny", "small"], ["tiny", "small"]),
        (["tiny", "small", "tiny"], ["tiny"]),
        (["tiny", "small", "large"], ["tiny", "large"]),
        (["tiny", "small", "tiny", "small"], ["tiny", "small"]),
    ],
)
def test_of_models_chosen_while_one_loads_the_last_comes_next(
    tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch, chosen: list[str], loaded: list[str]
) -> None:
    compiler("exit 2")
    host = serve_nano(tmp_path)
    begun, go = threading.Event(), threading.Event()
    seen: list[str] = []

    def fetch(spec: ModelSpec, models_dir: Path, progress: Progress) -> NoReturn:
        seen.append(spec.name)
        progress(1, 2)
        begun.set()
        assert go.wait(60)
        raise ModelUnavailable(f"No {spec.name}.")

    monkeypatch.setattr(zoo, "fetch", fetch)
    first, *others = chosen
    host.switch(first)
    assert begun.wait(60)
    for name in others:
        host.switch(name)
    assert host.info().loading == Loading(first, 0.5)
    go.set()
    while host.info().loading:
        time.sleep(0.01)
    assert seen == loaded
    assert (host.info().name, host.info().error) == ("nano", f"No {loaded[-1]}.")


def test_a_model_chosen_many_times_has_one_thread(
    tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler("exit 2")
    host = serve_nano(tmp_path)
    monkeypatch.setattr(zoo, "fetch", lambda spec, models_dir, progress: (_ for _ in ()).throw(ModelUnavailable("No.")))
    with host._switching:
        for name in ("tiny", "small", "tiny") * 5:
            host.switch(name)
        assert sum(each.name.startswith("load-") for each in threading.enumerate()) == 1
    while host.info().loading:
        time.sleep(0.01)


def test_a_model_chosen_while_it_loads_says_that_it_was_chosen(tmp_path: Path, compiler: Compiler) -> None:
    compiler("exit 2")
    host = ModelHost(Settings(models_dir=tmp_path, model="nano", device="cpu"))
    host.switch("nano", "chosen in the page")
    assert host.predictor.model == "nano"
    while host.info().loading:
        time.sleep(0.01)
    assert host.info().reason == "chosen in the page"
