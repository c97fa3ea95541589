"""The model at work: the loaded predictor, its embeddings and its engine behind three calls: encode, prompt, automask.

Images are named by their `pixel_key`; `load` brings the pixels and is called only when there is no embedding yet.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from annotator.errors import AnnotatorError, Busy
from annotator.imaging.decode import UInt8Array
from annotator.sam.automask import AutomaskRun
from annotator.sam.candidates import Candidate, find_candidates
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.serving.embeddings import DiskTier, EmbeddingCache, MemoryTier, embedding_key
from annotator.serving.engine import Engine, Priority, Task
from annotator.serving.model_host import ModelHost
from annotator.settings import Settings
from annotator.types import FloatArray, Prompt

Load = Callable[[], UInt8Array]

_OPENED = 4
"""Images opened by one group of users that may wait for their encode at the same time."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one prompt's spans. `encode` is None when the embedding was cached."""

    queue: float
    encode: float | None
    decode: float
    postprocess: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Candidates in recommended order, with the low-resolution logits [K, s, s] that refine each of them."""

    candidates: list[Candidate]
    logits: FloatArray
    timing: Timing


class Segmenter:
    """Owns the device. Constructing it returns at once; the model loads in the background and calls wait for it."""

    def __init__(self, settings: Settings) -> None:
        self.models = ModelHost(settings)
        self.engine = Engine(settings.max_queue)
        memory = [MemoryTier(settings.embedding_host_bytes, torch.device("cpu"))]
        if self.models.device.type != "cpu":
            memory.insert(0, MemoryTier(settings.embedding_device_bytes, self.models.device))
        disk = DiskTier(settings.embedding_disk_bytes, settings.data_dir / "embeddings")
        self.cache = EmbeddingCache(memory, disk)
        self._prefetching: list[Task[None]] = []
        self._opened: defaultdict[str, deque[Task[None]]] = defaultdict(lambda: deque(maxlen=_OPENED))

    def close(self) -> None:
        """Cancel what waits and release the device."""
        self.models.close()
        self.engine.close()
        self.cache.close()

    def has_embedding(self, pixel_key: str) -> bool:
        """True if a prompt on this image would not encode."""
        now = self.models.present
        return now is not None and embedding_key(pixel_key, now.key, now.dtype) in self.cache

    def encode(self, pixel_key: str, load: Load, group: str) -> Task[None]:
        """Have the image encoded in the background, after all clicks.

        Of one `group` only the last few wait: whoever skims through images does not mean them all.
        """
        task = self.engine.submit(Priority.ENCODE, self._encoding(pixel_key, load), f"encode:{pixel_key}")
        waiting = self._opened[group]
        if len(waiting) == waiting.maxlen:
            waiting[0].cancel()
        waiting.append(task)
        return task

    def _encoding(self, pixel_key: str, load: Load) -> Callable[[], None]:
        def work() -> None:
            if not self.has_embedding(pixel_key):
                self._embedding(self.models.predictor, pixel_key, load)

        return work

    def prefetch(self, images: Mapping[str, Load]) -> None:
        """Have these images encoded when nothing else waits; what an earlier call still has to do is dropped."""
        while self._prefetching:
            self._prefetching.pop().cancel()
        for key, load in images.items():
            self._prefetching.append(self.engine.submit(Priority.BACKGROUND, self._encoding(key, load)))

    def prompt(
        self,
        pixel_key: str,
        load: Load,
        prompt: Prompt,
        mask_input: FloatArray | None = None,
        hover: str | None = None,
    ) -> Answer:
        """Answer one prompt, waiting for it. `mask_input` are the logits of an earlier answer, to refine.

        `hover` names a pointer: only its latest request is answered, the others get Cancelled.
        """
        predictor = self.models.predictor
        if mask_input is not None and mask_input.shape != (predictor.mask_side,) * 2:
            mask_input = None  # of a model served before the last switch
        queued = time.perf_counter()

        def work() -> Answer:
            started = time.perf_counter()
            embedding, encode_ms = self._embedding(predictor, pixel_key, load)
            found = find_candidates(predictor, embedding, prompt, mask_input)
            if predictor.replay is not None and predictor.replay.can_learn:
                with suppress(Busy):  # some other time
                    self.engine.submit(Priority.BACKGROUND, predictor.learn, "learn")
            total = (time.perf_counter() - queued) * 1e3
            timing = Timing((started - queued) * 1e3, encode_ms, found.decode_ms, found.postprocess_ms, total)
            return Answer(found.masks, found.logits, timing)

        priority = Priority.CLICK if hover is None else Priority.HOVER
        return self.engine.submit(priority, work, f"hover:{hover}" if hover else None).result()

    def automask(self, pixel_key: str, load: Load, run: AutomaskRun) -> Task[None]:
        """Start or go on with automatic masks; chunks run when nothing else waits. Cancel through the task."""
        predictor = self.models.predictor

        def chunks() -> Generator[None, None, None]:
            embedding, _ = self._embedding(predictor, pixel_key, load)
            yield
            for _ in run.chunks(predictor, embedding):
                yield

        return self.engine.submit(Priority.BACKGROUND, chunks())

    def _embedding(self, predictor: Predictor, pixel_key: str, load: Load) -> tuple[ImageEmbedding, float | None]:
        """The embedding and the milliseconds it took to encode, None from the cache. Runs in the engine's thread."""
        key = embedding_key(pixel_key, predictor.key, predictor.dtype)
        cached = self.cache.get(key)
        if cached is not None:
            return cached, None
        started = time.perf_counter()
        try:
            pixels = load()
        except OSError as error:
            raise AnnotatorError(f"The stored image cannot be read ({error.strerror}).") from None
        (embedding,) = predictor.encode([np.ascontiguousarray(pixels)])
        self.cache.put(key, embedding)
        return embedding, (time.perf_counter() - started) * 1e3
