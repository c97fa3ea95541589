"""An export format is one module: REST and the command line take it without any other change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from annotator import formats
from annotator.cli.main import main
from annotator.errors import NotFound
from annotator.formats.registry import all_formats, find_format
from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import Annotation, Change, ImageRecord
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter

TINY = '''
"""The areas of the masks, one a line."""

from annotator.formats.registry import Dataset, Format


def write(dataset, stream):
    for annotation in dataset.annotations:
        stream.write(f"{annotation.area}\\n".encode())


FORMAT = Format("areas", "Areas", "text/plain", ".txt", "everything but the area", write)
'''


@pytest.fixture
def areas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The one file of a new format, in the folder of the formats."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "areas.py").write_text(TINY)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(folder)])
    yield
    sys.modules.pop("annotator.formats.areas", None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with the project 'birds', which has one object of 96 pixels."""
    settings = Settings(data_dir=tmp_path)
    store = Store(settings.store_url)
    project = store.create_project("birds", "local")
    label = store.add_label(project.id, "wing")
    store.add_image(ImageRecord("image", project.id, "a.jpg", "c" * 64, "p" * 64, 30, 20))
    mask = np.zeros((20, 30), np.bool_)
    mask[3:9, 4:20] = True
    new = Annotation("object", "image", label.id, rle.encode(mask), 96, (4, 3, 16, 6), 0.5)
    store.commit("image", "keep", [Change(None, new)])
    store.close()
    return settings


@pytest.mark.usefixtures("areas")
def test_a_new_format_is_exported_by_rest(settings: Settings) -> None:
    space = Workspace(settings, Store(settings.store_url), FakeSegmenter())
    with TestClient(create_app(space, settings, page=False), base_url="http://localhost") as client:
        reply = client.get("/api/projects/1/export/areas")
        assert client.get("/api/projects/1/export/nothing").status_code == 404
    assert reply.text == "96\n"
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert 'filename="annotations.txt"' in reply.headers["Content-Disposition"]


@pytest.mark.usefixtures("areas")
def test_a_new_format_is_exported_by_the_command_line(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "areas.txt"
    assert main(["export", "birds", "--format", "areas", "-o", str(out), "--data-dir", str(tmp_path)]) == 0
    assert out.read_text() == "96\n"


def test_every_format_says_what_it_is() -> None:
    found = all_formats()
    assert "coco" in found
    for name, each in found.items():
        assert name == each.name
        assert each.title
        assert each.suffix.startswith(".")


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="coco"):
        find_format("nothing")
