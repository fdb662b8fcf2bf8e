"""The cache of vectors, as domain code sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from roggia_schemas.names import Version

from roggia_embedder.ports.bills import Bill
from roggia_embedder.ports.model import Matrix


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Which texts one document uses from `version` on: the whole set, replacing what it used before. Empty erases."""

    doc_id: str
    text_hashes: frozenset[str]
    version: Version


class VectorCache(Protocol):
    """Vectors per tenant, keyed by (model fingerprint, text sha256), counted by the documents that use them.

    A vector whose last using document is gone is erased, so that erasing a document erases what was computed from it.
    One tenant never reads another's vectors: a hit would tell that somebody else holds the same text. A use of an
    older version than the one noted for its document changes nothing: what is replayed neither evicts what is used
    now nor brings back what was erased.
    """

    async def get(self, tenant_id: str, model: str, text_hashes: Sequence[str]) -> dict[str, Matrix]:
        """Vectors (1-D) that are there, by text hash."""
        ...

    async def versions(self, tenant_id: str, model: str, doc_ids: Sequence[str]) -> dict[str, Version]:
        """The newest version noted for each document of which one is."""
        ...

    async def put(
        self,
        tenant_id: str,
        model: str,
        vectors: Mapping[str, Matrix],
        uses: Sequence[CacheUse],
        bills: Sequence[Bill] = (),
    ) -> None:
        """Store new vectors, what each document uses now, and what computing has cost, in one transaction; vectors
        without users are erased. A bill that is there already stays as it is."""
        ...

    async def forget(self, tenant_id: str) -> int:
        """Erase everything of a tenant, whatever the model. Returns how many rows there were."""
        ...

    async def forget_model(self, model: str) -> int:
        """Erase everything of a model, of every tenant. Returns how many rows there were."""
        ...

    async def close(self) -> None:
        """Flush and release."""
        ...
