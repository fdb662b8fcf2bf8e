"""Sparse index of one segment: where batches start, by offset and by time. Kept in memory, saved beside the segment."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path

import msgspec

from roggia_devstack.storage.batch import Header
from roggia_devstack.storage.files import read_sealed, write_sealed

INTERVAL_BYTES = 4096


class _Saved(msgspec.Struct, frozen=True):
    size: int
    next_offset: int
    created_ms: int
    newest: tuple[int, int]
    entries: bytes
    little_endian: bool


class Index:
    """Summary of a segment's first `size` bytes.

    One entry per at least `INTERVAL_BYTES`: a batch's base offset, its position, and the highest timestamp before it.
    `newest` is (highest timestamp or -1, base offset of its batch); `created_ms` the wall time of the first append.
    """

    def __init__(self, base: int, created_ms: int) -> None:
        self.size = 0
        self.next_offset = base
        self.created_ms = created_ms
        self.newest = (-1, base)
        self._offsets, self._positions, self._times = array("q"), array("q"), array("q")

    def add(self, header: Header) -> None:
        """Take in the batch that starts at `size`."""
        positions = self._positions
        if not positions or self.size - positions[-1] >= INTERVAL_BYTES:
            self._offsets.append(header.base_offset)
            positions.append(self.size)
            self._times.append(self.newest[0])
        self.size += header.size
        self.next_offset = header.last_offset + 1
        if header.max_timestamp > self.newest[0]:
            self.newest = (header.max_timestamp, header.base_offset)

    def position_of(self, offset: int) -> int:
        """Position of a batch at or before the one that holds `offset`, near it."""
        entry = bisect_right(self._offsets, offset) - 1
        return self._positions[entry] if entry >= 0 else 0

    def position_before(self, position: int) -> int:
        """Position of a batch that starts at or before `position`, near it."""
        entry = bisect_right(self._positions, position) - 1
        return self._positions[entry] if entry >= 0 else 0

    def position_of_time(self, timestamp_ms: int) -> int:
        """Position of a batch before which no timestamp reaches `timestamp_ms`."""
        entry = bisect_left(self._times, timestamp_ms) - 1
        return self._positions[entry] if entry >= 0 else 0

    def save(self, path: Path) -> None:
        """Write to `path`."""
        entries = b"".join(part.tobytes() for part in (self._offsets, self._positions, self._times))
        little = sys.byteorder == "little"
        saved = _Saved(self.size, self.next_offset, self.created_ms, self.newest, entries, little)
        write_sealed(path, msgspec.msgpack.encode(saved))

    @classmethod
    def load(cls, path: Path, base: int, file_size: int) -> Index | None:
        """Read from `path`; None when it is absent, damaged, or says more than the segment's `file_size` bytes."""
        content = read_sealed(path)
        if content is None:
            return None
        saved = msgspec.msgpack.decode(content, type=_Saved)
        if saved.size > file_size or saved.little_endian != (sys.byteorder == "little"):
            return None
        index = cls(base, saved.created_ms)
        index.size, index.next_offset, index.newest = saved.size, saved.next_offset, saved.newest
        third = len(saved.entries) // 3
        for number, part in enumerate((index._offsets, index._positions, index._times)):
            part.frombytes(saved.entries[number * third : (number + 1) * third])
        return index
