"""Old deletions are forgotten after the retention, not before, and the store is kept in order."""

from __future__ import annotations

import asyncio

from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.indexing.writer import IndexWriter
from roggia_embedder.maintenance import Maintenance
from roggia_schemas.names import Version

from tests.support.index import COLLECTION, SPEC, Content, contents, deliveries, document


def _worker(store: MemoryStore, now: int, interval_s: float = 0.01) -> Maintenance:
    return Maintenance(
        store,
        clock=lambda: now,
        retention_s=10,
        maintain_interval_s=interval_s,
        sweep_interval_s=interval_s,
    )


async def test_deletions_are_swept_only_after_the_retention() -> None:
    """A deletion written at 1 s with a retention of 10 s is there at 11 s and gone right after; documents stay."""
    store = MemoryStore()
    await store.ensure_collection(SPEC)
    writer = IndexWriter(store, lambda: 1_000)
    await writer.write(COLLECTION, deliveries(document("gone"), Version(2), Content((), (), deleted=True)))
    await writer.write(COLLECTION, deliveries(document("here"), Version(2), Content(("one",))))
    assert await _worker(store, now=11_000).sweep() == 0
    assert await _worker(store, now=11_001).sweep() == 1
    assert {owner.doc_id for owner in (await contents(store))[0]} == {"here"}


async def test_the_worker_survives_a_store_that_is_down_and_stops_when_told() -> None:
    """Housekeeping is repeated by time, an unavailable store is asked again, `stop` ends it."""

    class Flaky(MemoryStore):
        calls = 0

        async def maintain(self) -> None:
            """Fail the first time."""
            self.calls += 1
            if self.calls == 1:
                raise StoreUnavailableError("down")

    store = Flaky()
    worker = _worker(store, now=0)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(10):
        while store.calls < 2:
            await asyncio.sleep(0.01)
        worker.stop()
        await running
    assert worker.health() == []
