"""Clients that the registry does not want: pages that rebind their name, and those that hold a connection."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from roggia_devstack.registry.book import SchemaBook
from roggia_devstack.registry.run import RegistryServerSettings, serving
from roggia_runtime.http_limits import Limits

from tests.support.raw_http import said
from tests.support.registry import Registry

LIMITS = Limits(connections=4, head_s=0.1, body_s=0.1, stuck_s=0.1)
ASK = b"GET /subjects HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals stay with the tests."""
        yield


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """The registry as its process serves it, with small limits, in this process."""
    book = SchemaBook(tmp_path)
    settings = RegistryServerSettings(data=tmp_path, port=0)
    listener = socket.create_server((settings.host, settings.port))
    server = _Server(serving(book, settings, LIMITS))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield int(listener.getsockname()[1])
    server.should_exit = True
    await task
    book.close()


def message(reply: bytes) -> dict[str, object]:
    """The JSON of an answer."""
    found: dict[str, object] = json.loads(reply.partition(b"\r\n\r\n")[2])
    return found


async def test_the_process_answers_to_its_own_names_alone(registry: Registry) -> None:
    """A page whose name points at this machine gets 421 in the registry's own shape, with the variable that helps."""
    for name in (b"127.0.0.1", b"localhost:18081", b"[::1]:18081"):
        assert (await said(registry.port, ASK % name)).startswith(b"HTTP/1.1 200")
    for name in (b"rebound.example", b"localhost.rebound.example:18081", b"127.0.0.1.nip.io"):
        refused = await said(registry.port, ASK % name)
        assert refused.startswith(b"HTTP/1.1 421")
        assert message(refused)["error_code"] == 421
        assert "ROGGIA_DEVREGISTRY_HOSTS" in str(message(refused)["message"])


async def test_a_further_name_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the refusal advises helps; the process also closes connections above its setting."""
    monkeypatch.setenv("ROGGIA_DEVREGISTRY_HOSTS", "registry.local")
    monkeypatch.setenv("ROGGIA_DEVREGISTRY_MAX_CONNECTIONS", "2")
    server = Registry(tmp_path)
    server.start()
    try:
        assert (await said(server.port, ASK % b"Registry.local:1")).startswith(b"HTTP/1.1 200")
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        assert await said(server.port, ASK % b"localhost") == b""
        for _, writer in held:
            writer.close()
    finally:
        server.kill()


@pytest.mark.parametrize("head", [b"", b"GET /subj", b"GET /subjects HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n"])
async def test_a_request_that_is_never_asked(port: int, head: bytes) -> None:
    """Who connects and does not finish the headers is let go."""
    assert await said(port, head) == b""


async def test_a_schema_that_never_ends(port: int) -> None:
    """A body that stops arriving is 408 in the registry's own shape, and others are served meanwhile."""
    start = b"POST /subjects/a/versions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    slow, quick = await asyncio.gather(said(port, start, b'{"schema": '), said(port, ASK % b"localhost"))
    assert slow.startswith(b"HTTP/1.1 408")
    assert message(slow)["error_code"] == 408
    assert "body" in str(message(slow)["message"])
    assert quick.startswith(b"HTTP/1.1 200")
