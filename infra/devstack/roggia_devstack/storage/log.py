"""One partition: record batches in offset order, in segments, with what idempotence and transactions need."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from roggia_devstack.storage import admission
from roggia_devstack.storage import batch as batches
from roggia_devstack.storage.batch import APPEND_TIME, HEADER_BYTES, Header
from roggia_devstack.storage.config import LogConfig
from roggia_devstack.storage.errors import OffsetOutOfRangeError, UnknownTopicError
from roggia_devstack.storage.files import FilePool
from roggia_devstack.storage.index import Index
from roggia_devstack.storage.recovery import open_segments
from roggia_devstack.storage.segment import Segment
from roggia_devstack.storage.snapshot import Snapshot
from roggia_devstack.storage.timestamps import first_from, newest
from roggia_devstack.storage.values import AppendResult, ReadResult

# Base offset, length and leader epoch: what lies before the magic byte and outside the CRC.
_PREFIX = struct.Struct(">qii")


class PartitionLog:
    """Log of one partition. All calls come from one thread; none of them waits for a disk to sync.

    What `append` and `marker` have returned survives kill -9 of the process; a loss of power may take what the kernel
    had not written yet. Times are UTC milliseconds given by the caller.
    """

    def __init__(self, folder: Path, config: LogConfig, pool: FilePool) -> None:
        """Open the partition in `folder`, which must exist, and recover it after a crash (see `recovery`)."""
        self.folder, self.config = folder, config
        self._pool = pool
        self.segments: list[Segment]
        self.state: Snapshot
        self.segments, self.state = open_segments(folder, pool)
        self._bases = [segment.base for segment in self.segments]
        self._active = self.segments[-1]
        self._checkpointed = self.state.position if self.state.segment == self._active.base else 0
        self._closed = False

    @property
    def start_offset(self) -> int:
        """First offset that can be read."""
        return self.state.start_offset

    @property
    def end_offset(self) -> int:
        """Offset of the next record; also the high watermark, as there is one replica."""
        return self._active.next_offset

    @property
    def last_stable_offset(self) -> int:
        """First offset of the oldest open transaction, or the end: read_committed ends here."""
        return self.state.producers.first_undecided(self._active.next_offset)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    def append(self, batch: bytes, now_ms: int) -> AppendResult:
        """Store one record batch as it is. A duplicate of an idempotent producer is not stored again.

        Raises `InvalidBatchError`, `InvalidRecordError`, `BatchTooLargeError`, `OutOfOrderSequenceError`,
        `StaleProducerEpochError`, `TransactionStateError`; nothing is stored then.
        """
        header = batches.validated(batch)
        admission.check(header, batch, self.config)
        if header.producer_id >= 0:
            sent = self.state.producers.check(header)
            if sent is not None:
                return AppendResult(sent.base_offset, sent.last_offset, duplicate=True)
        time_ms = -1
        if self.config.append_time:
            time_ms = now_ms
            attributes = header.attributes | APPEND_TIME
            batch = batches.build(header._replace(attributes=attributes, max_timestamp=now_ms), batch[HEADER_BYTES:])
            header = header._replace(attributes=attributes, max_timestamp=now_ms)
        offset = self._write(header, batch, now_ms)
        if header.producer_id >= 0:
            self.state.producers.update(header, offset, now_ms)
        return AppendResult(offset, offset + header.last_offset_delta, duplicate=False, append_time_ms=time_ms)

    def marker(self, producer_id: int, epoch: int, commit: bool, now_ms: int) -> int:
        """End the producer's transaction here with a control record; return its offset.

        Writing the same marker again is harmless. Raises `StaleProducerEpochError`.
        """
        self.state.producers.check_marker(producer_id, epoch)
        batch = batches.marker(producer_id, epoch, commit=commit, now_ms=now_ms)
        header = batches.validated(batch)
        offset = self._write(header, batch, now_ms)
        self.state.producers.end(header, offset, commit=commit)
        return offset

    def read(self, offset: int, max_bytes: int, committed: bool) -> ReadResult:
        """Return whole batches from the one that holds `offset`: up to `max_bytes`, but one at least; none at the end.

        `committed` stops at the last stable offset and names the aborted transactions. Batches may begin before
        `offset`, as Kafka's do. Raises `OffsetOutOfRangeError`.
        """
        self._check_open()
        end, stable, start = self.end_offset, self.last_stable_offset, self.start_offset
        if not start <= offset <= end:
            raise OffsetOutOfRangeError(f"offset {offset} is outside [{start}, {end}]")
        limit = stable if committed else end
        data, next_offset = self._data(offset, max_bytes, limit) if offset < limit else (b"", offset)
        producers = self.state.producers
        aborted = producers.aborted_between(offset, next_offset) if committed and data and producers.aborted else []
        return ReadResult(data, end, stable, start, aborted)

    def offset_for_time(self, timestamp_ms: int) -> tuple[int, int] | None:
        """(offset, timestamp) of the first record at or after `timestamp_ms`, or None when all are older."""
        self._check_open()
        return first_from(self.segments, timestamp_ms, self.start_offset)

    def max_timestamp(self) -> tuple[int, int] | None:
        """(offset, timestamp) of the record with the highest timestamp, or None when no record has one."""
        self._check_open()
        return newest(self.segments, self.start_offset)

    def delete_records(self, before: int) -> int:
        """Make records below `before` unreadable, for good; -1 means all. Return the new start offset.

        Raises `OffsetOutOfRangeError` beyond the end. Their space is freed by `Store.maintain`.
        """
        self._check_open()
        before = self.end_offset if before == -1 else before
        if not 0 <= before <= self.end_offset:
            raise OffsetOutOfRangeError(f"offset {before} is outside [0, {self.end_offset}]")
        if before > self.start_offset:
            self.state.start_offset = before
            self.state.producers.forget_before(before)
            self.checkpoint()
        return self.start_offset

    def roll(self, now_ms: int) -> None:
        """Start a new segment, unless the last one is empty. The old one never changes again, but for compaction."""
        if self._active.size == 0:
            return
        self._active.save_index()
        self._active = Segment(self.folder, self.end_offset, self._pool, Index(self.end_offset, now_ms))
        self._active.create()
        self.set_segments([*self.segments, self._active])
        self.checkpoint()

    def set_segments(self, segments: list[Segment]) -> None:
        """Replace the list of segments, whose last one must stay. For retention and compaction."""
        self.segments = segments
        self._bases = [segment.base for segment in segments]

    def replace(self, old: Sequence[Segment], index: Index) -> Segment:
        """Let one segment, described by `index`, stand for the neighbours `old`; return it. Its file must come next."""
        for segment in old:
            self._pool.forget(segment.path)
        new = Segment(self.folder, old[0].base, self._pool, index)
        at = self.segments.index(old[0])
        self.set_segments([*self.segments[:at], new, *self.segments[at + len(old) :]])
        return new

    def checkpoint(self) -> None:
        """Save indexes and state, so that the next start reads only what comes after."""
        for segment in self.segments:
            segment.save_index()
        self.state.segment, self.state.position = self._active.base, self._active.size
        self.state.save(self.folder)
        self._checkpointed = self._active.size

    @property
    def unsaved_bytes(self) -> int:
        """Bytes appended since the last checkpoint."""
        return self._active.size - self._checkpointed

    @property
    def closed(self) -> bool:
        """True once the log was closed or its topic deleted."""
        return self._closed

    def close(self) -> None:
        """Checkpoint and refuse further calls."""
        if not self._closed:
            self.checkpoint()
            self.discard()

    def discard(self) -> None:
        """Refuse further calls and let the files go, without saving: the topic is being deleted."""
        self._closed = True
        for segment in self.segments:
            self._pool.forget(segment.path)

    def _check_open(self) -> None:
        if self._closed:
            raise UnknownTopicError(f"partition {self.folder.name}: the log is closed or its topic was deleted")

    def _write(self, header: Header, batch: bytes, now_ms: int) -> int:
        self._check_open()
        active = self._active
        if active.size and self._must_roll(active, header.size, now_ms):
            self.roll(now_ms)
            active = self._active
        if active.size == 0:
            active.index.created_ms = now_ms
        offset = active.next_offset
        prefix = _PREFIX.pack(offset, header.length, 0)
        active.append(Header(offset, *header[1:]), [prefix, memoryview(batch)[_PREFIX.size :]])
        return offset

    def _must_roll(self, active: Segment, more: int, now_ms: int) -> bool:
        config = self.config
        return active.size + more > config.segment_bytes or now_ms - active.index.created_ms >= config.roll_ms

    def _data(self, offset: int, max_bytes: int, limit: int) -> tuple[bytes, int]:
        """Batches from `offset` in one segment, none that starts at or after `limit`; and the offset after them."""
        for segment in self.segments[max(0, bisect_right(self._bases, offset) - 1) :]:
            found = segment.find(offset)
            if found is None:
                continue
            start, header = found
            if header.base_offset >= limit:
                break
            end = start + max(max_bytes, header.size)
            if limit < segment.next_offset:
                beyond = segment.find(limit)
                end = min(end, beyond[0]) if beyond else end
            end, next_offset = segment.whole_batches_end(start, end)
            return segment.read(start, end), next_offset
        return b"", offset
