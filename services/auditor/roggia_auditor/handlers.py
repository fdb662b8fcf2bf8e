"""inference.completed → ledger: the verdicts of the auditor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from roggia_runtime.records import DeadLetter, Done, Partition, Record, Verdict
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted

from roggia_auditor import metrics, periods
from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import Draft, Stream
from roggia_auditor.ports import EventCodec, Ledger, PriceLog, TenantLimits, Zones


class Streams(Protocol):
    """Which stream each partition is now."""

    async def of(self, partitions: Sequence[Partition]) -> Mapping[Partition, Stream]:
        """Raises `LostPartitionError` where a topic is no longer the one that the partitions were assigned of."""
        ...


class AuditHandler:
    """Enters micro-batches into the ledger. All of a batch is entered, in one transaction, or nothing."""

    def __init__(  # keyword-only: the ports
        self,
        *,
        codec: EventCodec,
        ledger: Ledger,
        streams: Streams,
        prices: PriceLog,
        zones: Zones,
        limits: TenantLimits = dict,
        grace_ms: int = periods.GRACE_MS,
    ) -> None:
        self._codec, self._ledger, self._streams = codec, ledger, streams
        self._prices, self._zones, self._limits, self._grace_ms = prices, zones, limits, grace_ms

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """See `roggia_runtime.records.Handler`. What cannot be read is in the tree, and a dead letter as well."""
        reads = [await self._read(record) for record in batch]
        await self._enter(reads)
        return [_verdict(read) for read in reads]

    async def _read(self, record: Record) -> Read:
        if record.value is None:
            return Read(record, None, "value: a Kafka null says nothing about an inference")
        try:
            return Read(record, await self._codec.decode(InferenceCompleted, record))
        except SchemasError as error:
            return Read(record, None, str(error)[:_REASON])

    async def _enter(self, reads: Sequence[Read]) -> None:
        parts: dict[Partition, list[Read]] = defaultdict(list)
        for read in reads:
            parts[Partition(read.record.topic, read.record.partition)].append(read)
        streams = await self._streams.of(list(parts))
        rules = Rules(await self._prices.current(), self._zones(), self._limits(), self._grace_ms)
        tenants = {streams[part]: {read.event.tenant_id for read in held if read.event} for part, held in parts.items()}
        snapshot = await self._ledger.before(tenants, [one.event.event_id.lower() for one in reads if one.event])
        known = dict(snapshot.known)
        drafts = [
            judge(streams[part], held, snapshot.streams[streams[part]], known, rules) for part, held in parts.items()
        ]
        await self._ledger.append([draft for draft in drafts if draft.after != draft.before])
        for draft in drafts:
            _count(draft)


_REASON = 1000
"""Characters of an error that a leaf keeps."""


def _verdict(read: Read) -> Verdict:
    return Done() if read.event is not None else DeadLetter("schema", read.error)


def _count(draft: Draft) -> None:
    for row in draft.rows:
        metrics.RECORDS.labels(row.leaf.status.name.lower()).inc()
        if row.leaf.booked != row.leaf.period:
            metrics.LATE.inc()
    for one in draft.duplicates:
        metrics.DUPLICATES.labels("same" if one.same else "other").inc()
    metrics.UNPRICED.inc(sum(usage.unpriced for usage in draft.usage.values()))
    metrics.SIZE.labels(str(draft.stream.partition)).set(draft.after.frontier.size)
