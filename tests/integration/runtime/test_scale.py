"""Workers come, go, and die while records flow: nothing is lost, and transactionally nothing is doubled."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

from roggia_runtime.records import Record

from tests.support.kafka import Broker
from tests.support.loops import Worker, feed_transactions, lag, make_topics, read_all, show

RECORDS = 1_000
KEYS = 60


async def _disturb(start: Callable[[], Worker], count: Callable[[], Awaitable[int]]) -> None:
    """Scale 1→2→1 with SIGTERM, then kill -9 the last one and let another take over."""
    first = start()
    await _reach(count, RECORDS // 6)
    second = start()
    await second.working()
    await _reach(count, RECORDS // 3)
    second.send(signal.SIGTERM)
    assert await second.ended() == 0
    await _reach(count, RECORDS // 2)
    third = start()
    await third.working()
    await _reach(count, 2 * RECORDS // 3)
    first.send(signal.SIGKILL)
    await first.ended()
    await _reach(count, RECORDS)
    third.send(signal.SIGTERM)
    assert await third.ended() == 0


async def _reach(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    async with asyncio.timeout(45):
        while await count() < wanted:  # the broker is asked, nobody sets an event
            await asyncio.sleep(0.1)


async def test_transactional(kafka: Broker, topic_name: Callable[[str], str], tmp_path: Path) -> None:
    """Over scale-out, SIGTERM and kill -9, every committed record is copied once under read_committed, in key order.

    The input topic is transactional, with aborted records in it; the group ends without lag.
    """
    copies = await _run(kafka, topic_name, tmp_path, "transactional")
    assert [value for value, n in _times(copies).items() if n > 1] == []
    by_key: dict[bytes | None, list[int]] = defaultdict(list)
    for record in copies:
        by_key[record.key].append(int((record.value or b"").partition(b"@")[0]))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


async def test_at_least_once(devstack: Broker, topic_name: Callable[[str], str], tmp_path: Path) -> None:
    """Over scale-out, SIGTERM and kill -9, every committed record is copied at least once; few are copied again."""
    copies = await _run(devstack, topic_name, tmp_path, "at_least_once")
    assert len(copies) < RECORDS * 1.2


async def _run(kafka: Broker, topic_name: Callable[[str], str], tmp_path: Path, delivery: str) -> list[Record]:
    source, target, group = topic_name("in"), topic_name("out"), topic_name("group")
    await make_topics(kafka.bootstrap, 4, source, target, f"{source}.dlq")
    values = [(b"key-%d" % (i % KEYS), b"%d" % i) for i in range(RECORDS)]
    feeding = asyncio.create_task(feed_transactions(kafka.bootstrap, source, values, pace_s=0.2))
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker(kafka.bootstrap, group, source, target, delivery, tmp_path / f"{len(workers)}.log"))
        return workers[-1]

    async def count() -> int:
        return len({record.value for record in await read_all(kafka.bootstrap, target)})

    try:
        await _disturb(start, count)
    finally:
        for worker in workers:
            worker.kill()
        await feeding
    copies = await read_all(kafka.bootstrap, target)
    expected = {value for _, value in values}
    assert set(_times(copies)) == expected, show(sorted(expected - set(_times(copies))))
    assert await lag(kafka.bootstrap, group) == 0
    return copies


def _times(copies: list[Record]) -> Counter[bytes]:
    return Counter((record.value or b"").partition(b"@")[0] for record in copies)
