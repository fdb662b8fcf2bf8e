"""What ingest needs from outside: a catalogue, a place to fetch content from, a way to prepare it, the event codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

from roggia_runtime.records import Headers, Output, Ownership, Partition, Record
from roggia_schemas.events import ContentRef
from roggia_schemas.wiretypes import Event

from roggia_ingest.catalogue.state import DocKey, Entry
from roggia_ingest.prepare import Job, Prepared

E = TypeVar("E", bound=Event)
Owned: TypeAlias = Mapping[Partition, Ownership]
"""What proves that partitions are this process's."""


class Catalogue(Protocol):
    """Where document states are kept. Raises `CatalogueUnavailableError` when it does not answer now."""

    async def start(self) -> None:
        """Connect and create what is missing. Raises `CatalogueError` for data of a newer version."""
        ...

    async def stop(self) -> None:
        """Let go of the connection. Safe to call twice."""
        ...

    async def load(self, keys: Sequence[DocKey]) -> Mapping[DocKey, Entry]:
        """Entries of the documents that are known; the others are missing from the answer."""
        ...

    async def save(
        self,
        entries: Mapping[DocKey, Entry],
        owned: Owned | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """Write all entries in one transaction; one without a current state is removed.

        `owned` is kept per partition. Raises `LostPartitionError`, and writes nothing, where a greater one is kept.
        `limits` say how many living documents a tenant may have after this. Raises `FullError`, and writes nothing,
        for one that would have more: whoever else adds documents of these tenants under a limit takes turns.
        """
        ...

    async def living(self, tenant_id: str) -> int:
        """How many documents of the tenant are not deleted."""
        ...

    async def domains(self, tenant_id: str) -> set[str]:
        """Every domain that a document of the tenant is or was in."""
        ...

    async def forget(self, tenant_id: str) -> int:
        """Remove every row of a tenant. Returns how many there were."""
        ...

    async def due(self, source: Partition, before_ms: int, limit: int) -> Mapping[DocKey, Entry]:
        """At most `limit` living documents from `source` that expire at or before `before_ms`, oldest expiry first."""
        ...


class ContentSource(Protocol):
    """Fetches content by reference."""

    async def fetch(self, ref: ContentRef) -> bytes:
        """The bytes, with size and hash checked.

        Raises `PolicyError` (not allowed), `ContentError` (missing, other size or hash) or `ContentUnavailableError`.
        """
        ...


class Preparer(Protocol):
    """Turns content into passages without blocking the event loop for long."""

    async def prepare(self, job: Job) -> Prepared:
        """Extract, normalise and chunk. Raises `ContentError`."""
        ...


class EventCodec(Protocol):
    """Events from records and back; the runtime's `EventCodec` is one."""

    async def decode(self, cls: type[E], record: Record) -> E:
        """The event in a record. Raises the schemas package's errors, or `UnavailableError`."""
        ...

    def output(self, topic: str, event: Event, *, parent_headers: Headers = ()) -> Output:
        """The record to produce for an event, with key and headers."""
        ...
