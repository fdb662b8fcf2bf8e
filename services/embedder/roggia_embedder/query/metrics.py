"""What the query role counts and times. Declared once, here."""

from __future__ import annotations

from roggia_runtime.metrics import counter, histogram

requests = counter(
    "roggia_query_requests_total", "Requests answered, by outcome: ok, or the error's code.", ["route", "outcome"]
)
seconds = histogram("roggia_query_seconds", "Time from the request's first byte to its answer.", ["route"])
events_published = counter("roggia_query_events_total", "retrieval.served events that the brokers acknowledged.")
events_lost = counter(
    "roggia_query_events_lost_total",
    "retrieval.served events dropped, by cause: queue_full, publish, shutdown.",
    ["cause"],
)
