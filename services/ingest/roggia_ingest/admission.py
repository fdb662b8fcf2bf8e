"""What a tenant's configuration says about a document: whether it is taken, and how long it is kept."""

from __future__ import annotations

import asyncio
from typing import Protocol

from msgspec.structs import replace
from roggia_runtime.records import Drop
from roggia_runtime.tenancy import EVERYBODY_STAYS, OFFBOARDED, Tenants
from roggia_schemas.events import DocChanged, Operation, TenantConfig

from roggia_ingest.catalogue.judge import LAST_MILLISECOND
from roggia_ingest.errors import LimitError

_DAY_MS = 86_400_000
DOMAINS = "domains"


class Domains(Protocol):
    """What admission asks of the catalogue."""

    async def domains(self, tenant_id: str) -> set[str]:
        """Every domain that a document of the tenant is or was in."""
        ...


class Admission:
    """Asked once for every event that keeps the rules of `doc.changed`. Kafka nulls are not asked for: they end things.

    The limit on domains counts what the catalogue holds. Two instances that meet a new domain each at the same moment
    may let both in: the limit is for cost, not for safety.
    """

    def __init__(self, tenants: Tenants = EVERYBODY_STAYS, catalogue: Domains | None = None) -> None:
        self.tenants, self._catalogue = tenants, catalogue
        self._known: dict[str, set[str]] = {}
        self._lock = asyncio.Lock()

    async def admit(self, event: DocChanged) -> DocChanged | Drop:
        """The event as it is to be processed, or why it changes nothing.

        Raises `LimitError` where a limit forbids it, `CatalogueUnavailableError` when that cannot be known now.
        """
        if event.operation is not Operation.UPSERT:
            return event
        if self.tenants.leaving(event.tenant_id):
            self._known.pop(event.tenant_id, None)
            return Drop(OFFBOARDED)
        config = self.tenants.config(event.tenant_id)
        if config is None:
            return event
        await self._within(event, config)
        return _kept(event, config)

    async def _within(self, event: DocChanged, config: TenantConfig) -> None:
        limit = config.limits.get(DOMAINS)
        if limit is None or self._catalogue is None:
            return
        async with self._lock:
            known = self._known.get(event.tenant_id, set())
            if event.domain in known:
                return
            known = self._known[event.tenant_id] = await self._catalogue.domains(event.tenant_id) | self._new(event)
            if event.domain not in known:
                if len(known) >= limit:
                    raise LimitError(
                        "domain",
                        f"{event.domain!r} would be one more than the {limit} that tenant {event.tenant_id} may have "
                        "(limits.domains); publish into one of them, or raise the limit with `roggia tenants apply`",
                    )
                known.add(event.domain)

    def _new(self, event: DocChanged) -> set[str]:
        """Domains let in by this process whose documents may not be in the catalogue yet."""
        return self._known.get(event.tenant_id, set())


def _kept(event: DocChanged, config: TenantConfig) -> DocChanged:
    """An event without an expiry of its own gets the tenant's."""
    if event.expires_at is not None or config.retention_days is None:
        return event
    return replace(event, expires_at=min(event.occurred_at + config.retention_days * _DAY_MS, LAST_MILLISECOND))
