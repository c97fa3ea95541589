"""The segmenter in this process: the loaded model, its embeddings, and the engine that owns the device."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

import torch
from torch import Tensor

from annotator.errors import Busy
from annotator.sam.appearance import describe
from annotator.sam.candidates import Question, choose_candidates, find_best
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.sam.preprocess import mask_to_logits
from annotator.serving.answers import AnswerMemory
from annotator.serving.embeddings import DiskTier, EmbeddingCache, MemoryTier, embedding_key
from annotator.serving.encoding_errors import EncodingErrors
from annotator.serving.engine import Chunks, Engine, Priority
from annotator.serving.jobs import AutomaskJob, Job, Jobs, SimilarJob
from annotator.serving.memory import DeviceMemory
from annotator.serving.metrics import BATCH_SIZE, DEVICE_BYTES, IMAGE_SECONDS, WAITING_TASKS, record_prompt
from annotator.serving.model_host import ModelHost
from annotator.serving.openings import Openings
from annotator.serving.pixels import PixelReader
from annotator.serving.segmenter import (
    Answer,
    AutomaskOptions,
    ImageSource,
    JobStatus,
    ModelInfo,
    Refinement,
    SimilarOptions,
    Timing,
    caller,
)
from annotator.serving.together import Together
from annotator.settings import Settings
from annotator.types import RLE, BoolArray, Candidate, FloatArray, Prompt, UInt8Array

log = logging.getLogger(__name__)


class LocalSegmenter:
    """Implements `Segmenter`. Constructing it returns at once; the model loads in the background and work waits."""

    def __init__(self, settings: Settings) -> None:
        self._threads = torch.get_num_threads()
        self.models = ModelHost(settings)
        self.engine = Engine(settings.max_queue)
        # On a CPU an encode takes as long as several clicks, and runs beside them. A GPU belongs to one thread.
        self._encoder = Engine(settings.max_queue) if self.models.device.type == "cpu" else self.engine
        self._reader = PixelReader(settings.max_queue)
        memory = [MemoryTier(settings.embedding_host_bytes, torch.device("cpu"))]
        if self.models.device.type != "cpu":
            memory.insert(0, MemoryTier(settings.embedding_device_bytes, self.models.device))
        disk = DiskTier(settings.embedding_disk_bytes, settings.data_dir / "embeddings")
        self.cache = EmbeddingCache(memory, disk)
        self._memory = DeviceMemory(self.cache.evict)
        self._together = Together(self.engine, self._memory)
        self._answers = AnswerMemory()
        self._jobs = Jobs()
        self._openings = Openings(self.encode_later)
        self._encoding_errors = EncodingErrors()
        for priority in Priority:
            WAITING_TASKS.labels(priority.name.lower()).set_function(partial(self.engine.waiting, priority))
        if self.models.device.type == "cuda":
            DEVICE_BYTES.set_function(partial(torch.cuda.memory_reserved, self.models.device))

    def close(self) -> None:
        """Cancel what waits and release the device."""
        self.models.close()
        self.engine.close()
        self._encoder.close()
        self._reader.close()
        self.cache.close()

    def info(self) -> ModelInfo:
        """What serves now."""
        return self.models.info()

    def switch(self, name: str) -> None:
        """Fetch if needed, load, then serve `name`."""
        self.models.switch(name)

    # --- embeddings ---

    def has_embedding(self, key: str) -> bool:
        """Whether a prompt on this image would not have to encode."""
        now = self.models.current
        return now is not None and embedding_key(key, now.key, now.dtype) in self.cache

    def encoding_error(self, key: str) -> str | None:
        """Why the image could not be encoded when that was last tried."""
        return self._encoding_errors.get(key)

    def encode(self, image: ImageSource, upcoming: Sequence[ImageSource], group: str) -> None:
        """Encode `image` in the background, then the `upcoming` ones; see `Segmenter.encode`."""
        self._openings.open(image, upcoming, group)

    def encode_later(self, priority: Priority, image: ImageSource) -> Future[None]:
        """Queue the encode of one image. If it fails, `encoding_error` tells why too. Raises Busy."""

        def work() -> Chunks[None]:
            try:
                yield from self._embedding(self.models.predictor, image, priority)
            except Exception as error:
                log.exception("An image could not be encoded.")
                self._encoding_errors.add(image.key, error)
                raise

        older = f"encode:{caller.get()}:{image.key}" if priority == Priority.ENCODE else None
        return self.engine.submit(priority, work(), older)

    def _embedding(
        self, predictor: Predictor, image: ImageSource, priority: Priority
    ) -> Chunks[tuple[ImageEmbedding, float | None]]:
        """The embedding and the milliseconds it took to read and encode the image, None from the cache.

        Runs in the engine's thread, which does other work while the pixels are read and, on a CPU, encoded.
        """
        key = embedding_key(image.key, predictor.key, predictor.dtype)
        cached = self.cache.get(key)
        if cached is not None:
            return cached, None
        started = time.perf_counter()
        with self._reader.read(image, priority) as pixels:
            yield pixels
            encoding = self._encoder.submit(
                priority, lambda: self._encode(predictor, key, pixels.result()), part_of=caller.get()
            )
            try:
                yield encoding
            finally:
                encoding.cancel()  # if nobody waits for it any more
        self._encoding_errors.forget(image.key)
        return encoding.result(), (time.perf_counter() - started) * 1e3

    def _encode(self, predictor: Predictor, key: str, pixels: UInt8Array) -> ImageEmbedding:
        """The embedding of an image, into the cache. It may be there for somebody else meanwhile."""
        cached = self.cache.get(key)
        if cached is not None:
            return cached
        if predictor.device.type == "cpu":
            torch.set_num_threads(self._threads)  # a thread begins with the number that any other one has set last
        with IMAGE_SECONDS.labels("encode").time():
            (embedding,) = self._memory.fit(lambda: predictor.encode([pixels]))
        self.cache.put(key, embedding)
        return embedding

    # --- prompts ---

    def prompt(
        self,
        image: ImageSource,
        prompt: Prompt,
        refine: Refinement | None = None,
        start: BoolArray | None = None,
        hover: str | None = None,
    ) -> Future[Answer]:
        """Answer the prompts of one object; see `Segmenter.prompt`."""
        queued = time.perf_counter()
        priority = Priority.CLICK if hover is None else Priority.HOVER
        asked: list[Future[Answer]] = []

        def work() -> Chunks[Answer]:
            predictor = self.models.predictor
            embedding, encode_ms = yield from self._embedding(predictor, image, priority)
            mask_input = self._mask_input(predictor, image, refine, start)
            question = Question(embedding, prompt, mask_input)
            answer = self._together.ask(priority, predictor, question, lambda: not any(each.done() for each in asked))
            yield answer
            began, decoded = answer.result()
            found = self._memory.fit(lambda: choose_candidates(predictor, question, decoded))
            token = uuid.uuid4().hex
            self._answers.remember(token, image.key, found.logits, hover)
            self._capture_later(predictor)
            total = (time.perf_counter() - queued) * 1e3
            waited = (began - queued) * 1e3 - (encode_ms or 0)
            timing = Timing(waited, encode_ms, found.decode_ms, found.postprocess_ms, total)
            record_prompt("click" if hover is None else "hover", timing)
            return Answer(token, found.masks, timing, refined=mask_input is not None)

        asked.append(self.engine.submit(priority, work(), f"hover:{hover}" if hover else None))
        return asked[0]

    def _mask_input(
        self, predictor: Predictor, image: ImageSource, refine: Refinement | None, start: BoolArray | None
    ) -> FloatArray | Tensor | None:
        """Logits [s, s] to refine: an earlier answer's, else those of the mask `start`, else None."""
        side = predictor.mask_side
        logits = self._answers.logits(refine, image.key) if refine else None
        if logits is not None and logits.shape == (side, side):  # else of a model served before the last switch
            return logits
        return mask_to_logits(start, side) if start is not None and start.any() else None

    def _capture_later(self, predictor: Predictor) -> None:
        """One capture a turn, so that a click waits for one at most."""

        def work() -> Chunks[None]:
            while predictor.capture_pending():
                yield None

        if predictor.has_pending_captures:
            with suppress(Busy):  # some other time
                self.engine.submit(Priority.BACKGROUND, work(), "capture")

    def prompt_many(self, image: ImageSource, prompts: Sequence[Prompt]) -> Future[list[Candidate]]:
        """The best candidate for each of many objects; see `Segmenter.prompt_many`."""

        def work() -> Chunks[list[Candidate]]:
            predictor = self.models.predictor
            embedding, _ = yield from self._embedding(predictor, image, Priority.ENCODE)
            found: dict[int, Candidate] = {}
            with suppress(torch.OutOfMemoryError):
                is_wanted = partial(self.engine.is_wanted, Priority.ENCODE)
                for answered in find_best(predictor, embedding, prompts, is_wanted):
                    BATCH_SIZE.observe(len(answered))
                    found.update(answered)
                    yield None
            for index in set(range(len(prompts))) - found.keys():  # memory is short: the others one by one
                found[index] = self._memory.fit(partial(_best, predictor, embedding, prompts[index]))
                yield None
            return [found[index] for index in range(len(prompts))]

        return self.engine.submit(Priority.ENCODE, work())  # as long as several encodes

    # --- runs ---

    def start_automask(self, job_id: str, image: ImageSource, options: AutomaskOptions) -> None:
        """Propose masks in the background."""
        self._start(job_id, AutomaskJob(image, options))

    def start_similar(self, job_id: str, options: SimilarOptions) -> None:
        """Propose masks of what looks like the examples, in the background."""
        self._start(job_id, SimilarJob(options))

    def _start(self, job_id: str, job: Job) -> None:
        if not self._jobs.add(job_id, job):  # several people started it anew after its process had ended
            return
        try:
            self._submit(job)
        except Busy:
            self._jobs.remove(job_id)
            raise

    def resume_job(self, job_id: str) -> None:
        """Go on with a run that was cancelled or failed; one that runs or is done stays as it is."""
        job = self._jobs.get(job_id)
        job.restart(partial(self._submit, job))

    def _submit(self, job: Job) -> None:
        def embed(predictor: Predictor, image: ImageSource) -> Chunks[ImageEmbedding]:
            embedding, _ = yield from self._embedding(predictor, image, Priority.BACKGROUND)
            return embedding

        is_wanted = partial(self.engine.is_wanted, Priority.BACKGROUND)
        work = job.work(lambda: self.models.predictor, embed, self._memory, is_wanted)
        self.engine.submit(Priority.BACKGROUND, work)

    def poll_job(self, job_id: str) -> JobStatus:
        """How far a run is."""
        return self._jobs.get(job_id).status()

    def cancel_job(self, job_id: str) -> None:
        """Stop a run after the current chunk."""
        self._jobs.get(job_id).cancel()

    # --- appearance ---

    def describe(self, objects: Sequence[tuple[ImageSource, RLE]]) -> Future[list[FloatArray | None]]:
        """What objects look like, one in a turn of the engine; see `Segmenter.describe`."""

        def work() -> Chunks[list[FloatArray | None]]:
            predictor = self.models.predictor
            vectors: list[FloatArray | None] = []
            for image, mask in objects:
                embedding = self.cache.get(embedding_key(image.key, predictor.key, predictor.dtype))
                vectors.append(None if embedding is None else describe(embedding, mask))
                yield None
            return vectors

        return self.engine.submit(Priority.ENCODE, work())


def _best(predictor: Predictor, embedding: ImageEmbedding, prompt: Prompt) -> Candidate:
    (answered,) = find_best(predictor, embedding, [prompt])
    return answered[0]
