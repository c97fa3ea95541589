"""Where the model runs: choosing Ray where it is not installed is one sentence, and little imports it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from annotator.cli.main import main
from annotator.serving.local import LocalSegmenter
from annotator.settings import Settings
from annotator.web.server import make_segmenter


def test_ray_that_is_not_installed_is_one_sentence_that_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "annotator.serving.ray_backend", raising=False)
    assert main(["serve", "--backend", "ray", "--port", "0", "--data-dir", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("annotator: The backend ray needs Ray") and '".[scale]"' in line


def test_the_model_runs_in_this_process_unless_something_else_is_chosen(tmp_path: Path) -> None:
    running = make_segmenter(Settings(data_dir=tmp_path, model="nano", device="cpu", compile=False))
    assert isinstance(running, LocalSegmenter)
    running.close()
