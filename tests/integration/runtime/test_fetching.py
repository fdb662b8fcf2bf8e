"""What the group's consumer does with fetches: what it sets in aiokafka's fetcher takes effect there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from roggia_runtime.consumer import fetching
from roggia_runtime.loop import ConsumerLoop
from roggia_runtime.records import Record, Verdict
from roggia_runtime.settings import BatchLimits

from tests.support.kafka import Broker
from tests.support.loops import Copier, feed, make_topics, running, settings, until


class Watcher(Copier):
    """Copies; remembers what the fetcher is told while each batch is in hand."""

    loop: ConsumerLoop

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.waits: list[float] = []

    @property
    def fetcher(self) -> Any:
        """The client's."""
        return self.loop._session.member.consumer._fetcher  # type: ignore[union-attr]

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Look, and copy."""
        self.waits.append(self.fetcher._prefetch_backoff)
        return await super().handle(batch)


async def _watched(kafka: Broker, topic_name: Callable[[str], str], **values: Any) -> tuple[Watcher, str]:
    """A loop over a fresh topic of one partition."""
    source, watcher = topic_name("in"), Watcher(topic_name("out"))
    watcher.loop = ConsumerLoop(
        settings=settings(kafka.bootstrap),
        group=topic_name("group"),
        topics=[source],
        handler=watcher,
        stage="t",
        **values,
    )
    await make_topics(kafka.bootstrap, 1, source, watcher.target)
    return watcher, source


async def test_records_in_hand_hold_up_no_other_partition(kafka: Broker, topic_name: Callable[[str], str]) -> None:
    """Records that the loop has not taken yet put off fetches of other partitions for no longer than it says."""
    watcher, source = await _watched(kafka, topic_name)
    async with running(watcher.loop):
        await until(lambda: not watcher.loop.health())
        async with watcher.loop._session.member.lock:  # type: ignore[union-attr]
            await feed(kafka.bootstrap, source, [(b"k", b"one")])
            await until(lambda: bool(watcher.fetcher._records))
            waits = [result._backoff for result in watcher.fetcher._records.values()]
        await until(lambda: len(watcher.seen) == 1)
    assert waits == [fetching.SOON_S]


async def test_full_batches_are_fetched_in_large_answers(kafka: Broker, topic_name: Callable[[str], str]) -> None:
    """While batches are full, the fetcher puts off as it does by itself; once one is not, no longer."""
    watcher, source = await _watched(kafka, topic_name, limits=BatchLimits(max_records=2, max_wait_ms=5))
    await feed(kafka.bootstrap, source, [(b"k", b"%d" % n) for n in range(5)])
    async with running(watcher.loop):
        await until(lambda: len(watcher.seen) == 5)
    assert watcher.waits == [fetching.BUSY_S, fetching.BUSY_S, fetching.SOON_S]
