"""Lanes on a real broker: live first, a minimum share, nothing lost or doubled, and failures that stay in the lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from roggia_runtime.errors import UnavailableError
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.records import DeadLetter, Handler, Partition, Record, Verdict
from roggia_runtime.settings import BatchLimits, DlqLimits, LaneSettings

from tests.support.kafka import Broker
from tests.support.loops import Copier, feed, lag, make_topics, read_all, running, settings, until

MODES = [Delivery.AT_LEAST_ONCE, Delivery.TRANSACTIONAL]
SMALL = BatchLimits(max_records=20, max_bytes=1 << 20, max_wait_ms=5)


class Names:
    """Names of one test's topics and group."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self.live, self.target, self.group = make("in"), make("out"), make("group")
        self.lane = f"{self.live}.replay"

    def loop(self, broker: Broker, handler: Handler, delivery: Delivery, **values: Any) -> ConsumerLoop:
        """A loop over the live topic and its lane."""
        return ConsumerLoop(
            settings=settings(broker.bootstrap, **values.pop("settings", {})),
            group=self.group,
            topics=[self.live],
            lanes=[self.lane],
            handler=handler,
            stage="t",
            delivery=delivery,
            limits=SMALL,
            **values,
        )

    async def make(self, broker: Broker, partitions: int = 2) -> None:
        """Create them."""
        names = (self.live, self.lane, self.target, f"{self.live}.dlq", f"{self.lane}.dlq")
        await make_topics(broker.bootstrap, partitions, *names)


@pytest.fixture
def names(topic_name: Callable[[str], str]) -> Names:
    """Fresh names."""
    return Names(topic_name)


class Sides(Copier):
    """Copies; remembers for each batch whether it was of the lane, and how long it was."""

    def __init__(self, target: str, pace_s: float = 0.0) -> None:
        super().__init__(target)
        self.batches: list[tuple[bool, int]] = []
        self._pace_s = pace_s

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Copy at a pace."""
        (lane,) = {record.topic.endswith(".replay") for record in batch}
        self.batches.append((lane, len(batch)))
        await asyncio.sleep(self._pace_s)
        return await super().handle(batch)


def numbered(start: int, count: int) -> list[tuple[bytes, bytes]]:
    """Pairs whose keys repeat."""
    return [(b"k%d" % (i % 7), b"%d" % i) for i in range(start, start + count)]


@pytest.mark.parametrize("mode", MODES)
async def test_live_comes_first_and_nothing_is_lost(kafka: Broker, names: Names, mode: Delivery) -> None:
    """Live records that wait go before a lane that is full; no batch mixes the two; every record is copied once."""
    await names.make(kafka)
    await feed(kafka.bootstrap, names.lane, numbered(1_000, 300))
    handler = Sides(names.target, pace_s=0.005)
    async with running(names.loop(kafka, handler, mode, lane=LaneSettings(min_share=0))):
        await until(lambda: any(lane for lane, _ in handler.batches))
        await feed(kafka.bootstrap, names.live, numbered(0, 200))
        await _caught_up(kafka, names.group)
    copied = [int((record.value or b"").partition(b"@")[0]) for record in await read_all(kafka.bootstrap, names.target)]
    assert sorted(copied) == [*range(200), *range(1_000, 1_300)]
    sides = [lane for lane, _ in handler.batches]
    first, last = sides.index(False), len(sides) - 1 - sides[::-1].index(False)
    assert sides[last + 1 :], "the lane was read to its end before live records came: nothing was shown"
    assert sum(sides[first:last]) <= 2, handler.batches
    assert max(size for lane, size in handler.batches if lane) <= SMALL.max_records // 4


async def test_a_lane_gets_its_minimum_share(devstack: Broker, names: Names) -> None:
    """While live records never run out, a lane still gets about its share of the working time."""
    await names.make(devstack, 1)
    await feed(devstack.bootstrap, names.live, numbered(0, 4_000))
    await feed(devstack.bootstrap, names.lane, numbered(10_000, 500))
    handler = Sides(names.target, pace_s=0.004)
    async with running(names.loop(devstack, handler, Delivery.AT_LEAST_ONCE, lane=LaneSettings(min_share=0.25))):
        await until(lambda: len(handler.batches) >= 150)
    during = [lane for lane, _ in handler.batches[10:150]]
    assert 0.15 < sum(during) / len(during) < 0.35, handler.batches


class Picky(Copier):
    """Everything of the lane is a dead letter, or unavailable."""

    def __init__(self, target: str, verdict: str) -> None:
        super().__init__(target)
        self._verdict = verdict
        self.refused = 0

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Judge by topic."""
        if not batch[0].topic.endswith(".replay"):
            return await super().handle(batch)
        self.refused += len(batch)
        if self._verdict == "unavailable":
            raise UnavailableError("the content server does not answer")
        if self._verdict == "fine":
            return await super().handle(batch)
        return [DeadLetter("invalid", "bad") for _ in batch]


@pytest.mark.parametrize("mode", MODES)
async def test_the_dead_letter_limit_of_a_lane_stops_the_lane_alone(
    devstack: Broker, names: Names, mode: Delivery
) -> None:
    """Live records go on and the service stays ready; a note names the lane; after its rest the same records come."""
    await names.make(devstack, 1)
    await feed(devstack.bootstrap, names.lane, numbered(0, 30))
    handler = Picky(names.target, "dead")
    loop = names.loop(devstack, handler, mode, dlq=DlqLimits(max_records=8), lane=LaneSettings(pause_s=1.0))
    async with running(loop):
        await until(lambda: bool(loop.notes()))
        assert names.lane in loop.notes()[0]
        assert "would be dead letters" in loop.notes()[0]
        await feed(devstack.bootstrap, names.live, numbered(100, 20))
        await until(lambda: len(handler.seen) == 20)
        assert loop.health() == []
        handler._verdict = "fine"
        await until(lambda: len(handler.seen) >= 45)
        await _caught_up(devstack, names.group)
        assert loop.notes() == []
    dead = await read_all(devstack.bootstrap, f"{names.lane}.dlq")
    copied = await read_all(devstack.bootstrap, names.target)
    places = [record.value for record in copied if int((record.value or b"").partition(b"@")[0]) < 100]
    assert len(dead) == 5
    assert sorted(int((value or b"").partition(b"@")[0]) for value in places) == list(range(5, 30))


@pytest.mark.parametrize("mode", MODES)
async def test_live_does_not_wait_for_what_only_a_lane_needs(devstack: Broker, names: Names, mode: Delivery) -> None:
    """A lane whose batch meets something unavailable is set aside and tried again; live records go on meanwhile."""
    await names.make(devstack, 1)
    await feed(devstack.bootstrap, names.lane, numbered(0, 3))
    handler = Picky(names.target, "unavailable")
    loop = names.loop(devstack, handler, mode)
    async with running(loop):
        await until(lambda: handler.refused >= 6)
        await feed(devstack.bootstrap, names.live, numbered(100, 20))
        await until(lambda: len(handler.seen) == 20)
        handler._verdict = "fine"
        await until(lambda: len(handler.seen) == 23)


@pytest.mark.parametrize("mode", MODES)
async def test_a_missing_lane_is_named_and_read_once_it_is_there(
    devstack: Broker, names: Names, mode: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster without lanes serves live records; when the lane is created, it is read without a restart."""
    monkeypatch.setattr("roggia_runtime.loop._LOOK_FOR_LANES_S", 0.1)
    await make_topics(devstack.bootstrap, 2, names.live, names.target)
    handler, positions = Copier(names.target), list[dict[Partition, int]]()
    loop = names.loop(devstack, handler, mode, on_assigned=lambda found: positions.append(dict(found)))
    async with running(loop):
        await feed(devstack.bootstrap, names.live, numbered(0, 20))
        await until(lambda: len(handler.seen) == 20)
        assert loop.health() == []
        assert loop.notes() == [
            f"t: lane {names.lane} is not read: the topic does not exist; run `roggia topics apply`"
        ]
        await make_topics(devstack.bootstrap, 2, names.lane)
        await feed(devstack.bootstrap, names.lane, numbered(20, 10))
        await until(lambda: len(handler.seen) == 30)
        assert loop.notes() == []
    assert len(await read_all(devstack.bootstrap, names.target)) == 30
    assert {partition.topic for partition in positions[-1]} == {names.live, names.lane}


async def test_a_lane_with_other_partitions_is_not_read(devstack: Broker, names: Names) -> None:
    """One member must own equal numbers of both topics: a lane that has fewer partitions is left alone, and named."""
    await make_topics(devstack.bootstrap, 3, names.live, names.target)
    await make_topics(devstack.bootstrap, 2, names.lane)
    loop = names.loop(devstack, Copier(names.target), Delivery.AT_LEAST_ONCE)
    async with running(loop):
        await until(lambda: not loop.health())
        assert "it has 2 partitions, its live topic 3" in loop.notes()[0]


async def _caught_up(broker: Broker, group: str) -> None:
    async with asyncio.timeout(20):
        while await lag(broker.bootstrap, group) != 0:  # the broker is asked, nobody sets an event
            await asyncio.sleep(0.05)
