"""Look-ups by time: the segment by its summary, the batch by its header, the record inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roggia_devstack.storage.batch import APPEND_TIME, Header
from roggia_devstack.storage.errors import DecodeError
from roggia_devstack.storage.records import records
from roggia_devstack.storage.segment import Segment


def first_from(segments: Sequence[Segment], timestamp_ms: int, start_offset: int) -> tuple[int, int] | None:
    """(offset, timestamp) of the first record from `start_offset` on whose timestamp is at least `timestamp_ms`."""
    for segment in segments:
        if segment.index.newest[0] < timestamp_ms or segment.next_offset <= start_offset:
            continue
        for position, header in segment.headers(segment.index.position_of_time(timestamp_ms)):
            if header.max_timestamp < timestamp_ms or header.last_offset < start_offset:
                continue
            for offset, time_ms in _times(segment, position, header):
                if time_ms >= timestamp_ms and offset >= start_offset:
                    return offset, time_ms
    return None


def newest(segments: Sequence[Segment], start_offset: int) -> tuple[int, int] | None:
    """(offset, timestamp) of the record with the highest timestamp, the first of equals."""
    best: tuple[int, int] | None = None
    for segment in segments:
        time_ms, base = segment.index.newest
        if time_ms < 0 or segment.next_offset <= start_offset or (best is not None and best[1] >= time_ms):
            continue
        found = segment.find(base)
        if found is not None:
            best = next((row for row in _times(segment, *found) if row[1] == time_ms), (base, time_ms))
    return best


def _times(segment: Segment, position: int, header: Header) -> Iterator[tuple[int, int]]:
    """(offset, timestamp) of a batch's records; a batch that cannot be read inside counts as one record."""
    if header.attributes & APPEND_TIME:
        yield header.base_offset, header.max_timestamp
        return
    data = segment.read(position, position + header.size)
    try:
        for record in records(data, 0, header):
            yield header.base_offset + record.offset_delta, header.base_timestamp + record.timestamp_delta
    except DecodeError:
        yield header.base_offset, header.max_timestamp
