"""The segmenter in other processes, the replicas: each holds a model and answers for its own share of the images.

All that is asked about an image goes to the replica that holds its embedding. Pixels travel only when that replica says
that it has none: replicas need neither the users' files nor the database.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from cachetools import LRUCache

from annotator.errors import AnnotatorError, Busy, NotFound
from annotator.serving.courier import Arguments, Courier, Parcel, Replicas
from annotator.serving.encoding_errors import EncodingErrors
from annotator.serving.engine import Priority
from annotator.serving.metrics import GATHERED
from annotator.serving.openings import Openings
from annotator.serving.pixels import PixelReader
from annotator.serving.replica import Report
from annotator.serving.segmenter import (
    Answer,
    AutomaskOptions,
    ImageSource,
    JobStatus,
    ModelInfo,
    Refinement,
    SimilarOptions,
)
from annotator.settings import Settings
from annotator.types import RLE, BoolArray, Candidate, FloatArray, Prompt

log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_SECONDS = 1.0
"""Time between two looks at the replicas."""

_IMAGES = 100_000
"""Images of which is remembered that they are encoded."""

_RUNS = 32
"""Runs that can be started anew when their replica has ended."""

_UNKNOWN = ModelInfo("", "", "", "", 0, "", False, "", None, None, None, [])


class RemoteSegmenter:
    """Implements `Segmenter`. It asks the replicas in an event loop of its own, in a thread."""

    def __init__(self, settings: Settings, replicas: Replicas) -> None:
        self._replicas = replicas
        self._reader = PixelReader(settings.max_queue)
        self._courier = Courier(replicas, self._reader, settings.replica_timeout)
        self._openings = Openings(self._encode_later)
        self._encoded: LRUCache[str, bool] = LRUCache(_IMAGES)
        self._encoding_errors = EncodingErrors()
        self._runs: LRUCache[str, tuple[ImageSource, str, Arguments]] = LRUCache(_RUNS)
        self._lock = threading.Lock()
        self._reports: list[Report] = []
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="replicas", daemon=True)
        self._thread.start()
        self._submit(self._watch())
        GATHERED.elsewhere = lambda: {each.replica: each.metrics for each in self._reports}

    def close(self) -> None:
        """Cancel what waits and let go of the replicas."""
        GATHERED.elsewhere = dict
        self._is_closed = True
        self._reader.close()
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._replicas.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._is_closed:
            work.close()
            raise Busy("The server is being stopped; try again in a moment.")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    # --- the model ---

    def info(self) -> ModelInfo:
        """What serves now, as the replica that is least far said a second ago."""
        if not self._reports:
            return _UNKNOWN
        return min(self._reports, key=lambda each: (each.switched, bool(each.info.name), not each.info.loading)).info

    def switch(self, name: str) -> None:
        """Switch all replicas; one that starts or answers later follows the others."""

        async def switch() -> None:
            for reply in await self._courier.ask_all("follow", name, time.time()):
                if isinstance(reply, AnnotatorError) and not isinstance(reply, Busy):
                    raise reply
            with suppress(Busy):  # the next look will tell
                await self._look()

        self._submit(switch()).result()

    async def _watch(self) -> NoReturn:
        while True:
            try:
                await self._look()
            except AnnotatorError as error:
                log.warning("%s", error)
            except Exception:  # the next look may go well
                log.exception("The replicas could not be looked at.")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        """Take the replicas' reports; have those follow that do not know of the last switch of the model."""
        replies = await self._courier.ask_all("report")
        reports = [each for each in replies if isinstance(each, Report)]
        if {each.info.name for each in reports} != {each.info.name for each in self._reports}:
            with self._lock:
                self._encoded.clear()
            self._encoding_errors.clear()
        self._reports = sorted(reports, key=lambda each: each.replica)
        last = max(reports, key=lambda each: each.switched)
        if any(each.switched < last.switched for each in reports):
            await self._courier.ask_all("follow", last.wanted, last.switched)

    # --- embeddings ---

    def has_embedding(self, key: str) -> bool:
        """Whether the image was encoded when it was last asked about."""
        with self._lock:
            return self._encoded.get(key, False)

    def encoding_error(self, key: str) -> str | None:
        """Why the image could not be encoded when that was last tried."""
        return self._encoding_errors.get(key)

    def encode(self, image: ImageSource, upcoming: Sequence[ImageSource], group: str) -> None:
        """Encode `image` in the background, then the `upcoming` ones; see `Segmenter.encode`."""
        self._openings.open(image, upcoming, group)

    def _encode_later(self, priority: Priority, image: ImageSource) -> Future[None]:
        async def encode() -> None:
            try:
                await self._courier.ask(image, "encode_later", lambda send: (priority, send(image)), priority)
            except Exception as error:
                log.warning("An image could not be encoded: %s", error)
                self._encoding_errors.add(image.key, error)
            else:
                self._note_encoded(image)

        return self._submit(encode())

    def _note_encoded(self, image: ImageSource) -> None:
        with self._lock:
            self._encoded[image.key] = True
        self._encoding_errors.forget(image.key)

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
        priority = Priority.CLICK if hover is None else Priority.HOVER

        async def ask() -> Answer:
            arguments: Arguments = lambda send: (send(image), prompt, refine, start, hover)  # noqa: E731
            answer: Answer = await self._courier.ask(image, "prompt", arguments, priority)
            self._note_encoded(image)
            return answer

        return self._submit(ask())

    def prompt_many(self, image: ImageSource, prompts: Sequence[Prompt]) -> Future[list[Candidate]]:
        """The best candidate for each of many objects; see `Segmenter.prompt_many`."""
        asked = self._courier.ask(image, "prompt_many", lambda send: (send(image), prompts), Priority.ENCODE)
        return self._submit(asked)

    # --- runs ---

    def start_automask(self, job_id: str, image: ImageSource, options: AutomaskOptions) -> None:
        """Propose masks in the background."""
        self._start(job_id, image, "start_automask", lambda send: (job_id, send(image), options))

    def start_similar(self, job_id: str, options: SimilarOptions) -> None:
        """Propose masks of what looks like the examples, in the background."""

        def arguments(send: Parcel) -> tuple[str, SimilarOptions]:
            examples = [replace(each, source=send(each.source)) for each in options.examples]
            parts = [replace(each, source=send(each.source)) for each in options.parts]
            return job_id, replace(options, examples=examples, parts=parts)

        self._start(job_id, options.parts[0].source, "start_similar", arguments)

    def _start(self, job_id: str, image: ImageSource, method: str, arguments: Arguments) -> None:
        self._submit(self._courier.ask(image, method, arguments)).result()
        with self._lock:
            self._runs[job_id] = image, method, arguments

    def resume_job(self, job_id: str) -> None:
        """Go on with a run that was cancelled or failed. One whose replica has ended starts anew."""
        try:
            self._submit(self._ask_about_run("resume_job", job_id)).result()
        except NotFound:
            if job_id not in self._runs:
                raise
            self._start(job_id, *self._runs[job_id])

    def poll_job(self, job_id: str) -> JobStatus:
        """How far a run is. One that its replica does not know any more has failed."""
        try:
            status: JobStatus = self._submit(self._ask_about_run("poll_job", job_id)).result()
            return status
        except NotFound:
            if job_id not in self._runs:
                raise
            return JobStatus("failed", 0, 0, "Its process has ended or forgotten it; go on to start it anew.")

    def cancel_job(self, job_id: str) -> None:
        """Stop a run after the current chunk."""
        self._submit(self._ask_about_run("cancel_job", job_id)).result()

    async def _ask_about_run(self, method: str, job_id: str) -> Any:
        """The reply of the replica that has the run. Raises NotFound if no replica knows it, Busy, Conflict.

        Another process may have started it, or its image belongs to another replica since. A replica that is silent may
        have it, which is Busy.
        """
        with self._lock:
            known = self._runs.get(job_id)
        if known is not None:
            with suppress(NotFound):
                return await self._courier.ask_about(known[0].key, method, job_id)
        replies = await self._courier.ask_all(method, job_id)
        reply = min(replies, key=lambda each: (isinstance(each, NotFound), isinstance(each, Busy)))
        if isinstance(reply, AnnotatorError):
            raise reply
        return reply

    # --- appearance ---

    def describe(self, objects: Sequence[tuple[ImageSource, RLE]]) -> Future[list[FloatArray | None]]:
        """What objects look like, asked of each image's replica; see `Segmenter.describe`."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, (image, _) in enumerate(objects):
            places[image.key].append(place)

        async def ask(key: str) -> list[FloatArray | None]:
            send = Parcel({})
            some = [(send(objects[place][0]), objects[place][1]) for place in places[key]]
            vectors: list[FloatArray | None] = await self._courier.ask_about(key, "describe", some, long=True)
            return vectors

        async def ask_each() -> list[FloatArray | None]:
            vectors: list[FloatArray | None] = [None] * len(objects)
            replies = await asyncio.gather(*map(ask, places))
            for at, reply in zip(places.values(), replies, strict=True):
                for place, vector in zip(at, reply, strict=True):
                    vectors[place] = vector
            return vectors

        return self._submit(ask_each())


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)
