"""What a restarting broker may leave behind: a transaction that its coordinator believes to be over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, NotLeaderForPartitionError
from roggia_runtime import clients, open_transactions
from roggia_runtime.consumer import delivery, hanging
from roggia_runtime.consumer.delivery import Transactional
from roggia_runtime.offsets import Offsets
from roggia_runtime.records import Output, Partition
from roggia_runtime.settings import KafkaSettings

from tests.support.clients import make_topic, read_all
from tests.support.kafka import Broker, find_java

SOURCE = Partition("in", 0)


@pytest.fixture
def trusting(tmp_path: Path) -> Iterator[Broker]:
    """An Apache Kafka that takes transactional records although its coordinator knows nothing of the partition."""
    broker = find_java().broker(tmp_path / "broker", transaction_partition_verification_enable="false")
    broker.start()
    yield broker
    broker.kill()


async def test_what_was_never_committed_stays_invisible_after_a_takeover(trusting: Broker) -> None:
    """The former owner's records hang without a marker; the new owner's commit must not make them visible."""
    settings = _with_topics(trusting, "in.dlq", "out")
    await _hang(settings, "g-in-0")
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([SOURCE])
    owner = finisher._producers[SOURCE]
    await owner.begin_transaction()
    await owner.send_and_wait("out", b"committed")
    await owner.commit_transaction()
    await finisher.stop()
    assert [record.value for record in await read_all(trusting.bootstrap, "out")] == [b"committed"]


async def test_what_was_committed_becomes_visible_after_a_takeover(trusting: Broker) -> None:
    """The former owner's commit was acknowledged, the markers of records and offset were lost: both become final."""
    settings = _with_topics(trusting, "in", "in.dlq", "out")
    await _hang(settings, "g-in-0", commit=True)
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([SOURCE])
    left = (await open_transactions.still_open(finisher._producers[SOURCE], [TopicPartition("out", 0)])).open
    async with Offsets(settings) as reader:
        offsets = (await reader.committed(["g"]))["g"]
    await finisher.stop()
    seen = [record.value for record in await read_all(trusting.bootstrap, "out")]
    assert (left, seen, offsets) == (set(), [b"hangs"], {SOURCE: 7})


async def test_a_takeover_that_fails_half_way_remembers_what_was_committed(
    trusting: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To take an id over makes its coordinator forget: who fails then and tries again completes the commit anyway."""
    settings = _with_topics(trusting, "in", "in.dlq", "out")
    await _hang(settings, "g-in-0", commit=True)
    finisher = Transactional(settings, "g", ["out"])

    async def no_leader(*_: object, **__: object) -> frozenset[str]:
        raise NotLeaderForPartitionError("out/0")

    with monkeypatch.context() as patched, pytest.raises(NotLeaderForPartitionError):
        patched.setattr(delivery, "end_what_hangs", no_leader)
        await finisher.assigned([SOURCE])
    await finisher.revoked()
    await finisher.assigned([SOURCE])
    await finisher.stop()
    assert [record.value for record in await read_all(trusting.bootstrap, "out")] == [b"hangs"]


async def test_a_completed_commit_whose_markers_are_lost_as_well_is_never_aborted(
    trusting: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker dies again in the middle of completing: the offset that hangs becomes final, it is not discarded."""
    settings = _with_topics(trusting, "in", "in.dlq", "out")
    await _hang(settings, "g-in-0", commit=True)
    begin, times = hanging._begin_over, 0

    async def begin_over(client: AIOKafkaProducer, found: Sequence[TopicPartition], group: str) -> None:
        nonlocal times
        times += 1
        if times > 1:
            await begin(client, found, group)
        else:  # the first time nothing that the coordinator was told of reaches a partition
            await client.begin_transaction()
            client._txn_manager.maybe_add_partition_to_txn(TopicPartition("in.dlq", 0))

    monkeypatch.setattr(hanging, "_begin_over", begin_over)
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([SOURCE])
    async with Offsets(settings) as reader:
        offsets = (await reader.committed(["g"]))["g"]
    await finisher.stop()
    assert (times, offsets) == (4, {SOURCE: 7}), "two to complete, two more since records still hung"


@pytest.mark.parametrize("restart", [True, False], ids=["broker restarted", "connection lost"])
async def test_a_commit_whose_marker_a_restarting_broker_lost_is_completed_by_its_own_producer(
    trusting: Broker, restart: bool
) -> None:
    """The owner lives on, and idle: it sees that its connection was lost and completes its commit; none stays stuck."""
    settings = _with_topics(trusting, "in", "in.dlq", "out")
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([SOURCE])
    owner = finisher._producers[SOURCE]
    await finisher.finish([Output("out", None, b"ordinary")], {SOURCE: 1}, _nothing)
    await _settled(finisher, owner)
    await _hang_from(owner, "out", commit=True)
    await finisher.mend()
    before = (await open_transactions.still_open(owner, [TopicPartition("out", 0)])).open
    if restart:
        await asyncio.to_thread(trusting.kill)
        await asyncio.to_thread(trusting.start)
    else:
        for conn in owner.client._conns.values():
            conn.close()
    await _settled(finisher, owner)
    await finisher.stop()
    seen = [record.value for record in await read_all(trusting.bootstrap, "out")]
    assert (before, seen) == ({TopicPartition("out", 0)}, [b"ordinary", b"hangs"])


async def test_an_idle_producer_outlives_a_broker_that_is_away(trusting: Broker) -> None:
    """While the broker is away, looking for hanging commits fails nothing; afterwards it commits as before."""
    settings = _with_topics(trusting, "in", "in.dlq", "out")
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([SOURCE])
    await finisher.finish([Output("out", None, b"before")], {SOURCE: 1}, _nothing)
    await finisher.settle()
    await asyncio.to_thread(trusting.kill)
    for _ in range(3):
        await finisher.mend()
        await asyncio.sleep(1.1)
    await asyncio.to_thread(trusting.start)
    await finisher.finish([Output("out", None, b"after")], {SOURCE: 2}, _nothing)
    await finisher.settle()
    await finisher.stop()
    assert [record.value for record in await read_all(trusting.bootstrap, "out")] == [b"before", b"after"]


async def test_what_hangs_in_a_lane_is_ended_by_the_lane_s_owner(trusting: Broker) -> None:
    """A record of a lane may be answered on a lane: the new owner of the lane's partition ends what hangs there too."""
    settings, lane = KafkaSettings(bootstrap=trusting.bootstrap), Partition("in.replay", 0)
    for topic in ("in.replay.dlq", "out", "out.replay"):
        make_topic(trusting.bootstrap, topic)
    await _hang(settings, "g-in.replay-0", "out.replay")
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([lane])
    left = (await open_transactions.still_open(finisher._producers[lane], [TopicPartition("out.replay", 0)])).open
    await finisher.stop()
    assert left == set()


async def test_a_lane_is_owned_where_its_answers_have_no_lane(
    devstack: Broker, topic_name: Callable[[str], str]
) -> None:
    """A lane topic of an output that does not exist keeps no partition from its owner: nothing can hang there."""
    source, target = topic_name("in"), topic_name("out")
    for topic in (f"{source}.replay.dlq", target):
        make_topic(devstack.bootstrap, topic)
    finisher = Transactional(KafkaSettings(bootstrap=devstack.bootstrap), source, [target])
    await finisher.assigned([Partition(f"{source}.replay", 0)])
    owned = finisher.owned()
    await finisher.stop()
    assert list(owned) == [Partition(f"{source}.replay", 0)]


async def test_an_abort_whose_marker_is_lost_as_well_is_repeated(
    trusting: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker dies again while the new owner ends what hangs: the owner asks the broker, and ends it once more."""
    settings = KafkaSettings(bootstrap=trusting.bootstrap)
    lost: list[frozenset[TopicPartition]] = []
    for topic in ("in.dlq", "out"):
        make_topic(trusting.bootstrap, topic)
    await _hang(settings, "g-in-0")
    abort = hanging._abort_over

    async def abort_over(client: AIOKafkaProducer, found: Sequence[TopicPartition], group: str) -> None:
        if lost:
            await abort(client, found, group)
        else:
            lost.append((await open_transactions.still_open(client, found)).open)

    monkeypatch.setattr(hanging, "_abort_over", abort_over)
    monkeypatch.setattr(hanging, "_MARKED_S", 0.5)
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([SOURCE])
    left = (await open_transactions.still_open(finisher._producers[SOURCE], [TopicPartition("out", 0)])).open
    await finisher.stop()
    assert (lost, left) == ([{TopicPartition("out", 0)}], set())


def _with_topics(broker: Broker, *names: str) -> KafkaSettings:
    """Topics of one partition each; how to reach them."""
    for name in names:
        make_topic(broker.bootstrap, name)
    return KafkaSettings(bootstrap=broker.bootstrap)


async def _hang(settings: KafkaSettings, transactional_id: str, topic: str = "out", *, commit: bool = False) -> None:
    """Write in a transaction whose partition the coordinator was not told of, and go away."""
    client = AIOKafkaProducer(**clients.transactional_producer(settings, transactional_id))
    await client.start()
    await _hang_from(client, topic, commit=commit)
    await client.stop()


async def _hang_from(client: AIOKafkaProducer, topic: str, *, commit: bool) -> None:
    await client.begin_transaction()
    client._txn_manager._txn_partitions.add(TopicPartition(topic, 0))
    await client.send_and_wait(topic, b"hangs")
    client._txn_manager._txn_partitions.clear()
    if commit:
        client._txn_manager.consumer_group_added("g")
        await client.send_offsets_to_transaction({TopicPartition("in", 0): 7}, "g")
        client._txn_manager._txn_consumer_group = None
        await client.send_and_wait("in.dlq", b"something that the coordinator knows of")
        await client.commit_transaction()
    else:
        await client.abort_transaction()


async def _settled(finisher: Transactional, owner: AIOKafkaProducer) -> None:
    """Settle as an idle loop does, until nothing is open; for twenty seconds at most."""
    for _ in range(80):
        await finisher.settle()
        await finisher.mend()
        with suppress(KafkaError):
            if not (await open_transactions.still_open(owner, [TopicPartition("out", 0)])).open:
                return
        await asyncio.sleep(0.25)


def _nothing() -> None:
    """Nobody is told."""
