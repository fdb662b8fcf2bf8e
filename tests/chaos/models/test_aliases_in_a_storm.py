"""A real operator service, and a real MLflow server that goes and dies: what serves is what passed, and in the end the
version that the alias names.

The operator, its controller, the log and MLflow are processes; index service and hosts of generations are played, since
no part of the promise is theirs. Whatever is done, the history of every generation is the evidence: it holds each
cutover that ever was.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
from roggia_operator.generations.client import GenerationClient
from roggia_operator.models import tags
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.values import CANDIDATE, CHAMPION, PREVIOUS, Draft, Evidence, Report, Verdict
from roggia_operator.models.webhook import PATH
from roggia_runtime.errors import ModelRegistryUnavailableError
from roggia_schemas.events import GenerationState

from tests.support.generation_fleet import GenerationFleet, generations
from tests.support.mlflow_server import MlflowServer
from tests.support.models import embedder
from tests.support.webhooks import signed_headers

T = TypeVar("T")
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]
SECRET = "one secret for this test"
NAME = "emb"
OUTAGE_S, FLAPPING_S, KILLS = 180.0, 60.0, 6
PATIENCE_S = 300.0
FIRST, SECOND, FAILED = 1, 2, 3
"""Versions: two that passed, and one that did not. Generation N + 1 is filled with version N."""
PASSED = {FIRST, SECOND}
SEED = 20_251


@dataclass
class Storm:
    """One operator and one server, and the deliveries of a webhook that somebody sends."""

    fleet: GenerationFleet
    client: GenerationClient
    server: MlflowServer
    file: str
    http: aiohttp.ClientSession
    random: random.Random = field(default_factory=lambda: random.Random(SEED))
    answers: list[int] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def registry(self) -> MlflowRegistry:
        """MLflow by way of its server."""
        return MlflowRegistry(self.server.url)

    async def patiently(self, work: Callable[..., T], *arguments: object) -> T:
        """A call of the registry, repeated while its server is too busy to answer in time."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await asyncio.to_thread(work, *arguments)
            except ModelRegistryUnavailableError:
                assert time.monotonic() < deadline, "the server does not answer"

    async def alias(self, alias: str, version: int) -> None:
        """Set an alias, as a person does."""
        await self.patiently(self.registry.set_alias, NAME, alias, version)

    async def aliases(self) -> dict[str, int]:
        """The model's aliases now."""
        models = await self.patiently(self.registry.models)
        return dict(next(one for one in models if one.name == NAME).aliases)

    async def judged(self, version: int, verdict: Verdict) -> None:
        report = Report(name=NAME, version=version, verdict=verdict, manifest="m1", fingerprint=f"model@{version + 1}")
        filed = await self.patiently(self.registry.file_report, report, Evidence())
        await self.patiently(self.registry.set_tags, NAME, version, tags.of_gate(filed))

    async def filled(self, version: int) -> None:
        await self.alias(CANDIDATE, version)
        await self.fleet.state(self.client, version + 1, GenerationState.FILLING)
        await self.fleet.read_all(version + 1)
        await self.fleet.state(self.client, version + 1, GenerationState.SHADOW)

    async def serving(self) -> int:
        """The version that serves; 0 for the baseline."""
        live = [row for row in (await self.client.table()).rows if row.state is GenerationState.LIVE]
        return max(live, key=lambda row: row.cutover).generation - 1 if live else 0

    async def comes_to(self, version: int) -> float:
        """Wait until it serves, and nothing moves any more; the seconds that it took."""
        began = time.monotonic()
        while await self.serving() != version:
            assert time.monotonic() - began < PATIENCE_S, f"{await self.serving()} serves, not {version}"
            await asyncio.sleep(0.2)
        took, moves = time.monotonic() - began, await self.moves()
        await asyncio.sleep(5)
        assert (await self.serving(), await self.moves()) == (version, moves), "it moves on"
        return took

    async def remembers(self, version: int) -> None:
        """Wait until `previous` is at a version."""
        deadline = time.monotonic() + PATIENCE_S
        while (await self.aliases()).get(PREVIOUS) != version:
            assert time.monotonic() < deadline, await self.aliases()
            await asyncio.sleep(0.5)

    async def moves(self) -> int:
        return sum(len(row.history) for row in (await self.client.table()).rows)

    async def only_what_passed_served(self) -> None:
        """Every cutover in every history: by the reconciler, of a version that passed, on that version's own report."""
        for row in (await self.client.table()).rows:
            for move in row.history if row.generation > 1 else ():
                if move.after != GenerationState.LIVE.value:
                    continue
                held = await self.patiently(self.registry.report, move.evidence["report"])
                assert held is not None, f"g{row.generation} rests on a report that is not there: {move}"
                assert (held.version, held.verdict, move.by) == (row.generation - 1, Verdict.PASS, "models"), move

    async def notes(self) -> str:
        """What the operator says is wrong, though it is ready."""
        async with self.http.get("/health/ready") as reply:
            return str(await reply.json())

    async def said(self, words: str) -> None:
        """Wait until the notes hold these words."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in await self.notes():
            assert time.monotonic() < deadline, f"{words!r} not in {await self.notes()}"
            await asyncio.sleep(0.2)

    async def deliver(self, *, secret: str = SECRET, delivery: str = "", age_s: int = 0, version: int = FAILED) -> int:
        """One delivery that says that `champion` is at a version, true or not; the status of the answer."""
        body = f'{{"entity":"model_version_alias","data":{{"name":"{NAME}","alias":"champion","version":"{version}"}}}}'
        made = signed_headers(secret, delivery or f"d{next(self.numbers)}", body, int(time.time()) - age_s)
        async with self.http.post(PATH, data=body, headers=made) as reply:
            self.answers.append(reply.status)
            return reply.status


@asynccontextmanager
async def storm(server: MlflowServer, data: Path) -> AsyncIterator[Storm]:
    """Three versions, filled; the first two passed, the third failed; the second serves and the first is `previous`."""
    settings = {
        "ROGGIA_OPERATOR_MODELS_URI": server.url,
        "ROGGIA_OPERATOR_MODELS_POLL_S": "1",
        "ROGGIA_OPERATOR_MODELS_WEBHOOK_SECRET": SECRET,
        "ROGGIA_OPERATOR_GENERATIONS_LIMIT": "8",
    }
    async with generations(data, **settings) as (fleet, client):
        fleet.index.models[4] = "model@4"
        await fleet.corpus()
        file = f"sqlite:///{server.database}"
        async with aiohttp.ClientSession(f"http://127.0.0.1:{fleet.operator.port}") as http:
            made = Storm(fleet, client, server, file, http)
            for version in (FIRST, SECOND, FAILED):
                draft = Draft(name=NAME, ref=embedder(f"model@{version + 1}"))
                await asyncio.to_thread(made.registry.register, draft)
            for version in (FIRST, SECOND):
                await made.filled(version)
                await made.judged(version, Verdict.PASS)
                await made.alias(CHAMPION, version)
                await made.comes_to(version)
            await made.filled(FAILED)
            await made.judged(FAILED, Verdict.FAIL)
            yield made


async def test_the_state_converges_to_the_alias_that_passed_and_to_nothing_else(
    mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """Refused by hand; minutes without the server, the alias moved past it meanwhile; killed while it answers; an alias
    that flaps every second, under deliveries that are forged, repeated, late and out of order: each ends at the alias
    that passed, and no history holds a cutover of anything else."""
    async with storm(mlflow_server, tmp_path / "run") as made:
        await made.remembers(FIRST)
        await refused_by_hand(made)
        await without_the_server(made)
        await killed_while_it_answers(made)
        await flapping(made)
        await made.only_what_passed_served()


async def refused_by_hand(made: Storm) -> None:
    """`champion` on the version that failed changes nothing, and says why; back at what serves, nothing is said."""
    before = await made.moves()
    await made.alias(CHAMPION, FAILED)
    await made.said("the gate said fail")
    await asyncio.sleep(3)
    assert (await made.serving(), await made.moves()) == (SECOND, before)
    await made.alias(CHAMPION, SECOND)
    await made.comes_to(SECOND)


async def without_the_server(made: Storm) -> None:
    """Three minutes: what serves goes on serving, and the notes say since when. The alias moves in the database, past
    the server and without a webhook: once it is back, that is what serves."""
    await asyncio.to_thread(made.server.stop)
    try:
        await made.said("ago holds")
        before, ends = await made.moves(), time.monotonic() + OUTAGE_S
        await asyncio.to_thread(MlflowRegistry(made.file).set_alias, NAME, CHAMPION, FIRST)
        while time.monotonic() < ends:
            await made.deliver()
            assert (await made.serving(), await made.moves()) == (SECOND, before)
            await asyncio.sleep(5)
    finally:
        await asyncio.to_thread(made.server.start)
    print(f"after {OUTAGE_S:g} s without the server: {await made.comes_to(FIRST):.1f} s")


async def killed_while_it_answers(made: Storm) -> None:
    """SIGKILL amid its answers, again and again; what its database says in the end is what serves."""
    for number in range(KILLS):
        wanted = (SECOND, FIRST)[number % 2]
        asking = [asyncio.create_task(hammering(made, wanted)) for _ in range(3)]
        await asyncio.sleep(made.random.uniform(0.3, 2.0))
        await asyncio.to_thread(made.server.kill)
        await asyncio.gather(*asking)
        await asyncio.to_thread(made.server.start)
        held = (await made.aliases())[CHAMPION]
        assert held in PASSED
        print(f"killed while it answers: {await made.comes_to(held):.1f} s to version {held}")


async def hammering(made: Storm, version: int) -> None:
    """Set the alias until the server does not answer any more."""
    registry = made.registry
    with suppress(ModelRegistryUnavailableError):
        while True:
            await asyncio.to_thread(registry.set_alias, NAME, CHAMPION, version)


async def flapping(made: Storm) -> None:
    """Every second another version, or none, for a minute, with a webhook that lies: what was set last serves."""
    ends = time.monotonic() + FLAPPING_S
    lying = asyncio.create_task(lies(made, lambda: time.monotonic() < ends))
    while time.monotonic() < ends:
        version = made.random.choice([FIRST, SECOND, FAILED, 0])
        if version:
            await made.alias(CHAMPION, version)
        else:
            await made.patiently(made.registry.delete_alias, NAME, CHAMPION)
        await asyncio.sleep(1)
    await lying
    last = SECOND if await made.serving() == FIRST else FIRST
    await made.alias(CHAMPION, last)
    print(f"after a minute of flapping: {await made.comes_to(last):.1f} s; {len(made.answers)} deliveries")
    await made.alias(CHAMPION, FAILED)
    await made.said("the gate said fail")
    assert await made.serving() == last
    assert {200, 401} <= set(made.answers) <= {200, 401}


async def lies(made: Storm, going_on: Callable[[], bool]) -> None:
    """Deliveries that say what is not so: forged, repeated, too old, out of order. Those with its secret are taken."""
    while going_on():
        assert await made.deliver(secret="a guess at the secret") == 401
        assert await made.deliver(age_s=3600) == 401
        assert await made.deliver(delivery="the same again") == 200
        for age_s in made.random.sample(range(200), 3):
            assert await made.deliver(age_s=age_s, version=made.random.choice([FIRST, SECOND, FAILED])) == 200
        await asyncio.sleep(0.3)
