"""The auditor's metrics. The loop counts records and dead letters; here is what only the auditor knows."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge

RECORDS = counter("roggia_auditor_records_total", "Records entered into the tree, by what became of them", ["status"])
DUPLICATES = counter(
    "roggia_auditor_duplicates_total",
    "Records whose event the ledger had already, by whether their bytes are the same (other: a publisher's bug)",
    ["bytes"],
)
LATE = counter("roggia_auditor_late_total", "Records booked in a later month, because their own was closed")
UNPRICED = counter("roggia_auditor_unpriced_total", "Attempts without an amount because a price is missing")
SIZE = gauge("roggia_auditor_tree_leaves", "Leaves of a partition's tree", ["partition"])
SEALS = counter("roggia_auditor_seals_total", "Leaves of the head log that this process has written and signed")
NOT_ANCHORED = counter(
    "roggia_auditor_not_anchored_total", "Checkpoints that an anchor did not take, by its name", ["anchor"]
)
SEGMENTS = counter(
    "roggia_auditor_segments_total", "Segments that this process sealed, dropped, or failed to seal", ["what"]
)
ERASED = counter("roggia_auditor_erased_total", "Subjects whose key was destroyed")
ANCHORED = gauge(
    "roggia_auditor_anchored_leaves",
    "Leaves of the head log under the newest checkpoint that an anchor took",
    ["anchor"],
)
ALERTS = counter(
    "roggia_auditor_alerts_total",
    "Alerts by channel (topic, webhook) and what became of them: done, failed (is tried again), given_up",
    ["channel", "outcome"],
)
ALERTS_WAITING = gauge("roggia_auditor_alerts_waiting", "Alerts that the webhook has not taken yet")
