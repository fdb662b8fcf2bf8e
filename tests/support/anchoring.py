"""Ledgers with records, keys, anchors and servers for tests of seals and of where they are anchored."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import note
from roggia_auditor.tlog.keys import Kind, SignerKey
from roggia_auditor.tlog.note import Note, Signature
from roggia_runtime.http import HttpServer
from roggia_runtime.settings import HttpSettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.auditing import BOOK, STREAM, reads
from tests.support.processes import ServerProcess, free_port

ORIGIN = "audit.example.com"
HEAD = f"{ORIGIN}/head"
KEY = SignerKey(HEAD, Kind.LOG, bytes(range(32)))
NEXT_KEY = SignerKey(HEAD, Kind.LOG, bytes(range(32, 64)))
WITNESS = SignerKey("witness.example.com/w1", Kind.WITNESS, bytes(range(1, 33)))

NOW = 1_735_689_600
"""Seconds: when fake witnesses sign."""


async def enter(ledger: Ledger, batch: Sequence[Read], stream: Stream = STREAM) -> None:
    """Judge and append."""
    tenants = {one.event.tenant_id for one in batch if one.event}
    found = await ledger.before({stream: tenants}, [one.event.event_id for one in batch if one.event])
    await ledger.append([judge(stream, batch, found.streams[stream], dict(found.known), Rules(BOOK, {}))])


async def grow(ledger: Ledger, count: int = 3, stream: Stream = STREAM) -> None:
    """So many more records of two tenants."""
    held = (await ledger.heads([stream])).get(stream)
    start = 0 if held is None else held.next_offset
    await enter(ledger, reads(count, start=start, tenants=("acme", "beta")), stream)


class FakeAnchor:
    """Takes checkpoints while it is there; with a `key`, signs them like a witness that believes everything."""

    def __init__(self, key: SignerKey | None = None) -> None:
        self.taken: list[Note] = []
        self.trouble: Exception | None = None
        self.closed = False
        self._key = key

    async def publish(self, checkpoint: Note) -> Sequence[Signature]:
        """Take it, or raise `trouble`."""
        if self.trouble is not None:
            raise self.trouble
        self.taken.append(checkpoint)
        return () if self._key is None else (note.cosign(checkpoint.text, self._key, NOW),)

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


class WitnessProcess(ServerProcess):
    """`python -m roggia_auditor.witness` with a key and a memory of its own under `folder`."""

    def __init__(self, folder: Path, *logs: SignerKey, key: SignerKey = WITNESS) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "witness.key").write_text(key.text())
        port = free_port()
        environment = {
            "ROGGIA_WITNESS_KEY": str(folder / "witness.key"),
            "ROGGIA_WITNESS_LOGS": " ".join(str(log.verifier()) for log in logs),
            "ROGGIA_WITNESS_MEMORY": str(folder / "witness.sqlite3"),
            "ROGGIA_WITNESS_PORT": str(port),
        }
        super().__init__([sys.executable, "-m", "roggia_auditor.witness"], port, folder / "log", environment)
        self.url = f"http://127.0.0.1:{port}"


class Bucket:
    """A store that takes objects by PUT, each once, as S3 does under `If-None-Match: *`; it remembers the headers."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.refuses = 0
        """Status of every answer; 0: it does what it is asked."""

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Its URL, for as long as the block lasts."""
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["PUT", "GET", "POST"])])
        server = HttpServer(HttpSettings(port=free_port()), app)
        await server.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            await server.stop()

    async def _answer(self, request: Request) -> Response:
        path, body = request.url.path, await request.body()
        self.requests.append((request.method, path, dict(request.headers)))
        if self.refuses:
            return Response("<Code>AccessDenied</Code>", self.refuses)
        if request.method == "GET":
            return Response(self.objects[path]) if path in self.objects else Response(status_code=404)
        if path in self.objects:
            return Response("<Code>PreconditionFailed</Code>", 412)
        self.objects[path] = body
        return Response()
