"""Read records without belonging to a group: the newest ones, one by its place, and those that come."""

from __future__ import annotations

from collections.abc import AsyncIterator

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings

from roggia_operator.errors import SelectionError


async def tail(settings: KafkaSettings, topic: str, *, last: int, follow: bool) -> AsyncIterator[Record]:
    """The `last` newest records of each partition, oldest first; then, if told to, what comes.

    Raises `SelectionError` for a topic that does not exist.
    """
    async with TopicAdmin(settings) as admin:
        ends = await _ends(admin, topic)
        held: list[Record] = []
        for partition, end in ends.items():
            held += await newest(admin, Partition(topic, partition), end, last)
        for record in sorted(held, key=lambda record: (record.timestamp_ms, record.partition, record.offset)):
            yield record
        if follow:
            starts = {Partition(topic, partition): end for partition, end in ends.items()}
            async for record in admin.follow(starts):
                yield record


async def newest(admin: TopicAdmin, partition: Partition, end: int, last: int) -> list[Record]:
    """The `last` newest records of a partition that ends at `end`, oldest first.

    Transaction markers and compacted records leave offsets without a record, so it looks further back until it has
    enough, or all.
    """
    span = last
    while span:
        start = max(0, end - span)
        found = [record async for record in admin.read(partition.topic, partition.number, start, end=end)]
        if len(found) >= last or start == 0:
            return found[-last:]
        span *= 4
    return []


async def one(settings: KafkaSettings, topic: str, partition: int, offset: int) -> Record:
    """The record at one place. Raises `SelectionError` when there is none."""
    async with TopicAdmin(settings) as admin:
        ends = await _ends(admin, topic)
        if offset < ends.get(partition, 0):
            async for record in admin.read(topic, partition, offset, end=offset + 1):
                if record.offset == offset:
                    return record
    raise SelectionError(f"PLACE: {topic} holds no record at {partition}:{offset}")


async def _ends(admin: TopicAdmin, topic: str) -> dict[int, int]:
    known = await admin.topics()
    if topic not in known:
        raise SelectionError(f"TOPIC: {topic!r} does not exist; there are {', '.join(known) or 'none'}")
    return await admin.end_offsets(topic)
