"""How old the oldest live event is that waits."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY
from roggia_runtime.consumer import freshness
from roggia_runtime.consumer.batches import Polled
from roggia_runtime.consumer.freshness import Freshness
from roggia_runtime.records import Headers, Partition, Record

PARTITION = Partition("t", 0)
NOW_MS = 1_000_000


class Broker:
    """A consumer and positions in one: what is committed, and the end that the last fetch told."""

    def __init__(self) -> None:
        self.committed = {PARTITION: 5}
        self.end = 5

    def assignment(self) -> set[TopicPartition]:
        """One partition."""
        return {TopicPartition(*PARTITION)}

    def last_stable_offset(self, _tp: TopicPartition) -> int:
        """The end."""
        return self.end


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Milliseconds, to be set."""
    now = [NOW_MS]
    monkeypatch.setattr(freshness, "now_ms", lambda: now[0])
    return now


def _record(offset: int, age_s: int, headers: Headers = ()) -> Record:
    return Record("t", 0, offset, NOW_MS - age_s * 1000, b"k", b"v", headers)


def _fresh(broker: Broker) -> Freshness:
    fresh = Freshness("g", ("t",), cast("Any", broker), cast("Any", broker))
    fresh.assigned([PARTITION, Partition("t.replay", 0)])
    return fresh


def _shown() -> float | None:
    return REGISTRY.get_sample_value("roggia_consumer_freshness_seconds", {"group": "g", "topic": "t"})


def test_nothing_waits_is_zero_however_long(clock: list[int]) -> None:
    """An idle topic is fresh; after the partitions are given up nothing is shown. A lane has no freshness."""
    fresh = _fresh(Broker())
    clock[0] += 86_400_000
    assert _shown() == 0
    labels = {"group": "g", "topic": "t.replay"}
    assert REGISTRY.get_sample_value("roggia_consumer_freshness_seconds", labels) is None
    fresh.forget()
    assert _shown() is None


def test_what_is_in_hand_counts_exactly_and_grows(clock: list[int]) -> None:
    """The first uncommitted record in hand is the oldest: also while a handler works or waits for something."""
    broker = Broker()
    fresh = _fresh(broker)
    broker.end = 8
    fresh.hold({PARTITION: Polled([_record(5, 9), _record(6, 7), _record(7, 2)], 8)})
    assert _shown() == 9
    broker.committed[PARTITION] = 6
    assert _shown() == 7
    clock[0] += 60_000
    assert _shown() == 67
    broker.committed[PARTITION] = 8
    assert _shown() == 0
    fresh.forget()


def test_what_was_not_polled_yet_is_bounded(clock: list[int]) -> None:
    """It came after the last moment at which nothing waited, however long the topic was idle before."""
    broker = Broker()
    fresh = _fresh(broker)
    clock[0] += 3_600_000
    fresh.look()
    clock[0] += 2_000
    broker.end = 6
    assert _shown() == 2
    fresh.forget()


def test_replayed_records_on_a_live_topic_do_not_wait(clock: list[int]) -> None:
    """Only the live event behind them does."""
    broker = Broker()
    fresh = _fresh(broker)
    broker.end = 7
    replayed = (("roggia_replay_job", b"j"),)
    fresh.hold({PARTITION: Polled([_record(5, 500, replayed), _record(6, 3)], 7)})
    assert _shown() == 3
    broker.committed[PARTITION] = 7
    assert _shown() == 0
    fresh.forget()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("ce_time", b"1970-01-01T00:10:00.500Z"),), 600.5),
        ((("ce_time", b"1970-01-01T02:10:00+02:00"),), 600.0),
        ((("ce_time", b"yesterday"),), 1_000.0),
        ((("ce_time", b"\xff"),), 1_000.0),
        ((("ce_time", b"1970-01-01T00:10:00"),), 1_000.0),
        ((), 1_000.0),
    ],
)
def test_occurrence_comes_from_the_header_or_the_record(headers: Headers, seconds: float) -> None:
    """CloudEvents' time without decoding the event; the record's timestamp where there is none that reads."""
    assert freshness.occurred_s(_record(0, 0, headers)) == seconds
