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
shadow_queries = counter(
    "roggia_query_shadow_total",
    "Searches that a generation in the shadow was asked as well, by outcome: ok, empty (no passage), error.",
    ["outcome"],
)
shadow_dropped = counter(
    "roggia_query_shadow_dropped_total",
    "Sampled searches that were not asked in the shadow, by cause: busy, concurrency, rate, shutdown, internal.",
    ["cause"],
)
shadow_seconds = histogram(
    "roggia_query_shadow_seconds",
    "Time of a search that both generations answered, by side: served (what the user got), shadow.",
    ["side"],
)
shadow_overlap = histogram(
    "roggia_query_shadow_overlap",
    "Share of documents that the first ten of both answers have in common. No measure of quality.",
    buckets=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
shadow_events = counter("roggia_query_shadow_events_total", "retrieval.shadowed events that the brokers acknowledged.")
shadow_events_lost = counter(
    "roggia_query_shadow_events_lost_total",
    "retrieval.shadowed events dropped, by cause: queue_full, publish, shutdown.",
    ["cause"],
)
