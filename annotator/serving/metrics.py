"""What is counted while the model serves, in this process and in replicas.

prometheus_client's own registry, one for the process, shows all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Literal

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from annotator.serving.segmenter import Timing

HERE = CollectorRegistry()
"""What this process counts itself."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

PROMPT_SECONDS = Histogram(
    "annotator_prompt_seconds",
    "Spans of a click or a hover, named as in Server-Timing; encode only where no embedding was there.",
    ("kind", "span"),
    buckets=_SECONDS,
    registry=HERE,
)
BATCH_SIZE = Histogram(
    "annotator_prompt_batch_size",
    "Prompts that were decoded in one turn of the model.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
    registry=HERE,
)
IMAGE_SECONDS = Histogram(
    "annotator_image_seconds",
    "Reading an image from its file (decode), and encoding it.",
    ("span",),
    buckets=_SECONDS,
    registry=HERE,
)
EMBEDDING_HITS = Counter("annotator_embedding_hits", "Embeddings that were found, by tier.", ("tier",), registry=HERE)
EMBEDDING_BYTES = Gauge("annotator_embedding_bytes", "Size of the embeddings in each tier.", ("tier",), registry=HERE)
WAITING_TASKS = Gauge(
    "annotator_waiting_tasks", "Tasks for the model that are not done, by priority.", ("priority",), registry=HERE
)
DEVICE_BYTES = Gauge("annotator_device_memory_bytes", "Memory of the GPU that this process holds.", registry=HERE)

REPLICA_RETRIES = Counter(
    "annotator_replica_retries",
    "Questions that were asked again, since a replica ended or did not answer.",
    ("reason",),
    registry=HERE,
)
for _reason in ("ended", "silent"):
    REPLICA_RETRIES.labels(_reason)  # a rate needs the 0 before the first one


class Gathered(Collector):
    """What this process and its replicas count: one family for each name, the replicas' samples with a label more."""

    def __init__(self) -> None:
        self.elsewhere: Callable[[], Mapping[str, Sequence[Metric]]] = dict
        """Gives the families of each replica."""

    def collect(self) -> Iterable[Metric]:
        """The families."""
        families = {each.name: each for each in HERE.collect()}
        for replica, theirs in self.elsewhere().items():
            for each in theirs:
                family = families.setdefault(each.name, Metric(each.name, each.documentation, each.type))
                family.samples += [_labelled(sample, replica) for sample in each.samples]
        return families.values()


def _labelled(sample: Sample, replica: str) -> Sample:
    return sample._replace(labels={**sample.labels, "replica": replica})


GATHERED = Gathered()
REGISTRY.register(GATHERED)

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
