"""An ingest handler on a catalogue and a codec of its own, and events to feed it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from roggia_ingest.admission import Admission
from roggia_ingest.app import bundled_tokenizer
from roggia_ingest.catalogue import DocKey, Entry
from roggia_ingest.chunk import Chunker, ChunkSizes, TokenCounter
from roggia_ingest.errors import ContentError, FullError
from roggia_ingest.handlers import IngestHandler, Limits
from roggia_ingest.language import Languages
from roggia_ingest.ownership import lost
from roggia_ingest.ports import Catalogue, ContentSource, Owned, Preparer
from roggia_ingest.prepare import Job, Preparation, Prepared
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Done, Output, Ownership, Partition, Record, Verdict
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import ContentRef, DocChanged, DocChunked, Operation
from roggia_schemas.names import document_key

TOPIC = topics.doc_chunked(1)
PARTITION = Partition(topics.DOC_CHANGED, 0)
ID = "01890000-0000-7000-8000-{:012x}"


@cache
def chunker(maximum: int = 510, minimum: int = 128) -> Chunker:
    """A chunker with the bundled tokenizer, made once per process and sizes."""
    return Chunker(_counter(), ChunkSizes(maximum, minimum))


@cache
def _counter() -> TokenCounter:
    return TokenCounter(bundled_tokenizer())


@cache
def preparation() -> Preparation:
    """What turns content into passages, made once per process: the language model is slow to load."""
    return Preparation(chunker(), Languages())


@cache
def codec() -> EventCodec:
    """A codec without a registry."""
    return EventCodec(RegistrySettings(), source="/test")


class MemoryCatalogue:
    """The catalogue port in a dict."""

    def __init__(self) -> None:
        self.entries: dict[DocKey, Entry] = {}
        self.owners: dict[Partition, Ownership] = {}

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def load(self, keys: Sequence[DocKey]) -> Mapping[DocKey, Entry]:
        """Entries that are known."""
        return {key: self.entries[key] for key in keys if key in self.entries}

    async def save(
        self,
        entries: Mapping[DocKey, Entry],
        owned: Owned | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """Keep or remove."""
        for partition, ours in (owned or {}).items():
            if self.owners.get(partition, ours) > ours:
                raise lost(partition, ours)
        after = {key: entry for key, entry in (self.entries | dict(entries)).items() if entry.current is not None}
        if full := [tenant_id for tenant_id, limit in (limits or {}).items() if _living(after, tenant_id) > limit]:
            raise FullError(full)
        self.owners |= owned or {}
        self.entries = after

    async def living(self, tenant_id: str) -> int:
        """See `Catalogue`."""
        return _living(self.entries, tenant_id)

    async def domains(self, tenant_id: str) -> set[str]:
        """See `Catalogue`."""
        states = [entry.current for key, entry in self.entries.items() if key.tenant_id == tenant_id]
        return {name for state in states if state for name in (state.domain, *state.left_domains)}

    async def forget(self, tenant_id: str) -> int:
        """See `Catalogue`."""
        gone = [key for key in self.entries if key.tenant_id == tenant_id]
        for key in gone:
            del self.entries[key]
        return len(gone)

    async def due(self, source: Partition, before_ms: int, limit: int) -> Mapping[DocKey, Entry]:
        """Living entries of `source` whose expiry has come."""
        found = [
            (entry.current.expires_at, key, entry)
            for key, entry in self.entries.items()
            if entry.current is not None and entry.current.source == source and not entry.current.deleted
            if entry.current.expires_at is not None and entry.current.expires_at <= before_ms
        ]
        return {key: entry for _, key, entry in sorted(found, key=lambda item: item[:2])[:limit]}


def _living(entries: Mapping[DocKey, Entry], tenant_id: str) -> int:
    states = [entry.current for key, entry in entries.items() if key.tenant_id == tenant_id]
    return sum(state is not None and not state.deleted for state in states)


class Direct:
    """The preparer port without processes or limits."""

    async def prepare(self, job: Job) -> Prepared:
        """At once."""
        return preparation().prepare(job)


class StoredContent:
    """The content port in a dict of URIs."""

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        self.contents = dict(contents or {})

    async def fetch(self, ref: ContentRef) -> bytes:
        """The content under that URI."""
        if ref.uri not in self.contents:
            raise ContentError("content_ref.uri", "not there")
        return self.contents[ref.uri]


def handler(
    catalogue: Catalogue | None = None,
    *,
    content: ContentSource | None = None,
    preparer: Preparer | None = None,
    event_bytes: int = 8 << 20,
    content_bytes: int = 64 << 20,
    admission: Admission | None = None,
) -> IngestHandler:
    """A handler as the service builds it, without worker processes."""
    return IngestHandler(
        topic=TOPIC,
        codec=codec(),
        catalogue=catalogue or MemoryCatalogue(),
        content=content or StoredContent(),
        preparer=preparer or Direct(),
        chunker=chunker(),
        limits=Limits(event_bytes, content_bytes),
        admission=admission,
    )


def change(doc_id: str = "a", revision: int = 1, **fields: Any) -> DocChanged:
    """A valid UPSERT of a short Markdown document; `fields` override."""
    number = zlib.crc32(f"{doc_id}\0{revision}".encode())
    values: dict[str, Any] = {
        "event_id": ID.format(number),
        "occurred_at": 1_700_000_000_000 + revision,
        "tenant_id": "acme",
        "domain": "docs",
        "doc_id": doc_id,
        "revision": revision,
        "operation": Operation.UPSERT,
        "content_type": "text/markdown",
        "content": f"# {doc_id}\n\nRevision {revision}.\n".encode(),
        "acl": ("*",),
    }
    return DocChanged(**values | fields)


def delete(doc_id: str = "a", revision: int = 1, **fields: Any) -> DocChanged:
    """A DELETE."""
    bare: dict[str, Any] = {"operation": Operation.DELETE, "content_type": None, "content": None, "acl": ()}
    return change(doc_id, revision, **bare | fields)


def record(event: DocChanged | None, offset: int, *, doc_id: str = "a", partition: int = 0) -> Record:
    """The record of an event at an offset; `event` None is the Kafka null of `doc_id`."""
    if event is None:
        return Record(topics.DOC_CHANGED, partition, offset, 1_700_000_000_000, document_key("acme", doc_id), None)
    value = codec().encode(event, topics.DOC_CHANGED)
    key = f"{event.tenant_id}/{event.doc_id}".encode()
    return Record(topics.DOC_CHANGED, partition, offset, 1_700_000_000_000, key, value)


def outputs(verdicts: Sequence[Verdict]) -> list[Output]:
    """Everything that a batch's verdicts produce, in order."""
    return [output for verdict in verdicts if isinstance(verdict, Done) for output in verdict.outputs]


def decoded(output: Output) -> DocChunked:
    """The event in an output."""
    return codec()._codec.decode(DocChunked, output.value or b"")
