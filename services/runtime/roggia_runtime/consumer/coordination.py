"""What `Membership` must ask of aiokafka's group coordinator, which shows it nowhere. As of aiokafka 0.14.

The client's membership lives in one background task. Where that task ends by itself, no rebalance comes any more and
nothing says so to somebody who waits for one. One way to end it: a subscription that changes while the task looks for
its coordinator. It then takes up the old subscription, finds no reason to join, and asserts that its assignment is
active, which it no longer is. A request to join, made first, is such a reason.

The client also leaves its group, and does not join it again, while nobody has polled for `max_poll_interval_ms`. Who
waits for an assignment does not poll. So a rebalance that begins during a long batch, or a broker that stays away for
longer than that, would be the end of the membership, without a word. `waiting` says that somebody is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from aiokafka import AIOKafkaConsumer


def request_join(consumer: AIOKafkaConsumer) -> None:
    """Have the client join again, with whatever subscription it then has. For a consumer that was started."""
    consumer._coordinator.request_rejoin()  # noqa: SLF001


def waiting(consumer: AIOKafkaConsumer) -> AbstractContextManager[None]:
    """While it is open, the client counts as polled."""
    context: AbstractContextManager[None] = consumer._subscription.fetch_context()  # noqa: SLF001
    return context


def on_end(consumer: AIOKafkaConsumer, ended: Callable[[str], None]) -> None:
    """Call `ended` with the reason when the client's membership is over, also after `stop`."""

    def tell(task: asyncio.Task[None]) -> None:
        ended("cancelled" if task.cancelled() else repr(task.exception()))

    consumer._coordinator._coordination_task.add_done_callback(tell)  # noqa: SLF001
