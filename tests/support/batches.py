"""Record batches made and read by aiokafka's code, so that the storage engine is not checked against itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from roggia_devstack.storage import PartitionLog

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class Row(NamedTuple):
    """One record as a consumer sees it."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


def batch(
    records: Iterable[tuple[bytes | None, bytes | None]],
    *,
    codec: str = "none",
    timestamp_ms: int = 1_000,
    producer: tuple[int, int, int] = (-1, -1, -1),
    transactional: bool = False,
) -> bytes:
    """Make a batch; `producer` is (id, epoch, first sequence)."""
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], int(transactional), *producer, 1 << 30)
    for number, (key, value) in enumerate(records):
        builder.append(number, timestamp_ms + number, key, value, [])
    return bytes(builder.build())


def split(data: bytes) -> Iterator[DefaultRecordBatch]:
    """Split what `read` returned; fails on a partial batch."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "big") + 12
        assert at + size <= len(data), "partial batch"
        one = DefaultRecordBatch(bytearray(data[at : at + size]))
        assert one.validate_crc()
        yield one
        at += size


def consume(log: PartitionLog, *, committed: bool, start: int | None = None, max_bytes: int = 300) -> list[Row]:
    """Read a log to its end as a consumer does, leaving out markers and, under read_committed, aborted records."""
    offset, rows = log.start_offset if start is None else start, []
    gone: set[int] = set()
    while True:
        result = log.read(offset, max_bytes, committed)
        if not result.data:
            end = result.last_stable_offset if committed else result.high_watermark
            following = log.read(offset, 1, committed=False).data
            assert offset == end or (committed and next(split(following)).base_offset >= end), "the end is out of reach"
            return rows
        pending = sorted(result.aborted, key=lambda entry: entry[1])
        for one in split(result.data):
            while pending and pending[0][1] <= one.base_offset:
                gone.add(pending.pop(0)[0])
            offset = one.next_offset
            if one.is_control_batch:
                gone.discard(one.producer_id)
            elif not (committed and one.is_transactional and one.producer_id in gone):
                rows += [Row(r.offset, r.timestamp, r.key, r.value) for r in one if start is None or r.offset >= start]
