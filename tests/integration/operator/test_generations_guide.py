"""docs/how-to/generations.md, as it stands: each command that it shows is run against an operator on a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from roggia_operator.generations.client import GenerationClient
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.generations import serving
from roggia_runtime.records import Output
from roggia_schemas.events import GenerationState

from tests.support.generation_fleet import GenerationFleet, generations
from tests.support.guides import Guide, call
from tests.support.replaying import produce

pytestmark = pytest.mark.timeout(240)
GUIDE = Guide("generations.md")


async def test_the_guides_commands_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the guide's order, with readers that follow the records: what is shown as a dry run changes nothing, and a
    rollback returns once every reader is back."""
    async with generations(tmp_path / "run") as (fleet, client):
        _here(monkeypatch, fleet)
        await fleet.corpus()
        fleet.report("r1", 2)
        dry, plan = GUIDE.commands("generation plan")
        assert "planned" in await _said(dry)
        assert list(await client.table()) == []
        assert (await _said(plan)).startswith("g2\n")
        await fleet.state(client, 2, GenerationState.FILLING)
        assert "baseline" in await _said("generation list")
        await _all("generation rate", "generation pause")
        pair = await fleet.until(client, 2, lambda one: one.side.message == "paused")
        assert pair.side.rate == 200
        await _all("generation resume")
        await fleet.read_all(2)
        await produce(fleet.kafka, [Output("doc.embedded.g2.dlq", b"acme/a", b"poison")])
        assert "SHADOW: in step with the log" in (await _all("generation show"))[0]

        begin, end = GUIDE.commands("generation canary")
        await _said(begin)
        await fleet.until(client, 2, lambda one: one.side.canary == 5)
        await _said(end)
        await fleet.until(client, 2, lambda one: one.side.canary == 0)

        dry, promote = GUIDE.commands("generation promote")
        assert "waits: the gate's report is read" in await _said(dry)
        async with _readers(fleet, client):
            assert "LIVE: serves" in await _said(promote)
            await fleet.until(client, 2, lambda _: fleet.index.serves == 2)
            assert "g2 rolled back: decided in" in (await _all("generation rollback"))[0]
            assert fleet.index.serves == 1
        dry, retire, discard = GUIDE.commands("generation retire")
        assert "RETIRED: retired" in await _said(dry)
        await _said(retire)
        await fleet.state(client, 2, GenerationState.RETIRED)
        await _left_alone(fleet, client, discard)
        assert "topics apply --generation 2" in GUIDE.text
        assert "doc.embedded.g4" in await _said("topics plan --generation 4", 6)


async def test_what_is_mistyped_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 2 with field, value and remedy for what does not exist, 1 for what is refused, 4 for no operator."""
    async with generations(tmp_path / "run") as (fleet, client):
        _here(monkeypatch, fleet)
        await fleet.corpus()
        assert "did you mean acme/handbook" in await _said("generation plan --model stub:2 --select acme/handbok", 2)
        assert "write one of" in await _said("generation plan --model MiniLM", 2)
        assert "there is no topic doc.chunked.c7" in await _said("generation plan --model stub:2 --chunker 7", 2)
        assert "there is no g9" in await _said("generation show 9", 2)
        assert "plan another first" in await _said("generation retire 1 --confirm g1", 1)
        assert "none was cut over to" in await _said("generation rollback", 2)
        await _said("generation plan --model stub:2")
        await fleet.state(client, 2, GenerationState.FILLING)
        assert "--report: missing" in await _said("generation promote 2", 2)
        assert "--confirm: 'g1' is not 'g2'" in await _said("generation retire 2 --confirm g1", 2)
        assert "is no number above 0" in await _said("generation rate 2 -- -5", 2)
        assert "it serves every knowledge base" in await _said("generation retire 1 --confirm g1", 1)
        await _said("generation plan --model stub:3", 1)
        assert "g1, g2 follow the log already" in await _said("generation show 3 --watch", 1)
        monkeypatch.setattr("roggia.cli.generation_waiting.TAKEN_S", 1.0)
        fleet.operator.kill()
        assert "no operator service answered" in await _said("generation pause 2", 4)


async def _left_alone(fleet: GenerationFleet, client: GenerationClient, discard: str) -> None:
    """Dead letters stay, whoever slips in a topic's name, until the guide's own command names theirs."""
    letters = "doc.embedded.g2.dlq"
    await fleet.until(client, 2, lambda one: f"{letters}: holds 1 dead letters" in one.side.message)
    assert "is no topic of g2" in await _said(discard.replace(letters, "doc.embedded.g1.dlq"), 2)
    await _said(discard)
    await fleet.until(client, 2, lambda one: letters not in one.side.message)
    assert letters not in await TopicAdmin(fleet.kafka).topics()


def _here(monkeypatch: pytest.MonkeyPatch, fleet: GenerationFleet) -> None:
    """Commands find the broker and the played index."""
    monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", fleet.broker.bootstrap)
    monkeypatch.setenv("ROGGIA_QUERY_URL", fleet.index.url)
    monkeypatch.setenv("ROGGIA_OPERATOR_GENERATIONS_GRACE_S", "0")
    monkeypatch.delenv("ROGGIA_REGISTRY_URL", raising=False)


async def _said(command: str, status: int = 0) -> str:
    return await asyncio.to_thread(call, command, status)


async def _all(*starts: str) -> list[str]:
    """What every command of the guide says that starts so."""
    return [await _said(command) for start in starts for command in GUIDE.commands(start)]


@asynccontextmanager
async def _readers(fleet: GenerationFleet, client: GenerationClient) -> AsyncIterator[None]:
    """The alias follows the records, as the upsert role makes it."""

    async def follow() -> None:
        async for _, table in client.follow(2, 0.02):
            fleet.index.serves = serving(table.rows, "acme", "handbook", 1)

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
