"""What the group's consumer does with fetches: what it sets in aiokafka's fetcher takes effect there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roggia_runtime.consumer import fetching
from roggia_runtime.loop import ConsumerLoop

from tests.support.kafka import Broker
from tests.support.loops import Copier, feed, make_topics, running, settings, until


async def test_records_in_hand_hold_up_no_other_partition(kafka: Broker, topic_name: Callable[[str], str]) -> None:
    """Records that the loop has not taken yet put off fetches of other partitions for no longer than it says."""
    source, handler = topic_name("in"), Copier(topic_name("out"))
    loop = ConsumerLoop(
        settings=settings(kafka.bootstrap), group=topic_name("group"), topics=[source], handler=handler, stage="t"
    )
    await make_topics(kafka.bootstrap, 1, source, handler.target)
    async with running(loop):
        await until(lambda: not loop.health())
        fetched: dict[Any, Any] = loop._session.member.consumer._fetcher._records  # type: ignore[union-attr]
        async with loop._session.member.lock:  # type: ignore[union-attr]
            await feed(kafka.bootstrap, source, [(b"k", b"one")])
            await until(lambda: bool(fetched))
            waits = [result._backoff for result in fetched.values()]
        await until(lambda: len(handler.seen) == 1)
    assert waits == [fetching.AHEAD_S]
