"""What the index consists of, and whether it is what the log says: asked of the query role."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from roggia_runtime.clock import now_ms
from roggia_runtime.findings import Summary, VerifyRequest
from roggia_runtime.generations import holds
from roggia_schemas.events import IndexGeneration

from roggia_operator.console.index import Index
from roggia_operator.console.views import CollectionRow
from roggia_operator.generations.bases import ALL
from roggia_operator.generations.values import Parity
from roggia_operator.verify_client import VerifyError, messages

_PREFIX = "kb_"


class IndexService:
    """`url` is the address of the query role. One comparison at a time: the service refuses a second."""

    def __init__(self, url: str) -> None:
        self._url, self._index = url, Index(url)
        self._lock = asyncio.Lock()

    async def compare(self, row: IndexGeneration, selection: Sequence[str]) -> Parity:
        """Every entry of the selection in turn. Raises `UnavailableError`, and `VerifyError` where the service does
        not come to an end or compares another generation."""
        async with self._lock:
            began_ms, found, pending, documents = now_ms(), Counter[str](), 0, 0
            index = await self._index.held()
            if row.store and row.store not in index.stores:
                return Parity(began_ms, False, f"{self._url} has no store {row.store!r}: add it to its settings")
            held = fingerprints(index.collections, row, selection)
            if fault := mixed(row, held):
                return Parity(began_ms, False, fault, fault=fault)
            for request in requests(row.generation, selection):
                summary = await self._verified(request)
                found.update(summary.findings)
                pending, documents = pending + summary.pending, documents + summary.documents
        wrong = {**found, **({"pending": pending} if pending else {})}
        detail = ", ".join(f"{kind} {number:,}" for kind, number in sorted(wrong.items()))
        return Parity(began_ms, not wrong, detail or f"exact over {documents:,} documents", "".join(held))

    async def _verified(self, request: VerifyRequest) -> Summary:
        summary: Summary | None = None
        async for message in messages(self._url, request):
            summary = message if isinstance(message, Summary) else summary
        if summary is None or summary.generation != request.generation:
            compared = f"g{summary.generation}" if summary else "nothing"
            raise VerifyError(f"verify: {self._url} compared {compared}, g{request.generation} was asked for")
        return summary


def fingerprints(rows: Iterable[CollectionRow], one: IndexGeneration, selection: Sequence[str]) -> set[str]:
    """The models whose vectors a generation's collections hold, in the store where they belong."""
    own = (row for row in rows if (row.generation, row.store) == (one.generation, one.store))
    return {row.model for row in own if selected(row, selection)}


def requests(generation: int, selection: Sequence[str]) -> Iterator[VerifyRequest]:
    """What has to be compared for a selection: everything, a tenant, or one knowledge base at a time."""
    if not selection:
        yield VerifyRequest(generation=generation)
    for entry in selection:
        tenant, _, domain = entry.partition("/")
        yield VerifyRequest(tenant=tenant, domain="" if domain == ALL else domain, generation=generation)


def selected(row: CollectionRow, selection: Sequence[str]) -> bool:
    """Whether a collection is of a knowledge base that a selection holds."""
    base = knowledge_base(row.name)
    return base is not None and holds(selection, *base)


def knowledge_base(collection: str) -> tuple[str, str] | None:
    """Tenant and domain of a physical collection; None for a name that is none of ours."""
    alias, marker, _ = collection.partition("__")
    tenant, between, domain = alias.removeprefix(_PREFIX).partition("_")
    return (tenant, domain) if marker and between and alias.startswith(_PREFIX) else None


def mixed(row: IndexGeneration, held: set[str]) -> str:
    """Why the vectors of a generation cannot be its model's; empty when they can."""
    wanted = row.model.fingerprint
    if len(held) > 1:
        return f"its collections hold vectors of {len(held)} models: {', '.join(sorted(held))}"
    if wanted and held - {wanted}:
        return f"its collections hold vectors of {', '.join(sorted(held))}, not of {wanted}"
    return ""
