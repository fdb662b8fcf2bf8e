"""What retention needs from outside: a ledger whose records can move, and a place for segments."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from roggia_auditor.ledger.model import Draft, Row, Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.retention.segment import Moved, Segment, Span


class Wanted(NamedTuple):
    """Records with an id: `field` is event_id, request_id, response_id or trace_id; with `tenants`, theirs alone."""

    field: str
    value: str
    tenants: Collection[str] | None = None


class KeptLedger(Ledger, Protocol):
    """A ledger whose records move into segments. Leaf hashes, tiles, sums, numbers and checkpoints stay in it.

    What has moved is read as if it had not: `rows`, `tenant_rows` and `find` read segments too. What is dropped is
    missing there, and its events stay known.
    """

    async def segments(self) -> Sequence[Segment]:
        """Every segment, oldest first, also those whose entries are dropped."""
        ...

    async def moved(self, stream: Stream) -> Sequence[Moved]:
        """Which leaves of a stream are in segments, in order."""
        ...

    async def seal(self, segment: Segment, acts: Draft) -> None:
        """Enter a segment and its act in one transaction; its records stay where they are until `move`.

        Raises `LedgerConflictError`, and writes nothing, where an act came between, or leaves are in a segment already.
        """
        ...

    async def move(self, span: Span, tiles: int) -> int:
        """Take records of a segment out of the tables, those of at most so many tiles; how many that were.

        Their leaf hashes and event ids stay. None is left once it is 0.
        """
        ...

    async def drop(self, span: Span, acts: Draft) -> None:
        """Mark a segment as dropped and enter the acts that say so, in one transaction: the files may go after it.

        Raises `LedgerConflictError`, and writes nothing, where an act came between or it is dropped already;
        `LedgerError` while records of it are still in the tables.
        """
        ...


class SegmentReader(Protocol):
    """Reads records of segments. Raises `SegmentError` where a segment is missing or cannot be read."""

    async def rows(self, span: Span, start: int, limit: int) -> Sequence[Row]:
        """At most `limit` records from leaf `start` on."""
        ...

    async def tenant_rows(self, span: Span, tenant: str, start: int, limit: int) -> Sequence[Row]:
        """At most `limit` records of a tenant from its number `start` on."""
        ...

    async def find(self, span: Span, wanted: Wanted, limit: int) -> Sequence[Row]:
        """At most `limit` records by an id. Reads that column whole."""
        ...


class SegmentFiles(SegmentReader, Protocol):
    """A place for segments. A segment is there whole or not at all."""

    def claim(self) -> AbstractContextManager[None]:
        """Nobody else writes here meanwhile; what ends with its process, also by kill -9, lets go.

        Raises `LedgerConflictError` where somebody else does, `SegmentError` where the place cannot be written.
        """
        ...

    async def write(self, segment: Segment, pages: AsyncIterator[Sequence[Row]], tiles: Mapping[str, bytes]) -> Segment:
        """Write records, tiles and manifest; the segment with the hashes of its files. Replaces what a crash left.

        On return all of it would survive a power loss. Raises `SegmentError`.
        """
        ...

    async def manifest(self, span: Span) -> str:
        """The text of its manifest, once its files have the hashes that it names. Raises `SegmentError`."""
        ...

    async def present(self, span: Span) -> bool:
        """Whether it is in this place at all."""
        ...

    async def remove(self, span: Span) -> bool:
        """Remove its files, whole or half written; whether there were any."""
        ...
