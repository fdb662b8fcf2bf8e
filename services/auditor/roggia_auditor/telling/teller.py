"""Tells what is new in the ledger, again and again: a leader's work. At least once; event ids repeat with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from roggia_runtime.clock import now_ms
from roggia_runtime.leadership import FencedWriter
from roggia_runtime.records import Output
from roggia_schemas import topics
from roggia_schemas.events import InferenceCompleted, UsageAdjusted

from roggia_auditor import periods
from roggia_auditor.ledger.model import CORRECTIONS, UNTOLD, Row, Stream
from roggia_auditor.ledger.records import record_of
from roggia_auditor.ports import EventCodec, Ledger, Zones
from roggia_auditor.pricing.classes import counted, tokens
from roggia_auditor.telling import events

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Told:
    """What is told, and how. `origin` is what logs' names begin with; `interval_s` seconds lie between two looks."""

    origin: str
    zones: Zones
    grace_ms: int = periods.GRACE_MS
    interval_s: float = 1.0


class Teller:
    """The work of a `Leader`. Totals are absolute: of two changes between two looks only the second is told.

    What is written is final before the ledger hears of it: after a crash in between it is written again, with the same
    ids and sequence numbers.
    """

    def __init__(self, ledger: Ledger, codec: EventCodec, told: Told, now: Callable[[], int] = now_ms) -> None:
        self._ledger, self._codec, self._told, self._now = ledger, codec, told, now

    async def __call__(self, writer: FencedWriter) -> None:
        """Tell until cancelled. Raises what writer and ledger raise."""
        while True:
            if not await self.once(writer):
                await asyncio.sleep(self._told.interval_s)

    async def once(self, writer: FencedWriter) -> int:
        """Tell what is new now; how many events that were."""
        return await self._totals(writer) + await self._records(writer)

    async def _totals(self, writer: FencedWriter) -> int:
        found = await self._ledger.untold(_AT_ONCE)
        if not found.months and not found.days:
            return 0
        at, as_of, zones = self._now(), _ends(found.as_of), self._told.zones()
        outputs = [
            self._codec.output(
                topics.TENANT_BUDGET,
                events.budget(one, zones.get(one.key.tenant, "UTC"), as_of, at, self._told.grace_ms),
            )
            for one in found.months
        ]
        outputs += [
            self._codec.output(topics.TENANT_USAGE, events.usage(one, zones.get(one.key.tenant, "UTC"), as_of, at))
            for one in found.days
        ]
        await writer.write(outputs)
        await self._ledger.told({one.key: one.seq for one in found.months}, {one.key: one.seq for one in found.days})
        return len(outputs)

    async def _records(self, writer: FencedWriter) -> int:
        count = 0
        for stream in await self._ledger.streams():
            if stream in UNTOLD:
                continue
            start = await self._ledger.told_rows(stream)
            rows = await self._ledger.rows(stream, start, _AT_ONCE)
            if rows:
                await writer.write(await self._of_rows(stream, rows))
                await self._ledger.tell_rows(stream, rows[-1].index + 1)
            count += len(rows)
        return count

    async def _of_rows(self, stream: Stream, rows: Sequence[Row]) -> list[Output]:
        if stream == CORRECTIONS:
            return [await self._correction(row) for row in rows]
        origin = stream.origin(self._told.origin)
        outputs = []
        for row in rows:
            if row.leaf.tenant:
                outputs.append(self._codec.output(topics.AUDIT_RECORDED, events.recorded(row, stream, origin)))
            if row.leaf.booked != row.leaf.period:
                late = events.adjusted(row, await self._tokens(stream, row))
                outputs.append(self._codec.output(topics.USAGE_ADJUSTED, late))
        return outputs

    async def _correction(self, row: Row) -> Output:
        """As it stands in the correction log."""
        event = await self._codec.decode(UsageAdjusted, record_of(CORRECTIONS, row))
        return self._codec.output(topics.USAGE_ADJUSTED, event)

    async def _tokens(self, stream: Stream, row: Row) -> int:
        event = await self._codec.decode(InferenceCompleted, record_of(stream, row))
        return sum(tokens(counted(one.usage)) for one in event.attempts)


def _ends(ends: Mapping[Stream, int]) -> Mapping[int, int]:
    """Next offsets by partition: those of the newest stream of each, should a topic have been made anew."""
    return {stream.partition: offset for stream, offset in ends.items() if stream.of_kafka}
