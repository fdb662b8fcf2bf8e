"""Metrics of the live views."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge

RECORDS = counter(
    "roggia_live_records_total",
    "Records of inference.completed by what became of them in the live views: counted, again (counted before), "
    "not_own (shadow or replay), unreadable, parked (counts or key that cannot be)",
    ["outcome"],
)
SERIES = gauge("roggia_live_series", "Keys (tenant, model, prompt variant) that the live views hold")
FOLDED = gauge("roggia_live_folded", "Parts of inferences counted under *, since the limit of keys was reached")
RESTARTS = counter("roggia_live_restarts_total", "Times that the Faust app of the live views was started again")
REBUILT = counter("roggia_live_rebuilt_total", "Partitions whose last hour was read again from the topic")
