"""Why Kafka cannot be reached or entered, in one line with a remedy: a client's own start says only that it failed."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from roggia_runtime import clients
from roggia_runtime.errors import ConfigurationError, RoggiaError, UnavailableError
from roggia_runtime.settings import KafkaSettings

_PROBE_MS = 5_000
"""Longest wait for one host's answer when looking for the reason."""

_EXPIRED, _NOT_YET_VALID = 10, 9
_PROTOCOL = "set ROGGIA_KAFKA_SECURITY_PROTOCOL to what this listener speaks"
_OTHER_NAME = (62, 64)
"""OpenSSL's verify codes: the certificate names other hosts, or other addresses."""


def principal(settings: KafkaSettings) -> str:
    """Who a client with these settings is for Kafka, as far as it can know itself."""
    if settings.security_protocol.startswith("SASL"):
        return f"User:{settings.sasl_username}"
    if settings.ssl_cert_file:
        return f"the owner of {settings.ssl_cert_file}"
    return "User:ANONYMOUS"


@asynccontextmanager
async def admin_client(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client. Raises what `explain` says when it cannot connect."""
    client = await start_admin(settings)
    try:
        yield client
    finally:
        await client.close()


async def start_admin(settings: KafkaSettings) -> AIOKafkaAdminClient:
    """The same without an end: close it."""
    client = AIOKafkaAdminClient(**clients.connection(settings))
    try:
        await client.start()
    except KafkaConnectionError as error:
        await client.close()
        raise await explain(settings) from error
    return client


async def explain(settings: KafkaSettings) -> RoggiaError:
    """Ask every host once more and say why a client cannot connect.

    `ConfigurationError` when a setting must be changed, else `UnavailableError`: it may come back by itself.
    """
    reasons = [await _reason(settings, host, port) for host, port, _ in collect_hosts(settings.bootstrap)]
    wrong = [reason for reason in reasons if isinstance(reason, ConfigurationError)]
    return (wrong or reasons)[0]


async def _reason(settings: KafkaSettings, host: str, port: int) -> RoggiaError:
    options = clients.connection(settings) | {"request_timeout_ms": _PROBE_MS}
    del options["bootstrap_servers"]
    where = f"Kafka at {host}:{port}"
    try:
        (await create_conn(host, port, **options)).close()
    except (KafkaError, OSError, TimeoutError) as error:
        return _judge(settings, where, error)
    return UnavailableError(f"{where} did not answer, and does now: try again")


def _judge(settings: KafkaSettings, where: str, error: BaseException) -> RoggiaError:
    chain = list(_causes(error))
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return _certificate(where, one)
        if isinstance(one, ssl.SSLError):
            return _tls(settings, where, one)
        if isinstance(one, SaslAuthenticationFailed):
            remedy = "correct ROGGIA_KAFKA_SASL_USERNAME or ROGGIA_KAFKA_SASL_PASSWORD"
            return ConfigurationError(f"{where} refuses {principal(settings)}: wrong name or password; {remedy}")
        if isinstance(one, UnsupportedSaslMechanismError):
            remedy = "set ROGGIA_KAFKA_SASL_MECHANISM to one that the broker offers"
            return ConfigurationError(f"{where} does not offer {settings.sasl_mechanism}; {remedy}")
        if isinstance(one, IllegalSaslStateError):
            return ConfigurationError(f"{where} does not speak {settings.security_protocol}; {_PROTOCOL}")
    if any(isinstance(one, EOFError | ConnectionResetError) for one in chain):
        return _hung_up(settings, where)
    return UnavailableError(f"Kafka at {settings.bootstrap} does not answer; start it, or name another address")


def _certificate(where: str, error: ssl.SSLCertVerificationError) -> RoggiaError:
    said = error.verify_message.rstrip(".")
    if error.verify_code == _EXPIRED:
        return UnavailableError(f"{where}: its certificate has expired; renew it on the broker")
    if error.verify_code == _NOT_YET_VALID:
        return UnavailableError(f"{where}: its certificate is not valid yet; compare the clocks of both machines")
    if error.verify_code in _OTHER_NAME:
        remedy = "use a name that it holds in ROGGIA_KAFKA_BOOTSTRAP (and in the broker's advertised.listeners)"
        return ConfigurationError(f"{where}: {said}; {remedy}")
    remedy = "name the authority that signed it in ROGGIA_KAFKA_SSL_CA_FILE"
    return ConfigurationError(f"{where}: its certificate is not trusted ({said}); {remedy}")


def _tls(settings: KafkaSettings, where: str, error: ssl.SSLError) -> RoggiaError:
    reason = error.reason or ""
    if "WRONG_VERSION" in reason:
        return ConfigurationError(f"{where} does not speak {settings.security_protocol}; {_PROTOCOL}")
    if "CERTIFICATE" not in reason and "UNKNOWN_CA" not in reason:
        return _hung_up(settings, where)
    if settings.ssl_cert_file:
        remedy = "it may have expired, or the broker does not trust who signed it"
        return ConfigurationError(f"{where} refuses the certificate in {settings.ssl_cert_file}: {remedy}")
    remedy = "set ROGGIA_KAFKA_SSL_CERT_FILE and ROGGIA_KAFKA_SSL_KEY_FILE, or use another listener"
    return ConfigurationError(f"{where} asks for a client's certificate: {remedy}")


def _hung_up(settings: KafkaSettings, where: str) -> RoggiaError:
    """A broker that is stopping does the same as a listener that speaks another protocol: it may come back."""
    return UnavailableError(
        f"{where} hangs up during the login: it is stopping, or does not speak {settings.security_protocol}; "
        "in that case " + _PROTOCOL
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
