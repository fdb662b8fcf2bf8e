"""The shadow: a second generation is asked after the answer, within bounds, and only the log hears of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from prometheus_client import REGISTRY
from roggia_embedder.adapters.memory import MemoryCatalogue
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.ports import Hit, SearchRequest
from roggia_embedder.query import api
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.query.shadow.admission import Admission, Bucket
from roggia_embedder.query.shadow.settings import ShadowSettings
from roggia_embedder.stores import OWN, Stores
from roggia_runtime.errors import ProduceError
from roggia_runtime.generations import sampled
from roggia_runtime.records import Headers
from roggia_schemas.events import GenerationModel, RetrievalServed, RetrievalShadowed

from tests.support.query import RecordingStore, WordsModel, binding, passage, spec

OLD, NEW = WordsModel("old"), WordsModel("new")
TEXTS = {"c-keys": "Signing keys are rotated every month.", "c-bread": "Bread needs flour and water."}
ALL = ShadowSettings(percent=100, per_s=1_000, deadline_s=600)
Say = Callable[[str, str], int | None]


class Slow(RecordingStore):
    """A store whose second generation answers when its gate is open, or fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken: Exception | None = None

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """Wait, or fail, if it is the second generation that is asked."""
        if collection.endswith("__g2"):
            await self.gate.wait()
            if self.broken is not None:
                raise self.broken
        return await super().search(collection, request)


class World:
    """A query role over generation 1, which serves, and generation 2, in the shadow; and the log."""

    def __init__(self, role: QueryRole, store: Slow) -> None:
        self.role, self.store = role, store
        self.served: list[RetrievalServed] = []
        self.shadowed: list[RetrievalShadowed] = []
        self.down = False

    async def ask(self, query: str = "signing keys", **changes: object) -> api.SearchResponse:
        """Search as a user does."""
        return await self.role.service.search(msgspec.structs.replace(request(query), **changes))

    async def told(self, count: int) -> list[RetrievalShadowed]:
        """What the log heard, once there are so many."""
        async with asyncio.timeout(30):
            while len(self.shadowed) < count:
                await asyncio.sleep(0.001)
        return self.shadowed


def request(query: str = "signing keys") -> api.SearchRequest:
    """A question to acme's docs."""
    return api.SearchRequest(tenant="acme", domain="docs", query=query, k=5)


def second(_tenant: str, _domain: str) -> int | None:
    """Generation 2 is in the shadow of everything."""
    return 2


class Told(View):
    """What the record says, as a test puts it: one store, generation 1 serves, 2 is in the shadow of what `of` says."""

    def __init__(self, of: Say, canary: int | None) -> None:
        super().__init__(tuple, Hosted(1, GenerationModel(uri="")))
        self._of, self._canary = of, canary

    def store(self, number: int) -> str | None:
        """Both are in the store of the settings."""
        return OWN

    def shadow(self, tenant_id: str, domain: str) -> int | None:
        """See `View`."""
        return self._of(tenant_id, domain)

    def canary(self, tenant_id: str, domain: str, query: str) -> int | None:
        """See `View`."""
        return self._canary

    def state(self, number: int) -> str:
        """See `View`."""
        return {1: "LIVE", 2: "SHADOW"}.get(number, "")


@asynccontextmanager
async def world(
    settings: ShadowSettings = ALL, *, of: Say = second, text: bool = False, canary: int | None = None
) -> AsyncIterator[World]:
    """Both generations hold the same passages; only their models differ."""
    store, catalogue = Slow(), MemoryCatalogue()
    for number, model in ((1, OLD), (2, NEW)):
        bound = binding(model, generation=number)
        await store.ensure_collection(spec(bound))
        await store.upsert(bound.collection, [passage(model, name, said) for name, said in TEXTS.items()])
    await catalogue.bind(binding(OLD))

    async def publish(event: RetrievalServed, _parent: Headers) -> None:
        made.served.append(event)

    async def tell(event: RetrievalShadowed, _parent: Headers) -> None:
        if made.down:
            raise ProduceError("cannot reach Kafka")
        made.shadowed.append(event)

    chosen = QuerySettings(shadow=settings, tenants_with_query_text=frozenset({"acme"} if text else ()))
    role = QueryRole(Stores.alone(store, catalogue), [OLD, NEW], publish, chosen, view=Told(of, canary), shadow=tell)
    made = World(role, store)
    await role.start()
    try:
        yield made
    finally:
        made.store.gate.set()
        await role.stop()


def dropped(cause: str) -> float:
    """How many searches in the shadow were dropped by a cause so far."""
    return REGISTRY.get_sample_value("roggia_query_shadow_dropped_total", {"cause": cause}) or 0.0


def counted() -> dict[str, float]:
    """Answers by generation, as canaries are judged by them."""
    name = "roggia_query_generation_requests_total"
    return {
        f"{s.labels['generation']} {s.labels['outcome']}": s.value
        for family in REGISTRY.collect() for s in family.samples if s.name == name
    }  # fmt: skip


async def test_both_answers_are_told_and_the_user_gets_the_first() -> None:
    """Ids, ranks, latencies and agreement of both; the query as a hash; the answer is generation 1's alone."""
    before = counted()
    async with world() as at:
        answer = await at.ask("signing keys ERR-1042")
        (event,) = await at.told(1)
    served, shadow = event.answers

    assert (answer.generation, answer.model) == (1, OLD.fingerprint)
    assert [p.chunk_id for p in served.results] == [p.chunk_id for p in answer.results]
    assert (served.generation, served.state, served.model) == (1, "LIVE", OLD.fingerprint)
    assert (shadow.generation, shadow.state, shadow.model) == (2, "SHADOW", NEW.fingerprint)
    assert (shadow.collection, shadow.error) == ("kb_acme_docs__g2", "")
    assert shadow.results[0].chunk_id == "c-keys"
    assert min(served.latency_ms, shadow.latency_ms) > 0
    assert (event.overlap, event.percent, event.query_id) == (1.0, 100, answer.query_id)
    assert (event.words, event.identifier, event.query_text) == (3, True, None)
    assert len(event.query_hash) == 32
    assert [one.event_id for one in at.served] == [answer.query_id]
    assert counted() == before


@pytest.mark.parametrize("text", [False, True])
async def test_the_text_travels_only_with_consent(text: bool) -> None:
    """Equal questions have equal hashes, other ones others; the words are there when the tenant opted in."""
    async with world(ShadowSettings(percent=100, per_s=1_000, concurrency=8), text=text) as at:
        for query in ("signing keys", "signing keys", "flour"):
            await at.ask(query)
        events = await at.told(3)

    assert [one.query_text for one in events] == (["signing keys", "signing keys", "flour"] if text else [None] * 3)
    assert len({one.query_hash for one in events}) == 2


async def test_a_slow_shadow_holds_up_nobody_and_what_does_not_fit_is_dropped() -> None:
    """While the second generation hangs, users are answered at once; one search waits for it, the rest is counted."""
    before = dropped("concurrency")
    async with world() as at:
        at.store.gate.clear()
        async with asyncio.timeout(30):
            answers = [await at.ask(f"signing keys {n}") for n in range(20)]
        at.store.gate.set()
        assert len(await at.told(1)) == 1

    assert all(one.results for one in answers)
    assert dropped("concurrency") - before == 19


@pytest.mark.parametrize(("broken", "code"), [(RuntimeError("a bug"), "internal"), (TimeoutError(), "timed_out")])
async def test_a_failing_shadow_is_something_seen(broken: Exception, code: str) -> None:
    """Whatever the second generation does, the answer stands, and the failure is told with its code."""
    async with world() as at:
        at.store.broken = broken
        assert (await at.ask()).results
        (event,) = await at.told(1)

    assert (event.answers[1].error, event.answers[1].results, event.overlap) == (code, (), None)


async def test_a_shadow_that_hangs_is_given_up_after_its_deadline() -> None:
    """The deadline is the shadow's own."""
    async with world(ShadowSettings(percent=100, deadline_s=0.02)) as at:
        at.store.gate.clear()
        await at.ask()
        (event,) = await at.told(1)

    assert event.answers[1].error == "timed_out"
    assert event.answers[1].latency_ms >= 20


async def test_a_generation_without_the_knowledge_base_is_told_as_an_error() -> None:
    """What is missing is seen before a cutover, not after it."""
    async with world(of=lambda *_: 7) as at:
        assert (await at.ask()).results
        (event,) = await at.told(1)

    assert event.answers[1].error == "unknown_generation"


async def test_measurements_count_nowhere() -> None:
    """A search with a pinned generation, or an exact one, is answered; neither what is popular nor the shadow hears of
    it."""
    async with world() as at:
        pinned, exact, asked = await at.ask(generation=2), await at.ask(exact=True), await at.ask()
        events = await at.told(1)

    assert (pinned.generation, exact.generation) == (2, 1)
    assert [one.event_id for one in at.served] == [asked.query_id]
    assert [one.query_id for one in events] == [asked.query_id]


async def test_a_canarys_own_answer_is_not_compared_with_itself() -> None:
    """Where the generation in the shadow answers as a canary there is nothing to compare."""
    async with world(canary=2) as at:
        assert (await at.ask()).generation == 2
        await asyncio.sleep(0.02)

    assert at.shadowed == []
    assert len(at.served) == 1


async def test_asking_for_an_answer_is_compared_by_its_search() -> None:
    """`/v1/ask` takes part; its latency is that of the search, which is what the other generation does."""
    async with world() as at:
        answer = await at.role.service.ask(request())
        (event,) = await at.told(1)

    assert event.query_id == answer.query_id
    assert event.answers[0].latency_ms <= answer.latency_ms


async def test_the_sample_is_the_same_for_the_same_question() -> None:
    """Half of the questions, and of these each time; the other half never."""
    queries = [f"keys {n}" for n in range(40)]
    chosen = [query for query in queries if sampled("acme", query, 50)]
    async with world(ShadowSettings(percent=50, per_s=1_000, concurrency=64, deadline_s=600), text=True) as at:
        for query in [*queries, *queries]:
            await at.ask(query)
        await at.told(2 * len(chosen))

    assert 8 < len(chosen) < 32
    assert sorted(one.query_text or "" for one in at.shadowed) == sorted([*chosen, *chosen])


async def test_nothing_is_asked_without_a_shadow_or_with_none_wanted() -> None:
    """No generation in the shadow, or 0 percent: no second search."""
    for settings, of in ((ALL, lambda *_: None), (ShadowSettings(percent=0), second)):
        async with world(settings, of=of) as at:
            await at.ask()
            await asyncio.sleep(0.02)
            assert [where for where, _ in at.store.asked] == ["kb_acme_docs__g1"]


async def test_a_log_that_is_away_costs_the_event_alone() -> None:
    """What cannot be published is counted; the next one is."""

    def lost() -> float:
        return REGISTRY.get_sample_value("roggia_query_shadow_events_lost_total", {"cause": "publish"}) or 0.0

    async with world() as at:
        before, at.down = lost(), True
        await at.ask()
        async with asyncio.timeout(30):
            while lost() == before:
                await asyncio.sleep(0.001)
        at.down = False
        await at.ask()
        assert len(await at.told(1)) == 1

    assert lost() == before + 1


async def test_a_record_that_cannot_be_read_costs_no_answer() -> None:
    """Even a bug in choosing the shadow stays on its side."""

    def broken(*_: str) -> int | None:
        raise KeyError("no such row")

    before = dropped("internal")
    async with world(of=broken) as at:
        assert (await at.ask()).results
    assert dropped("internal") == before + 1


async def test_stopping_gives_up_what_is_being_asked() -> None:
    """A hanging generation does not hold up the stop."""
    before = dropped("shutdown")
    async with world() as at:
        at.store.gate.clear()
        await at.ask()
        await asyncio.sleep(0.01)
        started = time.perf_counter()
        await at.role.stop()
        assert time.perf_counter() - started < 60
    assert dropped("shutdown") == before + 1


def test_users_come_first_then_places_then_the_rate() -> None:
    """More users' requests than allowed, no free place, or too many a second: refused, in that order."""
    now, busy = [0.0], [5]
    bounds = Admission(ShadowSettings(concurrency=2, per_s=2, in_flight=4), lambda: busy[0], lambda: now[0])

    assert bounds.refusal(2) == "busy"
    busy[0] = 4
    assert bounds.refusal(2) == "concurrency"
    assert [bounds.refusal(0) for _ in range(3)] == ["", "", "rate"]
    now[0] += 0.5
    assert [bounds.refusal(0) for _ in range(2)] == ["", "rate"]


def test_a_bucket_holds_no_more_than_a_second() -> None:
    """After an hour of quiet, a second's worth may go at once; slower than one a second, one."""
    now = [0.0]
    for per_s, most in ((3.0, 3), (0.1, 1)):
        bucket = Bucket(per_s, lambda: now[0])
        now[0] += 3_600
        assert [bucket.take() for _ in range(5)].count(True) == most
