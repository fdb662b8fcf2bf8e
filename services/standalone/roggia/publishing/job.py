"""Publish many documents and wait until they are searchable. Used by `publish`, its watch mode, and the demo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from roggia_runtime.records import Partition
from roggia_schemas.events import DocChanged

from roggia.publishing.events import ContentStore, Source, Target, changed, deleted
from roggia.publishing.publisher import BATCH, Publisher
from roggia.publishing.revision import RevisionClock
from roggia.publishing.tracker import Tracker

Progress = Callable[[Tracker, int], None]
"""Called with the tracker and the number of documents sent so far."""


@dataclass(frozen=True, slots=True)
class Job:
    """One tenant's publications to one domain. `store` takes large contents; None refuses them."""

    publisher: Publisher
    target: Target
    clock: RevisionClock
    store: ContentStore | None = None

    async def publish(self, documents: Iterable[Source], watch: Progress, *, wait: bool = True) -> Tracker:
        """Send documents in batches (one batch in memory) and, if told to, follow them into the index."""
        return await self._run((changed(d, self.target, self.clock.next(), self.store) for d in documents), watch, wait)

    async def delete(
        self, doc_ids: Sequence[str], watch: Progress, *, wait: bool = True, stall_s: float = 120.0
    ) -> Tracker:
        """Delete exactly these documents."""
        gone = (deleted(self.target.tenant, self.target.domain, doc_id, self.clock.next()) for doc_id in doc_ids)
        return await self._run(gone, watch, wait, stall_s)

    async def _run(self, events: Iterable[DocChanged], watch: Progress, wait: bool, stall_s: float = 120.0) -> Tracker:
        generation = await self.publisher.serving(self.target.tenant, self.target.domain) if wait else 0
        tracker, sent = Tracker(self.target.tenant, generation), 0
        # Before the first event: a confirmation may come while the last ones are still being sent.
        positions: dict[Partition, int] = await self.publisher.positions(generation) if wait else {}
        for batch in _batches(events, BATCH):
            await self.publisher.send(batch)
            for event in batch:
                tracker.expect(event.doc_id, event.revision)
            sent += len(batch)
            watch(tracker, sent)
        if wait:
            await self.publisher.follow(tracker, positions, lambda: watch(tracker, sent), stall_s)
        return tracker


def _batches(events: Iterable[DocChanged], size: int) -> Iterator[list[DocChanged]]:
    batch: list[DocChanged] = []
    for event in events:
        batch.append(event)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
