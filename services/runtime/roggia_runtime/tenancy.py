"""Tenants that leave: what a stage does with their records, and the removal of what it keeps of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import structlog
from roggia_schemas.events import TenantConfig, TenantStatus

from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import UnavailableError

OFFBOARDED: Final = "tenant_offboarded"
"""Reason of the drops."""
AGAIN_S = 30.0
log = structlog.get_logger()


class Tenants(Protocol):
    """What a stage asks. `Tenancy` is one; `EVERYBODY_STAYS` another."""

    def config(self, tenant_id: str) -> TenantConfig | None:
        """What holds for a tenant; None: the defaults."""
        ...

    def leaving(self, tenant_id: str) -> bool:
        """Whether its new content is refused: it is being offboarded, or it was."""
        ...

    def gone(self, tenant_id: str) -> bool:
        """Whether nothing of it is left, so that its deletions mean nothing either."""
        ...


class Tenancy:
    """`Tenants` over the rows of a `Table[TenantConfig]`, as they are at each call."""

    def __init__(self, rows: Mapping[str, TenantConfig]) -> None:
        self._rows = rows

    def config(self, tenant_id: str) -> TenantConfig | None:
        """See `Tenants`."""
        return self._rows.get(tenant_id)

    def leaving(self, tenant_id: str) -> bool:
        """See `Tenants`."""
        held = self._rows.get(tenant_id)
        return held is not None and held.status is not TenantStatus.ACTIVE

    def gone(self, tenant_id: str) -> bool:
        """See `Tenants`."""
        held = self._rows.get(tenant_id)
        return held is not None and held.status is TenantStatus.OFFBOARDED

    def all_gone(self) -> list[str]:
        """Every tenant of which nothing is to be left."""
        return sorted(name for name in self._rows if self.gone(name))


EVERYBODY_STAYS: Final = Tenancy({})


class Purge:
    """A worker that removes what a service keeps of tenants that are gone: soon after they are, and now and then again,
    so that a late deletion leaves nothing either. `remove` says how much it removed, and may be called in vain.
    """

    def __init__(
        self, tenancy: Tenancy, remove: Callable[[str], Awaitable[int]], what: str, again_s: float = AGAIN_S
    ) -> None:
        self._tenancy, self._remove, self._what, self._again_s = tenancy, remove, what, again_s
        self._stopping, self._changed = asyncio.Event(), asyncio.Event()

    def changed(self, *_: object) -> None:
        """A tenant's configuration is new: look soon."""
        self._changed.set()

    async def run(self) -> None:
        """Work until `stop`. What is unavailable is tried again."""
        while not self._stopping.is_set():
            self._changed.clear()
            await self.once()
            await either(self._stopping, self._changed, timeout_s=self._again_s)

    async def once(self) -> None:
        """Remove what is there now."""
        for tenant_id in self._tenancy.all_gone():
            try:
                removed = await self._remove(tenant_id)
            except UnavailableError as error:
                log.warning("purge_waits", tenant=tenant_id, what=self._what, error=str(error))
                continue
            if removed:
                log.info("purged", tenant=tenant_id, what=self._what, removed=removed)

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for this."""
        return []
