"""One tenant's records, with everything that proves them, and that none is missing, in one folder.

`verify_export.py`, a file that needs nothing of Roggia, checks it. Of other tenants it holds hashes alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from roggia_auditor.errors import ExportError
from roggia_auditor.export.rows import rows_of
from roggia_auditor.heads.seal import LogHead
from roggia_auditor.heads.sealing import Sealed
from roggia_auditor.ledger.model import Row, Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import proofs
from roggia_auditor.tlog.tiles import WIDTH, Tile, nodes

FORMAT = "roggia-audit-export/1"
_TILES = 512
"""Tiles kept while paths are made, 8 KiB each."""


class TenantExport:
    """Writes the export of one tenant under one seal."""

    def __init__(self, ledger: Ledger, sealed: Sealed, streams: Mapping[str, Stream]) -> None:
        self._ledger, self._sealed, self._streams = ledger, sealed, streams

    async def write(self, tenant: str, folder: Path) -> Mapping[str, Any]:
        """Write it into a folder that is not there yet, or is empty; return the manifest.

        Raises `ExportError` for a folder that holds something, and for a tenant without records.
        """
        _make_empty(folder)
        known = {one.tenant: one for one in self._sealed.state.tenants}
        if tenant not in known:
            raise ExportError(f"tenant {tenant!r} has no record in the audit log")
        (folder / "head.checkpoint").write_text(str(self._sealed.checkpoint))
        totals = await self._records(tenant, known[tenant].last, folder / "records.jsonl")
        (folder / "proof.json").write_text(json.dumps(self._proof(tenant, known[tenant].last), indent=1) + "\n")
        names = ("head.checkpoint", "proof.json", "records.jsonl")
        manifest = {
            "format": FORMAT,
            "tenant": tenant,
            **totals,
            "files": {name: _sha256(folder / name) for name in names},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        return manifest

    async def _records(self, tenant: str, last: Sequence[tuple[str, int]], path: Path) -> Mapping[str, str]:
        count = pico = 0
        with path.open("w") as out:
            for origin, number in last:
                async for row, proof in self._proven(tenant, origin, number):
                    out.write(json.dumps(_line(origin, row, proof)) + "\n")
                    count += 1
                    pico += row.leaf.cost_pico or 0
        return {"records": str(count), "pico_usd": str(pico)}

    async def _proven(self, tenant: str, origin: str, number: int) -> AsyncIterator[tuple[Row, list[bytes]]]:
        stream, size = self._streams[origin], self._log(origin).size
        tiles = _Cached(self._ledger, stream, size)
        async for row in rows_of(self._ledger, stream, tenant, number):
            yield row, await tiles.path(row.index)

    def _proof(self, tenant: str, last: Sequence[tuple[str, int]]) -> Mapping[str, Any]:
        """How the head log's checkpoint leads to the tenant's last numbers and to the roots of its logs."""
        state = self._sealed.state
        index, leaf, path = state.tenant(tenant)
        return {
            "head": {
                "index": self._sealed.head_log.size - 1,
                "entry": _b64(state.head().encoded()),
                "path": _path(self._sealed.path),
            },
            "tenant": {"index": index, "entry": _b64(leaf.encoded()), "path": _path(path)},
            "logs": [self._log_proof(origin) for origin, _ in last],
        }

    def _log_proof(self, origin: str) -> Mapping[str, Any]:
        index, leaf, path = self._sealed.state.log(origin)
        return {"index": index, "entry": _b64(leaf.encoded()), "path": _path(path)}

    def _log(self, origin: str) -> LogHead:
        return self._sealed.state.log(origin)[1]


class _Cached:
    """Paths in one stream's tree, from its tiles; each tile is read once."""

    def __init__(self, ledger: Ledger, stream: Stream, size: int) -> None:
        self._ledger, self._stream, self._size = ledger, stream, size
        self._held: dict[Tile, Sequence[bytes]] = {}
        self._nodes = nodes(size, self._held.__getitem__)

    async def path(self, index: int) -> list[bytes]:
        """The inclusion proof of a leaf: tiles that it needs are fetched first, then it is made of them."""
        if len(self._held) >= _TILES:
            self._held.clear()
        for tile in _needed(index, self._size):
            if tile not in self._held:
                self._held[tile] = await self._ledger.tile(self._stream, tile)
        return proofs.inclusion(index, self._size, self._nodes)


def _needed(index: int, size: int) -> list[Tile]:
    """Tiles on the way from a leaf to the root, and those at the right edge, of every level."""
    found, level = dict[Tile, None](), 0
    while count := size >> 8 * level:
        last = (count - 1) // WIDTH
        for at in {min(index >> 8 * (level + 1), last), last}:
            found[Tile(level, at, min(WIDTH, count - at * WIDTH))] = None
        level += 1
    return list(found)


def _line(origin: str, row: Row, path: Sequence[bytes]) -> Mapping[str, Any]:
    """What is written beside entry and value is what the entry says, for reading: nothing that is not proven."""
    leaf = row.leaf
    return {
        "log": origin,
        "index": row.index,
        "event_id": leaf.event_id,
        "tenant_seq": str(leaf.tenant_seq),
        "offset": str(leaf.offset),
        "appended_at": str(leaf.appended_at),
        "status": leaf.status.name,
        "reason": leaf.reason,
        "period": leaf.period,
        "booked": leaf.booked,
        "pico_usd": None if leaf.cost_pico is None else str(leaf.cost_pico),
        "price_version": leaf.price_version,
        "entry": _b64(leaf.encoded()),
        "path": _path(path),
        "value": _b64(row.value),
    }


def _path(found: Sequence[bytes]) -> list[str]:
    return [_b64(one) for one in found]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _make_empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ExportError(f"{folder}: it holds something; name an empty folder")


def _sha256(path: Path) -> str:
    with path.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()
