"""Metrics of the consumer loop."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge, histogram

_WHO = ("group", "topic")

RECORDS = counter("roggia_consumer_records_total", "Records judged, by verdict.", (*_WHO, "verdict"))
DROPPED = counter("roggia_consumer_dropped_total", "Records dropped on purpose, by reason.", ("group", "reason"))
DEAD_LETTERS = counter("roggia_consumer_dead_letters_total", "Records sent to the DLQ, by kind.", (*_WHO, "kind"))
OUTPUTS = counter("roggia_consumer_outputs_total", "Records produced by the handler.", ("group",))
GAP_RECORDS = counter(
    "roggia_consumer_gap_offsets_total",
    "Offsets that retention removed before the group read them. Alarm on any.",
    _WHO,
)
UNAVAILABLE = counter("roggia_consumer_unavailable_total", "Tries that met something unavailable.", ("group",))
FENCED = counter("roggia_consumer_fenced_total", "Batches dropped because another member owns the partition.", _WHO)
REBALANCES = counter("roggia_consumer_rebalances_total", "Assignments received.", ("group",))
ASSIGNED = gauge("roggia_consumer_assigned_partitions", "Partitions that this member owns.", ("group",))
LAG = gauge("roggia_consumer_lag_records", "Offsets between position and end of log.", (*_WHO, "partition"))
HANDLER = histogram("roggia_consumer_handler_seconds", "Duration of one call of the handler.", ("group",))
COMMIT = histogram(
    "roggia_consumer_commit_seconds", "From verdicts to committed offsets: produce and commit.", ("group",)
)
BATCH = histogram(
    "roggia_consumer_batch_records",
    "Records in one batch.",
    ("group",),
    (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000),
)
AGE = histogram("roggia_consumer_event_age_seconds", "Age of a batch's oldest record when committed.", _WHO)
