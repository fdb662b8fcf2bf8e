"""Membership against a fake client that rebalances the way aiokafka does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from roggia_runtime.consumer.membership import ClientGaveUpError, Membership
from roggia_runtime.records import Partition

TP = TopicPartition("t", 0)


class FakeCoordinator:
    """What the membership asks of the client's coordinator."""

    def __init__(self, journal: list[str]) -> None:
        self._journal = journal
        self._coordination_task = asyncio.get_running_loop().create_future()

    def request_rejoin(self) -> None:
        """Note it."""
        self._journal.append("request")

    def die(self) -> None:
        """End as the client's task does."""
        self._coordination_task.set_exception(AssertionError("inactive"))


class FakeConsumer:
    """Polls wait until records come; during a rebalance a poll waits for the next assignment, as aiokafka's do."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Any]] = {}
        self.assigned = asyncio.Event()
        self.journal: list[str] = []
        self.stopped = False
        self._subscription = self
        self.present = 0

    @contextmanager
    def fetch_context(self) -> Iterator[None]:
        """Somebody is there, as long as it is open."""
        self.present += 1
        yield
        self.present -= 1

    @property
    def subscriptions(self) -> int:
        """How often it has subscribed."""
        return self.journal.count("subscribe")

    def subscribe(self, topics: object, listener: object) -> None:
        """Note it."""
        self.journal.append("subscribe")

    async def start(self) -> None:
        """Nothing to connect to."""
        self._coordinator = FakeCoordinator(self.journal)
        self._fetcher = SimpleNamespace(_prefetch_backoff=0.1)

    async def stop(self) -> None:
        """Remember."""
        self.stopped = True

    def assignment(self) -> set[TopicPartition]:
        """One partition."""
        return {TP}

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        """What is there, or what comes after the next assignment."""
        if not self.records:
            await self.assigned.wait()
        return self.records


async def _nothing(_partitions: set[Partition]) -> None:
    return


def _membership(consumer: FakeConsumer, assigned: Callable[[set[Partition]], Awaitable[None]] = _nothing) -> Membership:
    return Membership(consumer, ["t"], assigned=assigned, revoked=_nothing)


async def test_revocation_interrupts_a_poll_that_would_block_it() -> None:
    """A poll that waits for the next assignment under the lock gives way, so that the revocation gets the lock."""
    member = _membership(FakeConsumer())
    await member.on_partitions_assigned([TP])
    async with member.lock:
        poll = asyncio.create_task(member.poll(200, 10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        revoking = asyncio.create_task(member.on_partitions_revoked([TP]))
        assert await asyncio.wait_for(poll, 1) == {}
        assert not revoking.done()
    await asyncio.wait_for(revoking, 1)
    assert not member.ready.is_set()
    assert member.rebalancing.is_set()


async def test_a_poll_that_begins_during_a_rebalance_answers_nothing_at_once() -> None:
    """The work before it took long and the revocation came meanwhile: nobody is left to interrupt this poll."""
    member = _membership(FakeConsumer())
    await member.on_partitions_assigned([TP])
    async with member.lock:
        revoking = asyncio.create_task(member.on_partitions_revoked([TP]))
        await asyncio.sleep(0)
        assert await asyncio.wait_for(member.poll(200, 10), 1) == {}
    await asyncio.wait_for(revoking, 1)


async def test_who_waits_for_an_assignment_counts_as_present() -> None:
    """From a revocation to the next assignment nobody polls, and the client must not take that for absence."""
    consumer = FakeConsumer()
    member = _membership(consumer)
    await member.on_partitions_assigned([TP])
    assert consumer.present == 0
    for _ in range(2):
        await member.on_partitions_revoked([TP])
        member.suspend()
        assert consumer.present == 1
        await member.on_partitions_assigned([TP])
        assert consumer.present == 0


async def test_cancelling_the_caller_still_cancels() -> None:
    """A poll that is cancelled from outside does not look like a rebalance."""
    member = _membership(FakeConsumer())
    await member.on_partitions_assigned([TP])
    poll = asyncio.create_task(member.poll(200, 10))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    poll.cancel()
    with pytest.raises(asyncio.CancelledError):
        await poll


async def test_failed_assignment_reaches_the_loop() -> None:
    """aiokafka swallows what a callback raises; the loop finds it in `failure` and is woken."""

    async def fail(_partitions: set[Partition]) -> None:
        raise LookupError("no offsets")

    member = _membership(FakeConsumer(), fail)
    with pytest.raises(LookupError):
        await member.on_partitions_assigned([TP])
    assert isinstance(member.failure, LookupError)
    assert member.ready.is_set()


async def test_nothing_polls_between_revocation_and_assignment() -> None:
    """`ready` is set only when the assignment callback, which sets positions, has ended."""
    gate, order = asyncio.Event(), []

    async def slow(_partitions: set[Partition]) -> None:
        await gate.wait()
        order.append("positioned")

    member = _membership(FakeConsumer(), slow)
    assigning = asyncio.create_task(member.on_partitions_assigned([TP]))
    await asyncio.sleep(0.01)
    assert not member.ready.is_set()
    assert member.lock.locked()
    gate.set()
    await assigning
    assert order == ["positioned"]
    assert member.ready.is_set()
    assert not member.underway


async def test_rejoin_subscribes_again_and_leaving_ignores_assignments() -> None:
    """A rejoin asks for a new assignment; after leaving, a late assignment changes nothing."""
    consumer = FakeConsumer()
    member = _membership(consumer)
    await member.join()
    member.rejoin()
    assert consumer.journal == ["subscribe", "request", "subscribe"]
    await member.leave()
    await member.on_partitions_assigned([TP])
    assert consumer.stopped
    assert not member.ready.is_set()


async def test_a_client_that_gives_up_is_told_from_one_that_rebalances() -> None:
    """Where the client's own task has died, nobody may wait for its assignments any longer."""
    consumer = FakeConsumer()
    member = _membership(consumer)
    await member.join()
    await member.on_partitions_assigned([TP])
    member.raise_over()
    consumer._coordinator.die()
    await asyncio.wait_for(member.over.wait(), 1)
    assert not member.ready.is_set()
    with pytest.raises(ClientGaveUpError, match="inactive"):
        member.raise_over()
