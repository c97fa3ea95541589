"""Reading pixels beside the device's thread: who goes first, who shares, and that memory is given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from annotator.errors import AnnotatorError, Busy
from annotator.imaging.budget import MemoryBudget
from annotator.serving import pixels
from annotator.serving.engine import Priority
from annotator.serving.pixels import PixelReader
from annotator.serving.segmenter import ImageSource

SIZE = (20, 30)
NBYTES = 3 * 20 * 30


@pytest.fixture
def reader() -> Iterator[PixelReader]:
    running = PixelReader(max_queue=8)
    yield running
    running.close()


class Photo:
    """An image whose reading begins when it is its turn, and ends when the test lets it."""

    def __init__(self, name: str, order: list[str], held: bool = False) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        if not held:
            self.may_end.set()

        def load() -> np.ndarray:
            order.append(name)
            self.begun.set()
            assert self.may_end.wait(10)
            return np.zeros((*SIZE, 3), np.uint8)

        self.source = ImageSource(name, *SIZE, load)


@pytest.fixture
def busy(reader: PixelReader) -> Iterator[list[Photo]]:
    """Images that are being read: they hold all threads."""
    with ExitStack() as stack:
        photos = [Photo(f"busy {number}", [], held=True) for number in range(pixels._THREADS)]
        for each in photos:
            stack.enter_context(reader.read(each.source, Priority.BACKGROUND))
            assert each.begun.wait(10)
        yield photos
        for each in photos:
            each.may_end.set()


def test_the_most_urgent_image_is_read_first(reader: PixelReader, busy: list[Photo]) -> None:
    order: list[str] = []
    with ExitStack() as stack:
        waiting = [
            stack.enter_context(reader.read(Photo(priority.name, order).source, priority))
            for priority in (Priority.BACKGROUND, Priority.ENCODE, Priority.HOVER, Priority.CLICK)
        ]
        busy[0].may_end.set()  # one thread goes on: the order is that of the queue
        for each in waiting:
            assert each.result(10).shape == (*SIZE, 3)
    assert order == ["CLICK", "HOVER", "ENCODE", "BACKGROUND"]


def test_a_click_takes_an_image_that_waits_already_to_the_front(reader: PixelReader, busy: list[Photo]) -> None:
    order: list[str] = []
    opened, other = Photo("opened", order), Photo("other", order)
    with (
        reader.read(other.source, Priority.ENCODE) as later,
        reader.read(opened.source, Priority.BACKGROUND) as first,
        reader.read(opened.source, Priority.CLICK) as second,
    ):
        busy[0].may_end.set()
        assert first.result(10) is second.result(10)
        later.result(10)
    assert order == ["opened", "other"]


def test_a_request_that_is_taken_back_is_not_read(reader: PixelReader, busy: list[Photo]) -> None:
    order: list[str] = []
    with reader.read(Photo("left", order).source, Priority.CLICK):
        pass
    with reader.read(Photo("stays", order).source, Priority.BACKGROUND) as stays:
        busy[0].may_end.set()
        stays.result(10)
    assert order == ["stays"]


def test_pixels_that_wait_for_the_encoder_stay_within_a_limit_and_it_is_given_back(
    monkeypatch: pytest.MonkeyPatch, reader: PixelReader
) -> None:
    budget = MemoryBudget(2 * NBYTES, wait_s=0)
    monkeypatch.setattr(reader, "_budget", budget)
    order: list[str] = []
    with (
        reader.read(Photo("a", order).source, Priority.CLICK) as a,
        reader.read(Photo("b", order).source, Priority.CLICK) as b,
    ):
        a.result(10)
        b.result(10)
        assert budget.used == 2 * NBYTES
        with reader.read(Photo("c", order).source, Priority.CLICK) as c, pytest.raises(Busy):
            c.result(10)
    assert budget.used == 0
    abandoned = Photo("abandoned", order, held=True)
    with reader.read(abandoned.source, Priority.CLICK) as pending:
        assert abandoned.begun.wait(10)
    assert budget.used == NBYTES
    abandoned.may_end.set()
    reader.close()
    assert pending.done() and budget.used == 0


def test_an_image_that_cannot_be_read_says_so_and_is_read_again_by_who_asks_later(reader: PixelReader) -> None:
    def gone() -> np.ndarray:
        raise OSError(5, "Input/output error")

    with reader.read(ImageSource("x", *SIZE, gone), Priority.CLICK) as failed, pytest.raises(AnnotatorError) as caught:
        failed.result(10)
    assert "cannot be read" in str(caught.value)
    with reader.read(Photo("x", []).source, Priority.CLICK) as mended:
        assert mended.result(10).shape == (*SIZE, 3)
