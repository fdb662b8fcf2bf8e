"""Long polls: what grows while a fetch is about to wait wakes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

from roggia_devstack.api.call import Call
from roggia_devstack.api.fetch import FetchApi
from roggia_devstack.broker.signals import Signals
from roggia_devstack.broker.topics import Topics
from roggia_devstack.storage import Store
from roggia_devstack.wire import apis

from tests.support.batches import batch

P0, P1 = ("t", 0), ("t", 1)
LONG_S = 3600.0


async def _first_step(signals: Signals, timeout_s: float = LONG_S) -> asyncio.Task[bool]:
    """A poll of partition 0 that has begun to wait."""
    task = asyncio.ensure_future(signals.wait([P0], timeout_s, signals.count))
    await asyncio.sleep(0)
    return task


async def test_growth_between_reading_and_waiting_is_not_missed() -> None:
    """A fetch that found nothing waits in a task of its own: what is appended before the task's first step wakes it."""
    signals = Signals()
    poll = asyncio.ensure_future(signals.wait([P0], LONG_S, signals.count))
    signals.grown(P0)
    assert await asyncio.wait_for(poll, 10)


async def test_a_fetch_is_woken_by_what_comes_before_its_first_step(tmp_path: Path) -> None:
    """The same through the API: nothing was there when it looked, and its answer holds what came since."""
    store = Store.open(tmp_path / "data")
    topics, signals = Topics(store), Signals()
    topics.create("t", 1, {})
    part = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1000}
    request = {
        "max_wait": 3_600_000,
        "min_bytes": 1,
        "max_bytes": 1000,
        "topics": [{"topic": "t", "partitions": [part]}],
    }
    handler = FetchApi(topics, signals, max_bytes=1000).handlers()[apis.FETCH]
    waiting = handler(request, Call(11, "c", "h"))
    assert isinstance(waiting, Awaitable)
    log = topics.log("t", 0)
    assert log is not None
    log.append(batch([(b"k", b"x")]), 1_000)
    signals.grown(P0)
    answer = await asyncio.wait_for(waiting, 10)
    assert answer is not None
    assert answer["responses"][0]["partitions"][0]["records"]
    store.close()


async def test_growth_wakes_only_those_who_wait_for_it() -> None:
    """A waiting poll sleeps through the growth of other partitions, and wakes at its own."""
    signals = Signals()
    poll = await _first_step(signals)
    signals.grown(P1)
    await asyncio.sleep(0)
    assert not poll.done()
    signals.grown(P0)
    assert await asyncio.wait_for(poll, 10)


async def test_nothing_grows() -> None:
    """A poll whose time passes says so, and leaves nothing behind."""
    signals = Signals()
    assert not await signals.wait([P0], 0.01, signals.count)
    assert not signals._waiting
