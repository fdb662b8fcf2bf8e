"""Chunk sets, and an embed handler on a stub model and a cache of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.embedding.parts import Target
from roggia_embedder.embedding.vectors import VectorSupply
from roggia_embedder.generations.encoding import EmbedParts
from roggia_embedder.generations.turns import Turns
from roggia_embedder.handlers.embed import EmbedHandler
from roggia_embedder.ports import Bill, CacheUse, EmbeddingModel, Matrix, TextKind, VectorCache
from roggia_runtime import ids
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_runtime.settings import RegistrySettings
from roggia_runtime.tenancy import EVERYBODY_STAYS
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import Chunk, DocChunked, DocEmbedded
from roggia_schemas.names import Version

PARENT = "018bcfe5-0000-7000-8000-000000000001"


class CountingModel(StubModel):
    """A stub that remembers every text it encoded."""

    def __init__(self, dimension: int = 16, window: int = 512) -> None:
        super().__init__(dimension, window)
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """Encode and remember."""
        rows = super().encode(texts, kind)
        self.encoded.extend(texts)
        return rows


class MemoryCache:
    """The cache port in dicts."""

    def __init__(self) -> None:
        self.vectors: dict[tuple[str, str, str], Matrix] = {}
        self.uses: dict[tuple[str, str, str], CacheUse] = {}
        self.owed: dict[str, Bill] = {}

    async def get(self, tenant_id: str, model: str, text_hashes: Sequence[str]) -> dict[str, Matrix]:
        """Vectors that are there."""
        found = {text_hash: self.vectors.get((tenant_id, model, text_hash)) for text_hash in text_hashes}
        return {text_hash: vector for text_hash, vector in found.items() if vector is not None}

    async def versions(self, tenant_id: str, model: str, doc_ids: Sequence[str]) -> dict[str, Version]:
        """Versions that are noted."""
        found = {doc_id: self.uses.get((tenant_id, model, doc_id)) for doc_id in doc_ids}
        return {doc_id: use.version for doc_id, use in found.items() if use is not None}

    async def put(
        self,
        tenant_id: str,
        model: str,
        vectors: Mapping[str, Matrix],
        uses: Sequence[CacheUse],
        bills: Sequence[Bill] = (),
    ) -> None:
        """Store, and erase what nobody uses."""
        for bill in bills:
            self.owed.setdefault(bill.event_id, bill)
        for use in uses:
            held = self.uses.get((tenant_id, model, use.doc_id))
            if held is None or held.version <= use.version:
                self.uses[tenant_id, model, use.doc_id] = use
        self.vectors.update({(tenant_id, model, text_hash): vector for text_hash, vector in vectors.items()})
        used = {(t, m, text_hash) for (t, m, _), use in self.uses.items() for text_hash in use.text_hashes}
        self.vectors = {key: vector for key, vector in self.vectors.items() if key in used}

    async def bills(self, limit: int) -> Sequence[Bill]:
        """The oldest that wait."""
        return [self.owed[event_id] for event_id in sorted(self.owed)][:limit]

    async def settle(self, event_ids: Sequence[str]) -> None:
        """These wait no more."""
        for event_id in event_ids:
            self.owed.pop(event_id, None)

    async def forget(self, tenant_id: str) -> int:
        """Erase a tenant's rows."""
        before = len(self.vectors) + len(self.uses)
        self.vectors = {key: vector for key, vector in self.vectors.items() if key[0] != tenant_id}
        self.uses = {key: use for key, use in self.uses.items() if key[0] != tenant_id}
        return before - len(self.vectors) - len(self.uses)

    async def forget_model(self, model: str) -> int:
        """Erase a model's rows."""
        before = len(self.vectors) + len(self.uses)
        self.vectors = {key: vector for key, vector in self.vectors.items() if key[1] != model}
        self.uses = {key: use for key, use in self.uses.items() if key[1] != model}
        return before - len(self.vectors) - len(self.uses)

    async def close(self) -> None:
        """Nothing to release."""


def bill(number: int, tokens: int = 7) -> Bill:
    """A bill; numbers are in the order of time."""
    return Bill(
        event_id=f"0193b3a0-0000-7000-8000-{number:012d}",
        at=1_733_000_000_000 + number,
        tenant_id="acme",
        provider="openai",
        model="m",
        model_version="m@1;backend=openai",
        replayed=bool(number % 2),
        reported=True,
        tokens=tokens,
        latency_ms=12.5,
    )


def chunk_set(doc_id: str, texts: Sequence[str], revision: int = 1, **fields: Any) -> DocChunked:
    """The chunk set of a document with these passages; `fields` override."""
    chunks = tuple(
        Chunk(
            chunk_id=ids.derived(PARENT, doc_id, f"{text}|{texts[:number].count(text)}"),
            ordinal=number,
            text=text,
            text_sha256=hashlib.sha256(text.encode()).hexdigest(),
            occurrence=texts[:number].count(text),
            tokens=len(text.split()),
        )
        for number, text in enumerate(texts)
    )
    values: dict[str, Any] = {
        "event_id": ids.derived(PARENT, doc_id, str(revision)),
        "parent_event_id": PARENT,
        "occurred_at": 1_700_000_000_000,
        "tenant_id": "acme",
        "domain": "docs",
        "doc_id": doc_id,
        "revision": revision,
        "epoch": 0,
        "deleted": not texts,
        "acl": ("*",),
        "max_chunk_tokens": 100,
        "chunks": chunks,
    }
    return DocChunked(**values | fields)


def record(event: DocChunked, offset: int = 0) -> Record:
    """The record of an event."""
    output = codec().output(topics.doc_chunked(1), event)
    return Record(topics.doc_chunked(1), 0, offset, 1_700_000_000_000, output.key, output.value, output.headers)


def codec() -> EventCodec:
    """A codec without a registry."""
    return EventCodec(RegistrySettings(), source="/test")


def handler(
    model: CountingModel | None = None,
    cache: VectorCache | None = None,
    *,
    part_bytes: int = 1 << 20,
    selection: Sequence[str] = (),
) -> EmbedHandler:
    """An embed handler of generation 1."""
    model = model or CountingModel()
    return EmbedHandler(
        topic=topics.doc_embedded(1),
        codec=codec(),
        supply=VectorSupply(model, cache or MemoryCache()),
        target=Target(1, model.fingerprint, model.dimension, part_bytes),
        window=model.window,
        selection=selection,
    )


def embed_parts(model: EmbeddingModel, turns: Turns | None = None, **more: Any) -> EmbedParts:
    """What a host of generations has: this model whatever is asked for, a cache in memory, no loop."""
    values: dict[str, Any] = {
        "codec": codec(),
        "cache": MemoryCache(),
        "tenants": EVERYBODY_STAYS,
        "turns": turns or Turns(),
        "load": lambda _: model,
        "loop": None,
        "part_bytes": 1 << 20,
        "batch_tokens": 64,
    }
    return EmbedParts(**values | more)


def parts(verdict: Any) -> list[DocEmbedded]:
    """The events that a verdict produces."""
    return [Codec().decode(DocEmbedded, output.value) for output in verdict.outputs]
