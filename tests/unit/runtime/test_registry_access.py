"""A registry that asks who is there, over TLS."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.registry import RegistryClient
from roggia_runtime.settings import RegistrySettings

from tests.support.certificates import Authority

SECRET = "Secret-7f3a"
ALLOWED = "Basic " + base64.b64encode(f"roggia:{SECRET}".encode()).decode()


@asynccontextmanager
async def registry(authority: Authority) -> AsyncIterator[str]:
    """Knows no schema; lets `roggia` in. Its URL."""

    async def answer(request: web.Request) -> web.Response:
        allowed = request.headers.get("Authorization") == ALLOWED
        return web.json_response({"error_code": 40403, "message": "none"}, status=404 if allowed else 401)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.issue("registry").both)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def asked(**settings: Any) -> str | None:
    """A schema by its id, from a client with these settings."""
    client = RegistryClient(RegistrySettings(timeout_s=5, **settings))
    try:
        return await client.schema_by_id(1)
    finally:
        await client.close()


async def test_name_password_and_authority_open_the_door(tmp_path: Path) -> None:
    """Without any of them a setting is named, in one line, and no secret."""
    authority = Authority(tmp_path)
    async with registry(authority) as url:
        good: dict[str, Any] = {"url": url, "username": "roggia", "password": SECRET, "ssl_ca_file": str(authority.ca)}
        assert await asked(**good) is None
        with pytest.raises(ConfigurationError, match=r"refuses roggia GET .*ROGGIA_REGISTRY_PASSWORD") as wrong:
            await asked(**good | {"password": SECRET + "x"})
        with pytest.raises(ConfigurationError, match=r"a caller without a name"):
            await asked(**good | {"username": None})
        with pytest.raises(ConfigurationError, match=r"ROGGIA_REGISTRY_SSL_CA_FILE") as untrusted:
            await asked(**good | {"ssl_ca_file": None})
        with pytest.raises(ConfigurationError, match=r"ROGGIA_REGISTRY_SSL_.*: /nowhere: No such file"):
            await asked(**good | {"ssl_ca_file": "/nowhere"})
    assert not any(SECRET in str(one.value) or "\n" in str(one.value) for one in (wrong, untrusted))
