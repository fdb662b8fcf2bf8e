"""The broker as a process: from start-up line to a clean stop at SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal

import structlog

from roggia_devstack.broker.app import Broker
from roggia_devstack.broker.settings import BrokerSettings

_log = structlog.get_logger()


def run(settings: BrokerSettings) -> None:
    """Serve until a signal. Raises what `Broker.start` raises."""
    asyncio.run(_serve(settings))


async def _serve(settings: BrokerSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    broker = Broker(settings)
    await broker.start()
    _log.info(
        "broker_ready",
        bootstrap=broker.bootstrap,
        data=str(settings.data),
        notice="for one machine and development only: one node, no replication, no authentication, no encryption",
    )
    await stop.wait()
    await broker.stop()
    _log.info("broker_stopped", bootstrap=broker.bootstrap)
