"""The four tasks, each from bytes in memory to RLE dictionaries, for every way of running the model.

SPS: one click. MPS: several independent clicks as one batch. AMG: automatic masks. CLICK: one click on an image whose
embedding is cached, which is what a user waits for.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from annotator.masks import rle as rles
from annotator.sam.automask import AutomaskSettings, automask
from annotator.sam.candidates import find_candidates
from annotator.sam.postprocess import fetch_masks
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.settings import ASSETS_DIR
from annotator.types import FloatArray, Point, Prompt

if TYPE_CHECKING:
    from benchmarks.official import Official
    from benchmarks.reference import Reference

Rle = dict[str, Any]
"""COCO's: size [height, width], and counts as a string or, uncompressed, as a list."""
Spans = dict[str, float]
CLICK_SIZE = (1500, 1000)
"""Width and height."""


class Runner(Protocol):
    """One way of running the model, on a device. Each task returns RLE dictionaries and its spans in milliseconds."""

    name: str
    precision: str

    def prepare_click(self, data: bytes) -> None:
        """Encode the image of the CLICK task."""

    def click(self, xy: FloatArray) -> tuple[list[Rle], Spans]:
        """The best mask of a click on the prepared image."""

    def points(self, data: bytes, xy: FloatArray) -> tuple[list[Rle], Spans]:
        """SPS and MPS."""

    def automatic(self, data: bytes, settings: AutomaskSettings) -> tuple[list[Rle], Spans]:
        """AMG."""


@dataclass
class Clock:
    """Spans of one run; `wait` blocks until the device is idle, so that a span holds its own work."""

    wait: Callable[[], None]
    spans: Spans = field(default_factory=dict)

    @contextmanager
    def span(self, name: str) -> Any:
        """Time a block."""
        start = time.perf_counter()
        yield
        self.wait()
        self.spans[name] = (time.perf_counter() - start) * 1e3


def samples() -> list[Path]:
    """The files of the sample photos."""
    return sorted((ASSETS_DIR / "samples").glob("*.jpg"))


def photos() -> list[bytes]:
    """The sample photos, resized to `CLICK_SIZE`, as JPEG bytes."""
    found = []
    for path in samples():
        buffer = io.BytesIO()
        Image.open(path).convert("RGB").resize(CLICK_SIZE).save(buffer, "JPEG", quality=92)
        found.append(buffer.getvalue())
    return found


def decode_image(data: bytes) -> npt.NDArray[np.uint8]:
    """JPEG bytes to RGB, the same for everyone."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


class Ours:
    """This project's predictor, eager or packaged."""

    def __init__(self, name: str, predictor: Predictor, wait: Callable[[], None]) -> None:
        self.name, self.predictor, self._wait = name, predictor, wait
        self.precision = str(predictor.dtype).removeprefix("torch.")
        self._embedding: ImageEmbedding | None = None

    def prepare_click(self, data: bytes) -> None:
        """Encode once; on a GPU, capture the decoder for clicks."""
        (self._embedding,) = self.predictor.encode([decode_image(data)])
        self.click(np.zeros((1, 2), np.float32))
        while self.predictor.capture_pending():
            pass

    def click(self, xy: FloatArray) -> tuple[list[Rle], Spans]:
        """The server's own path on the cached embedding, but for the best mask only, as the baselines do."""
        assert self._embedding is not None
        ((x, y),) = xy.tolist()
        found = find_candidates(self.predictor, self._embedding, Prompt((Point(x, y, 1),)), keep=1)
        spans = {"decode prompt": found.decode_ms, "postprocess": found.postprocess_ms}
        return [rles.to_dict(each.mask) for each in found.masks], spans

    def points(self, data: bytes, xy: FloatArray) -> tuple[list[Rle], Spans]:
        """Encode, then decode all clicks as one batch."""
        clock = Clock(self._wait)
        embedding = self._encode(data, clock)
        with clock.span("decode prompt"):
            answer = self.predictor.decode([embedding], PromptBatch.points(xy))
            best = answer.scores[:, 1:].argmax(dim=1) + 1
            logits = answer.logits[torch.arange(len(xy), device=best.device), best]
        with clock.span("postprocess"):
            masks, _ = fetch_masks(logits, embedding.height, embedding.width)
        return [rles.to_dict(each) for each in masks], clock.spans

    def automatic(self, data: bytes, settings: AutomaskSettings) -> tuple[list[Rle], Spans]:
        """Automatic masks."""
        clock = Clock(self._wait)
        embedding = self._encode(data, clock)
        with clock.span("masks"):
            proposals = automask(self.predictor, embedding, settings)
        return [rles.to_dict(each.mask) for each in proposals], clock.spans

    def _encode(self, data: bytes, clock: Clock) -> ImageEmbedding:
        with clock.span("decode image"):
            image = decode_image(data)
        with clock.span("encode"):
            (embedding,) = self.predictor.encode([image])
        return embedding


class Baseline:
    """Code of others around the same weights."""

    def __init__(self, name: str, code: Official | Reference, wait: Callable[[], None]) -> None:
        self.name, self._code, self._wait = name, code, wait
        self.precision = code.precision

    def prepare_click(self, data: bytes) -> None:
        """`set_image` once."""
        self._code.set_image(decode_image(data))

    def click(self, xy: FloatArray) -> tuple[list[Rle], Spans]:
        """`predict` on the features kept from `set_image`."""
        clock = Clock(self._wait)
        with clock.span("decode prompt"):
            masks = self._code.best_masks(xy)
        return masks, clock.spans

    def points(self, data: bytes, xy: FloatArray) -> tuple[list[Rle], Spans]:
        """`set_image` and `predict`."""
        clock = Clock(self._wait)
        with clock.span("decode image"):
            image = decode_image(data)
        with clock.span("encode"):
            self._code.set_image(image)
        with clock.span("decode prompt"):
            masks = self._code.best_masks(xy)
        return masks, clock.spans

    def automatic(self, data: bytes, settings: AutomaskSettings) -> tuple[list[Rle], Spans]:
        """`generate`."""
        clock = Clock(self._wait)
        with clock.span("all"):
            masks = self._code.automask(decode_image(data), settings)
        return masks, clock.spans
