"""What the query role counts and times. Declared once, here."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

requests = Counter(
    "roggia_query_requests_total",
    "Requests answered, by route and outcome (ok or the error's code).",
    ["route", "outcome"],
)
seconds = Histogram(
    "roggia_query_seconds",
    "Time from a complete request to its answer, in seconds.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
events_published = Counter("roggia_query_events_total", "retrieval.served events that the brokers acknowledged.")
events_lost = Counter(
    "roggia_query_events_lost_total",
    "retrieval.served events dropped, by cause (queue_full, publish, shutdown).",
    ["cause"],
)
