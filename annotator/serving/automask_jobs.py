"""Runs of automatic masks: started, polled, cancelled and resumed by id. Finished ones are kept for a while."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable

from annotator.errors import AnnotatorError, NotFound
from annotator.sam import zoo
from annotator.sam.automask import AutomaskRun, AutomaskSettings, Progress
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.serving.engine import Chunks
from annotator.serving.segmenter import AutomaskOptions, AutomaskState, AutomaskStatus, ImageSource
from annotator.types import Proposal

log = logging.getLogger(__name__)

_KEPT = 32
_RESUMABLE = 4
"""A run that was stopped holds the logits of what it found, 200 MB at most, on the device. Older ones start anew."""


class AutomaskJob:
    """One run over one image. The engine's thread works on it; any thread may ask for its status or cancel it."""

    def __init__(self, image: ImageSource, options: AutomaskOptions) -> None:
        self.image, self.options = image, options
        self.state: AutomaskState = "running"
        self._error: str | None = None
        self._proposals: list[Proposal] = []
        self._run: AutomaskRun | None = None
        self._model = ""
        self._stop = threading.Event()

    def status(self) -> AutomaskStatus:
        """How far it is."""
        state = self.state  # first: the proposals are complete once the run has ended
        per_side = self.options.points_per_side or 0
        progress = self._run.progress if self._run else Progress(0, per_side**2)
        return AutomaskStatus(state, progress.done, progress.total, self._error, self._proposals)

    def cancel(self) -> None:
        """Stop after the current chunk. A finished job stays as it is."""
        self._stop.set()

    def restart(self) -> None:
        """Make a stopped job ready to go on."""
        self._stop.clear()
        self._error, self._proposals, self.state = None, [], "running"

    def forget_logits(self) -> None:
        """Free what is needed to go on; the job then starts anew."""
        if self._run is not None:
            self._run.forget()

    def work(
        self, predictor_of: Callable[[], Predictor], embed: Callable[[Predictor], Chunks[ImageEmbedding]]
    ) -> Chunks[None]:
        """The run in chunks. It ends in a state other than "running", whatever happens."""
        state: AutomaskState = "failed"
        try:
            predictor = predictor_of()
            run = self._run_for(predictor)
            embedding = yield from embed(predictor)
            yield None
            if not self._stop.is_set():
                for _ in run.chunks(predictor, embedding):
                    if self._stop.is_set():
                        break
                    yield None
            self._proposals = run.proposals()
            if run.progress.done == run.progress.total:
                state = "done"
                run.forget()
            else:
                state = "cancelled"
        except AnnotatorError as error:
            self._error = str(error)
        except Exception as error:
            log.exception("Automatic masks failed.")
            self._error = f"Automatic masks failed ({error})."
        finally:
            self.state = state

    def _run_for(self, predictor: Predictor) -> AutomaskRun:
        """The run to go on with, or a new one for another model."""
        if self._run is None or self._model != predictor.model:
            options = self.options
            settings = AutomaskSettings.of(
                zoo.spec_of(predictor.model), options.points_per_side, options.min_region_area
            )
            self._run = AutomaskRun(settings, self.image.height, self.image.width, options.region)
            self._model = predictor.model
        return self._run


class AutomaskJobs:
    """The last 32 jobs, by id."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, AutomaskJob] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, job_id: str, job: AutomaskJob) -> None:
        """Remember `job`; beyond the limit the oldest are cancelled and forgotten."""
        with self._lock:
            self._jobs[job_id] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)[1].cancel()
            stopped = [each for each in self._jobs.values() if each.state in ("cancelled", "failed")]
        for old in stopped[:-_RESUMABLE]:
            old.forget_logits()

    def remove(self, job_id: str) -> None:
        """Forget a job that could not be queued."""
        with self._lock:
            self._jobs.pop(job_id, None)

    def get(self, job_id: str) -> AutomaskJob:
        """Raises NotFound."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise NotFound("This automatic-mask run is no longer known; start it again.")
        return job
