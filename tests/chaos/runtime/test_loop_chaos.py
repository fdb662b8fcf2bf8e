"""Everything that happens to workers and brokers, in one long run on a transactional topic."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from roggia_runtime.records import Record

from tests.support.kafka import Broker
from tests.support.loops import Worker, feed_transactions, lag, make_topics, read_all, show

RECORDS = 6_000
FROZEN_S = 9.0
"""Longer than the session: the frozen worker has lost its partitions when it wakes."""


class Fleet:
    """Workers of one run."""

    def __init__(self, broker: Broker, make: Callable[[str], str], folder: Path, delivery: str) -> None:
        self.broker, self.folder, self.delivery = broker, folder, delivery
        self.source, self.target, self.group = make("in"), make("out"), make("group")
        self.workers: list[Worker] = []

    async def start(self) -> Worker:
        """One more worker, when it owns partitions."""
        log = self.folder / f"{len(self.workers)}.log"
        worker = Worker(self.broker.bootstrap, self.group, self.source, self.target, self.delivery, log)
        self.workers.append(worker)
        await worker.working()
        return worker

    async def disturb(self) -> None:
        """Freeze, stop, kill; restart and kill the broker."""
        first = await self.start()
        second = await self.start()
        first.send(signal.SIGSTOP)
        await _pass(FROZEN_S)
        first.send(signal.SIGCONT)
        await _pass(3)
        second.send(signal.SIGTERM)
        assert await second.ended() == 0
        await asyncio.to_thread(self.broker.restart)
        third = await self.start()
        await _pass(3)
        first.send(signal.SIGKILL)
        await first.ended()
        await _pass(3)
        await asyncio.to_thread(self.broker.kill)
        await _pass(2)
        await asyncio.to_thread(self.broker.start)
        fourth = await self.start()
        await _pass(3)
        third.send(signal.SIGKILL)
        await third.ended()
        self.last = fourth


async def _pass(seconds: float) -> None:
    """Let time pass in steps."""
    for _ in range(round(seconds / 0.25)):
        await asyncio.sleep(0.25)


@pytest.mark.chaos
@pytest.mark.parametrize("delivery", ["transactional", "at_least_once"])
async def test_nothing_is_lost_and_transactions_double_nothing(
    kafka: Broker, topic_name: Callable[[str], str], tmp_path: Path, delivery: str
) -> None:
    """Frozen and woken, stopped and killed workers, a restarted and a killed broker: every committed record is copied.

    Transactional: exactly once and in key order under read_committed. The last worker ends cleanly without lag.
    """
    fleet = Fleet(kafka, topic_name, tmp_path, delivery)
    await make_topics(kafka.bootstrap, 4, fleet.source, fleet.target, f"{fleet.source}.dlq")
    values = [(b"key-%d" % (i % 60), b"%d" % i) for i in range(RECORDS)]
    feeding = asyncio.create_task(feed_transactions(kafka.bootstrap, fleet.source, values, pace_s=0.15))
    try:
        await fleet.disturb()
        await asyncio.wait_for(feeding, 120)
        async with asyncio.timeout(120):
            while await lag(kafka.bootstrap, fleet.group) != 0:  # the broker is asked
                await asyncio.sleep(0.3)
        fleet.last.send(signal.SIGTERM)
        assert await fleet.last.ended() == 0
    finally:
        feeding.cancel()
        for worker in fleet.workers:
            worker.kill()
    _check(
        await read_all(kafka.bootstrap, fleet.target), {value for _, value in values}, exact=delivery == "transactional"
    )


def _check(copies: list[Record], expected: set[bytes], *, exact: bool) -> None:
    times = Counter((record.value or b"").partition(b"@")[0] for record in copies)
    assert set(times) == expected, show({"missing": sorted(expected - set(times))[:50]})
    if not exact:
        return
    assert [value for value, n in times.items() if n > 1] == []
    by_key: dict[bytes | None, list[int]] = defaultdict(list)
    for record in copies:
        by_key[record.key].append(int((record.value or b"").partition(b"@")[0]))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())
