"""The query API as evaluation asks it, against a server that answers as told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from roggia_operator.evaluation.adapters.query_api import QueryApi
from roggia_operator.evaluation.errors import EvaluationError, WrongGenerationError
from roggia_operator.evaluation.ports import Hit, Question
from roggia_runtime.errors import UnavailableError
from roggia_runtime.http import HttpServer
from roggia_runtime.settings import HttpSettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ANSWER = {
    "query_id": "q", "generation": 2, "collection": "kb_acme_docs__g2", "model": "m2", "latency_ms": 3.0,
    "results": [{"doc_id": "d", "chunk_id": "c", "score": 0.5, "text": "x", "title": None}],
}  # fmt: skip
QUESTION = Question("acme", "docs", "who pays?", ("staff",), 20, 2)


class _Service:
    """Answers one after the other with what it was told, the last again and again; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: list[tuple[int, Any]] = [(200, ANSWER)]

    async def answer(self, request: Request) -> Response:
        """The only route."""
        self.asked.append(await request.json())
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return JSONResponse(body, status)


@pytest.fixture
async def service() -> AsyncIterator[tuple[_Service, QueryApi]]:
    """A server on a free port and an entered client of it."""
    fake = _Service()
    app = Starlette(routes=[Route("/v1/search", fake.answer, methods=["POST"])])
    server = HttpServer(HttpSettings(host="127.0.0.1", port=0), app)
    await server.start()
    async with QueryApi(f"http://127.0.0.1:{server.port}/", pause_s=0.001) as ask:
        yield fake, ask
    await server.stop()


async def test_a_question_travels_with_its_generation_and_comes_back_as_hits(
    service: tuple[_Service, QueryApi],
) -> None:
    """Pinned where asked for; `exact` and `generation` are left out where not, for services that do not know them."""
    fake, ask = service
    answer = await ask(QUESTION)
    await ask(Question("acme", "docs", "x", exact=True, mode="dense"))

    body = {"tenant": "acme", "domain": "docs", "query": "who pays?", "groups": ["staff"], "k": 20, "mode": "hybrid"}
    assert fake.asked[0] == body | {"generation": 2}
    assert fake.asked[1] == body | {"query": "x", "groups": [], "k": 50, "mode": "dense", "exact": True}
    assert answer.hits == (Hit("d", "c", 0.5),)
    assert (answer.generation, answer.model, answer.collection) == (2, "m2", "kb_acme_docs__g2")
    assert answer.seconds > 0


async def test_without_a_pin_the_body_is_one_that_the_service_takes() -> None:
    """The service refuses unknown fields: its own request type must read what is sent."""
    from roggia_embedder.query.api import SearchRequest

    body = QueryApi("http://x")._body(Question("acme", "docs", "x", ("staff",)))

    assert msgspec.json.decode(body, type=SearchRequest).groups == ("staff",)


async def test_another_generation_than_the_pinned_is_an_error(service: tuple[_Service, QueryApi]) -> None:
    """What a generation did not answer is never counted as its."""
    _, ask = service
    with pytest.raises(
        WrongGenerationError, match="acme/docs: generation 3 was asked, 2 answered from kb_acme_docs__g2"
    ):
        await ask(Question("acme", "docs", "x", generation=3))


async def test_a_busy_service_is_asked_again_and_given_up_after_some_tries(service: tuple[_Service, QueryApi]) -> None:
    """503 and 429 are waited for; four in a row are enough."""
    fake, ask = service
    fake.answers = [(503, {}), (429, {}), (200, ANSWER)]
    assert (await ask(QUESTION)).generation == 2
    fake.answers = [(503, {})]
    with pytest.raises(UnavailableError, match=r"does not answer \(status 503, 4 tries\)"):
        await ask(QUESTION)
    assert len(fake.asked) == 3 + 4


async def test_a_refusal_is_told_with_the_services_words(service: tuple[_Service, QueryApi]) -> None:
    """400 names the field; an answer that is none is told as such; neither is tried again."""
    fake, ask = service
    fake.answers = [(400, {"error": {"code": "x", "message": "generation: 9 is not hosted"}})]
    with pytest.raises(EvaluationError, match=r"refuses: generation: 9 is not hosted \(400\)"):
        await ask(QUESTION)
    fake.answers = [(500, "oops")]
    with pytest.raises(EvaluationError, match="status 500"):
        await ask(QUESTION)
    fake.answers = [(200, {"hello": 1})]
    with pytest.raises(EvaluationError, match="cannot be read"):
        await ask(QUESTION)
    assert len(fake.asked) == 3


async def test_nobody_there_is_unavailable() -> None:
    """One line that names the address."""
    async with QueryApi("http://127.0.0.1:1", pause_s=0.001) as ask:
        with pytest.raises(UnavailableError, match=r"http://127.0.0.1:1 does not answer \(ClientConnectorError"):
            await ask(QUESTION)
