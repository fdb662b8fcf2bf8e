"""Lag as it is measured from a broker: records, seconds, lanes, markers, gaps, members."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from roggia_operator.lag import LagObserver, Measurement, PartitionLag, freshness, measure

from tests.support.kafka import Broker
from tests.support.lagging import commit, member, put, put_transaction
from tests.support.loops import make_topics, settings

Names = Callable[[str], str]


@pytest.fixture
async def topic(kafka: Broker, topic_name: Names) -> str:
    """A topic with two partitions and its lane."""
    name = topic_name("orders")
    await make_topics(kafka.bootstrap, 2, name, f"{name}.replay")
    return name


async def observed(kafka: Broker, group: str) -> Measurement:
    """One observation of one group."""
    return await measure(settings(kafka.bootstrap), [group])


def part(measured: Measurement, topic: str, number: int = 0) -> PartitionLag:
    """One partition of an observation."""
    (found,) = [one for one in measured.partitions if one.where == (topic, number)]
    return found


async def test_lag_is_counted_in_records_and_in_seconds(kafka: Broker, topic: str) -> None:
    """The lag of a partition is what lies behind the commit, and as old as the first record there."""
    await put(kafka.bootstrap, topic, [500, 300, 100])
    await commit(kafka.bootstrap, topic, {(topic, 0): 1, (topic, 1): 0})
    found = part(measured := await observed(kafka, topic), topic)
    assert (found.committed, found.end, found.lag) == (1, 3, 2)
    assert found.lag_s == pytest.approx(300, abs=20)
    assert freshness(measured).oldest_s == pytest.approx(300, abs=20)
    other = part(measured, topic, 1)
    assert (other.lag, other.lag_s) == (0, 0)


async def test_caught_up_is_zero_seconds_however_old_the_topic_is(kafka: Broker, topic: str) -> None:
    """An idle group that read everything is not behind, though its last record is a day old."""
    await put(kafka.bootstrap, topic, [86_400])
    await commit(kafka.bootstrap, topic, {(topic, 0): 1})
    found = part(await observed(kafka, topic), topic)
    assert (found.lag, found.lag_s, found.live_s) == (0, 0, 0)


async def test_a_transaction_marker_is_no_lag(kafka: Broker, topic: str) -> None:
    """A commit before the marker that ends a transaction, or before an aborted one, is caught up."""
    await put_transaction(kafka.bootstrap, topic, 2)
    await put_transaction(kafka.bootstrap, topic, 3, abort=True)
    await commit(kafka.bootstrap, topic, {(topic, 0): 2})
    found = part(await observed(kafka, topic), topic)
    assert found.end > 2
    assert (found.lag, found.lag_s) == (0, 0)


async def test_a_lane_waits_but_is_not_live(kafka: Broker, topic: str) -> None:
    """Records of the replay lane count as unconsumed, never as live events that wait."""
    await put(kafka.bootstrap, f"{topic}.replay", [900, 800])
    await commit(kafka.bootstrap, topic, {(topic, 0): 0})
    measured = await observed(kafka, topic)
    assert part(measured, f"{topic}.replay").lag_s == pytest.approx(900, abs=20)
    fresh = freshness(measured)
    assert fresh.oldest_s == 0
    assert fresh.unconsumed[f"{topic}.replay"] == 2


async def test_the_oldest_live_event_is_found_behind_replayed_ones(kafka: Broker, topic: str) -> None:
    """On a live topic, replayed records in front hide neither a live one nor its age."""
    await put(kafka.bootstrap, topic, [900, 800, 60], replayed=[True, True, False])
    await commit(kafka.bootstrap, topic, {(topic, 0): 0})
    found = part(await observed(kafka, topic), topic)
    assert found.lag_s == pytest.approx(900, abs=20)
    assert found.live_s == pytest.approx(60, abs=20)
    assert found.live_exact


async def test_only_replayed_records_are_no_live_wait(kafka: Broker, topic: str) -> None:
    """A live topic on which nothing but replayed records waits is fresh."""
    await put(kafka.bootstrap, topic, [900, 800], replayed=[True, True])
    await commit(kafka.bootstrap, topic, {(topic, 0): 0})
    found = part(await observed(kafka, topic), topic)
    assert (found.live_s, found.live_exact, found.lag) == (0, True, 2)


async def test_an_observer_follows_what_changes(kafka: Broker, topic: str) -> None:
    """Observations over one connection see commits move on, records come, and a group rewound."""
    await put(kafka.bootstrap, topic, [500, 300])
    await commit(kafka.bootstrap, topic, {(topic, 0): 0})
    async with LagObserver(settings(kafka.bootstrap)) as observer:
        ages = []
        for place in (0, 1, 2, 0):
            await commit(kafka.bootstrap, topic, {(topic, 0): place})
            ages.append(part(await observer.measure([topic]), topic).lag_s)
        await put(kafka.bootstrap, topic, [100])
        await commit(kafka.bootstrap, topic, {(topic, 0): 2})
        ages.append(part(await observer.measure([topic]), topic).lag_s)
    assert ages == [pytest.approx(age, abs=30) for age in (500, 300, 0, 500, 100)]


async def test_several_groups_on_one_partition_have_their_own_ages(kafka: Broker, topic: str) -> None:
    """Each group's first unread record is read, though a reader stands at one offset at a time."""
    await put(kafka.bootstrap, topic, [500, 300, 100])
    groups = [f"{topic}-{n}" for n in range(3)]
    for number, group in enumerate(groups):
        await commit(kafka.bootstrap, group, {(topic, 0): number})
    found = await measure(settings(kafka.bootstrap), groups)
    ages = [one.lag_s for one in found.partitions if one.where == (topic, 0)]
    assert ages == [pytest.approx(age, abs=20) for age in (500, 300, 100)]


async def test_large_records_are_read_in_every_partition(kafka: Broker, topic: str) -> None:
    """A first record that is larger than what is asked for per partition is found all the same."""
    for number in (0, 1):
        await put(kafka.bootstrap, topic, [200], partition=number, size=700_000)
    await commit(kafka.bootstrap, topic, {(topic, 0): 0, (topic, 1): 0})
    measured = await observed(kafka, topic)
    assert [part(measured, topic, number).lag_s for number in (0, 1)] == [pytest.approx(200, abs=20)] * 2


async def test_members_and_owners_are_named(kafka: Broker, topic: str) -> None:
    """An observation says how many members a group has, and who owns a partition, before anything is committed."""
    await put(kafka.bootstrap, topic, [200])
    async with member(kafka.bootstrap, topic, topic):
        measured = await observed(kafka, topic)
    found = part(measured, topic)
    assert measured.groups[topic].members == 1
    assert found.owner
    assert (found.committed, found.lag) == (None, 1)
