"""Opening a partition: finish an interrupted compaction, cut a torn tail, rebuild what the checkpoint does not know."""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from roggia_devstack.storage.batch import Header
from roggia_devstack.storage.files import FilePool
from roggia_devstack.storage.index import Index
from roggia_devstack.storage.producers import ProducerState
from roggia_devstack.storage.records import is_commit
from roggia_devstack.storage.segment import INDEX_SUFFIX, LOG_SUFFIX, Segment
from roggia_devstack.storage.snapshot import NEVER_MS, Snapshot

CLEANED_SUFFIX, SWAP_SUFFIX = ".cleaned", ".swap"

_log = structlog.get_logger(__name__)


def open_segments(folder: Path, pool: FilePool) -> tuple[list[Segment], Snapshot]:
    """Return the folder's segments in order (at least one) and the state up to their end.

    Only bytes after the checkpoint are read; a batch there that is torn or fails its CRC ends its segment.
    """
    finish_swaps(folder)
    bases = sorted(int(path.stem) for path in folder.glob(f"*{LOG_SUFFIX}")) or [0]
    state = Snapshot.load(folder)
    if state is None or not _covers(folder, bases, state):
        start = bases[0] if state is None else max(bases[0], state.start_offset)
        state = Snapshot(bases[0], 0, start, bases[0], NEVER_MS, ProducerState())
    segments = [_open_segment(folder, base, pool, state) for base in bases]
    state.start_offset = min(state.start_offset, segments[-1].next_offset)
    return segments, state


def finish_swaps(folder: Path) -> None:
    """Complete every compaction that had replaced its input when the process died; drop those that had not."""
    for draft in folder.glob(f"*{CLEANED_SUFFIX}"):
        draft.unlink()
    for swap in folder.glob(f"*{SWAP_SUFFIX}"):
        start, end = (int(part) for part in swap.stem.split("-"))
        finish_swap(folder, swap, start, end)


def finish_swap(folder: Path, swap: Path, start: int, end: int) -> None:
    """Put `swap` in the place of all segments with a base in [start, end)."""
    for path in folder.glob(f"*{LOG_SUFFIX}"):
        if start <= int(path.stem) < end:
            path.with_suffix(INDEX_SUFFIX).unlink(missing_ok=True)
            path.unlink()
    swap.rename(folder / f"{start:020d}{LOG_SUFFIX}")


def apply(state: ProducerState, chunk: bytes, at: int, header: Header, now_ms: int) -> None:
    """Take a stored batch into the producers' state, as when it was first written."""
    if header.producer_id < 0:
        return
    if header.control:
        state.end(header, header.base_offset, commit=is_commit(chunk, at, header))
    else:
        state.update(header, header.base_offset, now_ms)


def _covers(folder: Path, bases: list[int], state: Snapshot) -> bool:
    path = folder / f"{state.segment:020d}{LOG_SUFFIX}"
    size = path.stat().st_size if state.segment in bases and path.exists() else 0
    return size >= state.position


def _open_segment(folder: Path, base: int, pool: FilePool, state: Snapshot) -> Segment:
    path = folder / f"{base:020d}{LOG_SUFFIX}"
    stat = path.stat() if path.exists() else None
    size, touched_ms = (stat.st_size, int(stat.st_mtime * 1000)) if stat else (0, 0)
    index = Index.load(path.with_suffix(INDEX_SUFFIX), base, size)
    if index is None or (base == state.segment and index.size > state.position) or base > state.segment:
        index = Index(base, touched_ms)
    segment = Segment(folder, base, pool, index)
    if size > index.size:
        _scan(segment, size, state)
    return segment


def _scan(segment: Segment, size: int, state: Snapshot) -> None:
    now_ms = time.time_ns() // 1_000_000
    known = size if segment.base < state.segment else state.position if segment.base == state.segment else 0
    for chunk, at, header in segment.recover():
        if segment.size > known:
            apply(state.producers, chunk, at, header, now_ms)
    if segment.size < size:
        where = f"{segment.path.parent.parent.name}/{segment.path.parent.name}/{segment.path.name}"
        _log.warning("torn_tail_cut", segment=where, bytes_cut=size - segment.size, next_offset=segment.next_offset)
