"""A tenant's records as tables, beside the folder that proves them: to be read and summed, not to be verified.

The proven part stays as it is. A manifest says what the tables hold, under which checkpoint, and their hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roggia_auditor.export.columns import COLUMNS, SUMS, Value, flat
from roggia_auditor.export.rows import dropped_in, event_of, rows_of
from roggia_auditor.export.tables import Format, table
from roggia_auditor.heads.sealing import Sealed
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import EventCodec, Ledger

FORMAT = "roggia-audit-readable/1"
NAME = "readable"
_PAGE = 500
_NAMES = tuple(column.name for column in COLUMNS)


@dataclass(slots=True)
class _Totals:
    """What the manifest counts. Integers of Python: they do not overflow."""

    records: int = 0
    unpriced: int = 0
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SUMS, 0))

    def add(self, row: Sequence[Value]) -> None:
        values = dict(zip(_NAMES, row, strict=True))
        self.records += 1
        self.unpriced += values["status"] == "UNPRICED"
        for name in SUMS:
            self.sums[name] += int(values[name] or 0)


class ReadableExport:
    """Writes the tables of one tenant under one seal."""

    def __init__(self, ledger: Ledger, sealed: Sealed, streams: Mapping[str, Stream], codec: EventCodec) -> None:
        self._ledger, self._sealed, self._streams, self._codec = ledger, sealed, streams, codec

    async def write(self, tenant: str, folder: Path, formats: Collection[Format]) -> Mapping[str, Any]:
        """Write them into a folder, one file for each format, and `readable.json`, which is returned.

        The tenant must be in the seal. Raises `ExportError` where a record is not in the ledger any more.
        """
        last = next(one.last for one in self._sealed.state.tenants if one.tenant == tenant)
        paths = {kind: folder / f"{NAME}.{kind}" for kind in dict.fromkeys(formats)}
        totals = await self._tables(tenant, last, paths)
        manifest = {
            "format": FORMAT,
            "tenant": tenant,
            "records": str(totals.records),
            "not_shown": str(sum(number for _, number in last) - totals.records),
            "unpriced": str(totals.unpriced),
            "sums": {name: str(total) for name, total in totals.sums.items()},
            "numbers": [{"log": log, "first": "1", "last": str(number)} for log, number in last],
            "checkpoint": str(self._sealed.checkpoint),
            "columns": [{"name": column.name, "kind": column.kind.value} for column in COLUMNS],
            "files": {path.name: _file(path) for path in paths.values()},
        }
        (folder / f"{NAME}.json").write_text(json.dumps(manifest, indent=1) + "\n")
        return manifest

    async def _tables(self, tenant: str, last: Sequence[tuple[str, int]], paths: Mapping[Format, Path]) -> _Totals:
        totals, tables = _Totals(), [table(kind, path) for kind, path in paths.items()]
        try:
            async for page in self._pages(tenant, last):
                for row in page:
                    totals.add(row)
                for one in tables:
                    one.write(page)
        finally:
            for one in tables:
                one.close()
        return totals

    async def _pages(self, tenant: str, last: Sequence[tuple[str, int]]) -> AsyncIterator[Sequence[Sequence[Value]]]:
        page: list[Sequence[Value]] = []
        dropped = await dropped_in(self._ledger, tenant, last, self._streams)
        for log, number in last:
            stream = self._streams[log]
            async for row in rows_of(self._ledger, stream, tenant, number, dropped.get(log, ())):
                page.append(flat(log, row, await event_of(self._codec, stream, row)))
                if len(page) == _PAGE:
                    yield page
                    page = []
        if page:
            yield page


def _file(path: Path) -> Mapping[str, str]:
    with path.open("rb") as held:
        return {"sha256": hashlib.file_digest(held, "sha256").hexdigest(), "bytes": str(path.stat().st_size)}
