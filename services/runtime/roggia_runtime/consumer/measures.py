"""Metrics of the consumer loop."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge, histogram

_WHO = ("group", "topic")
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)
_GAP = "Offsets that were removed before the group read them. Alarm on any."

RECORDS = counter("roggia_consumer_records_total", "Records judged and committed, by verdict.", (*_WHO, "verdict"))
DROPPED = counter("roggia_consumer_dropped_total", "Records dropped on purpose, by reason.", ("group", "reason"))
DEAD_LETTERS = counter("roggia_consumer_dead_letters_total", "Records sent to the DLQ, by kind.", (*_WHO, "kind"))
OUTPUTS = counter("roggia_consumer_outputs_total", "Records produced, dead letters included.", ("group",))
GAPS = counter("roggia_consumer_gaps_total", "Times that reading had to go on elsewhere. Alarm on any.", _WHO)
GAP_OFFSETS = counter("roggia_consumer_gap_offsets_total", _GAP, _WHO)
UNAVAILABLE = counter("roggia_consumer_unavailable_total", "Tries that met something unavailable.", ("group",))
RESETS = counter("roggia_consumer_resets_total", "Assignments given up as doubtful (fenced, lost).", ("group",))
REJOINS = counter("roggia_consumer_rejoins_total", "Memberships that the Kafka client gave up by itself.", ("group",))
REBALANCES = counter("roggia_consumer_rebalances_total", "Assignments received.", ("group",))
ASSIGNED = gauge("roggia_consumer_assigned_partitions", "Partitions that this member owns.", ("group",))
LAG = gauge("roggia_consumer_lag_offsets", "From position to the end of what may be read.", (*_WHO, "partition"))
HANDLER = histogram("roggia_consumer_handler_seconds", "Duration of one call of the handler.", ("group",))
COMMIT = histogram("roggia_consumer_commit_seconds", "From verdicts to committed offsets.", ("group",))
BATCH = histogram("roggia_consumer_batch_records", "Records in one batch.", ("group",), _SIZES)
AGE = histogram("roggia_consumer_event_age_seconds", "Age of a batch's first record once committed.", _WHO)
FRESHNESS = gauge(
    "roggia_consumer_freshness_seconds", "Age of the oldest live event not processed yet; 0 when caught up.", _WHO
)
PROCESSED = histogram(
    "roggia_consumer_occurred_to_processed_seconds", "From an event's occurrence to its commit here; live events.", _WHO
)
WORK = counter(
    "roggia_consumer_work_seconds_total", "Time spent on batches; lane is empty for live ones.", ("group", "lane")
)
LANE_PAUSED = gauge("roggia_consumer_lane_paused", "1 while a replay lane rests after a failure.", ("group", "lane"))
