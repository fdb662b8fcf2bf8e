"""Bring the whole embedded stack up on one data directory, and down again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from roggia_runtime.settings import KafkaSettings, RegistrySettings, load

from roggia.inspect import schemas
from roggia.inspect.topics import apply_topics
from roggia.stack import plan
from roggia.stack.data import DataDirectory
from roggia.stack.supervisor import Addresses, Notice, Supervisor

PROBE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Beside:
    """What runs beside the documents' way. `popularity`: what is asked for most is counted. `audit`: inferences are
    audited, and the log is served."""

    popularity: bool = False
    audit: bool = False


@asynccontextmanager
async def stack(
    data: DataDirectory,
    watch: Callable[[Notice], None],
    preferred: plan.Ports | None = None,
    beside: Beside = Beside(),
) -> AsyncIterator[Supervisor]:
    """A running stack: every process ready, topics and schemas in place. Leaving the block stops all of it.

    What is `beside` it starts last and is not waited for.

    Raises `AlreadyRunningError` when another supervisor holds `data`, `StackFailedError` when a process cannot start.
    """
    with data.held():
        ports = plan.Ports.free(preferred)
        where = ports.addresses()
        supervisor = Supervisor(data, where, watch)
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            try:
                await supervisor.bring_up(plan.support(data, ports), http)
                await _prepare(where)
                token = data.audit.prepared() if beside.audit else ""
                await supervisor.bring_up(plan.services(data, ports, data.console_token(), token), http)
                if beside.popularity:
                    supervisor.accompany(plan.companions(ports), http)
                if beside.audit:
                    supervisor.accompany(plan.auditing(data, ports), http)
                yield supervisor
            finally:
                await supervisor.close()


async def _prepare(where: Addresses) -> None:
    """Schemas first, so that no service meets a registry without them; then topics. Safe to repeat."""
    async with schemas.registry(load(RegistrySettings, url=where.registry)) as client:
        await schemas.register(client)
    await apply_topics(load(KafkaSettings, bootstrap=where.kafka))
