"""Automatic-mask jobs: started, watched and cancelled from any thread; finished ones are kept for a while."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Literal

from annotator.errors import AnnotatorError, Cancelled, NotFound
from annotator.sam.automask import AutomaskRun, Proposal
from annotator.serving.engine import Task

JobState = Literal["running", "done", "cancelled", "failed"]
_KEPT = 32
_RESUMABLE = 4
"""A run that was left holds the logits of what it found: 200 MB at most, on the device. Older ones start anew."""


@dataclass
class AutomaskJob:
    """One run over one image. `proposals` are what was found when it ended; a cancelled one can go on."""

    image_id: str
    model: str
    run: AutomaskRun
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: JobState = "running"
    proposals: list[Proposal] = field(default_factory=list)
    error: str | None = None
    task: Task[None] | None = None

    def follow(self, task: Task[None]) -> None:
        """Wait for `task` in a thread of its own and record how it ended."""
        self.task, self.state, self.proposals = task, "running", []
        threading.Thread(target=self._wait, args=(task,), name=f"automask-{self.id[:8]}", daemon=True).start()

    def _wait(self, task: Task[None]) -> None:
        state: JobState = "done"
        try:
            task.result()
        except (Cancelled, CancelledError):
            state = "cancelled"
        except AnnotatorError as error:
            self.error, state = str(error), "failed"
        except Exception as error:
            self.error, state = f"Automatic masks failed ({error}).", "failed"
        found = self.run.proposals()
        if self.task is task:  # else it was taken up again meanwhile
            self.proposals, self.state = found, state
            if state == "done":
                self.run.forget()

    def cancel(self) -> None:
        """Stop before the next chunk; a finished job stays as it is."""
        if self.task is not None:
            self.task.cancel()


class Jobs:
    """The last jobs, by id."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, AutomaskJob] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, job: AutomaskJob) -> AutomaskJob:
        """Remember `job`; beyond the last 32 the oldest are cancelled and forgotten."""
        with self._lock:
            self._jobs[job.id] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)[1].cancel()
            for old in [each for each in self._jobs.values() if each.state in ("cancelled", "failed")][:-_RESUMABLE]:
                old.run.forget()
        return job

    def get(self, job_id: str) -> AutomaskJob:
        """Raises NotFound."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise NotFound("This automatic-mask run is no longer known; start it again.")
        return job
