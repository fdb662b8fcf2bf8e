"""All logs as C2SP tlog-tiles lays them out, for verifiers that know nothing of Roggia.

A folder per log, named by what comes behind the common origin: `head`, `inference.completed/ID/PARTITION`. In each lie
`checkpoint`, `tile/LEVEL/…` and `tile/entries/…`. It shows every tenant's entries: it is for an auditor of the whole.
Entries hold hashes of values, not the values.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from roggia_auditor.errors import ExportError
from roggia_auditor.export.tenant import make_empty
from roggia_auditor.heads.continuing import entries as head_entries
from roggia_auditor.heads.sealing import Sealed
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.checkpoint import of as checkpoint_of
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.note import Note
from roggia_auditor.tlog.tiles import WIDTH, Tile, bundle


class TilesExport:
    """Writes the logs as they are under one seal. `origin` is what their names begin with."""

    def __init__(self, ledger: Ledger, sealed: Sealed, streams: Mapping[str, Stream], origin: str) -> None:
        self._ledger, self._sealed, self._streams, self._origin = ledger, sealed, streams, origin

    async def write(self, folder: Path) -> Mapping[str, int]:
        """Write every log into a folder that is not there yet, or is empty; size by log.

        Raises `ExportError` for a folder that holds something, and for a ledger that lacks or has changed an entry:
        what is written is hashed, and must come to the checkpoint.
        """
        make_empty(folder)
        written = {}
        for origin, signed in {f"{self._origin}/head": self._sealed.checkpoint, **self._sealed.logs}.items():
            size = checkpoint_of(signed).size
            place = folder / origin.removeprefix(f"{self._origin}/")
            await _Log(place, signed, origin).write(self._entries(origin, size))
            written[origin] = size
        return written

    async def _entries(self, origin: str, size: int) -> AsyncIterator[bytes]:
        if origin not in self._streams:
            async for one in head_entries(self._ledger, 0, size):
                yield one.entry
            return
        start = 0
        while start < size and (rows := await self._ledger.rows(self._streams[origin], start, min(500, size - start))):
            for row in rows:
                yield row.entry
            start = rows[-1].index + 1


class _Log:
    """One log's folder: entries come in, tiles of every level go out as they fill."""

    def __init__(self, folder: Path, signed: Note, origin: str) -> None:
        self._folder, self._signed, self._origin = folder, signed, origin
        self._levels: list[list[bytes]] = []
        self._full: list[int] = []

    async def write(self, entries: AsyncIterator[bytes]) -> None:
        edge, bundled, index = Frontier(), list[bytes](), 0
        async for entry in entries:
            bundled.append(entry)
            leaf = hashes.leaf(entry)
            edge, made = edge.grown([leaf])
            for level, found in [(0, leaf), *((one.level, one.hash) for one in made)]:
                self._push(level, found)
            if len(bundled) == WIDTH:
                self._put(Tile(0, index).entries_path(), bundle(bundled))
                bundled, index = [], index + 1
        if bundled:
            self._put(Tile(0, index, len(bundled)).entries_path(), bundle(bundled))
        for level, held in enumerate(self._levels):
            if held:
                self._tile(level, held)
        said = checkpoint_of(self._signed)
        if (edge.size, edge.root()) != (said.size, said.root):
            raise ExportError(f"{self._origin}: its {edge.size} entries do not come to the checkpoint of {said.size}")
        self._put("checkpoint", str(self._signed).encode())

    def _push(self, level: int, found: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._full.append(0)
        self._levels[level].append(found)
        if len(self._levels[level]) == WIDTH:
            self._tile(level, self._levels[level])
            self._levels[level] = []
            self._full[level] += 1

    def _tile(self, level: int, held: Sequence[bytes]) -> None:
        self._put(Tile(level, self._full[level], len(held)).path(), b"".join(held))

    def _put(self, name: str, raw: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
