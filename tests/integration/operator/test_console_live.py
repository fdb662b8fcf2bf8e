"""The console of a real operator process: what runs is what its pages show, and what is confirmed is what is done."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path

import aiohttp
import pytest
from roggia_operator.generations.client import Plan as GenerationPlan
from roggia_operator.jobs.client import JobClient
from roggia_runtime.consumer.dead_letters import dead_letter
from roggia_runtime.records import DeadLetter, Output, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel, GenerationState, JobStatus

from tests.support.generation_fleet import generations
from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker
from tests.support.processes import free_port, listens
from tests.support.replaying import Operator, document, output, produce, publish, reached, ready, records

TOKEN = "a-token-of-some-length"
LANE = topics.replay(topics.DOC_CHANGED)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker with nothing on it."""
    own = devstack_broker(tmp_path, **DEVSTACK_ENV)
    own.start()
    yield own
    own.kill()


@pytest.fixture
async def console(broker: Broker, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the console of a running operator."""
    port = free_port()
    more = {"ROGGIA_OPERATOR_CONSOLE_PORT": str(port), "ROGGIA_OPERATOR_CONSOLE_TOKEN": TOKEN}
    operator = Operator(broker, tmp_path / "operator.log", **more)
    operator.start()
    while not await asyncio.to_thread(listens, port):
        await asyncio.sleep(0.05)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar) as client:
        yield client
    operator.kill()


async def test_every_page_shows_what_is_there(broker: Broker, console: aiohttp.ClientSession) -> None:
    """Topics with their records decoded, a dead letter with its reason, jobs, and an index that does not answer."""
    async with ready(broker) as (kafka, _):
        await publish(kafka, [document("a.md", 1, text="the river")])
        await produce(kafka, [_refused("b.md")])
        (place,) = [f"{r.partition}:{r.offset}" for r in await records(kafka, f"{topics.DOC_CHANGED}.dlq")]

    assert "doc.changed" in await _page(console, "/topics")
    assert "the river" in await _page(console, "/topics/doc.changed")
    assert "no groups are named" in await _page(console, "/dead-letters")
    assert "acme/b.md" in await _page(console, f"/dead-letters/doc.changed.dlq/{place}")
    assert "No job yet" in await _page(console, "/jobs")
    assert "Pipeline" in await _page(console, "/")
    assert "does not answer" in await _page(console, "/collections", status=503)
    assert "holds no record" in await _page(console, "/dead-letters/doc.changed.dlq/0:99", status=404)


async def test_a_redrive_is_planned_confirmed_and_done(broker: Broker, console: aiohttp.ClientSession) -> None:
    """From the cause in the list to the record in the lane, byte for byte; then the job is cancelled from its page."""
    async with ready(broker) as (kafka, client):
        letter = _refused("b.md")
        await produce(kafka, [letter])
        await _unlock(console)
        listed = await _page(console, "/dead-letters")
        plan = await _send(console, "/plan/redrive", {"fingerprint": _field(listed, "fingerprint")}, listed)
        assert "Send 1 letter again" in plan
        assert await records(kafka, LANE) == []
        job = await _confirm(console, "redrive", plan)
        job_id = job.rpartition("/")[2]
        await _sent(kafka, client, job_id)
        cancel = await _send(console, "/plan/cancel", {"job": job_id}, await _page(console, job))
        await _confirm(console, "cancel", cancel)
        await reached(client, job_id, JobStatus.CANCELLED)
        (sent,) = await records(kafka, LANE)
    assert (sent.key, sent.value) == (letter.key, letter.value)
    assert "CANCELLED" in await _page(console, job)


async def test_a_replay_is_planned_in_the_form_and_run(broker: Broker, console: aiohttp.ClientSession) -> None:
    """The form's fields are the selection; a wrong one is named; the plan's count is what is sent."""
    async with ready(broker) as (kafka, client):
        await publish(kafka, [document(f"d{n}", 1, tenant="acme" if n < 7 else "other") for n in range(10)])
        await _unlock(console)
        page = await _page(console, "/jobs")
        form = {"topic": "doc.changed", "tenant": "acme", "records": "1000", "mode": "same"}
        wrong = await _send(console, "/plan/replay", form | {"since": "yesterday"}, page, status=400)
        assert "from: 'yesterday' is no time" in wrong
        plan = await _send(console, "/plan/replay", form, page)
        assert "Replay 7 records" in plan
        job = await _confirm(console, "replay", plan)
        await reached(client, job.rpartition("/")[2], JobStatus.DONE)
        assert len(await records(kafka, LANE)) == 7
    assert "looked at 10 records, sent 7 through doc.changed.replay" in await _page(console, job)


@pytest.mark.timeout(240)
async def test_a_generation_is_paused_promoted_and_rolled_back_from_its_page(tmp_path: Path) -> None:
    """Progress, state and who serves are shown as they are; each action is a plan first, and what is confirmed is what
    the controller does, with who and why in the history."""
    async with generations(tmp_path / "run", ROGGIA_OPERATOR_CONSOLE_TOKEN=TOKEN) as (fleet, client):
        await fleet.corpus()
        number = await client.plan(GenerationPlan(GenerationModel(uri="stub:2"), by="ops@example"))
        await fleet.state(client, number, GenerationState.FILLING)
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{fleet.console}", cookie_jar=jar) as console:
            assert "g2" in await _page(console, "/generations")
            assert 'method="post"' not in await _page(console, "/generations/2")
            await _unlock(console)
            for verb, paused in (("pause", True), ("resume", False)):
                await _acted(console, verb)
                await fleet.until(client, 2, lambda one, now=paused: one.side.paused is now)  # type: ignore[misc]
            await fleet.read_all(2)
            await fleet.state(client, 2, GenerationState.SHADOW)
            refused = await _send(console, "/plan/generation-promote", {"generation": "2"},
                                  await _page(console, "/generations/2"), status=400)  # fmt: skip
            assert "report: give the id" in refused
            await _acted(console, "promote", "measured", report=fleet.report("r1", 2))
            pair = await fleet.state(client, 2, GenerationState.LIVE)
            assert (pair.side.history[-1].by, pair.side.history[-1].why) == ("console", "measured")
            shown = await _page(console, "/generations/2")
            assert "report: r1" in shown and "every knowledge base that no selection names" in shown
            assert "not over yet" in await _page(console, "/generations")  # the played index moves no alias
            await _acted(console, "rollback")
            await fleet.state(client, 2, GenerationState.ROLLED_BACK)


async def _acted(console: aiohttp.ClientSession, verb: str, reason: str = "", **form: str) -> None:
    """Plan an action on g2, and confirm it."""
    page = await _page(console, "/generations/2")
    plan = await _send(console, f"/plan/generation-{verb}", {"generation": "2"} | form, page)
    assert "Nothing has been done yet" in plan
    data = {name: _field(plan, name) for name in ("form", "payload", "seal")} | {"reason": reason}
    async with console.post(f"/start/generation-{verb}", data=data, allow_redirects=False) as reply:
        assert (reply.status, reply.headers.get("location")) == (303, "/generations/2"), await reply.text()


def _source(doc_id: str) -> Record:
    made = output(document(doc_id, 1, text="fixed"))
    return Record(topics.DOC_CHANGED, 0, 0, 1_700_000_000_000, made.key, made.value)


def _refused(doc_id: str) -> Output:
    verdict = DeadLetter("invalid", "acl: no groups are named; name some", "acl")
    return dead_letter(_source(doc_id), verdict, group="roggia.ingest", stage="ingest", attempts=1)


async def _sent(kafka: KafkaSettings, client: JobClient, job_id: str) -> None:
    deadline = time.monotonic() + 40
    while not await records(kafka, LANE):
        job = await client.get(job_id)
        assert time.monotonic() < deadline and not job.ended, f"nothing came to the lane: {job.state}"


async def _page(console: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with console.get(path) as reply:
        assert reply.status == status, path
        return unescape(await reply.text())


async def _unlock(console: aiohttp.ClientSession) -> None:
    async with console.post("/session", data={"token": TOKEN}) as reply:
        assert "End session" in await reply.text()


async def _send(console: aiohttp.ClientSession, path: str, form: dict[str, str], page: str, status: int = 200) -> str:
    async with console.post(path, data=form | {"form": _field(page, "form")}) as reply:
        assert reply.status == status, await reply.text()
        return unescape(await reply.text())


async def _confirm(console: aiohttp.ClientSession, kind: str, plan: str) -> str:
    """Start what the plan shows; the path of the page that it leads to."""
    data = {name: _field(plan, name) for name in ("form", "payload", "seal")}
    async with console.post(f"/start/{kind}", data=data, allow_redirects=False) as reply:
        assert reply.status == 303, await reply.text()
        return reply.headers["location"]


def _field(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="(.*?)">', page)
    assert found, f"no field {name}"
    return found[1]
