"""Retention: whole segments leave at the start of a log, by age, by size, or because their records were deleted."""

from __future__ import annotations

from roggia_devstack.storage.log import PartitionLog
from roggia_devstack.storage.segment import Segment


def enforce(log: PartitionLog, now_ms: int) -> None:
    """Remove the segments that the topic's settings no longer want; never one that an open transaction reaches into."""
    gone = _expired(log, now_ms)
    if not gone:
        return
    if gone[-1] is log.segments[-1]:
        log.roll(now_ms)
    kept = log.segments[len(gone) :]
    log.state.start_offset = max(log.start_offset, kept[0].base)
    log.state.first_dirty = max(log.state.first_dirty, kept[0].base)
    log.state.producers.forget_before(log.start_offset)
    log.set_segments(kept)
    # The new start is saved before the files go: a start offset must never move back.
    log.checkpoint()
    for segment in gone:
        segment.remove()


def _expired(log: PartitionLog, now_ms: int) -> list[Segment]:
    config, stable = log.config, log.last_stable_offset
    surplus = log.size - config.retention_bytes if config.delete and config.retention_bytes >= 0 else -1
    gone: list[Segment] = []
    for segment in log.segments:
        if segment.size == 0 or segment.next_offset > stable:
            break
        surplus -= segment.size
        unreadable = segment.next_offset <= log.start_offset
        if not (unreadable or surplus >= 0 or (config.delete and _too_old(segment, config.retention_ms, now_ms))):
            break
        gone.append(segment)
    return gone


def _too_old(segment: Segment, retention_ms: int, now_ms: int) -> bool:
    newest = segment.index.newest[0] if segment.index.newest[0] >= 0 else segment.index.created_ms
    return retention_ms >= 0 and newest < now_ms - retention_ms
