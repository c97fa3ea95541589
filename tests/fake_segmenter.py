"""A segmenter without a model: every answer is a disc around the first point. For tests of what stands above it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from annotator.errors import NotFound
from annotator.masks import rle as rles
from annotator.serving.segmenter import (
    Answer,
    AutomaskOptions,
    AutomaskStatus,
    ImageSource,
    ModelInfo,
    Refinement,
    Timing,
)
from annotator.types import BoolArray, Candidate, Prompt, Proposal


def disc(image: ImageSource, prompt: Prompt, radius: float = 9.0) -> Candidate:
    x, y, _ = prompt.points[0]
    rows, columns = np.mgrid[: image.height, : image.width]
    return Candidate(rles.encode((columns - x) ** 2 + (rows - y) ** 2 <= radius**2), 0.9, 1.0)


class FakeSegmenter:
    """Implements `Segmenter` with the plain values of its interface alone."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.runs: dict[str, AutomaskStatus] = {}
        self.model = "fake"

    def info(self) -> ModelInfo:
        return ModelInfo(self.model, "Fake", "abacus", "float32", 64, "eager", False, "a test", None, None, None, [])

    def has_embedding(self, key: str) -> bool:
        return key in self.encoded

    def encoding_error(self, key: str) -> str | None:
        return None

    def encode(self, image: ImageSource, upcoming: Sequence[ImageSource], group: str) -> None:
        for each in (image, *upcoming):
            assert each.load().shape == (each.height, each.width, 3)
            self.encoded.append(each.key)

    def prompt(
        self,
        image: ImageSource,
        prompt: Prompt,
        refine: Refinement | None = None,
        start: BoolArray | None = None,
        hover: str | None = None,
    ) -> Future[Answer]:
        answer: Future[Answer] = Future()
        answer.set_result(Answer(uuid.uuid4().hex, [disc(image, prompt)], Timing(0, None, 1, 1, 2)))
        return answer

    def prompt_many(self, image: ImageSource, prompts: Sequence[Prompt]) -> Future[list[Candidate]]:
        answer: Future[list[Candidate]] = Future()
        answer.set_result([disc(image, each) for each in prompts])
        return answer

    def start_automask(self, job_id: str, image: ImageSource, options: AutomaskOptions) -> None:
        mask = rles.encode(np.ones((image.height, image.width), bool))
        whole = Proposal(mask, 0.9, 1.0, rles.area(mask), rles.bbox(mask), (1.0, 1.0))
        self.runs[job_id] = AutomaskStatus("done", 1, 1, proposals=[whole])

    def resume_automask(self, job_id: str) -> None:
        self.poll_automask(job_id)

    def poll_automask(self, job_id: str) -> AutomaskStatus:
        if job_id not in self.runs:
            raise NotFound("No such run.")
        return self.runs[job_id]

    def cancel_automask(self, job_id: str) -> None:
        self.poll_automask(job_id)

    def switch(self, name: str) -> None:
        self.model = name

    def close(self) -> None:
        pass
