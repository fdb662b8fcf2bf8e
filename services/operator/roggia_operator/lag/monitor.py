"""Watches every group while the operator runs, for the console, for throttling and for `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from roggia_runtime.codec import EventCodec
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.events import DocUpserted

from roggia_operator.lag.history import NOBODY, History, LagReport
from roggia_operator.lag.measure import LagObserver
from roggia_operator.lag.measures import Measures, searchable
from roggia_operator.lag.searchable import Recent, Searchable, every, follow
from roggia_operator.lag.values import Aside

AGAIN_S = 5.0
"""Wait before the next try when Kafka or the registry does not answer."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the monitor knows now. `lag` is None before the first observation; `trouble` says why it may be old."""

    lag: LagReport | None
    searchable: Searchable
    trouble: str


class Monitor:
    """A worker of the operator service. Everything but `run` may be called at any time, from the same event loop.

    `aside` tells, at any time, which groups no reader waits for, and `awaited` which events of the index some do.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        codec: EventCodec,
        *,
        every_s: float,
        window_s: float,
        aside: Callable[[], Mapping[str, Aside]] = lambda: NOBODY,
        awaited: Callable[[DocUpserted], bool] = every,
    ) -> None:
        self._kafka, self._codec, self._every_s, self._aside = kafka, codec, every_s, aside
        self._history = History(window_s)
        self._awaited = awaited
        self._recent = Recent(searchable, awaited)
        self._measures = Measures()
        self._report: LagReport | None = None
        self._troubles = {"lag": "", "searchable": ""}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Observe until stopped. What does not answer is tried again; it never ends by itself."""
        following = asyncio.create_task(self._again("searchable", self._follow))
        try:
            await self._again("lag", self._observe)
        finally:
            following.cancel()
            await asyncio.wait({following})

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    def health(self) -> list[str]:
        """What is not observed now, and why."""
        return [f"{what}: {why}" for what, why in self._troubles.items() if why]

    def snapshot(self) -> Snapshot:
        """The last observation with its window, and how long recent documents took."""
        return Snapshot(self._report, self._recent.summary(), "; ".join(self.health()))

    async def _again(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await work()
            except (UnavailableError, AdminError) as error:
                if self._troubles[what] != str(error):
                    log.warning("not_observed", what=what, error=str(error))
                self._troubles[what] = str(error)
                await either(self._stopping, timeout_s=AGAIN_S)

    async def _observe(self) -> None:
        async with LagObserver(self._kafka) as observer:
            while not self._stopping.is_set():
                self._history.add(await observer.measure())
                self._report = self._history.report(self._aside())
                if self._report is not None:
                    self._measures.show(self._report)
                self._troubles["lag"] = ""
                await either(self._stopping, timeout_s=self._every_s)

    async def _follow(self) -> None:
        self._recent = Recent(searchable, self._awaited)
        self._troubles["searchable"] = ""
        await follow(self._kafka, self._codec, self._recent)
