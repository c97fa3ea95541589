"""What is counted while the model serves. The registry is prometheus_client's own: one for the process."""

from __future__ import annotations

from dataclasses import fields
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram

from annotator.serving.segmenter import Timing

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

PROMPT_SECONDS = Histogram(
    "annotator_prompt_seconds",
    "Spans of a click or a hover, named as in Server-Timing; encode only where no embedding was there.",
    ("kind", "span"),
    buckets=_SECONDS,
)
BATCH_SIZE = Histogram(
    "annotator_prompt_batch_size",
    "Prompts that were decoded in one turn of the model.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
IMAGE_SECONDS = Histogram(
    "annotator_image_seconds", "Reading an image from its file (decode), and encoding it.", ("span",), buckets=_SECONDS
)
EMBEDDING_HITS = Counter("annotator_embedding_hits", "Embeddings that were found, by tier.", ("tier",))
EMBEDDING_BYTES = Gauge("annotator_embedding_bytes", "Size of the embeddings in each tier.", ("tier",))
WAITING_TASKS = Gauge("annotator_waiting_tasks", "Tasks for the model that are not done, by priority.", ("priority",))
DEVICE_BYTES = Gauge("annotator_device_memory_bytes", "Memory of the GPU that this process holds.")

_SPANS = [field.name for field in fields(Timing)]
_PROMPTS = {
    kind: [(span, PROMPT_SECONDS.labels(kind, span)) for span in _SPANS] for kind in ("click", "hover")
}  # looked up once: that takes longer than counting


def record_prompt(kind: Literal["click", "hover"], timing: Timing) -> None:
    """Count the spans of one prompt."""
    for span, histogram in _PROMPTS[kind]:
        milliseconds: float | None = getattr(timing, span)
        if milliseconds is not None:
            histogram.observe(milliseconds / 1e3)
