"""Metrics of the popularity role."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge

EVENTS = counter(
    "roggia_popularity_events_total", "Answers by what became of them: counted, unreadable, left (tenant)", ["outcome"]
)
DOCUMENTS = gauge("roggia_popularity_documents", "Documents counted in memory")
PUBLISHED = counter(
    "roggia_popularity_published_total", "Records written to doc.popularity: score, forgotten", ["kind"]
)
RESTARTS = counter("roggia_popularity_restarts_total", "Times that the Faust app was started again after a failure")
