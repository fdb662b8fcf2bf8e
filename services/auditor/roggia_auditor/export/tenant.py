"""One tenant's records, with everything that proves them, and that none is missing, in one folder.

`verify_export.py`, a file that needs nothing of Roggia, checks it. Of other tenants it holds hashes alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from roggia_auditor.errors import ExportError
from roggia_auditor.export.paths import StreamPaths
from roggia_auditor.export.rows import dropped_in, rows_of
from roggia_auditor.heads.seal import LogHead
from roggia_auditor.heads.sealing import Sealed
from roggia_auditor.ledger.model import Row, Stream
from roggia_auditor.ports import Ledger

FORMAT = "roggia-audit-export/1"


class TenantExport:
    """Writes the export of one tenant under one seal. `progress` hears of every record: how many, of how many."""

    def __init__(
        self,
        ledger: Ledger,
        sealed: Sealed,
        streams: Mapping[str, Stream],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._ledger, self._sealed, self._streams = ledger, sealed, streams
        self._progress = progress

    async def write(self, tenant: str, folder: Path) -> Mapping[str, Any]:
        """Write it into a folder that is not there yet, or is empty; return the manifest.

        Raises `ExportError` for a folder that holds something, and for a tenant without records.
        """
        make_empty(folder)
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
        of = sum(number for _, number in last)
        dropped = await dropped_in(self._ledger, tenant, last, self._streams)
        with path.open("w") as out:
            for origin, number in last:
                async for row, proof in self._proven(tenant, origin, number, dropped.get(origin, ())):
                    out.write(json.dumps(_line(origin, row, proof)) + "\n")
                    count += 1
                    pico += row.leaf.cost_pico or 0
                    if self._progress is not None:
                        self._progress(count, of)
        hidden = sum(number for _, number in last) - count
        return {"records": str(count), "not_shown": str(hidden), "pico_usd": str(pico)}

    async def _proven(
        self, tenant: str, origin: str, number: int, dropped: Sequence[tuple[int, int]]
    ) -> AsyncIterator[tuple[Row, list[bytes]]]:
        stream, size = self._streams[origin], self._log(origin).size
        tiles = StreamPaths(self._ledger, stream, size)
        async for row in rows_of(self._ledger, stream, tenant, number, dropped):
            yield row, await tiles.path(row.index)

    def _proof(self, tenant: str, last: Sequence[tuple[str, int]]) -> Mapping[str, Any]:
        """How the head log's checkpoint leads to the tenant's last numbers and to the roots of its logs."""
        state = self._sealed.state
        leaf, way = state.tenant(tenant)
        return {
            "head": {
                "index": self._sealed.head_log.size - 1,
                "entry": _b64(state.head().encoded()),
                "path": _path(self._sealed.path),
            },
            "tenant": {"entry": _b64(leaf.encoded()), "path": [[at, _b64(other)] for at, other in way]},
            "logs": [self._log_proof(origin) for origin, _ in last],
        }

    def _log_proof(self, origin: str) -> Mapping[str, Any]:
        index, leaf, path = self._sealed.state.log(origin)
        return {"index": index, "entry": _b64(leaf.encoded()), "path": _path(path)}

    def _log(self, origin: str) -> LogHead:
        return self._sealed.state.log(origin)[1]


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


def make_empty(folder: Path) -> None:
    """Make a folder for an export. Raises `ExportError` where it holds something."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ExportError(f"{folder}: it holds something; name an empty folder")


def _sha256(path: Path) -> str:
    with path.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()
