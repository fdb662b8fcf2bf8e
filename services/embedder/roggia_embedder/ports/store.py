"""The vector store, as domain code sees it: guarded writes of heads and passages, and search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from roggia_schemas.names import Version

from roggia_embedder.ports.held import Held
from roggia_embedder.ports.search import Hit, SearchRequest
from roggia_embedder.ports.values import Attributes, CollectionSpec, Document, Head, PartNote, Passage, PointState


class Searching(Protocol):
    """What readers ask of a store, or of several. Raises as `VectorStore` does."""

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:
        """What one collection holds, in its own words; None where there is no such collection. Called for every query:
        a store may answer from memory unless it is to look again (`fresh`)."""
        ...

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """At most `request.k` passages, best first, under all of the filters that `SearchRequest` promises."""
        ...


class VectorStore(Searching, Protocol):
    """Physical collections of heads and passages. Writers and readers address them by physical name, never by alias.

    Every write is acknowledged once a kill -9 of the store keeps it. A *guarded* write changes a point only if the
    point is absent or its stored version is lower, compared as (revision, epoch), exactly, each point by itself. Within
    one call ids are distinct. Batches may mix documents. Raises `StoreUnavailableError` when the store does not
    answer, `UnknownCollectionError` for a collection that does not exist.
    """

    async def ensure_collection(self, spec: CollectionSpec) -> None:
        """Create the collection with its payload indexes unless it is there. Raises `ModelMismatchError` when it holds
        vectors of another model, dimension or generation."""
        ...

    async def collections(self) -> Sequence[CollectionSpec]:
        """Every collection of this store, ordered by name."""
        ...

    async def read_heads(self, collection: str, documents: Sequence[Document]) -> dict[Document, Head]:
        """Heads that exist."""
        ...

    async def write_heads(self, collection: str, heads: Sequence[Head]) -> None:
        """Guarded: insert or replace heads."""
        ...

    async def note_parts(self, collection: str, notes: Sequence[PartNote]) -> None:
        """Add each part's tally to the document's head, if the head is still at the note's version."""
        ...

    async def mark_indexed(self, collection: str, heads: Mapping[Document, Version], indexed_at: int) -> None:
        """Set `indexed_at` on heads that are still at the version given and have none."""
        ...

    async def list_points(self, collection: str, documents: Sequence[Document]) -> list[PointState]:
        """Every passage of the documents, at any version."""
        ...

    async def count(self, collection: str, document: Document, version: Version) -> int:
        """Passages of the document at exactly this version."""
        ...

    async def upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        """Guarded: insert or replace passages, vectors and payload. An inserted point's `since` is its version, so is a
        replaced one's."""
        ...

    async def bump(self, collection: str, passages: Sequence[Attributes]) -> None:
        """Guarded, and only where a point with the same language is there: replace everything but text, vectors and
        `since`. Absent points stay absent."""
        ...

    async def narrow(self, collection: str, acl: tuple[str, ...], points: Mapping[str, Version]) -> None:
        """Guarded by the version given for each chunk id: set `acl` alone, on points that are there."""
        ...

    async def delete_older(self, collection: str, cutoffs: Mapping[Document, Version]) -> None:
        """Delete the passages (never the head) of each document whose version is lower than its cutoff."""
        ...

    async def sweep_heads(self, collection: str, written_before: int) -> int:
        """Delete heads that are `deleted`, indexed, and were written before that time (ms). Returns how many."""
        ...

    def scan(self, collection: str) -> AsyncIterator[Head | Passage]:
        """Every point, in no order: for verification, coverage checks and tests. Not a snapshot."""
        ...

    def examine(self, collection: str) -> AsyncIterator[Held]:
        """Every point as it is stored, in no order, read without trust: for verification. Not a snapshot."""
        ...

    async def examine_some(self, collection: str, doc_ids: Sequence[str], point_ids: Sequence[str]) -> list[Held]:
        """Points that claim to be of one of these documents (of any tenant) or have one of these ids, each once."""
        ...

    async def point_count(self, collection: str) -> int:
        """All points, heads included, exactly."""
        ...

    async def drop_collection(self, name: str) -> None:
        """Remove a collection with everything in it; one that is not there is no error."""
        ...

    async def maintain(self) -> None:
        """Housekeeping that the store wants now and then (flush, optimise). May take minutes; writes go on."""
        ...

    async def close(self) -> None:
        """Flush and release."""
        ...
