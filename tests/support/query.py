"""Fakes for the query role: a store that searches in memory, a catalogue, and a model of hashed words."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from roggia_embedder import lexical
from roggia_embedder.errors import ChunkTooLongError, UnknownCollectionError
from roggia_embedder.ports import (
    Attributes,
    Document,
    Hit,
    IndexBinding,
    Matrix,
    Passage,
    SearchRequest,
    SparseVector,
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
            row /= np.linalg.norm(row) or 1.0
        return rows

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        """Words, plus two for what a real tokenizer adds."""
        return [len(lexical.words(text)) + 2 for text in texts]

    def warm_up(self) -> None:
        """Nothing to load."""


@dataclass
class MemoryCatalogue:
    """Aliases in a dictionary."""

    aliases: dict[str, IndexBinding] = field(default_factory=dict)

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """What was bound, or None."""
        return self.aliases.get(alias_name(tenant_id, domain))

    async def bind(self, binding: IndexBinding) -> None:
        """Switch the alias."""
        self.aliases[binding.alias] = binding

    async def bindings(self) -> Sequence[IndexBinding]:
        """All of them by name."""
        return [self.aliases[name] for name in sorted(self.aliases)]


class MemoryStore:
    """Searches passages held in lists. Keeps every request it was given, for tests to look at."""

    def __init__(self) -> None:
        self.points: dict[str, dict[str, Passage]] = {}
        self.asked: list[tuple[str, SearchRequest]] = []

    async def upsert(self, collection: str, passages: Iterable[Passage]) -> None:
        """Insert or replace."""
        self.points.setdefault(collection, {}).update({p.attributes.chunk_id: p for p in passages})

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """Passages that pass every filter, ranked by cosine, by shared terms, or by both (RRF, k=60)."""
        self.asked.append((collection, request))
        if collection not in self.points:
            raise UnknownCollectionError(collection)
        visible = [p for p in self.points[collection].values() if _visible(p.attributes, request)]
        rankings = []
        if request.dense is not None:
            rankings.append(_ranked(visible, [float(p.dense @ request.dense) for p in visible], least=-1.0))
        if request.lexical is not None:
            rankings.append(_ranked(visible, [_dot(p.lexical, request.lexical) for p in visible], least=0.0))
        if len(rankings) == 1:
            return [_hit(p, score) for p, score in rankings[0][: request.k]]
        return _fused(rankings)[: request.k]


def _visible(a: Attributes, request: SearchRequest) -> bool:
    wanted = request.filters
    return (
        a.document.tenant_id == request.tenant_id
        and bool({"*", *request.groups} & set(a.acl))
        and (a.expires_at is None or a.expires_at > request.now_ms)
        and (wanted.language is None or a.language == wanted.language)
        and (wanted.source is None or a.source == wanted.source)
        and all(a.metadata.get(key) == value for key, value in wanted.metadata.items())
    )


def _ranked(passages: Sequence[Passage], scores: Sequence[float], least: float) -> list[tuple[Passage, float]]:
    pairs = [(p, s) for p, s in zip(passages, scores, strict=True) if s > least]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0].attributes.chunk_id))


def _fused(rankings: Sequence[Sequence[tuple[Passage, float]]]) -> list[Hit]:
    scores: dict[str, float] = {}
    found: dict[str, Passage] = {}
    for ranking in rankings:
        for rank, (passage, _) in enumerate(ranking, start=1):
            found[passage.attributes.chunk_id] = passage
            scores[passage.attributes.chunk_id] = scores.get(passage.attributes.chunk_id, 0.0) + 1 / (60 + rank)
    best = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return [_hit(found[chunk_id], scores[chunk_id]) for chunk_id in best]


def _dot(passage: SparseVector, query: SparseVector) -> float:
    _, left, right = np.intersect1d(passage.indices, query.indices, return_indices=True)
    return float(passage.values[left] @ query.values[right])


def _hit(p: Passage, score: float) -> Hit:
    a = p.attributes
    return Hit(
        chunk_id=a.chunk_id,
        doc_id=a.document.doc_id,
        score=score,
        text=p.text,
        title=a.title,
        heading_path=a.heading_path,
        source=a.source,
        language=a.language,
        version=a.version,
        metadata=a.metadata,
    )


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
    return Passage(attributes, text, model.encode([text])[0], lexical.encode_passage(text, attributes.language))
