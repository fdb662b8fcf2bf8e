"""The consumer loop on a real broker: dead letters, limits, gaps, sinks that are down, stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from roggia_runtime.errors import ConsumeError, DlqLimitError, HandlerContractError, LaterError, UnavailableError
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.records import DeadLetter, Done, Drop, Handler, Output, Partition, Record, Verdict
from roggia_runtime.settings import BatchLimits, DlqLimits

from tests.support import foreign_headers
from tests.support.kafka import Broker
from tests.support.loops import (
    Copier,
    copy,
    delete_before,
    feed,
    feed_transactions,
    lag,
    make_topics,
    read_all,
    running,
    settings,
    until,
)

MODES = [Delivery.AT_LEAST_ONCE, Delivery.TRANSACTIONAL]


class Names:
    """Names of one test's topics and group; `.dlq` belongs to `source`."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self.source, self.target, self.group = make("in"), make("out"), make("group")

    def loop(self, broker: Broker, handler: Handler, delivery: Delivery, **values: Any) -> ConsumerLoop:
        """A loop over the source topic."""
        quick = settings(broker.bootstrap, **values.pop("settings", {}))
        return ConsumerLoop(
            settings=quick,
            group=self.group,
            topics=[self.source],
            handler=handler,
            stage="t",
            delivery=delivery,
            **values,
        )


@pytest.fixture
def names(topic_name: Callable[[str], str]) -> Names:
    """Fresh names."""
    return Names(topic_name)


class Judge(Copier):
    """Copies; but `bad` is a dead letter and `old` is dropped."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Judge by value."""
        self.seen += batch
        return [self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Verdict:
        if record.value == b"bad":
            return DeadLetter("invalid", "doc_id: empty; set it — née", "doc_id")
        return Drop("stale") if record.value == b"old" else Done((copy(record, self.target),))


@pytest.mark.parametrize("mode", MODES)
async def test_dead_letter_keeps_bytes_and_says_why(kafka: Broker, names: Names, mode: Delivery) -> None:
    """A dead letter keeps key, value and headers and says where and why it failed; good records around it arrive."""
    await make_topics(kafka.bootstrap, 2, names.source, names.target, f"{names.source}.dlq")
    await feed(kafka.bootstrap, names.source, [(b"k", b"one"), (b"k", b"bad"), (b"k", b"old"), (b"k", b"two")])
    handler = Judge(names.target)
    async with running(names.loop(kafka, handler, mode)):
        await _caught_up(kafka, names.group)
    copied = [record.value for record in await read_all(kafka.bootstrap, names.target)]
    assert [value.partition(b"@")[0] for value in copied if value] == [b"one", b"two"]
    (letter,) = await read_all(kafka.bootstrap, f"{names.source}.dlq")
    source = next(record for record in handler.seen if record.value == b"bad")
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"k", b"bad")
    assert headers["__dlq.errors.offset"] == str(source.offset).encode()
    assert headers["__dlq.errors.topic"] == names.source.encode()
    assert headers["__dlq.errors.message"].decode() == "doc_id: empty; set it — née"
    assert (headers["roggia_dlq_kind"], headers["roggia_dlq_field"]) == (b"invalid", b"doc_id")


async def test_a_header_without_a_value_reads_as_empty(kafka: Broker, names: Names) -> None:
    """Kafka allows header values to be null: handlers and dead letters see no bytes, and nothing stops."""
    await make_topics(kafka.bootstrap, 1, names.source, names.target, f"{names.source}.dlq")
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send_and_wait(names.source, b"bad", b"k", headers=[("traceparent", None), ("x", b"1")])
    handler = Judge(names.target)
    async with running(names.loop(kafka, handler, Delivery.TRANSACTIONAL)):
        await _caught_up(kafka, names.group)
    (letter,) = await read_all(kafka.bootstrap, f"{names.source}.dlq")
    assert handler.seen[0].headers == letter.headers[:2] == (("traceparent", b""), ("x", b"1"))


@pytest.mark.parametrize("mode", MODES)
async def test_a_foreign_header_name_stops_nobody(kafka: Broker, names: Names, mode: Delivery) -> None:
    """A header name that is not UTF-8 is written out: the record is judged like any other, a letter keeps its bytes."""
    await make_topics(kafka.bootstrap, 1, names.source, names.target, f"{names.source}.dlq")
    values = [(b"one", False), (b"two", True), (b"bad", True), (b"three", False)]
    await foreign_headers.produce(kafka.bootstrap, names.source, values)
    async with running(names.loop(kafka, Judge(names.target), mode)):
        await _caught_up(kafka, names.group)
    copied = [record.value for record in await read_all(kafka.bootstrap, names.target)]
    assert copied == [b"one@0:0", b"two@0:1", b"three@0:3"]
    (letter,) = await read_all(kafka.bootstrap, f"{names.source}.dlq")
    assert (letter.key, letter.value) == (b"k", b"bad")
    assert letter.headers[:2] == (("x", b"1"), (foreign_headers.ESCAPED, b""))


@pytest.mark.parametrize("mode", MODES)
async def test_limit_stops_before_draining(devstack: Broker, names: Names, mode: Delivery) -> None:
    """When too much would be dead, the loop stops and says so; the batch is neither produced nor committed."""
    await make_topics(devstack.bootstrap, 1, names.source, names.target, f"{names.source}.dlq")
    await feed(devstack.bootstrap, names.source, [(b"k", b"bad")] * 30)
    limits = BatchLimits(max_records=10, max_bytes=1 << 20, max_wait_ms=200)
    loop = names.loop(devstack, Judge(names.target), mode, dlq=DlqLimits(max_records=25), limits=limits)
    with pytest.raises(DlqLimitError, match="30 of 30 records"):
        await asyncio.wait_for(loop.run(), 15)
    assert len(await read_all(devstack.bootstrap, f"{names.source}.dlq")) == 20
    assert await lag(devstack.bootstrap, names.group) == 10
    assert "30 of 30 records" in loop.health()[0]


@pytest.mark.parametrize("mode", MODES)
async def test_gap_is_recorded(apache_kafka: Broker, names: Names, mode: Delivery) -> None:
    """Offsets removed before the group read them become a record in the DLQ; reading goes on at the new beginning."""
    await make_topics(apache_kafka.bootstrap, 1, names.source, names.target, f"{names.source}.dlq")
    await feed(apache_kafka.bootstrap, names.source, [(b"k", b"%d" % i) for i in range(10)])
    async with running(names.loop(apache_kafka, Copier(names.target), mode)):
        await _caught_up(apache_kafka, names.group)
    await feed(apache_kafka.bootstrap, names.source, [(b"k", b"%d" % i) for i in range(10, 30)])
    await delete_before(apache_kafka.bootstrap, names.source, 25)
    second = Copier(names.target)
    async with running(names.loop(apache_kafka, second, mode)):
        await until(lambda: len(second.seen) == 5)
        await _caught_up(apache_kafka, names.group)
    assert [record.offset for record in second.seen] == [25, 26, 27, 28, 29]
    (gap,) = await read_all(apache_kafka.bootstrap, f"{names.source}.dlq")
    headers = dict(gap.headers)
    assert (headers["roggia_dlq_kind"], headers["__dlq.errors.offset"]) == (b"gap", b"10")
    assert b"offsets 10 to 24 were removed" in headers["__dlq.errors.message"]


class Flaky(Copier):
    """Unavailable until told otherwise."""

    down = True
    tries = 0

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Fail while down."""
        self.tries += 1
        if self.down:
            raise UnavailableError("the store does not answer")
        return await super().handle(batch)


@pytest.mark.parametrize("mode", MODES)
async def test_unavailable_sink_is_retried_in_place(devstack: Broker, names: Names, mode: Delivery) -> None:
    """While the sink is down the loop waits, says so and commits nothing; then the same records go through, once."""
    await make_topics(devstack.bootstrap, 2, names.source, names.target)
    await feed(devstack.bootstrap, names.source, [(b"k%d" % i, b"%d" % i) for i in range(50)])
    handler = Flaky(names.target)
    loop = names.loop(devstack, handler, mode)
    async with running(loop):
        await until(lambda: handler.tries >= 4)
        assert loop.health() == ["t: the store does not answer"]
        assert await lag(devstack.bootstrap, names.group) is None
        handler.down = False
        await until(lambda: len(handler.seen) == 50)
        await _caught_up(devstack, names.group)
        assert loop.health() == []
    assert len(await read_all(devstack.bootstrap, names.target)) == 50


class Waiting(Copier):
    """Held back until told otherwise."""

    held = True
    tries = 0

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Not now."""
        self.tries += 1
        if self.held:
            raise LaterError("paused", 0.05)
        return await super().handle(batch)


@pytest.mark.parametrize("mode", MODES)
async def test_a_handler_that_is_held_back_stays_ready_and_in_its_group(
    devstack: Broker, names: Names, mode: Delivery
) -> None:
    """It is asked again after the time that it names; meanwhile the loop is ready, a second member can join, nothing is
    committed; then every record goes through, once."""
    await make_topics(devstack.bootstrap, 2, names.source, names.target)
    await feed(devstack.bootstrap, names.source, [(b"k%d" % i, b"%d" % i) for i in range(50)])
    first, second = Waiting(names.target), Waiting(names.target)
    loop, other = names.loop(devstack, first, mode), names.loop(devstack, second, mode)
    async with running(loop):
        await until(lambda: first.tries >= 4)
        assert loop.health() == []
        async with running(other):
            await until(lambda: second.tries >= 2)
            assert (loop.health(), other.health()) == ([], [])
            assert await lag(devstack.bootstrap, names.group) is None
            first.held = second.held = False
            await until(lambda: len(first.seen) + len(second.seen) == 50)
            await _caught_up(devstack, names.group)
    assert len(await read_all(devstack.bootstrap, names.target)) == 50


class Stuck(Copier):
    """Works on a batch until released."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.begun, self.release = asyncio.Event(), asyncio.Event()

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Wait, then copy."""
        self.begun.set()
        await self.release.wait()
        return await super().handle(batch)


@pytest.mark.parametrize("mode", MODES)
async def test_stop_finishes_the_batch_in_hand(devstack: Broker, names: Names, mode: Delivery) -> None:
    """A stop during a batch lets it finish and commits it."""
    await make_topics(devstack.bootstrap, 1, names.source, names.target)
    await feed(devstack.bootstrap, names.source, [(b"k", b"%d" % i) for i in range(10)])
    handler = Stuck(names.target)
    loop = names.loop(devstack, handler, mode)
    async with running(loop) as task:
        await handler.begun.wait()
        loop.stop()
        await asyncio.sleep(0.1)
        assert not task.done()
        handler.release.set()
        await asyncio.wait_for(asyncio.shield(task), 10)
    assert len(await read_all(devstack.bootstrap, names.target)) == len(handler.seen) == 10
    assert await lag(devstack.bootstrap, names.group) == 0


@pytest.mark.parametrize("mode", MODES)
async def test_stop_deadline_gives_the_batch_up(devstack: Broker, names: Names, mode: Delivery) -> None:
    """A batch that does not end within the deadline is given up uncommitted, and the next member reads it again."""
    await make_topics(devstack.bootstrap, 1, names.source, names.target)
    await feed(devstack.bootstrap, names.source, [(b"k", b"1")])
    stuck = Stuck(names.target)
    loop = names.loop(devstack, stuck, mode, settings={"stop_deadline_s": 0.2})
    async with running(loop) as task:
        await stuck.begun.wait()
        loop.stop()
        await asyncio.wait_for(asyncio.shield(task), 10)
    assert await read_all(devstack.bootstrap, names.target) == []
    again = Copier(names.target)
    async with running(names.loop(devstack, again, mode)):
        await until(lambda: len(again.seen) == 1)


@pytest.mark.parametrize("mode", MODES)
async def test_handler_longer_than_the_poll_interval(apache_kafka: Broker, names: Names, mode: Delivery) -> None:
    """A handler that works longer than max_poll_interval_ms keeps its partitions: each record is handed over once."""
    await make_topics(apache_kafka.bootstrap, 2, names.source, names.target)
    await feed(apache_kafka.bootstrap, names.source, [(b"k%d" % i, b"%d" % i) for i in range(20)])
    handler = Stuck(names.target)
    async with running(names.loop(apache_kafka, handler, mode, settings={"max_poll_interval_ms": 1000})):
        await handler.begun.wait()
        for _ in range(6):
            await asyncio.sleep(0.4)
        handler.release.set()
        await until(lambda: len(handler.seen) >= 20)
        await _caught_up(apache_kafka, names.group)
    assert len(await read_all(apache_kafka.bootstrap, names.target)) == len(handler.seen) == 20


class Buggy(Copier):
    """Breaks on the third record."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Raise, or forget a verdict, on `bug` and `short`."""
        if any(record.value == b"bug" for record in batch):
            raise ZeroDivisionError("bug")
        if any(record.value == b"short" for record in batch):
            return []
        return await super().handle(batch)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("value", "error"), [(b"bug", ZeroDivisionError), (b"short", HandlerContractError)])
async def test_bug_stops_and_commits_nothing(
    devstack: Broker, names: Names, mode: Delivery, value: bytes, error: type[Exception]
) -> None:
    """An unexpected exception, or a verdict too few, stops the loop; nothing of that batch is produced or committed."""
    await make_topics(devstack.bootstrap, 1, names.source, names.target)
    await feed(devstack.bootstrap, names.source, [(b"k", b"1"), (b"k", b"2"), (b"k", value)])
    loop = names.loop(devstack, Buggy(names.target), mode, limits=BatchLimits(max_records=3, max_wait_ms=500))
    with pytest.raises(error):
        await asyncio.wait_for(loop.run(), 15)
    assert await read_all(devstack.bootstrap, names.target) == []
    assert await lag(devstack.bootstrap, names.group) is None


@pytest.mark.parametrize("mode", MODES)
async def test_transactional_input_ends_without_lag(kafka: Broker, names: Names, mode: Delivery) -> None:
    """On a transactional topic aborted records are never seen, and markers at the end leave no lag behind."""
    await make_topics(kafka.bootstrap, 2, names.source, names.target)
    values = [(b"k%d" % (i % 7), b"%d" % i) for i in range(100)]
    await feed_transactions(kafka.bootstrap, names.source, values, pace_s=0)
    handler = Copier(names.target)
    async with running(names.loop(kafka, handler, mode)):
        await until(lambda: len(handler.seen) >= 100)
        await _caught_up(kafka, names.group)
    assert sorted(int(record.value or b"") for record in handler.seen) == list(range(100))


class Clock:
    """A ticker that emits one record per call and partition."""

    interval_s = 0.05

    def __init__(self, target: str) -> None:
        self.calls: list[Partition] = []
        self.final: list[Partition] = []
        self._target = target

    async def tick(self, partition: Partition, position: int) -> Sequence[Output]:
        """One output."""
        self.calls.append(partition)
        return (Output(self._target, b"tick", b"%d" % len(self.calls)),)

    async def committed(self, partition: Partition) -> None:
        """Remember that outputs of `tick` are final."""
        self.final.append(partition)


async def test_ticker_runs_per_partition(kafka: Broker, names: Names) -> None:
    """The ticker is called for every assigned partition, also with no records; every output is committed once."""
    await make_topics(kafka.bootstrap, 2, names.source, names.target)
    clock = Clock(names.target)
    async with running(names.loop(kafka, Copier(names.target), Delivery.TRANSACTIONAL, ticker=clock)):
        await until(lambda: len(clock.calls) >= 4)
    ticks = [int(record.value or b"0") for record in await read_all(kafka.bootstrap, names.target)]
    assert sorted(ticks) == list(range(1, len(clock.calls) + 1))
    assert len(clock.final) == len(clock.calls)
    assert len(ticks) >= 4
    assert set(clock.calls) == {Partition(names.source, 0), Partition(names.source, 1)}


@pytest.mark.parametrize("delivery", MODES)
async def test_an_output_topic_that_comes_later_is_written(devstack: Broker, names: Names, delivery: Delivery) -> None:
    """A missing output topic (a broker may deny it after a restart) is waited for, and the health line names it."""
    await make_topics(devstack.bootstrap, 1, names.source)
    await feed(devstack.bootstrap, names.source, [(b"k", b"1")])
    loop = names.loop(devstack, Copier(names.target), delivery, settings={"request_timeout_ms": 1_000})
    wanted = f"t: topic {names.target} does not exist: create it (roggia topics apply)"
    async with running(loop):
        await until(lambda: loop.health() == [wanted])
        await make_topics(devstack.bootstrap, 1, names.target)
        await until(lambda: not loop.health())
    assert [record.value for record in await read_all(devstack.bootstrap, names.target)] == [b"1@0:0"]


@pytest.mark.parametrize("delivery", MODES)
@pytest.mark.parametrize("outputs", [(), ("missing.topic",)], ids=["met while producing", "declared"])
async def test_no_progress_ends_in_an_error(
    devstack: Broker, names: Names, delivery: Delivery, outputs: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing output topic stops the loop in the end, with an error that names it, instead of trying for ever."""
    monkeypatch.setattr("roggia_runtime.consumer.session.MAX_RESETS", 2)
    await make_topics(devstack.bootstrap, 1, names.source, f"{names.source}.dlq")
    await feed(devstack.bootstrap, names.source, [(b"k", b"1")])
    quick = {"request_timeout_ms": 1_000}
    loop = names.loop(devstack, Copier("missing.topic"), delivery, settings=quick, outputs=outputs)
    with pytest.raises(ConsumeError, match=r"missing\.topic does not exist: create it \(roggia topics apply\)"):
        await asyncio.wait_for(loop.run(), 20)


async def _caught_up(broker: Broker, group: str) -> None:
    async with asyncio.timeout(15):
        while await lag(broker.bootstrap, group) != 0:  # the broker is asked, nobody sets an event
            await asyncio.sleep(0.05)
