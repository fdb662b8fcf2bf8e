"""Log compaction: the last record of every key stays, offsets stay, tombstones and markers leave after a while.

Follows Kafka's cleaner (KIP-58, KIP-354, KIP-534). Only whole segments below the last stable offset and outside the
compaction lag are touched, never the active one, and the last record of the log stays. A pass first collects
the keys of the segments that no pass has seen, then writes all segments again, small ones together, and swaps files
(see `recovery` for a crash in between).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from roggia_devstack.storage.batch import Header, parse
from roggia_devstack.storage.cleaning import Filter, Keys
from roggia_devstack.storage.index import Index
from roggia_devstack.storage.log import PartitionLog
from roggia_devstack.storage.recovery import CLEANED_SUFFIX, SWAP_SUFFIX, finish_swap
from roggia_devstack.storage.segment import Segment

STEP_BYTES = 64 << 10


def clean(log: PartitionLog, now_ms: int) -> Iterator[None]:
    """Compact a partition if it is due. Yields after every `STEP_BYTES` or so; may be abandoned at any of these."""
    segments = _cleanable(log, now_ms)
    if not segments or not _due(log, segments, now_ms):
        return
    log.checkpoint()
    end = log.segments[len(segments)].base
    aborted = [entry for entry in log.state.producers.aborted if entry.first_offset < end]
    keys = Keys(aborted)
    yield from _visit(log, [segment for segment in segments if segment.base >= log.state.first_dirty], keys.collect)
    if log.closed:
        return
    keep = Filter(keys, log.end_offset, now_ms, log.config.delete_retention_ms)
    for group in _groups(segments, log.config.segment_bytes):
        draft = _Draft(log, group, keep)
        yield from _visit(log, group, draft.visit)
        if log.closed:
            return
        draft.finish()
    log.state.first_dirty, log.state.horizon_ms = end, keep.next_horizon_ms
    # Their records are gone: a reader told of them would wait for markers that may be gone too.
    log.state.producers.forget_aborted(entry for entry in aborted if entry.marker_offset < end)
    log.checkpoint()


def _cleanable(log: PartitionLog, now_ms: int) -> list[Segment]:
    stable, youngest = log.last_stable_offset, now_ms - log.config.min_compaction_lag_ms
    found: list[Segment] = []
    for segment in log.segments[:-1]:
        newest = segment.index.newest[0] if segment.index.newest[0] >= 0 else segment.index.created_ms
        if segment.next_offset > stable or (log.config.min_compaction_lag_ms and newest > youngest):
            break
        found.append(segment)
    return found


def _due(log: PartitionLog, segments: Sequence[Segment], now_ms: int) -> bool:
    dirty = [segment for segment in segments if segment.base >= log.state.first_dirty and segment.size]
    dirty_bytes, all_bytes = sum(segment.size for segment in dirty), sum(segment.size for segment in segments)
    if log.state.horizon_ms <= now_ms:
        return True
    if not dirty_bytes:
        return False
    overdue = now_ms - dirty[0].index.created_ms >= log.config.max_compaction_lag_ms
    return overdue or dirty_bytes / all_bytes >= log.config.min_cleanable_dirty_ratio


def _groups(segments: Sequence[Segment], most_bytes: int) -> Iterator[list[Segment]]:
    """Neighbours that fit into one segment."""
    group: list[Segment] = []
    for segment in segments:
        if group and sum(member.size for member in group) + segment.size > most_bytes:
            yield group
            group = []
        group.append(segment)
    yield group


def _visit(
    log: PartitionLog, segments: Sequence[Segment], visit: Callable[[bytes, int, Header], None]
) -> Iterator[None]:
    done = 0
    for segment in segments:
        for chunk, at, header in segment.batches():
            visit(chunk, at, header)
            done += header.size
            if done >= STEP_BYTES:
                done = 0
                yield
                if log.closed:
                    return


class _Draft:
    """The segment that takes the place of a group of segments."""

    def __init__(self, log: PartitionLog, group: Sequence[Segment], keep: Filter) -> None:
        self._log, self._group, self._keep = log, group, keep
        self._range = (group[0].base, log.segments[log.segments.index(group[-1]) + 1].base)
        self._path = log.folder / f"{self._range[0]}-{self._range[1]}{CLEANED_SUFFIX}"
        self._index = Index(self._range[0], group[-1].index.created_ms)
        self._changed = len(group) > 1
        self._out = self._path.open("wb")

    def visit(self, chunk: bytes, at: int, header: Header) -> None:
        """Take over what stays of one batch."""
        before = memoryview(chunk)[at : at + header.size]
        after = self._keep.batch(chunk, at, header)
        if after is not None:
            self._out.write(before if after is True else after)
            self._index.add(header if after is True else parse(after) or header)
        self._changed = self._changed or after is not True

    def finish(self) -> None:
        """Put the new segment in the place of the group, unless nothing changed."""
        self._out.close()
        if not self._changed:
            self._path.unlink()
            return
        log, (start, end) = self._log, self._range
        swap = self._path.rename(self._path.with_suffix(SWAP_SUFFIX))
        cleaned = log.replace(self._group, self._index)
        finish_swap(log.folder, swap, start, end)
        cleaned.save_index()
