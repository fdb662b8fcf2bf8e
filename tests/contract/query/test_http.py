"""The HTTP contract of the query role, over a real socket: what clients send, get, and are refused with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from roggia_embedder.adapters.memory import MemoryCatalogue
from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.ports import Document, Hit, SearchRequest
from roggia_embedder.query import api
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.stores import Stores
from roggia_runtime.errors import ProduceError
from roggia_runtime.http import HttpServer, application
from roggia_runtime.records import Headers
from roggia_runtime.settings import HttpSettings
from roggia_schemas.events import RetrievalServed

from tests.support.query import RecordingStore, WordsModel, binding, passage, spec

MODEL = WordsModel(dimension=256)
pytestmark = pytest.mark.asyncio(loop_scope="module")
GOOD: dict[str, Any] = {"tenant": "acme", "domain": "docs", "query": "how often are signing keys rotated"}


class SlowStore(RecordingStore):
    """Answers the query `slow` too late, and breaks on the query `bug`."""

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        if request.k == 98:
            await asyncio.Event().wait()
        if request.k == 99:
            raise ZeroDivisionError
        return await super().search(collection, request)


@dataclass
class Served:
    """A running server, a client for it, and the events that it published."""

    client: aiohttp.ClientSession
    store: SlowStore
    catalogue: MemoryCatalogue
    events: asyncio.Queue[tuple[RetrievalServed, Headers]]

    async def post(self, path: str, content: Any) -> tuple[int, Any]:
        """Status and JSON of one request."""
        async with self.client.post(path, json=content) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    """A server that soon gives a request up."""
    async with serving(deadline_s=0.2) as made:
        yield made


@asynccontextmanager
async def serving(deadline_s: float) -> AsyncIterator[Served]:
    """The query role over three passages in memory, on a free port."""
    store, catalogue = SlowStore(), MemoryCatalogue()
    events: asyncio.Queue[tuple[RetrievalServed, Headers]] = asyncio.Queue()
    await fill(store, catalogue)

    async def publish(event: RetrievalServed, parent: Headers) -> None:
        if event.tenant_id == "acme" and event.k == 97:
            raise ProduceError("Kafka is away")
        events.put_nowait((event, parent))

    settings = QuerySettings(deadline_s=deadline_s, threshold=0.3)
    role = QueryRole(Stores.alone(store, catalogue), [MODEL], publish, settings)
    server = HttpServer(HttpSettings(port=0), application(list, role.routes))
    await role.start()
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        yield Served(client, store, catalogue, events)
    await server.stop()
    await role.stop()


async def fill(store: RecordingStore, catalogue: MemoryCatalogue) -> None:
    """Two passages open to the tenant, one for operators only."""
    bound = binding(MODEL)
    await store.ensure_collection(spec(bound))
    await catalogue.bind(bound)
    keys = "Signing keys are rotated every month. Old keys are kept for a year."
    secret = "Signing keys are rotated by hand in the vault."
    await store.upsert(
        bound.collection,
        [
            passage(MODEL, "c1", keys, title="Keys", source="wiki/keys", heading_path=("Security", "Keys")),
            passage(MODEL, "c2", "Bread needs flour and water.", document=Document("acme", "docs", "doc-2")),
            passage(MODEL, "c3", secret, acl=("ops",), document=Document("acme", "docs", "doc-3")),
        ],
    )


async def test_search_answers_with_passages(served: Served) -> None:
    """A search gives an id, the index that answered, its latency and passages, best first."""
    status, found = await served.post(api.SEARCH_PATH, GOOD)
    assert status == 200
    assert (found["generation"], found["collection"], found["model"]) == (1, "kb_acme_docs__g1", MODEL.fingerprint)
    assert found["latency_ms"] > 0
    best = found["results"][0]
    assert (best["doc_id"], best["chunk_id"], best["title"], best["source"]) == ("doc-1", "c1", "Keys", "wiki/keys")
    assert (best["heading_path"], best["language"], best["revision"], best["metadata"]) == (
        ["Security", "Keys"],
        "en",
        1,
        {},
    )


async def test_response_parses_as_the_typed_module_says(served: Served) -> None:
    """Clients may use the structs of `query.api` on both ends."""
    request = api.SearchRequest(tenant="acme", domain="docs", query="signing keys", mode=api.Mode.LEXICAL)
    async with served.client.post(api.SEARCH_PATH, data=api.encode(request)) as response:
        found = api.decode(await response.read(), api.SearchResponse)
    assert [p.chunk_id for p in found.results] == ["c1"]


async def test_groups_open_what_the_acl_allows(served: Served) -> None:
    """Without groups the operators' passage is invisible; with the group it is found."""
    _, without = await served.post(api.SEARCH_PATH, GOOD)
    _, within = await served.post(api.SEARCH_PATH, {**GOOD, "groups": ["ops"]})
    assert "c3" not in [p["chunk_id"] for p in without["results"]]
    assert "c3" in [p["chunk_id"] for p in within["results"]]


async def test_ask_cites_what_it_quotes(served: Served) -> None:
    """An answer is extractive, says so, and each citation carries the passage that holds the quoted sentence."""
    status, answer = await served.post(api.ASK_PATH, GOOD)
    assert (status, answer["extractive"], answer["found"]) == (200, True, True)
    assert answer["answer"].startswith("Signing keys are rotated every month. [1]")
    first = answer["citations"][0]
    assert (first["n"], first["doc_id"], first["title"], first["source"]) == (1, "doc-1", "Keys", "wiki/keys")
    assert first["heading_path"] == ["Security", "Keys"]
    assert "Signing keys are rotated every month." in first["text"]
    assert answer["relevance"] >= answer["threshold"] == 0.3


async def test_ask_works_in_lexical_mode(served: Served) -> None:
    """Asking in lexical mode finds by words and still answers."""
    _, answer = await served.post(api.ASK_PATH, {**GOOD, "mode": "lexical"})
    assert answer["found"]


async def test_ask_says_when_nothing_was_found(served: Served) -> None:
    """A question that the corpus does not answer gets a plain no, without citations."""
    status, answer = await served.post(api.ASK_PATH, {**GOOD, "query": "zebra migration routes"})
    assert (status, answer["found"], answer["citations"]) == (200, False, [])
    assert "Nothing relevant" in answer["answer"]


@pytest.mark.parametrize("path", [api.SEARCH_PATH, api.ASK_PATH])
@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"k": 0}, 400, "invalid_request", "k"),
        ({"tenant": "No Such"}, 400, "invalid_request", "tenant"),
        ({"mode": "psychic"}, 400, "invalid_request", "mode"),
        ({"filters": {"team": "x"}}, 400, "invalid_request", "filters.team"),
        ({"query": ""}, 400, "invalid_request", "query"),
        ({"query": "word " * 100}, 400, "query_too_long", "query"),
        ({"query": "x" * 70_000}, 413, "body_too_large", "body"),
        ({"domain": "elsewhere"}, 404, "unknown_index", "domain"),
        ({"tenant": "umbrella"}, 404, "unknown_index", "domain"),
        ({"k": 98}, 503, "timed_out", ""),
        ({"k": 99}, 500, "internal", ""),
    ],
)
async def test_refusals(served: Served, path: str, changes: dict[str, Any], status: int, code: str, field: str) -> None:
    """Every refusal is JSON with a code, a message and the field; the status says whose fault it is."""
    got, content = await served.post(path, {**GOOD, **changes})
    assert (got, content["error"]["code"], content["error"]["field"]) == (status, code, field)
    assert len(content["error"]["message"]) > 10


async def test_model_that_is_not_loaded_is_a_503_naming_both(served: Served) -> None:
    """An index of another model is refused with both fingerprints and a time to try again."""
    other = binding(WordsModel("other"), domain="docs2")
    await served.store.ensure_collection(spec(other))
    await served.catalogue.bind(other)
    async with served.client.post(api.SEARCH_PATH, json={**GOOD, "domain": "docs2"}) as response:
        content = await response.json()
        assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert content["error"]["code"] == "model_not_loaded"
    assert MODEL.fingerprint in content["error"]["message"]
    assert "other;" in content["error"]["message"]
    await served.catalogue.unbind(other.alias)
    await served.store.drop_collection(other.collection)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", api.SEARCH_PATH, 405, "method_not_allowed"), ("POST", "/v1/nothing", 404, "unknown_path")],
)
async def test_unknown_routes_answer_in_json(served: Served, method: str, path: str, status: int, code: str) -> None:
    """Under /v1 also a wrong path or method is answered in JSON."""
    async with served.client.request(method, path) as response:
        content = await response.json()
        assert (response.status, content["error"]["code"]) == (status, code)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"null", b"[1]"])
async def test_garbage_is_a_bad_request(served: Served, raw: bytes) -> None:
    """Bytes that are no request are refused as such."""
    async with served.client.post(api.SEARCH_PATH, data=raw) as response:
        content = await response.json()
        assert (response.status, content["error"]["field"]) == (400, "body")


async def test_endless_body_is_cut_off(served: Served) -> None:
    """A chunked body without a length is read no further than the limit."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 16_384

    async with served.client.post(api.SEARCH_PATH, data=endless()) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (413, "body_too_large")


async def test_every_answer_is_reported_and_no_text_leaks(served: Served) -> None:
    """Search and ask each give one event with the query's id, in the client's trace and without the query's text; a
    refusal gives none."""
    while not served.events.empty():
        served.events.get_nowait()
    _, found = await served.post(api.SEARCH_PATH, GOOD)
    await served.post(api.SEARCH_PATH, {**GOOD, "k": 0})
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with served.client.post(api.ASK_PATH, json=GOOD, headers={"traceparent": trace}) as response:
        answer = await response.json()
    async with asyncio.timeout(2):
        events = [await served.events.get() for _ in range(2)]
    assert [event.event_id for event, _ in events] == [found["query_id"], answer["query_id"]]
    assert [event.query_text for event, _ in events] == [None, None]
    assert [parent for _, parent in events] == [(), (("traceparent", trace.encode()),)]


async def test_answer_does_not_need_kafka(served: Served) -> None:
    """When the event cannot be published the client has its answer all the same."""
    status, found = await served.post(api.SEARCH_PATH, {**GOOD, "k": 97})
    assert (status, found["results"][0]["chunk_id"]) == (200, "c1")


async def test_concurrent_requests_get_their_own_answers() -> None:
    """Thirty requests at once, in three modes, each get the answer to their own query."""
    queries = [("signing keys rotated", "c1"), ("bread flour water", "c2")]

    async def ask(served: Served, i: int) -> bool:
        query, expected = queries[i % 2]
        mode = ("hybrid", "dense", "lexical")[i % 3]
        _, found = await served.post(api.SEARCH_PATH, {**GOOD, "query": query, "mode": mode})
        return found["results"][0]["chunk_id"] == expected

    async with serving(deadline_s=60) as patient:
        assert all(await asyncio.gather(*(ask(patient, i) for i in range(30))))


async def test_collections_are_listed_for_operators(served: Served) -> None:
    """Name, alias, generation, model, dimension and number of points of every collection; nothing of what they hold."""
    async with served.client.get(api.COLLECTIONS_PATH) as response:
        assert response.status == 200
        (found,) = (await response.json())["collections"]
    assert found == {
        "name": "kb_acme_docs__g1",
        "alias": "kb_acme_docs",
        "generation": 1,
        "model": MODEL.fingerprint,
        "dimension": 256,
        "points": 3,
        "serves": True,
        "state": "",
        "store": "",
    }


async def test_collections_of_a_store_that_is_down(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer is said with 503, not with an empty list."""

    async def down() -> list[object]:
        raise StoreUnavailableError("Qdrant does not answer")

    monkeypatch.setattr(served.store, "collections", down)
    async with served.client.get(api.COLLECTIONS_PATH) as response:
        assert response.status == 503
        assert "Qdrant does not answer" in (await response.json())["error"]["message"]
