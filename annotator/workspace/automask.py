"""Automatic masks of an image: starting, following, stopping and resuming a run."""

from __future__ import annotations

import uuid

from annotator.errors import InvalidPrompt
from annotator.serving.segmenter import AutomaskOptions, ImageSource, JobStatus, Segmenter
from annotator.storage.store import Store
from annotator.types import MAX_POINTS_PER_SIDE, Box, Prompt
from annotator.workspace.prompt_checks import check_prompt

_SPECK = 1e-4  # of the image: holes and specks up to this size are removed


class Automask:
    """Runs are named by ids that begin with their image's."""

    def __init__(self, segmenter: Segmenter, store: Store) -> None:
        self._segmenter, self._store = segmenter, store

    def start(
        self, image: ImageSource, image_id: str = "", points_per_side: int | None = None, region: Box | None = None
    ) -> str:
        """Propose masks over the image or a box of it, with the model's own grid unless one is given.

        What is kept in the image already is left out. `image_id` is "" for an image that is not stored. Returns the
        run's id. Raises InvalidPrompt, Busy.
        """
        if points_per_side is not None and not 1 <= points_per_side <= MAX_POINTS_PER_SIDE:
            raise InvalidPrompt(f"The grid can have 1 to {MAX_POINTS_PER_SIDE} points a side.", "points_per_side")
        if region is not None:
            check_prompt(Prompt(box=region), image.height, image.width)
        speck = int(image.width * image.height * _SPECK)
        kept = [each.mask for each in self._store.annotations(image_id)] if image_id else []
        options = AutomaskOptions(points_per_side, region, speck, kept)
        job_id = f"{image_id}-{uuid.uuid4().hex}"
        self._segmenter.start_automask(job_id, image, options)
        return job_id

    @staticmethod
    def image_id(job_id: str) -> str:
        """The image that a run is about."""
        return job_id.partition("-")[0]

    def status(self, job_id: str) -> JobStatus:
        """How far a run is. Raises NotFound."""
        return self._segmenter.poll_job(job_id)

    def cancel(self, job_id: str) -> None:
        """Stop a run; what it found so far can be reviewed. Raises NotFound."""
        self._segmenter.cancel_job(job_id)

    def resume(self, job_id: str) -> None:
        """Go on with a run that was cancelled or failed. Raises NotFound, Busy."""
        self._segmenter.resume_job(job_id)
