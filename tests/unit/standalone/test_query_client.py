"""The query service's client, against a server that answers as the contract says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from roggia.errors import NotRunningError, StandaloneError, UsageError
from roggia.query_client import QueryClient, Question
from roggia_runtime.http import HttpServer
from roggia_runtime.settings import HttpSettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

QUESTION = Question("acme", "handbook", "who?", ["staff"], 3, "lexical", {"language": "en"})


class _Service:
    """Answers with what it was told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, {"results": []}, list[Any]()
        self.raw: str | None = None

    async def answer(self, request: Request) -> Response:
        """Any route."""
        self.asked.append((request.url.path, await request.json()))
        return PlainTextResponse(self.raw, 502) if self.raw else JSONResponse(self.body, self.status)


@pytest.fixture
async def service() -> AsyncIterator[tuple[_Service, QueryClient]]:
    """A server on a free port and a client of it."""
    fake = _Service()
    app = Starlette(routes=[Route(path, fake.answer, methods=["POST"]) for path in ("/v1/search", "/v1/ask")])
    server = HttpServer(HttpSettings(host="127.0.0.1", port=0), app)
    await server.start()
    yield fake, QueryClient(f"http://127.0.0.1:{server.port}/")
    await server.stop()


async def test_a_question_travels_as_the_service_documents_it(service: tuple[_Service, QueryClient]) -> None:
    """The same body goes to search and ask; the client adds and leaves out nothing."""
    fake, client = service
    await client.search(QUESTION)
    await client.ask(QUESTION)

    body = {
        "tenant": "acme", "domain": "handbook", "query": "who?", "groups": ["staff"], "k": 3, "mode": "lexical",
        "filters": {"language": "en"},
    }  # fmt: skip
    assert fake.asked == [("/v1/search", body), ("/v1/ask", body)]


async def test_the_body_is_one_that_the_service_takes() -> None:
    """The service refuses unknown fields: its own request type must read what the client sends."""
    import msgspec
    from roggia_embedder.query.api import SearchRequest

    request = msgspec.convert(QUESTION.body(), SearchRequest)

    assert (request.k, request.mode.value, request.filters.language) == (3, "lexical", "en")


async def test_a_refusal_names_the_field_and_is_the_callers_fault(service: tuple[_Service, QueryClient]) -> None:
    """4xx is usage: the message keeps the field that the service named."""
    fake, client = service
    fake.status = 400
    fake.body = {"error": {"code": "invalid", "message": "must be at most 100", "field": "k"}}

    with pytest.raises(UsageError, match="k: must be at most 100"):
        await client.search(QUESTION)


async def test_a_service_that_is_not_ready_is_not_the_callers_fault(service: tuple[_Service, QueryClient]) -> None:
    """503 is a failure that says what the service said; an answer that is not JSON is nobody there."""
    fake, client = service
    fake.status, fake.body = 503, {"error": {"code": "unavailable", "message": "the index does not answer"}}
    with pytest.raises(StandaloneError, match="the index does not answer") as failed:
        await client.ask(QUESTION)
    assert not isinstance(failed.value, UsageError)

    fake.raw = "<html>bad gateway</html>"
    with pytest.raises(NotRunningError, match="no query service answers"):
        await client.ask(QUESTION)
