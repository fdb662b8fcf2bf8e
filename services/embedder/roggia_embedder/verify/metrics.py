"""What verifications count. The findings are those of the last run over everything, not a sum."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge

FINDINGS = gauge(
    "roggia_verify_findings", "Findings of the last verification of each generation as a whole, by kind", ["kind"]
)
PENDING = gauge(
    "roggia_verify_pending", "Documents that the last verification could not judge: their newest version was on its way"
)
LAST_SECONDS = gauge("roggia_verify_duration_seconds", "Duration of the last verification of the whole index")
LAST_END = gauge(
    "roggia_verify_last_timestamp_seconds", "When the last verification of the whole index ended, seconds since 1970"
)
DOCUMENTS = counter("roggia_verify_documents_total", "Documents of the log compared with the index")
POINTS = counter("roggia_verify_points_total", "Points of the index read by verifications")
RUNS = counter("roggia_verify_runs_total", "Verifications by outcome: clean, findings, pending, failed", ["outcome"])
