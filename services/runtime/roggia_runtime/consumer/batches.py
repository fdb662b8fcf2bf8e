"""Cutting polled records into batches within limits. Pure: knows no Kafka client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import BatchLimits


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that a handler judges together, and the offsets to commit afterwards."""

    records: Sequence[Record]
    positions: Mapping[Partition, int]


@dataclass(slots=True)
class Polled:
    """What was polled from one partition: records in offset order, and the client's position right after the poll.

    The position may lie behind the last record: transaction markers and compacted records take offsets too.
    """

    records: list[Record]
    position: int
    held: int = 0
    """Bytes of keys and values."""


def size(record: Record) -> int:
    """Bytes of key and value."""
    return len(record.key or b"") + len(record.value or b"")


def over_all(polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
    """Batches that mix partitions, in the order polled. Each keeps within `limits` unless one record exceeds them."""
    records = [record for part in polled.values() for record in part.records]
    pieces = _cut(records, sum(part.held for part in polled.values()), limits)
    for number, piece in enumerate(pieces):
        if number == len(pieces) - 1:
            yield Batch(piece, {partition: part.position for partition, part in polled.items()})
        else:
            yield Batch(piece, {Partition(r.topic, r.partition): r.offset + 1 for r in piece})


def per_partition(polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
    """Batches of one partition each. Each keeps within `limits` unless one record exceeds them."""
    for partition, part in polled.items():
        pieces = _cut(part.records, part.held, limits)
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            yield Batch(piece, {partition: part.position if last else piece[-1].offset + 1})


def _cut(records: Sequence[Record], held: int, limits: BatchLimits) -> list[Sequence[Record]]:
    if len(records) <= limits.max_records and held <= limits.max_bytes:
        return [records] if records else []
    pieces: list[Sequence[Record]] = []
    start = held = 0
    for index, more in enumerate(map(size, records)):
        if index > start and (index - start >= limits.max_records or held + more > limits.max_bytes):
            pieces.append(records[start:index])
            start, held = index, 0
        held += more
    return [*pieces, records[start:]]
