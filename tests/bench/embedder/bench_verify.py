"""A million chunks verified: memory above the baseline, and points per CPU second, read once from both sides.

    python -m tests.bench.embedder.bench_verify [CHUNKS]

The store in memory would itself take gigabytes, so points are made up as they are read, and so is the log: what remains
in the process is what the verification needs. Some documents are damaged: the run has to find them.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

import psutil
from roggia_embedder.indexing.deliveries import content_digest
from roggia_embedder.ports import Attributes, CollectionSpec, Document, Head, head_id, model_stamp
from roggia_embedder.ports.held import Held, HeldHead, HeldPassage
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.log import Offsets, Wants
from roggia_embedder.verify.rows import Expected, expected
from roggia_embedder.verify.run import verify
from roggia_embedder.verify.scope import Scope
from roggia_runtime.findings import Finding, Summary
from roggia_schemas.events import Chunk, DocChunked
from roggia_schemas.names import Version

from tests.support.measures import report

PER_DOCUMENT = 5
SPEC = CollectionSpec("kb_acme_docs__g1", 1, "fake;dim=8", 8)
EVENT = "018bcfe5-0000-7000-8000-000000000001"
WORDS = "a passage of the usual length, of which every document has a few. " * 25


def event(number: int) -> DocChunked:
    """The chunk set of one document."""
    texts = [f"{number} {part} {WORDS}" for part in range(PER_DOCUMENT)]
    return DocChunked(
        event_id=EVENT, parent_event_id=EVENT, occurred_at=1, tenant_id="acme", domain="docs", doc_id=f"doc-{number}",
        revision=3, epoch=0, deleted=False, acl=("*",), title=f"Title {number}", metadata={"team": "a"},
        chunks=tuple(
            Chunk(chunk_id=str(uuid.UUID(int=(number * PER_DOCUMENT + part) * 2654435761 % (1 << 128), version=4)),
                  ordinal=part, text=text, text_sha256=hashlib.sha256(text.encode()).hexdigest(), tokens=400)
            for part, text in enumerate(texts)
        ),
    )  # fmt: skip


def points(of: DocChunked) -> Iterator[Held]:
    """What the index holds of it."""
    document = Document(of.tenant_id, of.domain, of.doc_id)
    ids = [chunk.chunk_id for chunk in of.chunks]
    version = Version(of.revision, of.epoch)
    head = Head(document, version, False, len(ids), content_digest(of, ids), 0, 1, {}, 1)
    yield HeldHead(head_id(document), head)
    for chunk in of.chunks:
        said = Attributes(chunk.chunk_id, document, version, of.acl, title=of.title, metadata=of.metadata)
        yield HeldPassage(chunk.chunk_id, said, chunk.text, model_stamp(SPEC.model), 8)


class Made:
    """Log and store of `documents` documents, of which every 10,000th lacks its second passage."""

    topic, unreadable = "doc.chunked.c1", 0

    def __init__(self, documents: int) -> None:
        self.documents = documents

    async def ends(self) -> Offsets:
        """One record per document."""
        return {0: self.documents}

    async def settled(self) -> Offsets:
        """Nothing is on its way."""
        return {0: self.documents}

    async def read(self, starts: Offsets, ends: Offsets, wants: Wants) -> AsyncIterator[Expected]:
        """The log."""
        for number in range(starts.get(0, 0), ends[0]):
            yield expected(event(number), 0, number)

    async def collections(self) -> list[CollectionSpec]:
        """One."""
        return [SPEC]

    async def point_count(self, collection: str) -> int:
        """Heads and passages, about."""
        return self.documents * (PER_DOCUMENT + 1)

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """The index."""
        for number in range(self.documents):
            for point in self._points(number):
                yield point

    async def examine_some(self, collection: str, doc_ids: list[str], point_ids: list[str]) -> list[Held]:
        """The documents asked for."""
        return [point for doc_id in doc_ids for point in self._points(int(doc_id.removeprefix("doc-")))]

    def _points(self, number: int) -> Iterator[Held]:
        for at, point in enumerate(points(event(number))):
            if number % 10_000 != 7 or at != 2:
                yield point


class Peak:
    """Highest resident memory, and size of the temporary folder, looked at ten times a second."""

    def __init__(self) -> None:
        self.rss = self.disk = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(0.1):
            self.rss = max(self.rss, process.memory_info().rss)
            files = Path(tempfile.gettempdir()).glob("roggia-verify-*/*/*")
            self.disk = max(self.disk, _sum(files))


def _sum(files: Iterator[Path]) -> int:
    total = 0
    try:
        for path in files:
            total += path.stat().st_size
    except OSError:  # a slice is dropped once it is compared
        return total
    return total


async def run(chunks: int) -> None:
    """One verification, measured and reported. Making the data up is most of the time: it is timed apart."""
    made = Made(chunks // PER_DOCUMENT)
    began = time.process_time()
    for number in range(made.documents):
        event(number)
    making = time.process_time() - began
    base, found, summary, began = psutil.Process().memory_info().rss, 0, None, time.process_time()
    with Peak() as peak:
        async for message in verify(made, made, Scope("g1"), Pace(pause_s=0.0)):  # type: ignore[arg-type]
            found += isinstance(message, Finding)
            summary = message if isinstance(message, Summary) else summary
    assert summary is not None
    assert found == len(range(7, made.documents, 10_000))
    cpu = time.process_time() - began - 2 * making
    note = f"{summary.chunks:,} chunks against {summary.points:,} points, {found} damaged, all found"
    report("verify: memory above the baseline", (peak.rss - base) / 2**20, "MiB", at_most=128, note=note)
    report("verify: disk while it runs", peak.disk / 2**20, "MiB", note=note)
    report("verify: points per CPU second, without making the data", summary.points / cpu, "1/s", note=note)
    report("verify: wall time, making the data included", summary.seconds, "s", note=note)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
