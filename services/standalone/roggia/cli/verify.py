"""`roggia verify`: is the index exactly what the log says? And, with --repair, make it so through the stream."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

import typer
from roggia_operator.verify_client import messages
from roggia_runtime.findings import Finding, Progress, Summary, VerifyRequest

from roggia.cli import options
from roggia.cli.output import emit_line, out
from roggia.cli.verify_repair import Consent, mend
from roggia.cli.verify_views import bar, kinds, plain, show
from roggia.connection import Connection, Named, resolve
from roggia.errors import StandaloneError, UsageError


def verify(
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant's documents.")] = "",
    domain: Annotated[str, typer.Option("--domain", help="Only the collections of this domain.")] = "",
    collection: Annotated[
        str, typer.Option("--collection", help="Only this physical collection, for instance kb_acme_docs__g2.")
    ] = "",
    doc: Annotated[list[str] | None, typer.Option("--doc", help="Only this document of --tenant; repeatable.")] = None,
    points_per_s: Annotated[
        float, typer.Option("--rate", min=0, help="Points per second to read at most; 0: the server's setting.")
    ] = 0.0,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be, after a plan and a question.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the repair's plan is accepted.")] = False,
    dry_run: options.DryRun = False,
    delete: Annotated[
        int, typer.Option("--delete", min=0, help="Documents that --repair may delete, when they are very many.")
    ] = 0,
    patience_s: Annotated[
        float, typer.Option("--patience", min=1, help="Seconds that a repair may take to reach the index.")
    ] = 600.0,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Compare the index with the log, chunk by chunk; exit status 1 when they differ.

    --repair renews documents by a replay job and deletes what the log does not know, all through the ordinary stream.
    """
    if (yes or dry_run) and not repair:
        raise UsageError(f"{'--yes' if yes else '--dry-run'}: there is no plan without --repair; add it")
    request = VerifyRequest(
        tenant=tenant, domain=domain, collection=collection, doc_ids=tuple(doc or ()), points_per_s=points_per_s
    )
    named = Named(data, bootstrap, registry, query_url)
    where = resolve(named, need="query")
    if repair:
        where = replace(where, kafka=resolve(named).kafka, registry=resolve(named).registry)
    found, summary = asyncio.run(_run(where, request, json=json))
    show(found, summary, json=json)
    if repair and found:
        consent = Consent(yes, delete, dry_run)
        left = asyncio.run(mend(where, found, summary, consent=consent, json=json, timeout_s=patience_s))
        if not dry_run:
            _show_left(left, json=json)
        found = left
    if found or summary.pending:
        raise typer.Exit(StandaloneError.exit_code)


async def _run(where: Connection, request: VerifyRequest, *, json: bool) -> tuple[list[Finding], Summary]:
    found: list[Finding] = []
    summary: Summary | None = None
    with bar(hidden=json) as move:
        async for message in messages(where.query, request):
            if isinstance(message, Progress):
                move(message)
            elif isinstance(message, Finding):
                found.append(message)
            elif isinstance(message, Summary):
                summary = message
    if summary is None:
        raise StandaloneError("verify: the run has no end")
    return found, summary


def _show_left(left: list[Finding], *, json: bool) -> None:
    if json:
        emit_line({"type": "repaired", "left": [plain(finding) for finding in left]})
        return
    if not left:
        out.print("Repaired: the documents are what the log says.")
        return
    out.print(f"Left after the repair: {', '.join(f'{kind} {number:,}' for kind, number in kinds(left).items())}")
    for finding in left[:20]:
        out.print(f"  {finding.kind.value} {finding.collection} {finding.doc_id} {finding.point_id}: {finding.detail}"
                  f"{'; ' + finding.remedy if finding.remedy else ''}", markup=False)  # fmt: skip
