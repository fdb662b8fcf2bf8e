"""What ends the Kafka client's own membership task, and that a loop goes on all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from roggia_runtime.consumer import coordination, measures
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.records import Record, Verdict

from tests.support.kafka import Broker
from tests.support.loops import Copier, feed, make_topics, running, settings, until

MODES = [Delivery.AT_LEAST_ONCE, Delivery.TRANSACTIONAL]


@pytest.fixture
def loop_of(topic_name: Callable[[str], str]) -> Callable[[Broker, Delivery], tuple[ConsumerLoop, Copier, str]]:
    """A loop over a fresh topic, its handler, and the topic's name."""

    def make(broker: Broker, mode: Delivery) -> tuple[ConsumerLoop, Copier, str]:
        source, handler = topic_name("in"), Copier(topic_name("out"))
        loop = ConsumerLoop(
            settings=settings(broker.bootstrap),
            group=topic_name("group"),
            topics=[source],
            handler=handler,
            stage="t",
            delivery=mode,
        )
        return loop, handler, source

    return make


async def _lost(consumer: Any) -> None:
    """The client's task has lost its coordinator, and is about to look for another one."""
    consumer._coordinator.coordinator_dead()
    while not consumer._coordinator._coordinator_lookup_lock.locked():  # a lock tells nobody
        await asyncio.sleep(0)


def _has(handler: Copier, value: bytes) -> bool:
    return any(record.value == value for record in handler.seen)


@pytest.mark.parametrize("mode", MODES)
async def test_a_rejoin_while_the_coordinator_is_sought(kafka: Broker, loop_of: Any, mode: Delivery) -> None:
    """A member that asks for a new assignment while its client looks for the group's coordinator gets one."""
    loop, handler, source = loop_of(kafka, mode)
    await make_topics(kafka.bootstrap, 2, source, handler.target)
    async with running(loop):
        await feed(kafka.bootstrap, source, [(b"k", b"one")])
        await until(lambda: _has(handler, b"one"))
        member = loop._session.member
        await _lost(member.consumer)
        member.rejoin()
        await feed(kafka.bootstrap, source, [(b"k", b"two")])
        await until(lambda: _has(handler, b"two"))  # what was not committed yet is handled again
        assert loop._session.member is member, "the client must survive"


@pytest.mark.parametrize("mode", MODES)
async def test_a_membership_that_ended_is_replaced(kafka: Broker, loop_of: Any, mode: Delivery) -> None:
    """Where the client's membership task has died, whatever of, the loop joins anew and says so in a metric."""
    loop, handler, source = loop_of(kafka, mode)
    await make_topics(kafka.bootstrap, 2, source, handler.target)
    async with running(loop):
        await feed(kafka.bootstrap, source, [(b"k", b"one")])
        await until(lambda: _has(handler, b"one"))
        loop._session.member.consumer._coordinator._coordination_task.cancel()
        await feed(kafka.bootstrap, source, [(b"k", b"two")])
        await until(lambda: _has(handler, b"two"), timeout_s=30)
        rejoins = measures.REJOINS.labels(loop._parts.group)
        assert rejoins._value.get() == 1
        assert loop.health() == []


@dataclass
class Slow(Copier):
    """The first batch takes `seconds`, and says when it has begun."""

    seconds: float = 2.5
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Copy, slowly once."""
        if not self.begun.is_set():
            self.begun.set()
            await asyncio.sleep(self.seconds)
        return await super().handle(batch)


@pytest.mark.parametrize("mode", MODES)
async def test_a_rebalance_during_a_long_batch_is_joined(
    kafka: Broker, topic_name: Callable[[str], str], mode: Delivery
) -> None:
    """A member that meets a rebalance in a batch of more than `max_poll_interval_ms` joins once the batch is over."""
    source, handler = topic_name("in"), Slow(topic_name("out"))
    await make_topics(kafka.bootstrap, 2, source, handler.target)
    terms = settings(kafka.bootstrap, max_poll_interval_ms=1_000)
    loop = ConsumerLoop(
        settings=terms, group=topic_name("group"), topics=[source], handler=handler, stage="t", delivery=mode
    )
    async with running(loop):
        await feed(kafka.bootstrap, source, [(b"k", b"one")])
        async with asyncio.timeout(10):
            await handler.begun.wait()
        assert loop._session is not None
        coordination.request_join(loop._session.member.consumer)
        await until(lambda: _has(handler, b"one"))
        await feed(kafka.bootstrap, source, [(b"k", b"two")])
        await until(lambda: _has(handler, b"two"))
