"""The one place that knows aiokafka's settings: what is unsafe by default is set here, for every client."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from roggia_runtime import header_names, replay, tls
from roggia_runtime.records import Record
from roggia_runtime.settings import KafkaSettings

_PRODUCER_BATCH_BYTES = 256 << 10

header_names.install()


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Options of every client: address, identity, encryption."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "request_timeout_ms": settings.request_timeout_ms,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL") and settings.sasl_password:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return options


def producer(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """Options of a producer that loses and doubles nothing within its lifetime: idempotent, acknowledged by all."""
    return connection(settings) | {
        "client_id": client_id,
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None if settings.compression == "none" else settings.compression,
        "max_request_size": settings.max_request_bytes,
        "max_batch_size": _PRODUCER_BATCH_BYTES,
    }


def transactional_producer(settings: KafkaSettings, transactional_id: str) -> dict[str, Any]:
    """Options of the producer that owns one source partition."""
    return producer(settings, transactional_id) | {
        "transactional_id": transactional_id,
        "transaction_timeout_ms": settings.transaction_timeout_ms,
    }


def group_consumer(settings: KafkaSettings, group: str) -> dict[str, Any]:
    """Options of a group member that never commits by itself and never chooses an offset by itself.

    The range assignor gives one member equal partition numbers of a topic and its replay lane.
    """
    return connection(settings) | {
        "client_id": group,
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": settings.heartbeat_interval_ms,
        "max_poll_interval_ms": settings.max_poll_interval_ms,
        "rebalance_timeout_ms": settings.max_poll_interval_ms,
        "fetch_max_bytes": settings.max_fetch_bytes,
        "fetch_max_wait_ms": settings.fetch_max_wait_ms,
        "partition_assignment_strategy": (RangePartitionAssignor,),
    }


def reader(settings: KafkaSettings) -> dict[str, Any]:
    """Options of a consumer without a group, for tools that look at a topic."""
    return connection(settings) | {
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
    }


def record(consumed: Any) -> Record:
    """A record that the client consumed. Kafka allows headers without a value: here they hold no bytes.

    What publishers claim about replays is left out: see `replay.believed`.
    """
    headers = consumed.headers
    if headers and None in [value for _, value in headers]:
        headers = tuple((name, value or b"") for name, value in headers)
    return Record(
        consumed.topic,
        consumed.partition,
        consumed.offset,
        consumed.timestamp,
        consumed.key,
        consumed.value,
        replay.believed(consumed.topic, headers),
    )


def _ssl_context(settings: KafkaSettings) -> tls.Context:
    password = settings.ssl_key_password.get_secret_value() if settings.ssl_key_password else None
    files = tls.Files("ROGGIA_KAFKA_", settings.ssl_ca_file, settings.ssl_cert_file, settings.ssl_key_file, password)
    return tls.Context.of(files)


async def stop(reader: AIOKafkaConsumer) -> None:
    """Disconnect a consumer without a group, also right after its start.

    It begins a task when it starts and cancels it when it stops; one that never got its turn would end `stop` as if
    somebody had cancelled the caller (aiokafka 0.14).
    """
    await asyncio.sleep(0)
    await reader.stop()
