"""One run under way: what is published, what is broken now, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import UnavailableError

from tests.support.kafka import Broker
from tests.support.registry import Registry
from tests.support.storm.crew import Crew
from tests.support.storm.disk import SmallDisk
from tests.support.storm.plan import Plan, Step

End = Callable[[], Awaitable[None]]
Fault = Callable[["Scene", Step], Awaitable[End | None]]


@dataclass
class Scene:
    """The real things that faults act on. `done` and `died` say what happened, for the report."""

    plan: Plan
    data: Path
    broker: Broker
    registry: Registry
    disk: SmallDisk
    crew: Crew
    codec: EventCodec
    done: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    replayed: int = 0
    _holds: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def store_faults(self) -> Path:
        """The file that says how the vector store fails."""
        return self.data / "store-faults.json"

    async def begin(self, step: Step, fault: Fault) -> None:
        """Begin a fault, once the last one of its kind on the same thing is over; its end comes by itself."""
        kind = step.fault.partition(" ")[0]
        place = kind if kind == "store" else f"{kind} {step.target}"
        await self._over(place)
        self._supervise()
        end = await fault(self, step)
        self.done.append(str(step))
        if end is not None:
            self._holds[place] = asyncio.create_task(_later(step.hold_s, end))

    async def reachable(self) -> None:
        """Wait until the broker answers."""
        while True:
            try:
                await TopicAdmin(self.crew.kafka).topics()
            except UnavailableError:
                await asyncio.sleep(0.2)
            else:
                return

    async def calm(self) -> None:
        """Wait until every fault is over, and start what is down."""
        for place in list(self._holds):
            await self._over(place)
        self._supervise()

    async def abandon(self) -> None:
        """Give up after a failure: no fault begins or ends any more."""
        for task in self._holds.values():
            task.cancel()
        await asyncio.gather(*self._holds.values(), return_exceptions=True)

    async def _over(self, place: str) -> None:
        held = self._holds.pop(place, None)
        if held is not None:
            await held

    def _supervise(self) -> None:
        """Start again what has ended by itself, as a supervisor would, and keep that in mind."""
        self.died += self.crew.revive()


async def _later(seconds: float, end: End) -> None:
    await asyncio.sleep(seconds)
    await end()
