"""How old the oldest live event is that waits, and how old events are once they are processed."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from operator import attrgetter

from aiokafka import AIOKafkaConsumer, TopicPartition

from roggia_runtime import replay
from roggia_runtime.clock import now_ms
from roggia_runtime.consumer import measures
from roggia_runtime.consumer.batches import Polled
from roggia_runtime.consumer.positions import Positions
from roggia_runtime.records import Partition, Record

_TIME = "ce_time"


class Freshness:
    """Gauge of one group, worked out when it is read: exact while idle, while a batch is in hand, and while paused.

    The oldest event that waits is the first uncommitted record in hand. Where none is in hand but the brokers hold
    more, its timestamp is not known yet: it is no older than the last record before it, and than the last moment at
    which nothing waited. Replayed records on a live topic do not wait: nobody expects them.
    """

    def __init__(self, group: str, live: Sequence[str], consumer: AIOKafkaConsumer, positions: Positions) -> None:
        self._group = group
        self._live = frozenset(live)
        self._consumer = consumer
        self._positions = positions
        self._held: dict[Partition, Sequence[Record]] = {}
        self._quiet_ms: dict[Partition, int] = {}
        self._shown: set[str] = set()

    def assigned(self, partitions: Collection[Partition]) -> None:
        """Show the live topics of an assignment."""
        now = now_ms()
        self._quiet_ms = {partition: now for partition in partitions if partition.topic in self._live}
        for topic in {partition.topic for partition in self._quiet_ms}:
            measures.FRESHNESS.labels(self._group, topic).set_function(partial(self.age_s, topic))
            self._shown.add(topic)

    def hold(self, polled: Mapping[Partition, Polled]) -> None:
        """These records are in hand from now on."""
        for partition, part in polled.items():
            if partition.topic in self._live:
                self._held[partition] = part.records

    def look(self) -> None:
        """Note which partitions nothing waits in. Called after every cycle."""
        now = now_ms()
        for partition in self._quiet_ms:
            if self._oldest_ms(partition) is None:
                self._quiet_ms[partition] = now

    def age_s(self, topic: str) -> float:
        """Age of the oldest event of `topic` that waits in this member's partitions, seconds; 0 when none does."""
        oldest = [self._oldest_ms(partition) for partition in list(self._quiet_ms) if partition.topic == topic]
        waiting = [moment for moment in oldest if moment is not None]
        return max(0, now_ms() - min(waiting)) / 1000 if waiting else 0.0

    def forget(self) -> None:
        """Show nothing: another member may own the partitions."""
        for topic in self._shown:
            measures.FRESHNESS.remove(self._group, topic)
        self._shown.clear()
        self._held.clear()
        self._quiet_ms = {}

    def _oldest_ms(self, partition: Partition) -> int | None:
        """Timestamp of the oldest event that waits in a partition, or the best bound; None when nothing waits."""
        committed = self._positions.committed.get(partition)
        if committed is None:
            return None
        held = self._held.get(partition, ())
        start = bisect_left(held, committed, key=lambda record: record.offset)
        waiting = next((r for r in islice(held, start, None) if not replay.replayed(r.headers)), None)
        if waiting is not None:
            return waiting.timestamp_ms
        tp = TopicPartition(*partition)
        end = self._consumer.last_stable_offset(tp) if tp in self._consumer.assignment() else None
        if end is None or end <= max(committed, held[-1].offset + 1 if held else 0):
            return None
        return max(self._quiet_ms.get(partition, 0), held[-1].timestamp_ms if held else 0)


def observe(group: str, records: Sequence[Record]) -> None:
    """Count committed records of live topics: the time from an event's occurrence to its commit."""
    now = time.time()
    for topic, same in groupby(records, key=attrgetter("topic")):
        seen = measures.PROCESSED.labels(group, topic).observe
        for record in same:
            if not replay.replayed(record.headers):
                seen(max(0.0, now - occurred_s(record)))


def occurred_s(record: Record) -> float:
    """When the event occurred, seconds since the epoch: its CloudEvents time, else the record's timestamp."""
    for name, value in record.headers:
        if name == _TIME:
            try:
                moment = datetime.fromisoformat(value.decode())
            except ValueError:
                break
            return moment.timestamp() if moment.tzinfo else record.timestamp_ms / 1000
    return record.timestamp_ms / 1000
