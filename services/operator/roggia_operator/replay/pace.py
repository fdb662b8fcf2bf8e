"""How fast the pipeline takes records, as it was last seen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocUpserted, JobKind, JobStatus, OpsJob

from roggia_operator.errors import SelectionError
from roggia_operator.jobs.table import JobTable, read
from roggia_operator.reading.tail import tail
from roggia_operator.replay import selection as selections

RECENT = 200
"""Newest events per partition that are looked at."""
_LEAST = 20
_GAP_MS = 2_000
"""A pause between two documents that is longer means that nothing was to do."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Records per second, 0 when unknown, and where that comes from, in words."""

    records_per_s: float
    source: str


async def measured(kafka: KafkaSettings, codec: EventCodec, topic: str) -> Pace:
    """From the last replay of the same topic that ended; else from how fast documents were indexed lately."""
    table, _ = await read(kafka, codec)
    return of_jobs(table, topic) or await _of_index(kafka, codec)


def of_jobs(table: JobTable, topic: str) -> Pace | None:
    """The pace of the last job over `topic` that sent enough."""
    for job in sorted(table, key=lambda one: -((one.state and one.state.ended_at) or 0)):
        if job.state and job.wanted and job.status is JobStatus.DONE and _over(job.wanted, topic):
            sent, seconds = job.state.counts.get("sent", 0), job.state.counts.get("seconds", 0)
            if sent >= _LEAST and seconds > 0:
                return Pace(sent / seconds, f"as {job.job_id}: {sent / seconds:,.1f} records/s")
    return None


def _over(wanted: OpsJob, topic: str) -> bool:
    try:
        return wanted.kind is JobKind.REPLAY and selections.from_json(wanted.spec).topic == topic
    except SelectionError:
        return False


async def _of_index(kafka: KafkaSettings, codec: EventCodec) -> Pace:
    newest = tail(kafka, topics.DOC_UPSERTED, last=RECENT, follow=False)
    try:
        return of_times([(await codec.decode(DocUpserted, record)).indexed_at async for record in newest])
    except (SelectionError, SchemasError):
        return of_times([])


def of_times(indexed_at: list[int]) -> Pace:
    """Documents per second while there was something to do, from the times at which they were indexed (ms)."""
    ordered = sorted(indexed_at)
    gaps = [later - earlier for earlier, later in pairwise(ordered) if later - earlier <= _GAP_MS]
    if len(gaps) < _LEAST or not sum(gaps):
        return Pace(0.0, "not measured: too few documents were indexed lately")
    rate = len(gaps) * 1000 / sum(gaps)
    return Pace(rate, f"as documents were indexed lately: {rate:,.1f} records/s")
