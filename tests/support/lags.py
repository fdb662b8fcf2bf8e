"""What groups have not consumed yet, by their commits and the ends of the log."""

from __future__ import annotations

from roggia_runtime.offsets import Offsets
from roggia_runtime.records import Partition
from roggia_schemas import topics


async def lags(offsets: Offsets, group: str) -> dict[Partition, int]:
    """By how much a group is behind in every partition of every topic that it committed to."""
    committed = (await offsets.committed([group]))[group]
    return await _behind(offsets, {place.topic for place in committed}, committed)


async def live_lags(offsets: Offsets, group: str, topic: str) -> dict[Partition, int]:
    """The same of a live topic and its lane, whether the group ever committed there or not."""
    committed = (await offsets.committed([group]))[group]
    return await _behind(offsets, {topic, topics.replay(topic)}, committed)


async def _behind(offsets: Offsets, names: set[str], committed: dict[Partition, int]) -> dict[Partition, int]:
    there = await offsets.partitions()
    bounds = await offsets.bounds(place for name in names for place in there.get(name, ()))
    return {place: max(0, held.end - committed.get(place, held.first)) for place, held in bounds.items()}
