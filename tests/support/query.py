"""What tests of the query role share: a model of hashed words, a store that remembers what it was asked, passages."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from roggia_embedder import lexical
from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.ports import (
    Attributes,
    CollectionSpec,
    Document,
    Hit,
    IndexBinding,
    Matrix,
    Passage,
    SearchRequest,
    TextKind,
)
from roggia_schemas.names import Version, alias_name, collection_name


class WordsModel:
    """Texts as normalised counts of hashed words: texts that share words are close. Prefix and window as told."""

    def __init__(self, name: str = "words", *, dimension: int = 64, window: int = 64) -> None:
        self.fingerprint = f"{name};d={dimension};w={window}"
        self.dimension = dimension
        self.window = window
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """One unit row per text. Raises `ChunkTooLongError` as a real model does."""
        for tokens in self.count_tokens(texts, kind):
            if tokens > self.window:
                raise ChunkTooLongError(tokens, self.window)
        self.encoded.extend(texts)
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in lexical.words(text):
                row[zlib.crc32(word.encode()) % self.dimension] += 1
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return rows

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        """Words, plus two for what a real tokenizer adds."""
        return [len(lexical.words(text)) + 2 for text in texts]

    def warm_up(self) -> None:
        """Nothing to load."""


class RecordingStore(MemoryStore):
    """The store in memory, keeping every search that it was asked, for tests to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, SearchRequest]] = []

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """Note, then search."""
        self.asked.append((collection, request))
        return await super().search(collection, request)


def binding(model: WordsModel, tenant: str = "acme", domain: str = "docs", generation: int = 1) -> IndexBinding:
    """An alias of a collection that `model` encodes."""
    return IndexBinding(
        alias=alias_name(tenant, domain),
        collection=collection_name(tenant, domain, generation),
        generation=generation,
        model=model.fingerprint,
        dimension=model.dimension,
    )


def passage(model: WordsModel, chunk_id: str, text: str, **changes: object) -> Passage:
    """A passage of tenant acme, domain docs, open to the whole tenant; `changes` are attributes."""
    facts: dict[str, object] = {
        "document": Document("acme", "docs", "doc-1"),
        "version": Version(1),
        "acl": ("*",),
        "language": "en",
    }
    attributes = Attributes(chunk_id=chunk_id, **{**facts, **changes})  # type: ignore[arg-type]
    return Passage(attributes, text, model.encode([text])[0])


def spec(bound: IndexBinding) -> CollectionSpec:
    """The collection that a binding points at."""
    return CollectionSpec(bound.collection, bound.generation, bound.model, bound.dimension)
