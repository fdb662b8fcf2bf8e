"""Clients that hold a connection of a service's HTTP server: each is let go, and others are served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from roggia_runtime.http import HttpServer
from roggia_runtime.http_limits import Limits
from roggia_runtime.settings import HttpSettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.raw_http import said

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMITS = Limits(connections=4, head_s=0.1, body_s=0.1, stuck_s=0.1)
ended = asyncio.Event()


async def _sized(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _endless(_request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)
        finally:
            ended.set()

    return StreamingResponse(parts())


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server with small limits."""
    app = Starlette(routes=[Route("/", _sized, methods=["GET", "POST"]), Route("/endless", _endless)])
    server = HttpServer(HttpSettings(port=0), app, LIMITS)
    await server.start()
    yield server.port
    await server.stop()


@pytest.mark.parametrize("head", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n"])
async def test_a_request_that_is_never_asked(port: int, head: bytes) -> None:
    """Who connects and does not finish the headers is let go."""
    assert await said(port, head) == b""


async def test_a_body_that_never_ends(port: int) -> None:
    """A chunked body that stops arriving is refused with 408 and the connection closed."""
    assert (await said(port, POST, b"1\r\nx\r\n")).startswith(b"HTTP/1.1 408")


async def test_an_answer_that_nobody_takes(port: int) -> None:
    """A client that reads nothing is let go, and what streamed for it ends."""
    ended.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(10):
        await ended.wait()
    writer.close()


async def test_surplus_connections_are_closed(port: int) -> None:
    """Beyond the limit a connection is closed at once; once the others are gone, clients are served."""
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    assert await said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    assert b"200 OK" in await said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")


async def test_a_client_that_keeps_its_connection_does_not_wait(port: int) -> None:
    """Thirty answers on one connection come at once, not each 40 ms later (delayed acknowledgements)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = asyncio.get_running_loop().time()
    for _ in range(30):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1)
    assert asyncio.get_running_loop().time() - started < 0.8
    writer.close()


async def test_a_flood_of_headers(port: int) -> None:
    """Headers beyond what is reasonable are refused with 400."""
    flood = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 100) for n in range(2_000))
    assert (await said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + flood))[:12] in (b"HTTP/1.1 400", b"")
