"""What the query role counts and times. Declared once, here."""

from __future__ import annotations

from roggia_runtime.metrics import counter, histogram

requests = counter(
    "roggia_query_requests_total", "Requests answered, by outcome: ok, or the error's code.", ["route", "outcome"]
)
seconds = histogram("roggia_query_seconds", "Time from the request's first byte to its answer.", ["route"])
generation_requests = counter(
    "roggia_query_generation_requests_total",
    "Requests that an index generation answered, by outcome: ok, empty (no passage), error (not the client's).",
    ["generation", "outcome"],
)
generation_seconds = histogram(
    "roggia_query_generation_seconds", "Time to those answers, by index generation.", ["generation"]
)
events_published = counter("roggia_query_events_total", "retrieval.served events that the brokers acknowledged.")
events_lost = counter(
    "roggia_query_events_lost_total",
    "retrieval.served events dropped, by cause: queue_full, publish, shutdown.",
    ["cause"],
)
