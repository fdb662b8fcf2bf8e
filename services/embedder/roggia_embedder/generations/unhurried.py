"""A worker whose troubles make nothing wait."""

from __future__ import annotations

from roggia_runtime.service import Worker


class Unhurried:
    """Runs another worker; what is not ready of it is a note. Search works without Kafka: a query role alone goes on
    with the record that it read last."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def run(self) -> None:
        """See `Worker`."""
        await self._worker.run()

    def stop(self) -> None:
        """See `Worker`."""
        self._worker.stop()

    def health(self) -> list[str]:
        """Nothing waits for it."""
        return []

    def notes(self) -> list[str]:
        """What is not ready of it."""
        return self._worker.health()
