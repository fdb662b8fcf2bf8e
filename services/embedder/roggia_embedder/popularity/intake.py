"""From a record of `retrieval.served` to counts. Called by the Faust agent, which must never see an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.errors import UnavailableError
from roggia_runtime.records import Record
from roggia_runtime.tenancy import Tenants
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import RetrievalServed

from roggia_embedder.popularity import metrics
from roggia_embedder.popularity.counts import Counts
from roggia_embedder.ports.codec import EventCodec

log = structlog.get_logger()
_RETRY_S = (0.2, 15.0)


class Intake:
    """Counts records, and knows which partition brought which tenant.

    A record that cannot be read is counted as such and passed over: Faust acknowledges what its agent raised for, so
    an exception would lose the record and hide why.
    """

    def __init__(self, counts: Counts, codec: EventCodec, tenants: Tenants, now: Callable[[], int]) -> None:
        self._counts, self._codec, self._tenants, self._now = counts, codec, tenants, now
        self._partition: dict[str, int] = {}
        self.trouble = ""

    async def take(self, record: Record) -> None:
        """Count one record. Waits while the registry that must be asked for its schema does not answer."""
        event = await self._read(record)
        if event is None:
            metrics.EVENTS.labels("unreadable").inc()
        elif self._tenants.leaving(event.tenant_id):
            metrics.EVENTS.labels("left").inc()
        else:
            self._partition[event.tenant_id] = record.partition
            self._count(event, record)
            metrics.DOCUMENTS.set(len(self._counts))

    def assigned(self, partitions: Collection[int]) -> None:
        """This worker reads these partitions now: tenants that other partitions brought are counted elsewhere."""
        gone = {tenant for tenant, partition in self._partition.items() if partition not in partitions}
        self._counts.leave(gone)
        for tenant in gone:
            del self._partition[tenant]

    def _count(self, event: RetrievalServed, record: Record) -> None:
        try:
            self._counts.take(event, self._now())
        except SchemasError as error:
            self._unreadable(record, error)
            metrics.EVENTS.labels("unreadable").inc()
        else:
            metrics.EVENTS.labels("counted").inc()

    async def _read(self, record: Record) -> RetrievalServed | None:
        backoff = Backoff(*_RETRY_S)
        while True:
            try:
                event = await self._codec.decode(RetrievalServed, record)
            except UnavailableError as error:
                self.trouble = str(error)
                await asyncio.sleep(backoff.wait_s())
            except SchemasError as error:
                self.trouble = ""
                self._unreadable(record, error)
                return None
            else:
                self.trouble = ""
                return event

    def _unreadable(self, record: Record, error: SchemasError) -> None:
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.warning("not_counted", error=str(error), **where)
