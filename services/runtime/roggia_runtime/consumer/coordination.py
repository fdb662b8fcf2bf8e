"""What `Membership` must ask of aiokafka's group coordinator, which shows it nowhere. As of aiokafka 0.14.

The client's membership lives in one background task. Where that task ends by itself, no rebalance comes any more and
nothing says so to somebody who waits for one. One way to end it: a subscription that changes while the task looks for
its coordinator. It then takes up the old subscription, finds no reason to join, and asserts that its assignment is
active, which it no longer is. A request to join, made first, is such a reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer


def request_join(consumer: AIOKafkaConsumer) -> None:
    """Have the client join again, with whatever subscription it then has. For a consumer that was started."""
    consumer._coordinator.request_rejoin()  # noqa: SLF001


def on_end(consumer: AIOKafkaConsumer, ended: Callable[[str], None]) -> None:
    """Call `ended` with the reason when the client's membership is over, also after `stop`."""

    def tell(task: asyncio.Task[None]) -> None:
        ended("cancelled" if task.cancelled() else repr(task.exception()))

    consumer._coordinator._coordination_task.add_done_callback(tell)  # noqa: SLF001
