"""What commands open for as long as they work: a codec, and a client for jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from roggia_operator.jobs.client import JobClient
from roggia_runtime.codec import EventCodec

from roggia.connection import Connection
from roggia.publishing.publisher import kafka_settings, registry_settings


@asynccontextmanager
async def codec_of(where: Connection, command: str) -> AsyncIterator[EventCodec]:
    """A codec that is closed at the end. `command` names who publishes (`roggia/<command>`). Not started."""
    codec = EventCodec(registry_settings(where), source=f"roggia/{command}")
    try:
        yield codec
    finally:
        await codec.stop()


@asynccontextmanager
async def job_client(where: Connection, command: str) -> AsyncIterator[JobClient]:
    """A connected client for jobs. Raises `UnavailableError` when no broker answers."""
    async with codec_of(where, command) as codec, JobClient(kafka_settings(where), codec) as client:
        yield client
