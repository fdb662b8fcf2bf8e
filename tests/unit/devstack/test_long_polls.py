"""Long polls: what grows while a fetch is about to wait wakes it."""

from __future__ import annotations

import asyncio

from roggia_devstack.broker.signals import Signals

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
