"""What is counted of HTTP. `/metrics` shows it beside what the model's side counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("annotator_requests", "Answered requests.", ("method", "route", "status"))
REQUEST_SECONDS = Histogram(
    "annotator_request_seconds",
    "Time from a request's headers to the end of its answer.",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
REJECTIONS = Counter(
    "annotator_rejections",
    "Requests refused with 503 or 429: too many prompts of one user wait, a queue is full, or the user asks too often.",
    ("reason",),
)
