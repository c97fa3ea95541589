"""Runs that propose masks: started, polled, cancelled and resumed by id. Finished ones are kept for a while."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import closing, suppress

import torch

from annotator.errors import AnnotatorError, Busy, Conflict, NotFound
from annotator.sam.appearance import learn
from annotator.sam.automask import AutomaskRun, AutomaskSettings, Progress, without_known
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.sam.similar import SimilarRun
from annotator.serving.engine import Chunks
from annotator.serving.memory import OUT_OF_MEMORY, DeviceMemory
from annotator.serving.segmenter import AutomaskOptions, ImageSource, JobState, JobStatus, SimilarOptions, caller
from annotator.types import Proposal

log = logging.getLogger(__name__)

_KEPT = 32
_RESUMABLE = 4
"""A run that was stopped holds the logits of what it found on the device: some 50 MB with nano's grid of 16, 200 MB
with one of 32. Older ones start anew."""

Embed = Callable[[Predictor, ImageSource], Chunks[ImageEmbedding]]
"""Gives an embedding, in chunks of the engine's work."""


class Job(ABC):
    """One run over one image. The engine's thread works on it; any thread may ask for its status or cancel it."""

    def __init__(self) -> None:
        self.state: JobState = "running"
        self.user = caller.get()
        self._error: str | None = None
        self._proposals: list[Proposal] = []
        self._stop = threading.Event()
        self._restarting = threading.Lock()

    @property
    @abstractmethod
    def progress(self) -> Progress:
        """How far it is."""

    @abstractmethod
    def forget(self) -> None:
        """Free what is needed to go on; a job that was stopped then starts anew."""

    @abstractmethod
    def _advance(self, predictor: Predictor, embed: Embed, pause: Callable[[], bool]) -> Chunks[None]:
        """Go on from where the run was left, yielding after each chunk."""

    @abstractmethod
    def _found(self) -> list[Proposal]:
        """What was found so far."""

    def status(self) -> JobStatus:
        """How far it is, and what it found."""
        state = self.state  # first: the proposals are complete once the run has ended
        progress = self.progress
        return JobStatus(state, progress.done, progress.total, self._error, self._proposals)

    def cancel(self) -> None:
        """Stop after the current chunk. A finished job stays as it is."""
        self._stop.set()

    def restart(self, submit: Callable[[], None]) -> None:
        """Go on if it was cancelled or has failed: `submit` queues the work, once for all who ask at the same time.

        A job that runs or is done stays as it is. Raises Conflict while it is being stopped, and Busy if `submit` does;
        then it stays as it was.
        """
        with self._restarting:
            if self.state == "running" and self._stop.is_set():
                raise Conflict("The run is being stopped; go on with it when it has ended.")
            if self.state not in ("cancelled", "failed"):
                return
            before = self._error, self._proposals, self.state
            self._stop.clear()
            self._error, self._proposals, self.state = None, [], "running"
            try:
                submit()
            except Busy:
                self._error, self._proposals, self.state = before
                raise

    def work(
        self, predictor_of: Callable[[], Predictor], embed: Embed, memory: DeviceMemory, is_wanted: Callable[[], bool]
    ) -> Chunks[None]:
        """The run in chunks, shorter ones while `is_wanted` says that somebody else needs the device.

        It ends in a state other than "running", whatever happens.
        """

        def pause() -> bool:
            return self._stop.is_set() or is_wanted()

        state: JobState = "failed"
        try:
            with closing(self._steps(predictor_of(), embed, memory, pause)) as chunks:
                for waits_for in chunks:
                    # What waits for an embedding gets it: the pixels may have been sent once, for this run.
                    if self._stop.is_set() and waits_for is None:
                        break
                    yield waits_for
            self._proposals = self._found()
            progress = self.progress
            if progress.done == progress.total:
                state = "done"
                self.forget()
            else:
                state = "cancelled"
        except AnnotatorError as error:
            self._error = str(error)
        except torch.OutOfMemoryError:
            self._error = OUT_OF_MEMORY
        except Exception as error:
            log.exception("A search for masks failed.")
            self._error = f"The search for masks failed ({error})."
        finally:
            self.state = state

    def _steps(
        self, predictor: Predictor, embed: Embed, memory: DeviceMemory, pause: Callable[[], bool]
    ) -> Chunks[None]:
        """Go on. If the device's memory is short, free some and go on once more."""
        with suppress(torch.OutOfMemoryError):
            yield from self._advance(predictor, embed, pause)
            return
        memory.free()
        yield from self._advance(predictor, embed, pause)


class AutomaskJob(Job):
    """Automatic masks."""

    def __init__(self, image: ImageSource, options: AutomaskOptions) -> None:
        super().__init__()
        self._image, self._options = image, options
        self._run: AutomaskRun | None = None
        self._model = ""

    @property
    def progress(self) -> Progress:
        """The clicks that are answered."""
        return self._run.progress if self._run else Progress(0, (self._options.points_per_side or 0) ** 2)

    def forget(self) -> None:
        """Free the logits."""
        if self._run is not None:
            self._run.forget()

    def _advance(self, predictor: Predictor, embed: Embed, pause: Callable[[], bool]) -> Chunks[None]:
        if self._run is None or self._model != predictor.model:
            options = self._options
            settings = AutomaskSettings.of(predictor.spec, options.points_per_side, options.min_region_area)
            self._run = AutomaskRun(settings, self._image.height, self._image.width, options.region)
            self._model = predictor.model
        embedding = yield from embed(predictor, self._image)
        yield None
        for _ in self._run.chunks(predictor, embedding, pause):
            yield None

    def _found(self) -> list[Proposal]:
        return without_known(self._run.proposals(), self._options.kept) if self._run else []


class SimilarJob(Job):
    """Everything that looks like the examples. What it found is small, so there is nothing to forget."""

    def __init__(self, options: SimilarOptions) -> None:
        super().__init__()
        self._options = options
        self._run: SimilarRun | None = None
        self._model = ""
        self._done = 0

    @property
    def progress(self) -> Progress:
        """The parts of the image that are searched."""
        return Progress(self._done, len(self._options.parts))

    def forget(self) -> None:
        """Nothing to do."""

    def _advance(self, predictor: Predictor, embed: Embed, pause: Callable[[], bool]) -> Chunks[None]:
        options = self._options
        if self._run is None or self._model != predictor.model:
            examples = []
            for each in options.examples:
                embedding = yield from embed(predictor, each.source)
                examples.append((embedding, each.mask))
                yield None
            self._run = SimilarRun(learn(examples), options.kept, options.height, options.width)
            self._model, self._done = predictor.model, 0
        while self._done < len(options.parts):
            part = options.parts[self._done]
            embedding = yield from embed(predictor, part.source)
            yield None
            for _ in self._run.search(predictor, embedding, part.x, part.y, pause):
                yield None
            self._done += 1

    def _found(self) -> list[Proposal]:
        return self._run.proposals() if self._run else []


class Jobs:
    """The last 32 jobs, by id. More are kept only while many users have some running."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, job_id: str, job: Job) -> bool:
        """Remember `job`; False if one with this id is known, which stays.

        Beyond the limit, the oldest that has ended of whoever has the most is forgotten. Raises Busy if all of those
        are running, unless this user has fewer.
        """
        with self._lock:
            if job_id in self._jobs:
                return False
            while len(self._jobs) >= _KEPT:
                count = Counter(each.user for each in self._jobs.values())
                most = max(count, key=count.__getitem__)
                ended = (each for each, known in self._jobs.items() if known.user == most and known.state != "running")
                if (oldest := next(ended, None)) is not None:
                    del self._jobs[oldest]
                elif count[job.user] < count[most]:
                    break
                else:
                    raise Busy("Too many runs are under way; try again when one of them has ended.", retry_after=5)
            self._jobs[job_id] = job
            stopped = [each for each in self._jobs.values() if each.state in ("cancelled", "failed")]
        for old in stopped[:-_RESUMABLE]:
            old.forget()
        return True

    def remove(self, job_id: str) -> None:
        """Forget a job that could not be queued."""
        with self._lock:
            self._jobs.pop(job_id, None)

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise NotFound("This run is no longer known; start it again.")
        return job
