"""Leaving a consumer group without waiting for ever, and without mistaking the client's own troubles for a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import structlog
from aiokafka.errors import KafkaError

from roggia_runtime.consumer.waiting import cancelled_from_outside

log = structlog.get_logger()
LEAVE_S = 5.0


async def leave(goodbye: Awaitable[None], group: str) -> None:
    """Wait for a client's `stop`, `LEAVE_S` seconds at most. What goes wrong is logged: the group notices by itself."""
    try:
        async with asyncio.timeout(LEAVE_S):
            await goodbye
    except (TimeoutError, KafkaError) as error:
        log.warning("left_without_goodbye", group=group, error=repr(error))
    except asyncio.CancelledError as error:  # also of a task of the client's own, which it awaits: not ours
        if cancelled_from_outside():
            raise
        log.warning("left_without_goodbye", group=group, error=repr(error))
