"""Weaviate's adapter by itself: what it sends, what it makes of answers, and who may write.

No server was to be had: `weaviate_exchanges.json` holds requests that were checked against Weaviate's published
OpenAPI description, with answers in its form, written for this test. It is no recording.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from roggia_embedder import lexical
from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.adapters.weaviate import WeaviateCatalogue, WeaviateStore, forms
from roggia_embedder.adapters.weaviate.client import Client
from roggia_embedder.errors import StoreUnavailableError, StoreUnusableError, UnknownCollectionError
from roggia_embedder.ports import Filters, Head, Hit, IndexBinding, SearchRequest, model_stamp
from roggia_embedder.tuning import IndexTuning
from roggia_schemas.names import Version

from tests.support.index import COLLECTION, SPEC, document, passage, vector
from tests.support.weaviate import FakeWeaviate

EXCHANGES = Path(__file__).with_name("weaviate_exchanges.json")
OLD, NEW = Version(7, 1), Version(2**53 - 1, 2)
DOC = document("a")


class Clock:
    """Milliseconds that a test decides."""

    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakeWeaviate, Callable[..., WeaviateStore]]]:
    """The stand-in, and stores of processes that use it."""
    weaviate, stores = FakeWeaviate(), []
    server = TestServer(weaviate.application())
    await server.start_server()

    def connected(clock: Clock | None = None) -> WeaviateStore:
        stores.append(WeaviateStore(Client(f"http://127.0.0.1:{server.port}"), clock=clock or Clock()))
        return stores[-1]

    yield weaviate, connected
    for store in stores:
        await store.client.close()
    await server.close()


async def scenario(store: WeaviateStore) -> list[Hit]:
    """Every request that the adapter makes, once: what is recorded, and what is compared."""
    catalogue = WeaviateCatalogue(store)
    await store.ensure_collection(SPEC)
    await store.spec(COLLECTION)
    await store.spec(COLLECTION, fresh=True)
    await catalogue.switch([IndexBinding("kb_acme_docs", COLLECTION, 1, SPEC.model, SPEC.dimension)])
    await catalogue.resolve("acme", "docs")
    await store.write_heads(COLLECTION, [Head(DOC, OLD, False, 1, "d", 0, 50)])
    made = passage(DOC, OLD, 'a "quoted" river ☃', acl=("staff ", "*"), metadata={"k": "v"}, source="s")
    made = replace(made, model=model_stamp(SPEC.model))
    await store.upsert(COLLECTION, [made])
    await store.bump(COLLECTION, [passage(DOC, NEW, made.text, title="t").attributes])
    await store.narrow(COLLECTION, ("staff",), {made.attributes.chunk_id: Version(2**53 - 1, 3)})
    await store.mark_indexed(COLLECTION, {DOC: OLD}, 60)
    await store.list_points(COLLECTION, [DOC])
    await store.count(COLLECTION, DOC, NEW)
    await store.point_count(COLLECTION)
    await store.delete_older(COLLECTION, {document("b"): NEW})
    await store.sweep_heads(COLLECTION, 50)
    await store.examine_some(COLLECTION, ["a"], [made.attributes.chunk_id])
    _ = [found async for found in store.scan(COLLECTION)]
    words = lexical.encode_query("rivers", ["en"])
    request = SearchRequest("acme", ("staff",), 10, 1_000, vector("x"), words, Filters("en", None, {}))
    found = await store.search(COLLECTION, request)
    found += await store.search(COLLECTION, replace(request, lexical=None, exact=True))
    await store.drop_collection(COLLECTION)
    return found


async def test_requests_are_the_ones_that_were_checked() -> None:
    """Method, path and body of each, in order; the answers of the file lead to the hits that are in them."""
    exchanges = json.loads(EXCHANGES.read_text())
    waiting = list(exchanges)

    async def replay(request: web.Request) -> web.Response:
        due = waiting.pop(0)
        sent = await request.json() if request.can_read_body else None
        assert [request.method, request.path_qs, sent] == [due["method"], due["path"], due["sent"]]
        return web.json_response(due["answer"], status=due["status"])

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", replay)
    server = TestServer(application)
    await server.start_server()
    store = WeaviateStore(Client(f"http://127.0.0.1:{server.port}"), clock=Clock())
    store.lease._owner = "0123456789abcdef"
    found = await scenario(store)
    due = ("a", "t", NEW, model_stamp(SPEC.model))
    assert [(hit.doc_id, hit.title, hit.version, hit.model) for hit in found] == [due, due]
    assert waiting == []
    await store.client.close()
    await server.close()


async def test_a_second_writer_waits_and_reads(fake: tuple) -> None:
    """Without conditional writes two writers cannot be kept apart, so one is refused, in words, until the first has
    closed; readers are not concerned."""
    _, connect = fake
    first, second = connect(), connect()
    await first.ensure_collection(SPEC)
    await first.upsert(COLLECTION, [passage(DOC, OLD, "x")])
    for write in (
        lambda: second.upsert(COLLECTION, [passage(DOC, NEW, "x")]),
        lambda: second.delete_older(COLLECTION, {DOC: NEW}),
        lambda: second.sweep_heads(COLLECTION, 0),
        lambda: second.drop_collection(COLLECTION),
        lambda: WeaviateCatalogue(second).bind(IndexBinding("kb_acme_docs", COLLECTION, 1, SPEC.model, SPEC.dimension)),
    ):
        with pytest.raises(StoreUnavailableError, match=r"admits one writer.*run one upsert role"):
            await write()
    assert await second.point_count(COLLECTION) == 1
    await first.close()
    await second.upsert(COLLECTION, [passage(DOC, NEW, "x")])
    assert (await second.list_points(COLLECTION, [DOC]))[0].version == NEW


async def test_a_lease_is_kept_by_maintaining_and_lost_by_silence(fake: tuple) -> None:
    """An idle writer stays the writer; one that was killed is followed when its lease has run out."""
    _, connect = fake
    clock = Clock()
    first, second = connect(clock), connect(clock)
    await first.ensure_collection(SPEC)
    for _ in range(10):
        clock.now += 30_000
        await first.maintain()
        await second.maintain()
    with pytest.raises(StoreUnavailableError):
        await second.drop_collection(COLLECTION)
    clock.now += 91_000
    await second.upsert(COLLECTION, [passage(DOC, NEW, "x")])
    with pytest.raises(StoreUnavailableError):
        await first.upsert(COLLECTION, [passage(DOC, NEW, "y")])


async def test_white_space_makes_another_name(fake: tuple) -> None:
    """Weaviate trims texts before it compares them: a group, a source or a document id that differs by a space stays
    another one all the same."""
    _, connect = fake
    store = connect()
    await store.ensure_collection(SPEC)
    made = [
        passage(document("a "), OLD, "theirs", acl=("staff ",), source="s "),
        passage(DOC, OLD, "ours", acl=("staff",), source="s"),
    ]
    await store.upsert(COLLECTION, made)
    for groups, source, due in ((("staff",), None, "ours"), (("staff ",), "s ", "theirs")):
        request = SearchRequest("acme", groups, 1, 0, dense=vector("theirs"), filters=Filters(source=source))
        assert [hit.text for hit in await store.search(COLLECTION, request)] == [due]
    await store.delete_older(COLLECTION, {DOC: NEW})
    assert [state.document.doc_id for state in await store.list_points(COLLECTION, [DOC, document("a ")])] == ["a "]


async def test_what_the_server_leaves_in_is_looked_through_again(fake: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that the server does not apply (this one applies none) shows nobody anything."""
    _, connect = fake
    store = connect()
    await store.ensure_collection(SPEC)
    await store.upsert(COLLECTION, [passage(DOC, OLD, "river ours"), passage(DOC, OLD, "river hidden", acl=("board",))])
    monkeypatch.setattr("tests.support.weaviate._matches", lambda *_: True)
    request = SearchRequest("acme", (), 10, 0, vector("x"), lexical.encode_query("river", ["en"]))
    assert [hit.text for hit in await store.search(COLLECTION, request)] == ["river ours"]


async def test_an_exact_search_compares_every_passage(fake: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the graph does not lead to is found when the search is to be exact: over more than a page, best first, with
    scores as the server would give them, and under the same conditions."""
    weaviate, connect = fake
    store, reference = connect(), MemoryStore()
    made = [passage(DOC, OLD, f"{n}", acl=("board",) if n % 7 == 0 else ("*",)) for n in range(40)]
    for each in (store, reference):
        await each.ensure_collection(SPEC)
        await each.write_heads(COLLECTION, [Head(DOC, OLD, False, 40, "d", 0, 50)])
        await each.upsert(COLLECTION, made)
    monkeypatch.setattr("roggia_embedder.adapters.weaviate.store._PAGE", 3)
    request = SearchRequest("acme", (), 5, 0, vector("0"))  # whose own passage is the board's
    due = await reference.search(COLLECTION, request)
    weaviate.overlooked = {hit.chunk_id for hit in due[:2]}
    near = await store.search(COLLECTION, request)
    assert [hit.chunk_id for hit in near[:3]] == [hit.chunk_id for hit in due[2:]]
    found = await store.search(COLLECTION, replace(request, exact=True))
    assert [hit.chunk_id for hit in found] == [hit.chunk_id for hit in due]
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in due], abs=1e-6)


async def test_what_is_narrowed_during_an_exact_search_stays_unseen(fake: tuple) -> None:
    """To read everything takes long: what was found is read again before it is shown."""
    weaviate, connect = fake
    store = connect()
    await store.ensure_collection(SPEC)
    made = [passage(DOC, OLD, "ours"), passage(DOC, OLD, "hidden")]
    await store.upsert(COLLECTION, made)
    board = forms.to_object("", forms.of_passage(passage(DOC, NEW, "hidden", acl=("board",))))["properties"]

    def narrowing(_: str, path: str) -> None:
        if path == "/v1/graphql":
            weaviate.objects[forms.class_name(COLLECTION)][made[1].attributes.chunk_id]["properties"] = board

    weaviate.failing = narrowing
    request = SearchRequest("acme", (), 5, 0, vector("hidden"), exact=True)
    assert [hit.text for hit in await store.search(COLLECTION, request)] == ["ours"]


async def test_a_collection_that_another_process_made_anew_is_looked_up_again(fake: tuple) -> None:
    """What a collection holds is asked for once, and again when somebody wants to look afresh."""
    weaviate, connect = fake
    store, other, anew = connect(), connect(), replace(SPEC, model="fake-2")
    await other.ensure_collection(SPEC)
    assert await store.spec(COLLECTION) == SPEC
    await other.drop_collection(COLLECTION)
    await other.ensure_collection(anew)
    asked = len(weaviate.requests)
    assert await store.spec(COLLECTION) == SPEC
    assert len(weaviate.requests) == asked
    assert await store.spec(COLLECTION, fresh=True) == anew
    await other.drop_collection(COLLECTION)
    assert await store.spec(COLLECTION, fresh=True) is None


async def test_long_lists_are_asked_for_in_halves(fake: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that answered with as many as it may is not taken for all: nothing is left out, or it is said."""
    _, connect = fake
    store = connect()
    await store.ensure_collection(SPEC)
    owners = [document(f"d{number}") for number in range(7)]
    await store.upsert(COLLECTION, [passage(owner, OLD, f"{n}") for owner in owners for n in range(3)])
    for module in ("tests.support.weaviate.LIMIT", "roggia_embedder.adapters.weaviate.store.MOST"):
        monkeypatch.setattr(module, 5)
    assert len(await store.list_points(COLLECTION, owners)) == 21
    assert len(await store.examine_some(COLLECTION, [owner.doc_id for owner in owners], [])) == 21
    await store.upsert(COLLECTION, [passage(owners[0], OLD, f"{n}") for n in range(3, 6)])
    with pytest.raises(StoreUnusableError, match="lists fewer"):
        await store.list_points(COLLECTION, owners)


async def test_two_that_create_a_collection_at_once_both_have_it(fake: tuple) -> None:
    """Whoever comes second finds it made; a definition that the server refuses is told."""
    weaviate, connect = fake
    store = connect()
    await store.client.create({"class": "Other"})
    await store.client.create({"class": "Other"})
    weaviate.failing = lambda method, _: (
        web.json_response({"error": [{"message": "bad property"}]}, status=422) if method == "POST" else None
    )
    with pytest.raises(StoreUnusableError, match="bad property"):
        await store.client.create({"class": "New"})


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (401, StoreUnusableError, "set store_key"),
        (503, StoreUnavailableError, "503"),
        (400, StoreUnusableError, r"400.*newer\?"),
    ],
)
async def test_refusals_say_whether_to_wait(fake: tuple, status: int, error: type[Exception], told: str) -> None:
    """A server that is busy is waited for; a key or a request that it refuses ends the program, saying what to do."""
    weaviate, connect = fake
    weaviate.failing = lambda *_: web.json_response({"error": [{"message": "no"}]}, status=status)
    with pytest.raises(error, match=told):
        await connect().collections()


async def test_aliases_bound_at_once_are_all_there(fake: tuple) -> None:
    """They share one object: two calls of a process take turns to change it, so none undoes the other's."""
    _, connect = fake
    store = connect()
    await store.ensure_collection(SPEC)
    catalogue, names = WeaviateCatalogue(store), [f"kb_acme_d{number}" for number in range(6)]
    bindings = [IndexBinding(name, COLLECTION, 1, SPEC.model, SPEC.dimension) for name in names]
    await asyncio.gather(*map(catalogue.bind, bindings))
    assert list(await catalogue.bindings()) == bindings


async def test_an_object_that_was_not_taken_is_an_error(fake: tuple) -> None:
    """A batch is answered with success as a whole even where one of its objects failed."""
    weaviate, connect = fake
    store = connect()
    await store.ensure_collection(SPEC)
    answer = [{"id": "x", "result": {"status": "FAILED", "errors": {"error": [{"message": "disk full"}]}}}]
    weaviate.failing = lambda method, path: (
        web.json_response(answer) if (method, path) == ("POST", "/v1/batch/objects") else None
    )
    with pytest.raises(StoreUnavailableError, match="disk full"):
        await store.upsert(COLLECTION, [passage(DOC, OLD, "x")])


async def test_a_query_error_of_a_class_that_is_there_is_waited_for(fake: tuple) -> None:
    """Only a missing class makes a collection unknown; whatever else GraphQL says is told as it is."""
    weaviate, connect = fake
    store = connect()
    await store.ensure_collection(SPEC)
    weaviate.failing = lambda _, path: (
        web.json_response({"errors": [{"message": "shard is loading"}]}) if path == "/v1/graphql" else None
    )
    with pytest.raises(StoreUnavailableError, match="shard is loading"):
        await store.list_points(COLLECTION, [DOC])
    with pytest.raises(UnknownCollectionError, match="kb_acme_absent__g1"):
        await store.list_points("kb_acme_absent__g1", [DOC])


async def test_a_tuning_that_is_not_there_is_refused(fake: tuple) -> None:
    """Quantization is not passed over in silence."""
    _, connect = fake
    store = connect()
    store._tuning = IndexTuning.model_validate({"quantization": "scalar_int8"})
    with pytest.raises(StoreUnusableError, match=r"tuning\.quantization"):
        await store.ensure_collection(SPEC)
