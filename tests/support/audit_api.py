"""The audit API over a ledger in a file, called without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger, SqliteReports
from roggia_auditor.api.access_log import AccessLog
from roggia_auditor.api.exporting import Exporting, Progress
from roggia_auditor.api.http import Routes
from roggia_auditor.api.reading import Reading
from roggia_auditor.api.tokens import Scope, Tokens, entry
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog.keys import SignerKey
from roggia_runtime.codec import EventCodec
from roggia_runtime.http import application
from roggia_runtime.settings import RegistrySettings

from tests.support.auditing import BOOK, STREAM

ORIGIN = "audit.example.com"
ACME, BETA, ALL, READER = "token-of-acme", "token-of-beta", "token-of-all", "token-that-reads"
KEY = SignerKey.generate(f"{ORIGIN}/head")


@dataclass
class Api:
    """A running API and what is behind it."""

    client: httpx.AsyncClient
    ledger: SqliteLedger
    sealer: Sealer
    tokens: Path

    async def get(self, path: str, token: str = ACME, **parameters: str) -> httpx.Response:
        """GET under /v1."""
        return await self.client.get(f"/v1{path}", params=parameters, headers=bearer(token))

    async def enter(self, batch: Sequence[Read], stream: Stream = STREAM, rules: Rules | None = None) -> None:
        """Put records into the ledger."""
        await enter(self.ledger, batch, stream, rules)


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"authorization": f"Bearer {token}"}


async def enter(ledger: Ledger, batch: Sequence[Read], stream: Stream = STREAM, rules: Rules | None = None) -> None:
    """Judge and append."""
    tenants = {one.event.tenant_id for one in batch if one.event}
    found = await ledger.before({stream: tenants}, [one.event.event_id for one in batch if one.event])
    made = judge(stream, batch, found.streams[stream], dict(found.known), rules or Rules(BOOK, {}))
    await ledger.append([made])


def tokens() -> str:
    """A file of tokens: two tenants, one that sees all, one that may only read."""
    both = list(Scope)
    return "".join(
        [
            entry("acme's", ACME, ["acme"], both),
            entry("beta's", BETA, ["beta"], both),
            entry("all", ALL, [], both),
            entry("reader", READER, ["acme", "beta"], [Scope.READ]),
        ]
    )


@asynccontextmanager
async def running(folder: Path, *, exports: bool = True) -> AsyncIterator[Api]:
    """The API over an empty ledger in a folder."""
    ledger = SqliteLedger(folder / "ledger.sqlite3", segments=FolderSegments(folder / "segments"))
    await ledger.start()
    (folder / "tokens.yaml").write_text(tokens())
    sealer, codec = Sealer(ledger, ORIGIN, KEY), EventCodec(RegistrySettings(), source="/test")

    async def export(tenant: str, target: Path, progress: Progress) -> None:
        sealed = await sealer.seal()
        streams = {stream.origin(ORIGIN): stream for stream in await ledger.streams()}
        await TenantExport(ledger, sealed, streams, progress).write(tenant, target)

    exporting = Exporting(folder / "exports", export, 3600) if exports else None
    if exporting is not None:
        await exporting.start()
    reports = SqliteReports(ledger)
    reading = Reading(ledger, reports, codec, ORIGIN)
    routes = Routes(Tokens(folder / "tokens.yaml"), AccessLog(ledger, reports.knows), reading, exporting).routes()
    transport = httpx.ASGITransport(application(list, routes), raise_app_exceptions=False)
    work = asyncio.create_task(exporting.run()) if exporting else None
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield Api(client, ledger, sealer, folder / "tokens.yaml")
    if exporting is not None and work is not None:
        exporting.stop()
        await work
    await ledger.stop()
