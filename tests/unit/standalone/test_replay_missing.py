"""`roggia replay --missing`: the index says what it lacks; what a renewal mends becomes the selection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
import typer
from aiohttp import web
from aiohttp.test_utils import TestServer
from roggia.cli.replay_options import Asked, asked
from roggia.connection import Connection
from roggia.errors import UsageError
from roggia_operator.replay.selection import Selection
from roggia_operator.verify_client import VerifyError
from roggia_runtime.errors import UnavailableError
from roggia_runtime.findings import VERIFY_PATH, Finding, Kind, Message, Repair, Summary, VerifyRequest, line

from tests.support.processes import free_port

END = Summary(documents=3, chunks=3, points=3, findings={}, suspects=0, pending=0, unreadable=0, seconds=0.1)


def finding(doc_id: str, repair: Repair, tenant: str = "acme") -> Finding:
    """Something wrong with a document."""
    return Finding(
        kind=Kind.MISSING,
        tenant=tenant,
        domain="kb",
        doc_id=doc_id,
        collection="kb_acme_kb__g1",
        point_id=f"p-{doc_id}",
        repair=repair,
    )


@asynccontextmanager
async def index(says: Sequence[Message]) -> AsyncIterator[tuple[Connection, list[VerifyRequest]]]:
    """A query service that answers every verification with `says`; where it is, and what it was asked."""
    requests: list[VerifyRequest] = []

    async def verify(request: web.Request) -> web.Response:
        requests.append(msgspec.json.decode(await request.read(), type=VerifyRequest))
        return web.Response(body=b"".join(map(line, says)))

    app = web.Application()
    app.router.add_post(VERIFY_PATH, verify)
    async with TestServer(app) as server:
        yield Connection("", "", str(server.make_url(""))), requests


async def test_documents_that_a_renewal_mends_are_selected_and_renewed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each document once, with its tenant, in mode renew; what no replay mends is said, not sent."""
    says = [
        finding("x/y", Repair.RENEW),
        finding("x/y", Repair.RENEW),
        finding("a", Repair.RENEW, "beta"),
        finding("gone", Repair.DELETE),
        finding("odd", Repair.NONE),
        END,
    ]
    async with index(says) as (where, requests):
        chosen = await asked(Asked("doc.changed", missing=True), where)
    assert chosen == Selection(topic="doc.changed", documents=("acme/x/y", "beta/a"), missing=True, mode="renew")
    assert requests == [VerifyRequest()]
    assert "2 findings that no replay mends" in capsys.readouterr().err


async def test_the_index_is_asked_for_the_tenant_and_domain_that_were_named() -> None:
    """The domain narrows where the index is looked at; the documents found are sent whole."""
    async with index([finding("a", Repair.RENEW), END]) as (where, requests):
        chosen = await asked(Asked("doc.changed", tenant="acme", domain="kb", missing=True), where)
    assert requests == [VerifyRequest(tenant="acme", domain="kb")]
    assert (chosen.tenant, chosen.domain, chosen.documents) == ("acme", "", ("acme/a",))


async def test_an_index_that_misses_nothing_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with status 0 and says so; no job is asked for."""
    async with index([finding("gone", Repair.DELETE), END]) as (where, _):
        with pytest.raises(typer.Exit) as ended:
            await asked(Asked("doc.changed", missing=True), where)
    assert ended.value.exit_code == 0
    assert "misses nothing" in capsys.readouterr().err


async def test_half_an_answer_selects_nothing() -> None:
    """A verification without an end, and a server that is not there, fail instead of replaying what was told so far."""
    async with index([finding("a", Repair.RENEW)]) as (where, _):
        with pytest.raises(VerifyError, match="cut off"):
            await asked(Asked("doc.changed", missing=True), where)
    with pytest.raises(UnavailableError):
        await asked(Asked("doc.changed", missing=True), Connection("", "", f"http://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    "others",
    [{"topic": "doc.chunked.c1"}, {"doc": ["a"]}, {"since": "1h"}, {"offsets": ["0:0-1"]}, {"collection": "trial"}],
)
async def test_options_that_missing_would_ignore_are_refused(others: dict[str, object]) -> None:
    """Nobody is told that something was selected which was not."""
    with pytest.raises(UsageError, match="--missing"):
        await asked(Asked(**{"topic": "doc.changed", "missing": True, **others}), Connection("", "", ""))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--domain"):
        await asked(Asked("doc.changed", domain="kb", missing=True), Connection("", "", ""))
