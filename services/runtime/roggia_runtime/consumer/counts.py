"""From committed batches to metrics. Label lookups are kept, because they cost as much as the rest of a small batch."""

from __future__ import annotations

import time
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from roggia_runtime.clock import now_ms
from roggia_runtime.consumer import measures
from roggia_runtime.consumer.batches import Batch
from roggia_runtime.consumer.judging import Judged
from roggia_runtime.records import Partition

LAG_EVERY_S = 1.0


class Counts:
    """Counters of one group."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._batch = measures.BATCH.labels(group)
        self._commit = measures.COMMIT.labels(group)
        self._outputs = measures.OUTPUTS.labels(group)

    def add(self, batch: Batch, judged: Judged, commit_s: float) -> None:
        """Count a batch that is final."""
        group = self._group
        self._batch.observe(len(batch.records))
        self._commit.observe(commit_s)
        self._outputs.inc(len(judged.outputs))
        first = batch.records[0]
        measures.AGE.labels(group, first.topic).observe(max(0, now_ms() - first.timestamp_ms) / 1000)
        for (topic, verdict), number in judged.counts.items():
            measures.RECORDS.labels(group, topic, verdict).inc(number)
        for reason, number in judged.reasons.items():
            measures.DROPPED.labels(group, reason).inc(number)
        for (topic, kind), number in judged.kinds.items():
            measures.DEAD_LETTERS.labels(group, topic, kind).inc(number)

    def worked(self, lane: str, seconds: float) -> None:
        """Count time spent on live topics (an empty lane) or on a lane."""
        measures.WORK.labels(self._group, lane).inc(seconds)

    def assigned(self, partitions: int) -> None:
        """Count an assignment."""
        measures.REBALANCES.labels(self._group).inc()
        measures.ASSIGNED.labels(self._group).set(partitions)


class Lag:
    """Gauge of how far behind each partition is, from what fetches told last; refreshed at most once a second."""

    def __init__(self, group: str, consumer: AIOKafkaConsumer) -> None:
        self._group = group
        self._consumer = consumer
        self._next = 0.0
        self._shown: set[Partition] = set()

    def update(self, committed: Mapping[Partition, int]) -> None:
        """Show the lag of assigned partitions."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LAG_EVERY_S
        owned = self._consumer.assignment()
        for partition, offset in committed.items():
            tp = TopicPartition(*partition)
            end = self._consumer.last_stable_offset(tp) if tp in owned else None
            if end is not None and end >= 0:
                self._shown.add(partition)
                measures.LAG.labels(self._group, partition.topic, str(partition.number)).set(max(0, end - offset))

    def forget(self) -> None:
        """Show nothing: another member may own the partitions."""
        for partition in self._shown:
            measures.LAG.remove(self._group, partition.topic, str(partition.number))
        self._shown.clear()
        measures.ASSIGNED.labels(self._group).set(0)
