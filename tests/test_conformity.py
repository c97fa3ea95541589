"""The segmenter in this process keeps the promises of the interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from annotator.serving.local import LocalSegmenter
from annotator.settings import Settings
from tests.conformity import *  # noqa: F403


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSegmenter]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), model="nano", device="cpu", compile=False)
    running = LocalSegmenter(settings)
    yield running
    running.close()
