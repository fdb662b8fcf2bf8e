"""When a ticker is due. Pure but for the ticker itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import structlog

from roggia_runtime.errors import UnavailableError
from roggia_runtime.records import Output, Partition, Ticker

log = structlog.get_logger()
RETRY_S = 5.0
"""Seconds until the next try after something was unavailable, unless the interval is shorter."""


class Ticking:
    """Calls a ticker for each assigned partition: once after the assignment, then every interval."""

    def __init__(self, ticker: Ticker, now: Callable[[], float] = time.monotonic) -> None:
        self._ticker = ticker
        self._now = now
        self._next: dict[Partition, float] = {}

    def restart(self) -> None:
        """Forget what was due: the assignment is new."""
        self._next = {}

    async def due(self, positions: Mapping[Partition, int]) -> list[tuple[Partition, Sequence[Output]]]:
        """Outputs of every partition that is due now, given committed positions.

        What is unavailable is tried again later, for all partitions: records must not wait for each of them to fail.
        """
        found = []
        for partition, position in positions.items():
            if self._next.get(partition, 0.0) <= self._now():
                outputs = await self._tick(partition, position)
                if outputs is None:
                    self._postpone(positions)
                    break
                if outputs:
                    found.append((partition, outputs))
        return found

    async def committed(self, partitions: Collection[Partition]) -> None:
        """Tell the ticker. If it cannot take note now, it will answer the same outputs again."""
        for partition in partitions:
            try:
                await self._ticker.committed(partition)
            except UnavailableError as error:
                log.warning("tick_unavailable", topic=partition.topic, partition=partition.number, error=str(error))

    async def _tick(self, partition: Partition, position: int) -> Sequence[Output] | None:
        """Outputs of one partition; None where something is unavailable."""
        try:
            outputs = await self._ticker.tick(partition, position)
        except UnavailableError as error:
            log.warning("tick_unavailable", topic=partition.topic, partition=partition.number, error=str(error))
            return None
        self._next[partition] = self._now() + self._ticker.interval_s
        return outputs

    def _postpone(self, partitions: Iterable[Partition]) -> None:
        again = self._now() + min(self._ticker.interval_s, RETRY_S)
        self._next |= {partition: max(again, self._next.get(partition, again)) for partition in partitions}
