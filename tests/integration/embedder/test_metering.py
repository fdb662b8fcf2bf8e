"""Tokens that a model server computes, told as `inference.completed`: over HTTP, through faults, kill -9 and Kafka."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import ClientSession
from roggia_embedder.embedding import retrying
from roggia_embedder.embedding.metering import Meter, Metering, Owner
from roggia_embedder.embedding.telling import Telling
from roggia_embedder.errors import ModelUnavailableError
from roggia_embedder.remote import RemoteTerms
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import ProduceError
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import InferenceCompleted, InferenceOrigin, UsageSource

from tests.support.clients import eventually
from tests.support.embedding import MemoryCache, bill, chunk_set
from tests.support.fleet import Fleet, apply_topics
from tests.support.kafka import Broker
from tests.support.model_server import Fault, ModelServer, model_server, tokens_of
from tests.support.processes import free_port
from tests.support.remote_models import KINDS, SOON, TEXTS, model_at

ACME = Owner("acme", replayed=False)


def metered(server: ModelServer, kind: str, terms: RemoteTerms = SOON) -> Meter:
    """A model of the server that is counted."""
    return Meter(model_at(server, kind, terms), Metering(on=True))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_server_says_is_what_is_billed(server: ModelServer, kind: str) -> None:
    """OpenAI's `usage`, TEI's header: to the token, the fixed text that goes with each request included."""
    meter = metered(server, kind)
    meter.owned(dict.fromkeys(TEXTS, ACME))
    meter.encode(TEXTS)
    (one,) = meter.bills()
    assert one.tokens == server.computed > tokens_of(TEXTS)
    assert (one.provider, one.reported) == (kind, True)
    meter.kept([one])
    assert meter.bills() == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_does_not_count_is_estimated(server: ModelServer, kind: str) -> None:
    """Roughly by bytes, and marked as that."""
    server.counts = False
    meter = metered(server, kind)
    meter.owned(dict.fromkeys(TEXTS, ACME))
    meter.encode(TEXTS)
    (one,) = meter.bills()
    assert not one.reported
    assert one.tokens > 0


@pytest.mark.parametrize("usage", [None, "many", {"prompt_tokens": -1}, {"prompt_tokens": True}, {"prompt_tokens": 2e3},
                                   {"prompt_tokens": 10**12}, {}])  # fmt: skip
def test_nonsense_of_a_server_is_not_believed(server: ModelServer, usage: object) -> None:
    """What it says is checked before it is money."""
    server.faults.append(Fault(change=lambda answer: answer | {"usage": usage}))
    meter = metered(server, "openai")
    meter.owned({"one": ACME})
    meter.encode(["one"])
    assert [one.reported for one in meter.bills()] == [False]


def test_a_storm_of_faults_loses_no_token(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several threads, a third of all requests failing somehow, some calls failing as a whole: every answer that came
    whole is billed."""
    monkeypatch.setattr(retrying, "_FIRST_S", 0.001)
    chance = random.Random(3)
    faults = [Fault(500), Fault(503), Fault(cut=9), Fault(hang_up=True), *[Fault()] * 6]
    server.faults.extend(chance.choices(faults, k=200))
    meter = metered(server, "openai", RemoteTerms(texts=4, patience_s=0.01))
    texts = [f"thread {n} text {m}" for n in range(4) for m in range(30)]
    meter.owned({text: Owner(("acme", "beta")[n % 2], replayed=False) for n, text in enumerate(texts)})

    def work(mine: Sequence[str]) -> None:
        for _ in range(60):
            try:
                meter.encode(mine)
            except ModelUnavailableError:
                continue
            return

    threads = [threading.Thread(target=work, args=(texts[n * 30 : n * 30 + 30],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bills = meter.bills()
    assert {one.tenant_id for one in bills} == {"acme", "beta"}
    assert sum(one.tokens for one in bills) == server.computed > 0


class Brokers:
    """Takes records, or does not."""

    def __init__(self) -> None:
        self.taken: list[Output] = []
        self.away = False

    async def start(self) -> None:
        """Connected."""

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """Take them; where `away`, without an answer."""
        self.taken += outputs
        if self.away:
            raise ProduceError("no answer")

    async def stop(self) -> None:
        """Disconnected."""


async def test_bills_wait_for_brokers_and_come_again_as_they_were() -> None:
    """What was not acknowledged is told again, with the same bytes, and settled then; the service says why it waits."""
    cache, brokers = MemoryCache(), Brokers()
    await cache.put("acme", "m", {}, [], [bill(1), bill(2)])
    telling = Telling(cache, EventCodec(RegistrySettings(), source="/test"), brokers, look_s=0.05)
    brokers.away = True
    running = asyncio.create_task(telling.run())
    await eventually("it says so", lambda: asyncio.sleep(0, bool(telling.notes())), 10)
    assert len(await cache.bills(9)) == 2
    brokers.away = False
    await eventually("all are settled", lambda: _settled(cache), 10)
    telling.stop()
    await running
    assert telling.notes() == []
    first, again = [one.value for one in brokers.taken[:2]], [one.value for one in brokers.taken[-2:]]
    assert first == again
    assert {(one.topic, one.key) for one in brokers.taken} == {(topics.INFERENCE_COMPLETED, b"acme")}


async def test_what_is_left_at_the_end_is_told() -> None:
    """More than one page, and bills that come after the worker was stopped: all told before it disconnects."""
    cache, brokers = MemoryCache(), Brokers()
    telling = Telling(cache, EventCodec(RegistrySettings(), source="/test"), brokers)
    running = asyncio.create_task(telling.run())
    await asyncio.sleep(0)
    telling.stop()
    await running
    await cache.put("acme", "m", {}, [], [bill(n) for n in range(1201)])
    await telling.close()
    assert not await cache.bills(1)
    assert len({one.value for one in brokers.taken}) == 1201


async def _settled(cache: MemoryCache) -> bool:
    return not await cache.bills(1)


def fleet_of(broker: Broker, root: Path, server: ModelServer, **more: str) -> Fleet:
    """Services that embed with the model of a server, which is metered unless told otherwise."""
    return Fleet(broker, root / "data", environment={
        "ROGGIA_EMBEDDER_MODEL": f"{server.url}/v1",
        "ROGGIA_EMBEDDER_MODEL_NAME": "stub",
        "ROGGIA_EMBEDDER_MODEL_REVISION": "r",
        "ROGGIA_EMBEDDER_DIMENSION": "8",
        "ROGGIA_EMBEDDER_PROVIDER": "mill",
    } | more)  # fmt: skip


@pytest.mark.timeout(180)
async def test_queries_are_told_as_well(devstack_alone: Broker, tmp_path: Path) -> None:
    """A user's query to the real query role becomes its tenant's cost, one that measures a cost apart; both are told at
    the latest when the service ends."""
    with model_server() as server:
        fleet = fleet_of(devstack_alone, tmp_path, server)
        await apply_topics(fleet.kafka)
        made = EventCodec(RegistrySettings(), source="/test")
        await fleet.produce([made.output(topics.doc_chunked(1), chunk_set("d1", ["the keeper's own key"]))])
        try:
            fleet.start("embed")
            port = str(free_port())
            fleet.start("index", ROGGIA_EMBEDDER_QUERY_PORT=port)
            await fleet.reach(topics.DOC_UPSERTED, 1, 60)
            fleet.stop("embed")
            before = await _spent(fleet)
            for exact in (False, True):
                asked = {"tenant": "acme", "domain": "docs", "query": "keeper", "mode": "dense", "exact": exact}
                await _searched(port, asked)
            fleet.stop("index")
        finally:
            fleet.kill_all()
        after = await _spent(fleet)
    assert set(before) == {InferenceOrigin.LIVE}
    assert after[InferenceOrigin.LIVE] - before[InferenceOrigin.LIVE] >= tokens_of(["keeper"])
    assert after[InferenceOrigin.SHADOW] >= tokens_of(["keeper"])


async def _searched(port: str, asked: dict[str, object]) -> None:
    async with ClientSession() as client, client.post(f"http://127.0.0.1:{port}/v1/search", json=asked) as answer:
        assert answer.status == 200, await answer.text()


async def _spent(fleet: Fleet) -> Counter[InferenceOrigin]:
    """Tokens told of acme, by origin."""
    spent: Counter[InferenceOrigin] = Counter()
    for record in await fleet.records(topics.INFERENCE_COMPLETED):
        one = Codec().decode(InferenceCompleted, record.value or b"")
        assert (one.tenant_id, one.attempts[0].provider) == ("acme", "mill")
        spent[one.origin] += one.attempts[0].usage.input
    return spent


DOCUMENTS, BATCH, KILLS = 120, 8, 3


@pytest.mark.timeout(300)
async def test_kill_9_costs_what_was_in_hand_at_most(devstack_alone: Broker, tmp_path: Path) -> None:
    """The embed role killed while it works, between computing and telling: what is told adds up to what the server
    computed, but for the batch in hand at each kill and what each start asks; whatever is told twice is the same."""
    with model_server() as server:
        server.delay_s = 0.02
        fleet = fleet_of(devstack_alone, tmp_path, server, ROGGIA_EMBEDDER_EMBED_BATCH__MAX_RECORDS=str(BATCH))
        await apply_topics(fleet.kafka)
        codec = EventCodec(RegistrySettings(), source="/test")
        sets = [chunk_set(f"d{n}", [f"number {n} of the keeper"]) for n in range(DOCUMENTS)]
        await fleet.produce([codec.output(topics.doc_chunked(1), one) for one in sets])
        try:
            for kill in range(KILLS + 1):
                fleet.start("embed")
                goal = DOCUMENTS * (kill + 1) // (KILLS + 2)
                await eventually("some is embedded", lambda n=goal: asyncio.sleep(0, _numbers(server) >= n), 60)  # type: ignore[misc]
                if kill < KILLS:
                    await asyncio.sleep(random.random() / 10)
                    fleet.kill("embed")
            fleet.groups = {"roggia.embed.g1": topics.doc_chunked(1)}
            await fleet.settle(120)
            fleet.stop("embed")
        finally:
            fleet.kill_all()
        records = await fleet.records(topics.INFERENCE_COMPLETED)
        told = {}
        for record in records:
            assert record.value is not None
            made = Codec().decode(InferenceCompleted, record.value)
            assert told.setdefault(made.event_id, record.value) == record.value
    events = [Codec().decode(InferenceCompleted, value) for value in told.values()]
    billed = sum(one.attempts[0].usage.input for one in events)
    in_hand = (KILLS + 1) * tokens_of(["number 100 of the keeper"] * BATCH + ["a witness of some words, a warm up"] * 8)
    print(f"{KILLS} kills: {billed} of {server.computed} tokens told, {len(records) - len(told)} records again")
    assert server.computed - in_hand <= billed <= server.computed
    assert {(one.tenant_id, one.origin, one.attempts[0].provider) for one in events} == {
        ("acme", InferenceOrigin.LIVE, "mill")
    }
    assert {one.attempts[0].usage_source for one in events} == {UsageSource.REPORTED}


def _numbers(server: ModelServer) -> int:
    return len({text for _, text in server.encoded() if text.startswith("number ")})
