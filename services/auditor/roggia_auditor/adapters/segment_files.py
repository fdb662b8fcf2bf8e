"""Segments as folders of a file system: records.parquet, tiles.tar in the layout of C2SP tlog-tiles, manifest.json."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from roggia_auditor.adapters.parquet_records import RecordFile, RecordWriter
from roggia_auditor.errors import LedgerConflictError, SegmentError
from roggia_auditor.ledger.model import Row
from roggia_auditor.retention.ports import Wanted
from roggia_auditor.retention.segment import MANIFEST, RECORDS, TILES, Segment, Span, of_manifest

_NEW = ".new"
"""Ending of a folder that is not whole yet."""
_LOCK = ".sealing"
_OPEN = 8
"""Segments whose numbers of tenants are kept at hand, some 20 MB per million records."""


class FolderSegments:
    """A folder of segments, shared by whoever reads or writes them. Work with files is done off the event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Span, RecordFile] = {}

    @contextmanager
    def claim(self) -> Iterator[None]:
        """See `roggia_auditor.retention.ports.SegmentFiles`. A lock of the operating system on a file of the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            held = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise SegmentError(f"{self._folder} cannot be written: {error}") from error
        try:
            self._lock(held)
            yield
        finally:
            os.close(held)

    def _lock(self, held: int) -> None:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerConflictError(f"somebody else seals into {self._folder} now; try again later") from None
        except OSError as error:
            raise SegmentError(f"{self._folder}: its file system locks no files: {error}") from error

    async def write(self, segment: Segment, pages: AsyncIterator[Sequence[Row]], tiles: Mapping[str, bytes]) -> Segment:
        """See `roggia_auditor.retention.ports.SegmentFiles`."""
        place = self._place(segment.span)
        fresh = place.with_name(place.name + _NEW)
        try:
            await asyncio.to_thread(_emptied, fresh)
            await self._records(fresh / RECORDS, pages)
            return await asyncio.to_thread(_publish, fresh, place, segment, tiles)
        except OSError as error:
            raise SegmentError(f"{segment.span.name} cannot be written: {error}") from error
        finally:
            self._files.pop(segment.span, None)

    async def manifest(self, span: Span) -> str:
        """See `roggia_auditor.retention.ports.SegmentFiles`."""
        return await asyncio.to_thread(_checked, self._place(span), span)

    async def present(self, span: Span) -> bool:
        """See `roggia_auditor.retention.ports.SegmentFiles`."""
        return await asyncio.to_thread((self._place(span) / MANIFEST).exists)

    async def remove(self, span: Span) -> bool:
        """See `roggia_auditor.retention.ports.SegmentFiles`."""
        self._files.pop(span, None)
        place = self._place(span)
        removed = [await asyncio.to_thread(_removed, one) for one in (place, place.with_name(place.name + _NEW))]
        return any(removed)

    async def rows(self, span: Span, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.retention.ports.SegmentReader`."""
        return await asyncio.to_thread(self._open(span).rows, start, limit)

    async def tenant_rows(self, span: Span, tenant: str, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.retention.ports.SegmentReader`."""
        return await asyncio.to_thread(self._open(span).tenant_rows, tenant, start, limit)

    async def find(self, span: Span, wanted: Wanted, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.retention.ports.SegmentReader`."""
        return await asyncio.to_thread(self._open(span).find, wanted, limit)

    def _open(self, span: Span) -> RecordFile:
        if span not in self._files:
            while len(self._files) >= _OPEN:
                self._files.pop(next(iter(self._files)))
            self._files[span] = RecordFile(self._place(span) / RECORDS, span.name)
        return self._files[span]

    def _place(self, span: Span) -> Path:
        return self._folder / span.name

    async def _records(self, path: Path, pages: AsyncIterator[Sequence[Row]]) -> None:
        with ExitStack() as held:
            writer = held.enter_context(RecordWriter(path))
            async for rows in pages:
                await asyncio.to_thread(writer.write, rows)


def _emptied(folder: Path) -> None:
    _removed(folder)
    folder.mkdir(parents=True)


def _removed(folder: Path) -> bool:
    if not folder.exists():
        return False
    shutil.rmtree(folder)
    _flush(folder.parent)
    return True


def _publish(fresh: Path, place: Path, segment: Segment, tiles: Mapping[str, bytes]) -> Segment:
    """Everything is flushed before the folder gets its name, and the name after it."""
    (fresh / TILES).write_bytes(_tar(tiles))
    made = replace(segment, files={name: _sha256(fresh / name) for name in (RECORDS, TILES)})
    (fresh / MANIFEST).write_text(made.manifest(), "utf-8")
    for name in (RECORDS, TILES, MANIFEST):
        _flush(fresh / name)
    _flush(fresh)
    _removed(place)
    fresh.rename(place)
    _flush(place.parent)
    return made


def _checked(place: Path, span: Span) -> str:
    try:
        text = (place / MANIFEST).read_text("utf-8")
        for name, digest in of_manifest(text).files.items():
            if _sha256(place / name) != digest:
                raise SegmentError(f"{span.name}: {name} is not the file of its manifest")
    except OSError as error:
        raise SegmentError(f"{span.name} cannot be read: {error}") from error
    return text


def _tar(tiles: Mapping[str, bytes]) -> bytes:
    """The same bytes for the same tiles: no times, no owners."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for path, content in sorted(tiles.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _sha256(path: Path) -> str:
    with path.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
