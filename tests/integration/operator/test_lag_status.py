"""Groups that stopped, stalled or went back, as the window shows them; the monitor; what scripts see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from roggia.cli.status import exit_status
from roggia.inspect.lag import LagView
from roggia_operator.lag import LagObserver
from roggia_operator.lag.history import GroupReport, History
from roggia_operator.lag.monitor import Monitor
from roggia_operator.lag.rules import Status
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import RegistrySettings

from tests.support.fleet import apply_topics
from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker
from tests.support.lagging import commit, member, put
from tests.support.loops import make_topics, settings, until

Names = Callable[[str], str]


async def seen(
    kafka: Broker, group: str, times: int = 3, between: Callable[[int], object] = lambda _: None
) -> GroupReport:
    """A group's report after some observations; `between` may start something before each."""
    history = History(min_span_s=0.05)
    async with LagObserver(settings(kafka.bootstrap)) as observer:
        for number in range(times):
            done = between(number)
            if asyncio.iscoroutine(done):
                await done
            history.add(await observer.measure([group]))
            await asyncio.sleep(0.05)
    report = history.report()
    assert report is not None
    return report.groups[0]


@pytest.fixture
async def topic(kafka: Broker, topic_name: Names) -> str:
    """A topic with six old records in one partition."""
    name = topic_name("orders")
    await make_topics(kafka.bootstrap, 1, name)
    await put(kafka.bootstrap, name, [99] * 6)
    return name


async def test_a_group_without_members_stopped(kafka: Broker, topic: str) -> None:
    """Records wait and nobody reads: STOP; nothing waits and nobody reads: OK."""
    await commit(kafka.bootstrap, topic, {(topic, 0): 2})
    assert (await seen(kafka, topic)).status is Status.STOP
    await commit(kafka.bootstrap, topic, {(topic, 0): 6})
    assert (await seen(kafka, topic)).status is Status.OK


async def test_a_member_that_commits_nothing_stalls(kafka: Broker, topic: str) -> None:
    """A member owns the partition, records wait, and its offset does not move: STALL."""
    async with member(kafka.bootstrap, topic, topic):
        found = await seen(kafka, topic)
    assert (found.status, found.members) == (Status.STALL, 1)


async def test_a_group_that_was_set_back_is_rewound_until_it_is_there_again(kafka: Broker, topic: str) -> None:
    """An offset that goes back is REWIND; once it is where it was, it is not."""

    def moving(*places: int) -> Callable[[int], object]:
        return lambda number: commit(kafka.bootstrap, topic, {(topic, 0): places[number]})

    assert (await seen(kafka, topic, 3, moving(5, 1, 2))).status is Status.REWIND
    assert (await seen(kafka, topic, 3, moving(5, 1, 5))).status is not Status.REWIND


async def test_a_group_that_works_and_falls_behind_warns(kafka: Broker, topic: str) -> None:
    """Offsets move on, and what waits grows all the same: WARN, with rates that say so."""

    async def more(number: int) -> None:
        await put(kafka.bootstrap, topic, [99] * 3)
        await reader.commit({next(iter(reader.assignment())): number + 1})

    async with member(kafka.bootstrap, topic, topic) as reader:
        found = await seen(kafka, topic, 3, more)
    assert found.status is Status.WARN
    assert found.topics[0].rates.incoming > found.topics[0].rates.outgoing > 0


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Broker]:
    """A devstack broker of one test, with the catalogue's topics."""
    broker = devstack_broker(tmp_path, **DEVSTACK_ENV)
    broker.start()
    try:
        await apply_topics(settings(broker.bootstrap))
        yield broker
    finally:
        broker.kill()


async def test_the_monitor_bears_a_broker_that_goes_and_shows_what_it_observes(alone: Broker) -> None:
    """The monitor observes, exposes metrics, says that Kafka does not answer, and goes on when it does."""
    await put(alone.bootstrap, "doc.changed", [99])
    await commit(alone.bootstrap, "roggia.ingest", {("doc.changed", 0): 0})
    codec = EventCodec(RegistrySettings(), source="test")
    monitor = Monitor(settings(alone.bootstrap, request_timeout_ms=2_000), codec, every_s=0.05, window_s=60)
    work = asyncio.create_task(monitor.run())
    try:
        await until(lambda: monitor.snapshot().lag is not None)
        report = monitor.snapshot().lag
        assert report is not None
        assert report.status is Status.STOP
        labels = {"group": "roggia.ingest", "topic": "doc.changed", "partition": "0"}
        assert REGISTRY.get_sample_value("roggia_lag_records", labels) == 1
        assert REGISTRY.get_sample_value("roggia_freshness_seconds", {"group": "roggia.ingest"}) >= 99  # type: ignore[operator]
        alone.kill()
        await until(lambda: bool(monitor.health()), 30)
        alone.start()
        await until(lambda: not monitor.health(), 30)
    finally:
        monitor.stop()
        await asyncio.wait_for(work, 10)


async def test_without_an_operator_status_observes_by_itself_and_says_so(alone: Broker) -> None:
    """The command line's view tells STOP from two observations, what it cannot tell, and the exit status for it."""
    await put(alone.bootstrap, "doc.changed", [99])
    await commit(alone.bootstrap, "roggia.ingest", {("doc.changed", 0): 0})
    async with LagView(settings(alone.bootstrap), RegistrySettings(), "http://127.0.0.1:9") as view:
        found = await view.look()
    assert found["lag"]["status"] == "STOP"
    assert exit_status(found) == 8
    assert found["operator"]["answers"] is False
    assert "does not answer" in found["operator"]["trouble"]
    await commit(alone.bootstrap, "roggia.ingest", {("doc.changed", 0): 1})
    async with LagView(settings(alone.bootstrap), RegistrySettings(), "") as view:
        assert exit_status(await view.look()) == 0
