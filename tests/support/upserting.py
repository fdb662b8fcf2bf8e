"""doc.embedded events and records, and an upsert handler on a store in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.handlers.upsert import UpsertHandler
from roggia_embedder.ports import VectorStore
from roggia_runtime import ids
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Done, Record, Verdict
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocEmbedded, DocUpserted, EmbeddedChunk

from tests.support.index import chunk_id, document, vector

PARENT = "018bcfe5-0000-7000-8000-000000000002"
MODEL = "fake@0;window=512;dim=8;quant=none"
TOPIC = topics.doc_embedded(1)


def revision(doc_id: str, texts: Sequence[str], number: int = 1, **fields: Any) -> DocEmbedded:
    """One whole revision in one part; `fields` override."""
    owner = document(doc_id, fields.get("tenant_id", "acme"), fields.get("domain", "docs"))
    chunks = tuple(
        EmbeddedChunk(chunk_id=chunk_id(owner, text), ordinal=place, text=text, tokens=3)
        for place, text in enumerate(texts)
    )
    values: dict[str, Any] = {
        "event_id": ids.derived(PARENT, doc_id, f"e{number}"),
        "parent_event_id": ids.derived(PARENT, doc_id, f"p{number}"),
        "occurred_at": 1_700_000_000_000,
        "tenant_id": owner.tenant_id,
        "domain": owner.domain,
        "doc_id": doc_id,
        "revision": number,
        "epoch": 0,
        "deleted": False,
        "acl": ("*",),
        "language": "en",
        "generation": 1,
        "model": MODEL,
        "chunk_ids": tuple(chunk.chunk_id for chunk in chunks),
        "chunks": chunks,
        "dimension": 8,
        "vectors": np.concatenate([vector(text) for text in texts]) if texts else np.empty(0, np.float32),
    }
    return DocEmbedded(**(values | fields))


def deletion(doc_id: str, number: int, **fields: Any) -> DocEmbedded:
    """The deletion of a document, as the embed role writes it."""
    gone: dict[str, Any] = {"deleted": True, "acl": (), "dimension": 0}
    return revision(doc_id, [], number, **(gone | fields))


def record(event: DocEmbedded, offset: int = 0, key: bytes | None = None) -> Record:
    """The event as the broker holds it."""
    named = f"{event.tenant_id}/{event.doc_id}".encode() if key is None else key
    headers = (("traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),)
    return Record(TOPIC, 0, offset, 0, named, Codec().encode(event), headers)


def handler(
    store: VectorStore | None = None, catalogue: MemoryCatalogue | None = None, **options: Any
) -> UpsertHandler:
    """A handler of generation 1 whose clock stands at 99."""
    return UpsertHandler(
        codec=EventCodec(RegistrySettings(url=None), source="/test"),
        store=store or MemoryStore(),
        catalogue=catalogue or MemoryCatalogue(),
        generation=1,
        clock=lambda: 99,
        **options,
    )


def upserted(verdict: Verdict) -> DocUpserted:
    """The one event that a verdict produces."""
    assert isinstance(verdict, Done), verdict
    (output,) = verdict.outputs
    assert output.topic == topics.DOC_UPSERTED
    return Codec().decode(DocUpserted, output.value or b"", output.headers)
