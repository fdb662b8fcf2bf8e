"""How many documents a tenant may have: who is let in, and who becomes a dead letter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from roggia_runtime.tenancy import Tenants

from roggia_ingest.catalogue import DocKey, DocState, Ledger
from roggia_ingest.errors import LimitError

DOCUMENTS: Final = "documents"


class Living(Protocol):
    """What is asked of the catalogue."""

    async def living(self, tenant_id: str) -> int:
        """How many documents of the tenant are not deleted."""
        ...


class Room:
    """The limits during one batch. `limits` are those of its tenants; `living` counts the crowded ones' documents."""

    def __init__(self, ledger: Ledger, limits: Mapping[str, int], living: Mapping[str, int]) -> None:
        self._ledger, self._limits, self._living = ledger, limits, living
        self._let_in: set[str] = set()

    def crowded(self, tenant_id: str) -> bool:
        """Whether who comes first decides who is let in: the tenant's records must be judged in their order."""
        return tenant_id in self._living

    def take(self, key: DocKey, state: DocState) -> None:
        """`state` is about to hold for `key`. Raises `LimitError` where it would be one living document too many.

        Only a crowded tenant is judged here. The others are let in, and the catalogue counts when it writes (`owed`).
        """
        limit = self._limits.get(key.tenant_id)
        if limit is None or state.deleted or self._ledger.lives(key):
            return
        if self.crowded(key.tenant_id):
            living = self._living[key.tenant_id] + self._ledger.grown(key.tenant_id)
            if living >= limit:
                raise LimitError(
                    "doc_id",
                    f"{key.doc_id[:200]!r} would be one more than the {limit} documents that tenant {key.tenant_id} "
                    f"may have (limits.documents); it has {living}: raise the limit with `roggia tenants apply`, or "
                    "delete documents, then redrive",
                )
        self._let_in.add(key.tenant_id)

    def owed(self) -> Mapping[str, int]:
        """Limits that must hold once the batch's rows are written."""
        return {tenant_id: self._limits[tenant_id] for tenant_id in self._let_in}


class Rooms:
    """Remembers which tenants are near their limits: their documents are counted before a batch is judged, so that what
    has no room is not chunked first. Everybody else's are counted as they are written. Only that count is exact:
    what `Catalogue.save` refuses (`FullError`) is judged again.
    """

    def __init__(self, tenants: Tenants, catalogue: Living) -> None:
        self._tenants, self._catalogue = tenants, catalogue
        self._near: set[str] = set()

    async def room(self, ledger: Ledger, documents: Mapping[str, int]) -> Room:
        """For a batch with so many documents of each tenant. Raises `CatalogueUnavailableError`."""
        limits = {tenant_id: limit for tenant_id in documents if (limit := self._limit(tenant_id)) is not None}
        living = {}
        for tenant_id in self._near & limits.keys():
            found = await self._catalogue.living(tenant_id)
            if found + documents[tenant_id] > limits[tenant_id]:
                living[tenant_id] = found
            else:
                self._near.discard(tenant_id)
        return Room(ledger, limits, living)

    def full(self, tenants: Iterable[str]) -> None:
        """The catalogue refused a batch for these tenants' documents."""
        self._near |= set(tenants)

    def _limit(self, tenant_id: str) -> int | None:
        config = self._tenants.config(tenant_id)
        return None if config is None else config.limits.get(DOCUMENTS)
