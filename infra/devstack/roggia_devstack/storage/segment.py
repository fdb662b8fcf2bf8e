"""One append-only file of record batches, named by its first offset, with its index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from roggia_devstack.storage.batch import HEADER, HEADER_BYTES, PREFIX, PREFIX_BYTES, Header, intact, parse
from roggia_devstack.storage.files import FilePool
from roggia_devstack.storage.index import Index

SCAN_BYTES = 1 << 20
LOG_SUFFIX, INDEX_SUFFIX = ".log", ".index"


class Segment:
    """Batches with offsets in [base, next_offset). Only the last segment of a log is written to.

    Writing is one system call per batch and no fsync: a killed process loses nothing that was appended, a machine that
    loses power may lose what its kernel had not written yet.
    """

    def __init__(self, folder: Path, base: int, pool: FilePool, index: Index) -> None:
        self.base = base
        self.path = folder / f"{base:020d}{LOG_SUFFIX}"
        self.index = index
        self._pool = pool
        self._saved_size = -1

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self.index.size

    @property
    def next_offset(self) -> int:
        """Offset after the last record."""
        return self.index.next_offset

    @property
    def index_path(self) -> Path:
        """Where the index is saved."""
        return self.path.with_suffix(INDEX_SUFFIX)

    def create(self) -> None:
        """Make the file, so that the log's end survives the removal of every earlier segment."""
        self._pool.fd(self.path)

    def append(self, header: Header, parts: list[bytes | memoryview]) -> None:
        """Write one batch, given in parts that follow one another. A failed write leaves the segment as it was."""
        fd, size = self._pool.fd(self.path), header.size
        written = os.pwritev(fd, parts, self.size)
        if written != size:
            try:
                _finish(fd, b"".join(parts)[written:], self.size + written)
            except OSError:
                os.ftruncate(fd, self.size)
                raise
        self.index.add(header)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes in [start, end), less at the end of the file."""
        return os.pread(self._pool.fd(self.path), min(end, self.size) - start, start)

    def headers(self, position: int) -> Iterator[tuple[int, Header]]:
        """Yield (position, header) of the batches from `position` on; reads headers only."""
        while position + HEADER_BYTES <= self.size:
            header = Header._make(HEADER.unpack(self.read(position, position + HEADER_BYTES)))
            yield position, header
            position += header.size

    def find(self, offset: int) -> tuple[int, Header] | None:
        """Position and header of the first batch whose last offset is at least `offset`."""
        for position, header in self.headers(self.index.position_of(offset)):
            if header.last_offset >= offset:
                return position, header
        return None

    def whole_batches_end(self, start: int, limit: int) -> tuple[int, int]:
        """Largest position in [start, limit] where a batch ends, and the offset after that batch.

        `start` must be the start of a batch; the offset is `base` when nothing ends in between.
        """
        if limit >= self.size:
            return self.size, self.next_offset
        end, next_offset = max(start, self.index.position_before(limit)), self.base
        for position, header in self.headers(end):
            next_offset = header.base_offset
            if position + header.size > limit:
                break
            end = position + header.size
        return end, next_offset

    def batches(self, start: int = 0) -> Iterator[tuple[bytes, int, Header]]:
        """Yield (chunk, position in chunk, header) of every batch from `start`, reading large pieces at a time."""
        while start < self.size:
            chunk = self.read(start, start + SCAN_BYTES)
            at, header = 0, parse(chunk)
            if header is None:
                # Only the header is at hand to say how large this batch is.
                prefix = next(self.headers(start), None)
                chunk = self.read(start, start + prefix[1].size) if prefix else b""
                header = parse(chunk)
            if header is None:
                return
            while header is not None:
                yield chunk, at, header
                at += header.size
                header = parse(chunk, at)
            start += at

    def recover(self) -> Iterator[tuple[bytes, int, Header]]:
        """Take in what the file holds beyond the index, up to the first torn or damaged batch, and cut it there.

        Yields like `batches`. Called once, after opening.
        """
        fd, at, chunk = self._pool.fd(self.path), 0, b""
        file_size = os.fstat(fd).st_size
        while self.size < file_size:
            header = parse(chunk, at)
            if header is None:
                claimed = _claimed_bytes(os.pread(fd, PREFIX_BYTES, self.size))
                if not HEADER_BYTES <= claimed <= file_size - self.size or claimed <= len(chunk) - at:
                    break
                chunk, at = os.pread(fd, max(claimed, SCAN_BYTES), self.size), 0
            elif header.base_offset < self.next_offset or not intact(chunk, at, header):
                break
            else:
                self.index.add(header)
                yield chunk, at, header
                at += header.size
        if self.size < file_size:
            os.ftruncate(fd, self.size)

    def save_index(self) -> None:
        """Save the index if it changed."""
        if self._saved_size != self.size:
            self.index.save(self.index_path)
            self._saved_size = self.size

    def remove(self) -> None:
        """Delete the files."""
        self._pool.forget(self.path)
        self.path.unlink(missing_ok=True)
        self.index_path.unlink(missing_ok=True)


def _claimed_bytes(prefix: bytes) -> int:
    """Size that a batch says it has; 0 when not even that is there."""
    return PREFIX.unpack(prefix)[1] + PREFIX_BYTES if len(prefix) == PREFIX_BYTES else 0


def _finish(fd: int, rest: bytes, position: int) -> None:
    while rest:
        written = os.pwrite(fd, rest, position)
        rest, position = rest[written:], position + written
