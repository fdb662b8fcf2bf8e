"""The outer safety net of a job: a quota on its client id, where brokers have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from roggia_runtime.errors import RoggiaError
from roggia_runtime.quotas import limit_producer
from roggia_runtime.settings import KafkaSettings

log = structlog.get_logger()


@asynccontextmanager
async def quota(settings: KafkaSettings, client_id: str, bytes_per_s: float) -> AsyncIterator[str]:
    """Hold the quota inside the block and take it away at the end; yields why there is none, or ''.

    A job goes on without one: its own limits hold all the same.
    """
    trouble = await _set(settings, client_id, bytes_per_s)
    try:
        yield trouble
    finally:
        if not trouble:
            await _set(settings, client_id, None)


async def _set(settings: KafkaSettings, client_id: str, bytes_per_s: float | None) -> str:
    try:
        await limit_producer(settings, client_id, bytes_per_s)
    except RoggiaError as error:
        log.warning("no_quota", client_id=client_id, error=str(error))
        return str(error)
    return ""
