"""Runs a replay job: scans its ranges, sends what matches through the lane, and can be stopped anywhere."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import Piece, RangeReader, Span
from roggia_runtime.records import Output, Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import JobKind, JobStatus

from roggia_operator.errors import JobError, SelectionError
from roggia_operator.jobs.running import Running
from roggia_operator.metrics import REPLAYED_BYTES, REPLAYED_RECORDS
from roggia_operator.replay import selection as selections
from roggia_operator.replay.bounds import bounds, partitions
from roggia_operator.replay.gate import Gate
from roggia_operator.replay.matching import Cost, Matcher, size, tokens
from roggia_operator.replay.pressure import Watch
from roggia_operator.replay.quota import quota

SEND_RECORDS = 100
"""Most records that are sent before what is wanted is looked at again."""


class Sink(Protocol):
    """Where records are sent: a `Producer`."""

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """Send records, in order per partition; return when they are acknowledged."""
        ...


def client_id(job_id: str) -> str:
    """Client id of a job's producer: what a quota is set on."""
    return f"roggia-replay-{job_id}"


class ReplayRunner:
    """See `Runner`. One for all replay jobs."""

    kind = JobKind.REPLAY

    def __init__(self, settings: KafkaSettings, codec: EventCodec, watch: Watch, quota_bytes_per_s: float) -> None:
        self._settings, self._codec, self._watch, self._quota = settings, codec, watch, quota_bytes_per_s

    async def run(self, job: Running) -> str:
        """See `Runner`."""
        selection = selections.from_json(job.wanted.spec)
        lane = topics.replay(selection.topic)
        if not await self._exists(lane):
            raise JobError(f"topic {lane} does not exist: create it (roggia topics apply)")
        began = time.monotonic()
        async with self._clients(job) as (reader, producer), self._watch.of(selection.topic) as pressure:
            if not job.ends:
                await self._freeze(job, reader, selection)
            work = Work(job, Matcher(selection, self._codec), producer, Gate(job, pressure))
            async for piece in reader.read(_left(job)):
                await work.piece(piece)
        job.count(seconds=round(time.monotonic() - began))
        return "; ".join(filter(None, (_done(job, lane), job.note)))

    @asynccontextmanager
    async def _clients(self, job: Running) -> AsyncIterator[tuple[RangeReader, Producer]]:
        name = client_id(job.job_id)
        producer = Producer(self._settings, name)
        async with (
            RangeReader(self._settings, name) as reader,
            quota(self._settings, name, self._quota) as trouble,
        ):
            job.note = f"no quota: {trouble}" if trouble else ""
            await producer.start()
            try:
                yield reader, producer
            finally:
                await producer.stop()

    async def _exists(self, topic: str) -> bool:
        try:
            return bool(await partitions(self._settings, topic))
        except SelectionError:
            return False

    async def _freeze(self, job: Running, reader: RangeReader, selection: selections.Selection) -> None:
        """Fix where the job begins and ends, and write it, before anything is sent."""
        found = (await bounds(self._settings, reader, selection)).wanted
        job.positions = {_name(part): span.first for part, span in found.items()}
        job.ends = {_name(part): span.end for part, span in found.items()}
        job.count(scanned=0, sent=0, bytes=0, tokens=0, offsets=sum(span.offsets for span in found.values()))
        await job.save(JobStatus.RUNNING)


class Work:
    """One run over the ranges: what is in hand."""

    def __init__(self, job: Running, matcher: Matcher, sink: Sink, gate: Gate) -> None:
        self._job, self._matcher, self._sink, self._gate = job, matcher, sink, gate

    async def piece(self, piece: Piece) -> None:
        """Send what matches of a piece, some records at a time; the position follows what was acknowledged."""
        held: list[Output] = []
        cost, scanned = Cost(), 0
        for record in piece.records:
            scanned += 1
            if await self._matcher.matches(record):
                held.append(self._matcher.output(record, self._job.job_id))
                cost += await self._cost(record)
            if len(held) >= SEND_RECORDS or self._gate.full(cost):
                await self._send(held, cost, scanned, piece.partition, record.offset + 1)
                held, cost, scanned = [], Cost(), 0
        await self._send(held, cost, scanned, piece.partition, piece.position, lost=piece.lost)

    async def _send(
        self, outputs: Sequence[Output], cost: Cost, scanned: int, partition: Partition, position: int, lost: int = 0
    ) -> None:
        """Send, then move position and counts together: no state shows one without the other."""
        status, message = await self._gate.admit(cost)
        await self._sink.deliver(outputs)
        self._gate.sent(cost)
        REPLAYED_RECORDS.labels(partition.topic).inc(cost.records)
        REPLAYED_BYTES.labels(partition.topic).inc(cost.bytes)
        self._job.positions[_name(partition)] = position
        self._job.count(scanned=scanned, sent=cost.records, bytes=cost.bytes, tokens=cost.tokens)
        if lost:
            self._job.count(lost=lost)
        await self._job.saved(status, message)

    async def _cost(self, record: Record) -> Cost:
        return Cost(1, size(record), tokens(await self._matcher.event(record)))


def _done(job: Running, lane: str) -> str:
    done = f"looked at {job.counts.get('scanned', 0):,} records, sent {job.counts.get('sent', 0):,} through {lane}"
    lost = job.counts.get("lost", 0)
    return f"{done}; {lost:,} offsets were removed before they were read" if lost else done


def _name(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"


def _left(job: Running) -> dict[Partition, Span]:
    left = {}
    for name, end in job.ends.items():
        topic, _, number = name.rpartition("/")
        left[Partition(topic, int(number))] = Span(job.positions.get(name, 0), end)
    return left
