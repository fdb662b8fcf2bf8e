"""The embedded broker killed over and over under load: what it acknowledged is there, once and in order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.broker_load import PARTITIONS, Idempotent, Positions, Transactional, pauses
from tests.support.clients import eventually, make_topic
from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker

_SEED = 20_261_125


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test's own."""
    made = devstack_broker(tmp_path, **{**DEVSTACK_ENV, "ROGGIA_BROKER_MAINTAIN_EVERY_MS": "50"})
    made.start()
    yield made
    made.kill()


async def _beyond(done: tuple[int, int], numbers: Idempotent, transactions: Transactional) -> bool:
    now = numbers.done, transactions.done
    return now[0] > done[0] and now[1] > done[1]


@pytest.mark.parametrize(
    "kills",
    [pytest.param(10, id="10"), pytest.param(200, id="200", marks=[pytest.mark.chaos, pytest.mark.timeout(1800)])],
)
async def test_nothing_acknowledged_is_lost(broker: Broker, topic_name: Callable[[str], str], kills: int) -> None:
    """No acknowledged record is lost or doubled, order is kept, transactions are whole, positions never go back."""
    plain, grouped = topic_name("plain"), topic_name("transactions")
    for topic in (plain, grouped):
        make_topic(broker.bootstrap, topic, PARTITIONS, segment_bytes="200000", retention_ms="-1")
    positions = Positions(broker.bootstrap, make_topic(broker.bootstrap, topic_name("set")), topic_name("g"))
    numbers = Idempotent(broker.bootstrap, plain)
    transactions = Transactional(broker.bootstrap, grouped, topic_name("g2"))
    stop = asyncio.Event()
    work = [asyncio.create_task(one.run(stop)) for one in (numbers, transactions, positions)]

    async def under_way() -> bool:
        return bool(all(numbers.acknowledged) and transactions.committed and positions.raised)

    try:
        await eventually("all of the load is under way", under_way, 60)
        for number, pause in enumerate(pauses(_SEED, kills), start=1):
            done = numbers.done, transactions.done
            await asyncio.sleep(pause)
            if pause:
                await eventually("work goes on", partial(_beyond, done, numbers, transactions), 60)
            assert not any(task.done() for task in work), [task for task in work if task.done()]
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await positions.check()
            if number % 10 == 0:
                sys.stderr.write(f"{number} kills, {numbers.done} records acknowledged\n")
    finally:
        stop.set()
    await asyncio.wait_for(asyncio.gather(*work), 90)
    for one in (numbers, transactions, positions):
        await one.check()
    sys.stderr.write(
        f"{kills} kills: {numbers.done} records, {len(transactions.committed)} transactions committed, "
        f"{transactions.aborted} aborted, {len(transactions.unknown)} undecided, offset {positions.offset}\n"
    )
    assert min(map(len, numbers.acknowledged)) > kills
    assert len(transactions.committed) > kills / 4
