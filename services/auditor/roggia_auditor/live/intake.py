"""From records of `inference.completed` to views. The Faust agent calls it, which must never see an exception."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from typing import Protocol

import structlog
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import UnavailableError
from roggia_runtime.records import Record
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted

from roggia_auditor.errors import UsageError
from roggia_auditor.live import metrics
from roggia_auditor.live.counting import OWN, hits
from roggia_auditor.live.views import Views
from roggia_auditor.live.windows import Hit
from roggia_auditor.ports import EventCodec

log = structlog.get_logger()
_RETRY_S = (0.2, 15.0)


class History(Protocol):
    """What a partition held before it came to us."""

    def read(self, partition: int) -> AsyncGenerator[Record]:
        """Records of the longest window to the end as it is now, in order. Raises `UnavailableError`."""
        ...


class Intake:
    """Counts records. A partition that is new here is first read again, from the log, as far as windows reach back.

    What Faust hands on from before the end of that is counted already, by its offset. So views are those of the log,
    wherever Faust begins, and however often it hands a record on. A worker of a service: it reads what was assigned.
    """

    def __init__(self, views: Views, codec: EventCodec, history: History) -> None:
        self._views, self._codec, self._history = views, codec, history
        self._held: frozenset[int] = frozenset()
        self._waiting: set[int] = set()
        self._lock = asyncio.Lock()
        self._stopping, self._news = asyncio.Event(), asyncio.Event()
        self.trouble = ""

    async def take(self, record: Record) -> None:
        """Count one record, once its partition has been read again. Waits while Kafka or registry do not answer."""
        await self._rebuild(record.partition)
        await self._count(record)

    def assigned(self, partitions: Collection[int]) -> None:
        """These are all partitions that this process reads now."""
        self._waiting = {number for number in partitions if number not in self._held or number in self._waiting}
        self._held = frozenset(partitions)
        self._views.leave(self._held)
        self._news.set()

    def begin_anew(self) -> None:
        """A session of the group begins, at the end of the topic: whatever comes is read again, back from there."""
        self._held = frozenset()

    async def run(self) -> None:
        """Read what was assigned, also while nothing new comes, until `stop`."""
        while not self._stopping.is_set():
            self._news.clear()
            for number in sorted(self._waiting):
                await self._rebuild(number)
            await either(self._stopping, self._news)

    def stop(self) -> None:
        """Return from `run`."""
        self._stopping.set()

    def health(self) -> list[str]:
        """What keeps views from being whole."""
        if self.trouble:
            return [f"live: {self.trouble}"]
        return [f"live: partitions {sorted(self._waiting)} are being read again"] if self._waiting else []

    async def _rebuild(self, partition: int) -> None:
        async with self._lock:
            backoff = Backoff(*_RETRY_S)
            while partition in self._waiting and not self._stopping.is_set():
                try:
                    await self._read(partition)
                except UnavailableError as error:
                    self.trouble = str(error)
                    await either(self._stopping, timeout_s=backoff.wait_s())
                else:
                    self.trouble = ""
                    self._waiting.discard(partition)
                    metrics.REBUILT.inc()

    async def _read(self, partition: int) -> None:
        self._views.begin(partition)
        async with aclosing(self._history.read(partition)) as records:
            async for record in records:
                await self._count(record)

    async def _count(self, record: Record) -> None:
        outcome, found = await self._hits(record)
        if not self._views.take(record.partition, record.offset, record.timestamp_ms, found):
            outcome = "again"
        metrics.RECORDS.labels(outcome).inc()
        metrics.SERIES.set(len(self._views))
        metrics.FOLDED.set(self._views.folded)

    async def _hits(self, record: Record) -> tuple[str, Sequence[Hit]]:
        event = await self._event(record)
        if event is None:
            return "unreadable", ()
        if event.origin not in OWN:
            return "not_own", ()
        if (record.key or b"") != event.tenant_id.encode():
            return "parked", ()
        try:
            return "counted", hits(event, record.timestamp_ms)
        except UsageError:
            return "parked", ()

    async def _event(self, record: Record) -> InferenceCompleted | None:
        backoff = Backoff(*_RETRY_S)
        while record.value is not None and not self._stopping.is_set():
            try:
                event = await self._codec.decode(InferenceCompleted, record)
            except UnavailableError as error:
                self.trouble = str(error)
                await either(self._stopping, timeout_s=backoff.wait_s())
            except SchemasError as error:
                self.trouble = ""
                place = f"{record.topic}/{record.partition}@{record.offset}"
                log.warning("not_counted", place=place, error=str(error))
                return None
            else:
                self.trouble = ""
                return event
        return None
