"""What a backfill looks at while it sends: how fresh live is, and how much waits downstream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import structlog
from roggia_runtime.errors import RoggiaError

from roggia_operator.replay.throttle import EMPTY, PATIENCE_S, Limits, Reading, Ruling, ruling

log = structlog.get_logger()


class Probe(Protocol):
    """Tells how the pipeline is doing."""

    async def reading(self, topic: str) -> Reading:
        """How old the oldest unprocessed live event is, and how many records wait in the lane of `topic` and after it.

        Raises a `RoggiaError` while that cannot be known.
        """
        ...


class Pressure:
    """The last reading for one job, and what the job has sent since. `clock` is monotonic, in seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self._reading = Reading()
        self._before = self._since = 0
        self._full_since: float | None = None

    def begin(self) -> None:
        """A reading begins: what is sent from now on may be missing in it."""
        self._before, self._since = self._before + self._since, 0

    def update(self, reading: Reading) -> None:
        """A new reading: what was sent before it began is in it."""
        self._reading, self._before = reading, 0

    def sent(self, records: int) -> None:
        """The job has sent records."""
        self._since += records

    def ruling(self) -> Ruling:
        """What the job may do now."""
        now = self._reading
        waiting = now.waiting + self._before + self._since
        return ruling(Reading(now.age_s, waiting, now.stage), self.limits, full=self._full(waiting))

    def _full(self, waiting: int) -> bool:
        """Whether the window was reached and has not emptied since, or not for long."""
        if waiting >= self.limits.window:
            self._full_since = self._clock() if self._full_since is None else self._full_since
        elif self._full_since is not None:
            emptied = waiting <= self.limits.window * EMPTY
            if emptied or self._clock() - self._full_since >= PATIENCE_S:
                self._full_since = None
        return self._full_since is not None


class Watch:
    """Asks a probe again and again while a job runs. `limits` says what holds for a topic."""

    def __init__(
        self,
        probe: Callable[[], AbstractAsyncContextManager[Probe]],
        limits: Callable[[str], Limits],
        every_s: float,
    ) -> None:
        self._probe, self._limits, self._every_s = probe, limits, every_s

    @asynccontextmanager
    async def of(self, topic: str) -> AsyncIterator[Pressure]:
        """The pressure on a job over `topic`, kept up to date inside the block."""
        pressure = Pressure(self._limits(topic))
        async with self._probe() as probe:
            await _look(probe, topic, pressure)
            task = asyncio.create_task(self._follow(probe, topic, pressure))
            try:
                yield pressure
            finally:
                task.cancel()
                await asyncio.wait({task})

    async def _follow(self, probe: Probe, topic: str, pressure: Pressure) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await _look(probe, topic, pressure)


async def _look(probe: Probe, topic: str, pressure: Pressure) -> None:
    """One reading. While Kafka cannot tell, the last one holds, and what is sent counts as waiting."""
    pressure.begin()
    try:
        reading = await probe.reading(topic)
    except RoggiaError as error:
        log.warning("no_reading", topic=topic, error=str(error))
    else:
        pressure.update(reading)
