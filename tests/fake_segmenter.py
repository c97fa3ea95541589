"""A segmenter without a model, for tests of what stands above it.

Every answer is a disc around the first point, or in the middle of the box.
"""

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
    ImageSource,
    JobStatus,
    ModelInfo,
    Refinement,
    SimilarOptions,
    Timing,
)
from annotator.types import RLE, BoolArray, Candidate, FloatArray, Prompt, Proposal


def disc(image: ImageSource, prompt: Prompt, radius: float = 9.0) -> Candidate:
    x0, y0, x1, y1 = prompt.box or (0, 0, 0, 0)
    x, y = prompt.points[0][:2] if prompt.points else ((x0 + x1) / 2, (y0 + y1) / 2)
    rows, columns = np.mgrid[: image.height, : image.width]
    return Candidate(rles.encode((columns - x) ** 2 + (rows - y) ** 2 <= radius**2), 0.9, 1.0)


class FakeSegmenter:
    """Implements `Segmenter` with the plain values of its interface alone."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.runs: dict[str, JobStatus] = {}
        self.model = "fake"
        self.image_size = 64

    def info(self) -> ModelInfo:
        return ModelInfo(
            self.model, "Fake", "abacus", "float32", self.image_size, "eager", False, "a test", None, None, None, []
        )

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
        self.runs[job_id] = JobStatus("done", 1, 1, proposals=[whole])

    def start_similar(self, job_id: str, options: SimilarOptions) -> None:
        (part, *_), (example, *_) = options.parts, options.examples
        assert part.source.load().shape == (part.source.height, part.source.width, 3)
        assert (example.mask.height, example.mask.width) == (example.source.height, example.source.width)
        found = rles.encode(np.roll(rles.decode(example.mask), 20, axis=1))
        alike = Proposal(found, 0.9, 1.0, rles.area(found), rles.bbox(found), (1.0, 1.0), 0.75)
        self.runs[job_id] = JobStatus("done", len(options.parts), len(options.parts), proposals=[alike])

    def resume_job(self, job_id: str) -> None:
        self.poll_job(job_id)

    def poll_job(self, job_id: str) -> JobStatus:
        if job_id not in self.runs:
            raise NotFound("No such run.")
        return self.runs[job_id]

    def cancel_job(self, job_id: str) -> None:
        self.poll_job(job_id)

    def describe(self, objects: Sequence[tuple[ImageSource, RLE]]) -> Future[list[FloatArray | None]]:
        vectors: list[FloatArray | None] = []
        for image, mask in objects:
            color = image.load()[rles.decode(mask)].mean(axis=0, dtype=np.float32)
            vectors.append(color / np.linalg.norm(color) if image.key in self.encoded else None)
        answer: Future[list[FloatArray | None]] = Future()
        answer.set_result(vectors)
        return answer

    def switch(self, name: str) -> None:
        if not name.isidentifier():
            raise NotFound("No such model.")
        self.model = name

    def close(self) -> None:
        pass
