"""Ingest, embed and upsert handlers in a row, without a broker: every topic is a list of records, in order.

What is published waits until `deliver` carries it on, so that a test decides what is on its way at any moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from roggia_embedder.handlers.upsert import UpsertHandler
from roggia_embedder.ports import IndexCatalogue, VectorStore
from roggia_embedder.verify.log import Offsets, Wants
from roggia_embedder.verify.rows import Expected, expected, forgotten
from roggia_runtime.records import DeadLetter, Handler, Headers, Output, Record
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocChanged, DocChunked
from roggia_schemas.names import parse_document_key

from tests.support import embedding, ingesting

_CHANGED, _CHUNKED = topics.DOC_CHANGED, topics.doc_chunked(1)


class Stream:
    """The corpus of one test. `chunked` is the log of chunk sets; records on lanes go through the same handlers."""

    def __init__(self, store: VectorStore, catalogue: IndexCatalogue) -> None:
        codec = ingesting.codec()
        self.store = store
        self.changed: list[Record] = []
        self.chunked: list[Record] = []
        self.delivered = 0
        self._ingest: Handler = ingesting.handler()
        self._embed: Handler = embedding.handler()
        self._upsert: Handler = UpsertHandler(codec=codec, store=store, catalogue=catalogue, generation=1)

    async def publish(self, *events: DocChanged) -> None:
        """Changes of documents, as far as the log of chunk sets."""
        for event in events:
            output = ingesting.codec().output(_CHANGED, event)
            self.changed.append(_record(output, len(self.changed)))
            await self._take(self.changed[-1])

    async def deliver(self, most: int | None = None) -> None:
        """Embed and index everything that waits, or the oldest records of it."""
        until = len(self.chunked) if most is None else min(len(self.chunked), self.delivered + most)
        while self.delivered < until:
            await self._index(self.chunked[self.delivered])
            self.delivered += 1

    async def send(self, outputs: Sequence[Output]) -> None:
        """Records of a lane, as far as they go."""
        for output in outputs:
            record = Record(output.topic, 0, 0, 0, output.key, output.value, output.headers)
            await (self._take(record) if topics.base(output.topic) == _CHANGED else self._index(record))
        await self.deliver()

    async def again(self, tenant: str, doc_id: str, headers: Headers) -> bool:
        """The newest doc.changed of a document through its lane, under replay headers; False: there is none."""
        mine = [r for r in self.changed if parse_document_key(r.key) == (tenant, doc_id) and r.value is not None]
        if mine:
            newest = mine[-1]
            lane = topics.replay(_CHANGED)
            await self.send([Output(lane, newest.key, newest.value, (*newest.headers, *headers))])
        return bool(mine)

    async def _take(self, record: Record) -> None:
        for output in await _outputs(self._ingest, record):
            if output.topic == _CHUNKED:
                self.chunked.append(_record(output, len(self.chunked)))

    async def _index(self, record: Record) -> None:
        for output in await _outputs(self._embed, record):
            await _outputs(self._upsert, _record(output, 0))


class StreamLog:
    """The chunk log of a stream, for verification."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.topic = _CHUNKED
        self.unreadable = 0

    async def ends(self) -> Offsets:
        """See `SettledLog`."""
        return {0: len(self._stream.chunked)}

    async def read(self, starts: Offsets, ends: Offsets, wants: Wants) -> AsyncIterator[Expected]:
        """See `SettledLog`."""
        for record in self._stream.chunked[starts.get(0, 0) : ends[0]]:
            tenant, doc_id = parse_document_key(record.key)
            if not wants(tenant, doc_id):
                continue
            if record.value is None:
                yield forgotten(tenant, doc_id, 0, record.offset)
            else:
                yield expected(Codec().decode(DocChunked, record.value), 0, record.offset)

    async def settled(self) -> Offsets:
        """See `SettledLog`."""
        return {0: self._stream.delivered}


async def _outputs(handler: Handler, record: Record) -> Sequence[Output]:
    (verdict,) = await handler.handle([record])
    assert not isinstance(verdict, DeadLetter), verdict
    return getattr(verdict, "outputs", ())


def _record(output: Output, offset: int) -> Record:
    return Record(output.topic, 0, offset, 1_700_000_000_000, output.key, output.value, output.headers)
