"""`roggia eval known-items`, `clicks`, `check` and `manifest`: what evaluations are made of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from roggia_operator.errors import SelectionError
from roggia_operator.evaluation.adapters.topics import KafkaCorpus, KafkaServed
from roggia_operator.evaluation.corpus import manifest as manifests
from roggia_operator.evaluation.corpus.documents import Document
from roggia_operator.evaluation.golden import clicks as clicked
from roggia_operator.evaluation.golden import known_items as known
from roggia_operator.evaluation.golden.clicks import Rules, Served
from roggia_operator.evaluation.golden.model import GoldenQuery, Header
from roggia_operator.evaluation.golden.reading import read
from roggia_operator.evaluation.golden.writing import write
from roggia_operator.evaluation.slices import slices

from roggia.cli import options
from roggia.cli.connected import codec_of
from roggia.cli.eval_views import now
from roggia.cli.output import counted, emit, out, say
from roggia.connection import Connection, Named, resolve
from roggia.publishing.publisher import kafka_settings

Out = Annotated[Path, typer.Option("--out", help="File to write.")]
Name = Annotated[str, typer.Option("--id", help="Name of the set, in its header.")]
Version = Annotated[int, typer.Option("--version", min=1, help="Version of the set, in its header.")]
Chunker = Annotated[int, typer.Option("--chunker", min=1, help="Chunker generation K of doc.chunked.c<K>.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Only this tenant's documents.")]
Domain = Annotated[str, typer.Option("--domain", help="Only documents of this domain.")]


def known_items(
    file: Out,
    name: Name = "known-items",
    version: Version = 1,
    most: Annotated[int, typer.Option("--most", min=1, help="Questions per knowledge base.")] = 1_000,
    rare: Annotated[
        int, typer.Option("--without-rare", min=0, help="Take words out that at most so many documents hold; 0: none.")
    ] = 0,
    tenant: Tenant = "",
    domain: Domain = "",
    chunker: Chunker = 1,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
) -> None:
    """Make a golden set from the corpus: titles and first sentences, each to find its document."""
    where = resolve(Named(data, bootstrap, registry))
    documents, corpus = asyncio.run(_corpus(where, chunker, tenant, domain))
    made = known.make(documents, known.Plan(most=most, rare=rare))
    header = _header(name, version, corpus, "titles and first sentences of documents, each to find its document")
    _finish(file, header, made.queries, made.skipped)


def clicks(
    log: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="JSONL of clicks or citations: query_id or query, and doc_id."
        ),
    ],
    file: Out,
    name: Name = "clicks",
    version: Version = 1,
    least: Annotated[int, typer.Option("--least", min=1, help="Clicks that make a document relevant.")] = 2,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
) -> None:
    """Make a golden set from clicks or citations. Searches named by query_id are looked up on retrieval.served."""
    found = list(clicked.read(log))
    served: Mapping[str, Served] = {}
    if any(not click.query for click in found):
        served = asyncio.run(_served(resolve(Named(data, bootstrap, registry))))
    made = clicked.gather(found, served, Rules(least=least))
    header = _header(name, version, None, "clicked results; what the old model did not show is not judged")
    _finish(file, header, made.queries, made.skipped)


def check(
    golden: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Golden set, a JSONL file.")],
    json: options.Json = False,
) -> None:
    """Read a golden set, and say what is in it. Exit status 2 names file, line and field of what is wrong."""
    found = read(golden)
    by_slice = Counter(name for query in found.queries for name in slices(query))
    if json:
        emit({"id": found.header.id, "version": found.header.version, "sha256": found.sha256,
              "manifest": found.header.manifest, "queries": len(found.queries), "slices": by_slice})  # fmt: skip
        return
    out.print(f"{found.header.id} version {found.header.version}, sha256 {found.sha256}", markup=False)
    for slice_, count in sorted(by_slice.items()):
        out.print(f"  {slice_}: {count:,}", markup=False)


def manifest(
    file: Out,
    since: Annotated[
        Path | None,
        typer.Option("--since", exists=True, dir_okay=False, help="Older manifest: say what changed since."),
    ] = None,
    tenant: Tenant = "",
    domain: Domain = "",
    chunker: Chunker = 1,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
) -> None:
    """Write down which documents the corpus holds, in which versions; its id names the corpus in sets and reports."""
    _, made = asyncio.run(_corpus(resolve(Named(data, bootstrap, registry)), chunker, tenant, domain))
    before = manifests.read(since) if since is not None else None
    manifests.write(file, made)
    out.print(f"{made.header.id}  {counted(made.header.documents, 'document')}", markup=False)
    if before is not None:
        change = manifests.compare(before.rows, made.rows)
        out.print(f"since then {change.added:,} added, {change.removed:,} removed, {change.changed:,} changed")


async def _corpus(
    where: Connection, chunker: int, tenant: str, domain: str
) -> tuple[list[Document], manifests.Manifest]:
    async with codec_of(where, "eval") as codec:
        log = KafkaCorpus(kafka_settings(where), codec, chunker)
        found = [document async for document in log.documents(tenant, domain)]
    if log.unreadable:
        say(f"{counted(log.unreadable, 'record')} of {log.topic} could not be read and are left out")
    return found, manifests.make(found, log.topic, log.offsets, now())


async def _served(where: Connection) -> Mapping[str, Served]:
    async with codec_of(where, "eval") as codec:
        return await KafkaServed(kafka_settings(where), codec).searches()


def _header(name: str, version: int, corpus: manifests.Manifest | None, description: str) -> Header:
    return Header(id=name, version=version, manifest=corpus.header.id if corpus else "", created=now(),
                  description=description)  # fmt: skip


def _finish(file: Path, header: Header, queries: tuple[GoldenQuery, ...], skipped: Counter[str]) -> None:
    for reason, count in skipped.most_common():
        say(f"left out, {reason}: {count:,}")
    if not queries:
        raise SelectionError(f"--out: {file} would hold no question; nothing was written")
    write(file, header, queries)
    out.print(f"{file}: {counted(len(queries), 'question')}, sha256 {read(file).sha256}", markup=False)
