"""Where a member stands in each of its partitions, and where it starts. Offsets are always set explicitly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from roggia_runtime import committed
from roggia_runtime.consumer.gaps import Gap
from roggia_runtime.records import Partition

log = structlog.get_logger()
Starts: TypeAlias = Callable[[Collection[Partition]], Awaitable[Mapping[Partition, int]]]
"""Next offset by partition, as a stage's own store has it; one that it does not know is missing."""


class Positions:
    """Committed offsets of the assigned partitions. Used under the loop's lock only."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.committed: dict[Partition, int] = {}

    async def take_over(self, partitions: Collection[Partition], starts: Starts | None = None) -> None:
        """Seek to the committed offsets, or to those of `starts`; to the beginning where there is none.

        Raises `KafkaError`, and what `starts` raises. The former owners must be fenced before: what they commit after
        the read would be processed twice.
        """
        tps = [TopicPartition(*partition) for partition in partitions]
        known = await (self._committed(tps) if starts is None else starts(partitions))
        new = [tp for tp in tps if Partition(tp.topic, tp.partition) not in known]
        first = await self._consumer.beginning_offsets(new) if new else {}
        self.committed = {}
        for tp in tps:
            partition = Partition(tp.topic, tp.partition)
            start = first[tp] if tp in first else known[partition]
            self._consumer.seek(tp, start)
            self.committed[partition] = start
        if new:
            log.info("start_at_beginning", partitions=sorted(f"{tp.topic}/{tp.partition}" for tp in new))

    async def _committed(self, tps: list[TopicPartition]) -> Mapping[Partition, int]:
        found = await committed.of_member(self._consumer, tps)
        return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}

    def note(self, positions: Mapping[Partition, int]) -> None:
        """Remember what was committed."""
        self.committed.update(positions)

    async def now(self, partition: Partition) -> int:
        """The client's position: the next offset to fetch, behind transaction markers already seen."""
        return int(await self._consumer.position(TopicPartition(*partition)))

    async def moved(self) -> dict[Partition, int]:
        """Positions beyond the committed ones although no record is in hand: markers and aborted records."""
        ahead = {partition: await self.now(partition) for partition in self.committed}
        return {partition: offset for partition, offset in ahead.items() if offset > self.committed[partition]}

    async def behind(self, partitions: Iterable[TopicPartition]) -> bool:
        """Whether the brokers are known to hold more of one of `partitions` than was polled."""
        for tp in partitions:
            end = self._consumer.last_stable_offset(tp)
            if end is not None and end > await self._consumer.position(tp):
                return True
        return False

    def rewind(self, partitions: Iterable[Partition]) -> None:
        """Go back to what is committed: records that were polled beyond it will be polled again."""
        for partition in partitions:
            self._consumer.seek(TopicPartition(*partition), self.committed[partition])

    async def restart(self, tp: TopicPartition, wanted: int) -> Gap | None:
        """Go on where the log begins now, because it does not hold `wanted`; None if it does after all.

        Raises `KafkaError`.
        """
        first = (await self._consumer.beginning_offsets([tp]))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        if first <= wanted <= end:
            self._consumer.seek(tp, wanted)
            return None
        self._consumer.seek(tp, first)
        return Gap(Partition(tp.topic, tp.partition), wanted, first)
