"""The registry client against a small registry of our own, and the codec on top of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import ConfigurationError, RegistryError, UnavailableError
from roggia_runtime.registry import MISSING_S, RegistryClient
from roggia_runtime.settings import RegistrySettings


class Registry:
    """Knows schemas by id; counts requests."""

    def __init__(self) -> None:
        self.schemas: dict[int, str] = {7: '"string"'}
        self.requests: list[str] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        """Schemas by id, registration, lookup; `status` overrides."""
        self.requests.append(f"{request.method} {request.path}")
        if self.status != 200:
            return web.json_response({"error_code": self.status, "message": "because"}, status=self.status)
        if request.method == "GET" and (text := self.schemas.get(int(request.path.rpartition("/")[2]))):
            return web.json_response({"schema": text})
        if request.method == "POST" and request.path.endswith("/versions"):
            return web.json_response({"id": 41})
        return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)


@asynccontextmanager
async def _serving(registry: Registry) -> AsyncIterator[RegistrySettings]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", registry.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    yield RegistrySettings(url=f"http://127.0.0.1:{runner.addresses[0][1]}/", timeout_s=2)
    await runner.cleanup()


async def test_schemas_are_kept_and_absence_is_believed_briefly() -> None:
    """A schema is asked for once; a missing one again only after a while, because it may have been registered."""
    registry, now = Registry(), [0.0]
    async with _serving(registry) as settings:
        client = RegistryClient(settings, lambda: now[0])
        assert [await client.schema_by_id(7) for _ in range(3)] == ['"string"'] * 3
        assert [await client.schema_by_id(8) for _ in range(3)] == [None] * 3
        assert len(registry.requests) == 2
        registry.schemas[8] = '"int"'
        now[0] = MISSING_S + 1
        assert await client.schema_by_id(8) == '"int"'
        await client.close()


@pytest.mark.parametrize(("status", "error"), [(409, RegistryError), (422, RegistryError), (500, UnavailableError)])
async def test_refusals_and_faults_differ(status: int, error: type[Exception]) -> None:
    """A refusal is final and says why; a fault is worth another try."""
    registry = Registry()
    registry.status = status
    async with _serving(registry) as settings:
        client = RegistryClient(settings)
        with pytest.raises(error, match="because" if status < 500 else "500"):
            await client.register("s", '"int"')
        await client.close()


async def test_no_registry_is_unavailable() -> None:
    """A registry that does not answer is unavailable, not wrong."""
    client = RegistryClient(RegistrySettings(url="http://127.0.0.1:1", timeout_s=1))
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        await client.schema_by_id(1)
    await client.close()


async def test_codec_registers_in_development_only() -> None:
    """In production a missing schema is a configuration error that names the command; nothing is registered."""
    registry = Registry()
    async with _serving(registry) as settings:
        codec = EventCodec(settings, source="/test")
        with pytest.raises(ConfigurationError, match="roggia schemas register"):
            await codec.start()
        await codec.stop()
        assert not [request for request in registry.requests if request.endswith("/versions")]
        codec = EventCodec(settings, source="/test", register=True)
        await codec.start()
        await codec.stop()
        assert "POST /subjects/doc.changed-value/versions" in registry.requests
