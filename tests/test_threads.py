"""Threads that wait for work sleep, whatever starts the program, and a click uses one thread."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from annotator.sam.candidates import find_candidates
from annotator.sam.predictor import ImageEmbedding, MaskLogits, Predictor, PromptBatch
from annotator.sam.threads import in_parallel, one_thread
from annotator.types import Point, Prompt

ROOT = Path(__file__).resolve().parent.parent
STARTS = {
    "annotator serve": ["-c", "import sys; from annotator.cli.main import main; sys.exit(main())", "serve"],
    "python -m annotator": ["-m", "annotator", "serve"],
    "python app.py": ["app.py"],
    "uvicorn app:app": ["-m", "uvicorn", "app:app"],
    "a program that imports annotator": ["-c", "import annotator.sam.predictor"],
}


def openmp_settings(arguments: list[str], tmp_path: Path, **variables: str) -> str:
    """What torch's OpenMP says when it is loaded. No server starts, for want of the device."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    environment |= {
        "ANNOTATOR_DATA_DIR": str(tmp_path),
        "ANNOTATOR_DEVICE": "cuda:99",
        "OMP_DISPLAY_ENV": "true",
        **variables,
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120).stderr


@pytest.mark.parametrize("start", STARTS)
def test_waiting_threads_sleep_whatever_starts_the_program(start: str, tmp_path: Path) -> None:
    said = openmp_settings(STARTS[start], tmp_path)
    assert re.search(r"OMP_WAIT_POLICY *= *'passive'", said, re.IGNORECASE)
    assert "Traceback" not in said


def test_what_the_user_set_stays(tmp_path: Path) -> None:
    said = openmp_settings(STARTS["python -m annotator"], tmp_path, OMP_WAIT_POLICY="active")
    assert re.search(r"OMP_WAIT_POLICY *= *'active'", said, re.IGNORECASE)


def test_a_click_uses_one_thread_and_leaves_the_number_as_it_was(
    predictor: Predictor, cat: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    (embedding,) = predictor.encode([cat])
    used: list[int] = []
    decode = Predictor.decode

    def spy(self: Predictor, embeddings: list[ImageEmbedding], prompts: PromptBatch) -> MaskLogits:
        used.append(torch.get_num_threads())
        return decode(self, embeddings, prompts)

    monkeypatch.setattr(Predictor, "decode", spy)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        find_candidates(predictor, embedding, Prompt((Point(100, 100, 1),)))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert used == [1]


def test_the_number_of_threads_comes_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), one_thread():
        raise RuntimeError
    assert torch.get_num_threads() == before


def test_parts_are_worked_on_at_once_with_one_thread_each() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    meeting = threading.Barrier(3)

    def work(part: int) -> tuple[int, int]:
        meeting.wait(timeout=60)  # goes on when three of them are here
        return part, torch.get_num_threads()

    try:
        assert in_parallel(work, range(6)) == [(part, 1) for part in range(6)]
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3
        with pytest.raises(ZeroDivisionError):
            in_parallel(lambda part: 1 // part, range(3))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert not [each for each in threading.enumerate() if each.name.startswith("part")]


@pytest.mark.parametrize("threads", [1, 3])
def test_no_further_part_begins_when_something_more_urgent_waits(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert in_parallel(str, range(9), pause=lambda: True) == [str(part) for part in range(threads)]
        urgent = iter([False, False, True, False, False])
        assert in_parallel(str, range(9), pause=lambda: next(urgent)) == [str(part) for part in range(threads + 2)]
        assert in_parallel(str, range(9), pause=lambda: False) == [str(part) for part in range(9)]
        assert in_parallel(str, [], pause=lambda: True) == []
    finally:
        torch.set_num_threads(before)
