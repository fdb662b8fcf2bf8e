"""The upsert role's worker of one generation: a handler and its loop over the generation's own topic."""

from __future__ import annotations

from roggia_runtime.loop import ConsumerLoop

from roggia_embedder.handlers.upsert import UpsertHandler


class UpsertWorker:
    """A loop whose handler can be told to look again at a tenant's collections."""

    def __init__(self, loop: ConsumerLoop, handler: UpsertHandler) -> None:
        self._loop, self._handler = loop, handler

    async def run(self) -> None:
        """See `ConsumerLoop`."""
        await self._loop.run()

    def stop(self) -> None:
        """See `ConsumerLoop`."""
        self._loop.stop()

    def health(self) -> list[str]:
        """See `ConsumerLoop`."""
        return self._loop.health()

    def notes(self) -> list[str]:
        """See `ConsumerLoop`."""
        return self._loop.notes()

    def forget(self, tenant_id: str) -> None:
        """See `UpsertHandler`."""
        self._handler.forget(tenant_id)
