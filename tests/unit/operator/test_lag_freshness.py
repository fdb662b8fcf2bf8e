"""What counts as a live event that waits: documents do, an operator's jobs do not."""

from __future__ import annotations

from roggia_operator.lag.measure import freshness
from roggia_operator.lag.values import Measurement, PartitionLag
from roggia_runtime.records import Partition


def _waits(group: str, topic: str, seconds: float) -> PartitionLag:
    return PartitionLag(group, Partition(topic, 0), 0, 0, 1, 1, seconds, seconds)


def test_a_job_that_nobody_took_is_no_document_that_waits() -> None:
    """Neither an unread job, configuration or generation makes documents late; who reads them is no stage."""
    jobs = _waits("roggia.operator.jobs", "ops.job", 900)
    generations = _waits("roggia.operator.generations", "index.generation", 700)
    seen = freshness(Measurement(0, (jobs, generations, _waits("roggia.x", "tenant.config", 800))))
    assert (seen.oldest_s, seen.stages, seen.unconsumed) == (0, {}, {})
    seen = freshness(Measurement(0, (jobs, _waits("roggia.ingest", "doc.changed", 5))))
    assert (seen.oldest_s, seen.stages, seen.unconsumed) == (5, {"roggia.ingest": 5}, {"doc.changed": 1})
