"""TLS towards Kafka: what is refused, what is said about it, and certificates that are renewed while a client runs."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from roggia_runtime import clients, connecting
from roggia_runtime.errors import ConfigurationError, UnavailableError
from roggia_runtime.settings import KafkaSettings
from structlog.testing import capture_logs

from tests.support.certificates import Authority, Files

OURS = {"security_protocol": "SSL", "request_timeout_ms": 5_000}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Signs for servers and clients."""
    return Authority(tmp_path / "certificates")


@asynccontextmanager
async def server(files: Files, ca: Path | None = None) -> AsyncIterator[tuple[int, list[str]]]:
    """A TLS server that hangs up after the handshake: its port, and the names its clients showed (with `ca`)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca) if ca else None)
    context.load_cert_chain(files.both)
    context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    seen: list[str] = []

    async def met(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown: Any = writer.get_extra_info("peercert") or {}
        seen.extend(value for (((_, value),),) in [shown.get("subject", ())] if value)
        writer.close()

    listening = await asyncio.start_server(met, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield listening.sockets[0].getsockname()[1], seen


@pytest.mark.parametrize(
    ("hosts", "days", "kind", "said"),
    [
        (("127.0.0.1",), (-30, -1), UnavailableError, "its certificate has expired; renew it on the broker"),
        (("127.0.0.1",), (1, 30), UnavailableError, "not valid yet; compare the clocks"),
        (("kafka.example",), (-1, 30), ConfigurationError, "is not valid for '127.0.0.1'; use a name that it holds in"),
    ],
    ids=["expired", "not yet valid", "another host"],
)
async def test_a_server_s_wrong_certificate_is_one_line(
    authority: Authority, hosts: tuple[str, ...], days: tuple[int, int], kind: type[Exception], said: str
) -> None:
    """Expired may be mended without us, so it is worth waiting for; a name that does not fit is a setting."""
    async with server(authority.issue("kafka", hosts=hosts, days=days)) as (port, _):
        settings = KafkaSettings(bootstrap=f"127.0.0.1:{port}", ssl_ca_file=str(authority.ca), **OURS)
        error = await connecting.explain(settings)
    assert isinstance(error, kind)
    assert said in str(error)
    assert "\n" not in str(error)


async def test_a_stranger_s_signature_names_the_setting(authority: Authority, tmp_path: Path) -> None:
    """Whoever signed the broker's certificate must be in the file that the setting names."""
    stranger = Authority(tmp_path / "stranger", "Stranger")
    async with server(stranger.issue("kafka")) as (port, _):
        settings = KafkaSettings(bootstrap=f"127.0.0.1:{port}", ssl_ca_file=str(authority.ca), **OURS)
        error = await connecting.explain(settings)
    assert isinstance(error, ConfigurationError)
    assert "ROGGIA_KAFKA_SSL_CA_FILE" in str(error)


async def test_a_listener_without_tls_or_that_hangs_up(authority: Authority) -> None:
    """A broker that is stopping also hangs up, so a client waits; it says what else may be the reason."""
    async with server(authority.issue("kafka")) as (port, _):
        error = await connecting.explain(KafkaSettings(bootstrap=f"127.0.0.1:{port}", request_timeout_ms=5_000))
    assert isinstance(error, UnavailableError)
    assert "ROGGIA_KAFKA_SECURITY_PROTOCOL" in str(error)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ssl_ca_file": "/nowhere.pem"}, "ROGGIA_KAFKA_SSL_.*: /nowhere.pem: No such file"),
        ({"ssl_ca_file": "EMPTY"}, "ROGGIA_KAFKA_SSL_CA_FILE: .* holds no certificates"),
        ({"ssl_cert_file": "CERT", "ssl_key_file": "OTHER"}, "ROGGIA_KAFKA_SSL_KEY_FILE: .*belong together"),
    ],
)
def test_files_that_are_wrong_are_named(authority: Authority, tmp_path: Path, wrong: dict[str, str], said: str) -> None:
    """A missing or empty file, and a key of another certificate, are told with their settings."""
    (tmp_path / "empty").touch()
    names = {"EMPTY": tmp_path / "empty", "CERT": authority.issue("a").cert, "OTHER": authority.issue("b").key}
    files = {setting: str(names.get(value, value)) for setting, value in wrong.items()}
    with pytest.raises(ConfigurationError, match=said):
        clients.connection(KafkaSettings(**{"ssl_ca_file": str(authority.ca)} | OURS | files))


async def test_a_renewed_certificate_is_shown_without_a_restart(authority: Authority) -> None:
    """A client opens its next connection with what the files hold then; one of them half written changes nothing."""
    first, second = authority.issue("first", file="client"), authority.issue("second")
    async with server(authority.issue("kafka"), authority.ca) as (port, seen):
        settings = KafkaSettings(
            ssl_ca_file=str(authority.ca), ssl_cert_file=str(first.cert), ssl_key_file=str(first.key), **OURS
        )
        context = clients.connection(settings)["ssl_context"]

        async def connect() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            await reader.read()
            writer.close()

        await connect()
        first.cert.write_bytes(second.cert.read_bytes())
        os.utime(first.cert, (1, 1))
        with capture_logs() as logs:
            await connect()
        assert [one["event"] for one in logs] == ["tls_files"]
        first.key.write_bytes(second.key.read_bytes())
        os.utime(first.key, (2, 2))
        await connect()
    assert seen == ["first", "first", "second"]
