"""The story of a migration: before, filling, over, back, over again, and the old one's end; judged point by point."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from roggia_embedder.adapters.pgvector import PgvectorStore
from roggia_operator.generations import client as generations
from roggia_operator.generations.client import Asked, GenerationClient
from roggia_operator.generations.moves import DONE, OFFSETS
from roggia_operator.generations.table import Pair
from roggia_runtime.errors import AdminError, ProduceError, UnavailableError
from roggia_schemas.events import GenerationState, GenerationWish

from tests.support.fleet import apply_topics
from tests.support.migration import judge
from tests.support.migration.ensemble import MODEL, QUERIES, Ensemble, model_of
from tests.support.migration.judge import Differences
from tests.support.migration.plan import Plan, Size, plan
from tests.support.migration.readers import Address, Readers
from tests.support.migration.traffic import Traffic
from tests.support.storm import plan as storm
from tests.support.storm.disk import SmallDisk
from tests.support.storm.faults import FAULTS
from tests.support.storm.run import Ground
from tests.support.storm.scene import Scene
from tests.support.workload import changes

T = TypeVar("T")
SHADOW, LIVE, ROLLED_BACK = GenerationState.SHADOW, GenerationState.LIVE, GenerationState.ROLLED_BACK
_AWAY = (UnavailableError, AdminError, ProduceError)
_LOOK_S = 0.3
_SPARE = 1.06
"""Events published first, for each document that there is to be: some are late repeats."""
_MORE = 1_000_000
"""Changes at hand for the time after; no run needs so many."""
BY = "ops@example"


@dataclass
class Told:
    """What happened. Times in seconds; `differences` by moment."""

    plan: Plan
    documents: int = 0
    records: int = 0
    published: int = 0
    differences: dict[str, Differences] = field(default_factory=dict)
    filled_s: float = 0.0
    switched_s: dict[str, float] = field(default_factory=dict)
    """From each wish until every query process answered by the right generation, the kill in between included."""
    died: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Migration:
    """One run; `data` belongs to it. Use `run` once, then look at `told` and `readers`."""

    def __init__(self, seed: int, ground: Ground, dsn: str, data: Path, size: Size) -> None:
        self._ground, self._data, self._size = ground, data, size
        self.ensemble = Ensemble(
            ground, data / "services", dsn, batch_s=size.batch_s, session_s=size.session_s, again_s=size.again_s
        )
        self.told = Told(plan(seed, size))
        addresses = [Address(self.ensemble.url(name), "") for name in QUERIES]
        fingerprints = {number: model_of(number).fingerprint for number in (1, 2)}
        self.readers = Readers(addresses, fingerprints, seed)
        self._codec = self.ensemble.codec
        first = round(size.documents * _SPARE)
        events = changes(documents=first, events=first + _MORE, seed=seed)
        self._first = first
        self._traffic = Traffic(self.ensemble.kafka, self._codec, events, size.rate)
        self._scene = self._set()

    async def run(self) -> None:
        """Everything. Raises `AssertionError` where something does not come about; differences are noted."""
        began = time.monotonic()
        try:
            await apply_topics(self.ensemble.kafka)
            await self.ensemble.begin()
            await self._loaded()
            await self._lived()
        except BaseException as error:
            error.add_note(f"{self.told.plan}\n  begun: {self._scene.done}\n{self.ensemble.tails()}")
            raise
        finally:
            await self._traffic.close()
            await self._scene.abandon()
            await self.ensemble.end()
            self._scene.disk.close()
            self.told.died, self.told.seconds = list(self._scene.died), time.monotonic() - began
            self.told.published = self._traffic.published

    async def _loaded(self) -> None:
        """Everything is in the first generation, and readers are ready."""
        await self._traffic.load(self._first)
        await self.ensemble.settle(self._size.patience_s)
        self.readers.addresses = [Address(self.ensemble.url(name), self._health(name)) for name in QUERIES]
        await self.readers.on(1, self._size.patience_s)

    async def _lived(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._traffic.run())
            tasks.create_task(self.readers.run())
            async with GenerationClient(self.ensemble.kafka, self._codec) as client:
                await self._migrated(client)
            self._traffic.stop()
            self.readers.stop()

    async def _migrated(self, client: GenerationClient) -> None:
        await self.readers.more(self._size.answers)
        self.readers.phase = "migration"
        number = await self._done(lambda: client.plan(self._asked()))
        assert number == 2
        self.ensemble.two()
        await self._filled(client)
        await self._switched(client, "cutover", GenerationWish.SERVE, LIVE, 2)
        await self._switched(client, "rollback", GenerationWish.ROLL_BACK, ROLLED_BACK, 1)
        await self._switched(client, "second cutover", GenerationWish.SERVE, LIVE, 2)
        await self._judged("both", (1, 2))
        self._traffic.resume()
        await self._wish(client, 1, GenerationWish.RETIRE, "retirement")
        await self._until(client, 1, GenerationState.RETIRED)
        self.ensemble.one()
        await self.readers.more(self._size.answers)
        await self._gone()
        await self._judged("after the first one's end", (2,))

    async def _filled(self, client: GenerationClient) -> None:
        """Strikes fall as the filling goes on. Those that are left when it is over fall then."""
        began, strikes = time.monotonic(), list(self.told.plan.strikes)
        while True:
            pair = await self._pair(client, 2)
            counts = pair.side.counts
            share = 1.0 if pair.status is SHADOW else counts.get(DONE, 0) / max(1, counts.get(OFFSETS, 0))
            if strikes and share >= strikes[0].share:
                await self._strike(strikes.pop(0).step)
            elif pair.status is SHADOW:
                break
            assert pair.status is not GenerationState.FAILED, pair.side.message
            assert time.monotonic() - began < self._size.patience_s, f"g2 is {pair.status.value}: {pair.side.message}"
            await asyncio.sleep(_LOOK_S)
        self.told.filled_s = time.monotonic() - began

    async def _switched(
        self, client: GenerationClient, what: str, wish: GenerationWish, state: GenerationState, serves: int
    ) -> None:
        """Ask, kill something at once, wait for the state and for every reader; then let them read for a while."""
        began = time.monotonic()
        await self._wish(client, 2, wish, what)
        await self._until(client, 2, state)
        await self.readers.on(serves, self._size.patience_s)
        self.told.switched_s[what] = time.monotonic() - began
        await self.readers.more(self._size.answers)

    async def _wish(self, client: GenerationClient, number: int, wish: GenerationWish, what: str) -> None:
        report = json.dumps({"verdict": "pass", "generation": number}) if wish is GenerationWish.SERVE else ""
        await self._done(lambda: client.wish(number, wish, Asked(BY, what, report)))
        await self._strike(self.told.plan.switches[what])

    async def _strike(self, step: storm.Step) -> None:
        await self._scene.begin(step, FAULTS[step.fault])

    async def _until(self, client: GenerationClient, number: int, state: GenerationState) -> None:
        deadline = time.monotonic() + self._size.patience_s
        while (pair := await self._pair(client, number)).status is not state:
            assert time.monotonic() < deadline, f"g{number} is {pair.status.value}: {pair.side.message}"
            await asyncio.sleep(_LOOK_S)

    async def _judged(self, moment: str, numbers: tuple[int, ...]) -> None:
        """Nothing changes any more, every fault is over, everything is read: compare. Nobody searches meanwhile, since
        comparing keeps this process busy."""
        await self._traffic.pause()
        await self._scene.calm()
        await self.ensemble.settle(self._size.patience_s)
        await self.readers.pause()
        want, self.told.differences[moment] = await judge.judged(self.ensemble, self._codec, numbers)
        self.told.documents = sum(not state.deleted for state in want.final.values())
        self.told.records = want.records
        self.readers.resume()

    async def _gone(self) -> None:
        store = PgvectorStore.connect(self.ensemble.dsn)
        try:
            async with asyncio.timeout(self._size.patience_s):
                while any(spec.generation == 1 for spec in await store.collections()):
                    await asyncio.sleep(_LOOK_S)
        finally:
            await store.close()

    async def _pair(self, client: GenerationClient, number: int) -> Pair:
        return await self._done(lambda: client.get(number))

    async def _done(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, again while the broker is away."""
        deadline = time.monotonic() + self._size.patience_s
        while True:
            try:
                return await work()
            except _AWAY:
                assert time.monotonic() < deadline, "the broker does not come back"
                await asyncio.sleep(_LOOK_S)

    def _asked(self) -> generations.Plan:
        return generations.Plan(MODEL, rate=self._size.fill_rate, by=BY, why="a better model")

    def _health(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ensemble.processes[name].port}"

    def _set(self) -> Scene:
        ground, disk = self._ground, SmallDisk(self._data / "disk")
        nothing = storm.Plan(self.told.plan.seed, 0, 0, ())
        return Scene(nothing, self._data, ground.broker, ground.registry, disk, self.ensemble, self._codec)
