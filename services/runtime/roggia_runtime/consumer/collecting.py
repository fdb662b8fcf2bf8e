"""Polling: of live topics first, of a lane in its turn, never of both for one cycle."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from roggia_runtime import clients
from roggia_runtime.consumer.batches import Polled, size
from roggia_runtime.consumer.lanes import Lanes
from roggia_runtime.consumer.membership import Membership
from roggia_runtime.consumer.positions import Positions
from roggia_runtime.records import Partition
from roggia_runtime.settings import BatchLimits

POLL_MS = 200
"""Longest poll. Short, because the rebalance callbacks wait for the lock that a poll holds."""

OnGap = Callable[[TopicPartition, int], Awaitable[None]]


@dataclass(slots=True)
class Haul:
    """What one cycle works on: records of live topics, or of one lane."""

    lane: str = ""
    """The lane's topic; empty for live topics."""
    limits: BatchLimits = field(default_factory=BatchLimits)
    polled: dict[Partition, Polled] = field(default_factory=dict)
    count: int = 0
    held: int = 0

    def full(self) -> bool:
        """No more records fit into a batch."""
        return self.count >= self.limits.max_records or self.held >= self.limits.max_bytes


class Collecting:
    """Collects hauls for one session, under its lock. `on_gap` is told of offsets that the log does not hold."""

    def __init__(
        self, member: Membership, positions: Positions, lanes: Lanes, limits: BatchLimits, on_gap: OnGap
    ) -> None:
        self._member = member
        self._positions = positions
        self._lanes = lanes
        self._limits = limits
        self._on_gap = on_gap
        self._took_s = 0.0
        self._live: list[TopicPartition] = []
        self._of_lane: dict[str, list[TopicPartition]] = {}

    def assigned(self, partitions: Collection[Partition]) -> None:
        """These partitions are this member's from now on."""
        by_topic: dict[str, list[TopicPartition]] = defaultdict(list)
        for partition in partitions:
            by_topic[partition.topic].append(TopicPartition(*partition))
        self._of_lane = {name: by_topic.pop(name) for name in self._lanes.names if name in by_topic}
        self._live = [tp for tps in by_topic.values() for tp in tps]

    def worked(self, seconds: float) -> None:
        """A haul is final, so long after it was collected: what came meanwhile does not wait for more as well."""
        self._took_s = seconds

    async def collect(self) -> Haul:
        """What to work on next. Empty when nothing came within `POLL_MS`, or a rebalance began."""
        took_s, self._took_s = self._took_s, 0.0
        if not self._of_lane:
            haul = await self._fill(self._haul(took_s=took_s), self._live, 0) if took_s else self._haul()
            return haul if haul.polled else await self._fill(self._haul(), self._live, POLL_MS)
        haul = await self._ready(took_s)
        if haul.polled or not self._member.ready.is_set():
            return haul
        return await self._wait()

    async def _ready(self, took_s: float) -> Haul:
        """What was fetched already: a lane's minimum share, else live records, else a lane's."""
        haul = await self._lane() if self._lanes.due() else self._haul()
        if not haul.polled:
            haul = await self._fill(self._haul(took_s=took_s), self._live, 0)
        if haul.polled or self._lanes.rest_s() or await self._positions.behind(self._live):
            return haul
        return await self._lane()

    async def _lane(self) -> Haul:
        for name in self._lanes.open():
            if name in self._of_lane:
                haul = await self._fill(self._haul(name), self._of_lane[name], 0)
                if haul.polled:
                    return haul
        return self._haul()

    async def _wait(self) -> Haul:
        """Wait for the first record of whatever may be polled, then fill up from the same side."""
        rest_ms, tps = round(self._lanes.rest_s() * 1000), list(self._live)
        if not rest_ms and not await self._positions.behind(self._live):
            tps += [tp for name in self._lanes.open() for tp in self._of_lane.get(name, ())]
        first = self._haul()
        for tp, raw in (await self._poll(tps, min(POLL_MS, rest_ms) or POLL_MS, 1)).items():
            first = self._haul(tp.topic if tp.topic in self._of_lane else "")
            await self._take(first, tp, raw)
        if not first.polled or not self._member.ready.is_set():
            return self._haul()
        return await self._fill(first, self._of_lane.get(first.lane, self._live), 0)

    def _haul(self, lane: str = "", took_s: float = 0.0) -> Haul:
        return Haul(lane, self._lanes.limits(self._limits) if lane else waited(self._limits, took_s))

    async def _fill(self, haul: Haul, tps: Sequence[TopicPartition], timeout_ms: int) -> Haul:
        """Poll until a batch is complete: at the first of count, bytes, and time since the first record."""
        until = 0.0
        while not haul.full():
            for tp, raw in (await self._poll(tps, timeout_ms, haul.limits.max_records - haul.count)).items():
                await self._take(haul, tp, raw)
            if not self._member.ready.is_set():
                return self._haul()
            now = time.monotonic()
            until = until or now + haul.limits.max_wait_ms / 1000
            if not haul.polled or now >= until:
                break
            timeout_ms = max(1, min(POLL_MS, round((until - now) * 1000)))
        return haul

    async def _take(self, haul: Haul, tp: TopicPartition, raw: Sequence[Any]) -> None:
        """Add what was polled from one partition."""
        records = [clients.record(consumed) for consumed in raw]
        held = sum(map(size, records))
        partition = Partition(tp.topic, tp.partition)
        part = haul.polled.setdefault(partition, Polled([], 0))
        part.records += records
        part.position = await self._positions.now(partition)
        part.held += held
        haul.held += held
        haul.count += len(records)

    async def _poll(
        self, tps: Sequence[TopicPartition], timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Any]]:
        if self._of_lane and not tps:
            await asyncio.sleep(timeout_ms / 1000)
            return {}
        try:
            return await self._member.poll(timeout_ms, max_records, tps if self._of_lane else ())
        except OffsetOutOfRangeError as error:
            for tp, wanted in error.args[0].items():
                await self._on_gap(tp, wanted)
            return {}


def waited(limits: BatchLimits, seconds: float) -> BatchLimits:
    """Limits for records that have waited so long for the batch in hand."""
    left_ms = max(0, limits.max_wait_ms - round(seconds * 1000))
    return limits if left_ms == limits.max_wait_ms else limits.model_copy(update={"max_wait_ms": left_ms})
