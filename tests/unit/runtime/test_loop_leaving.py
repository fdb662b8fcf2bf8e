"""What the Kafka client does on the way out must not become the service's own end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from roggia_runtime.consumer.session import Session
from roggia_runtime.loop import ConsumerLoop
from roggia_runtime.records import Done, Record, Verdict
from roggia_runtime.settings import KafkaSettings


class Nothing:
    """A handler that is never called here."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Done."""
        return [Done() for _ in batch]


class Leaking:
    """A session that has joined, and whose client lets a cancellation of its own out when it is closed."""

    class member:  # noqa: N801  # as a session has it
        """Joined."""

        joined = True

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """As seen of the client while its coordinator was going down."""
        raise asyncio.CancelledError


async def test_a_cancellation_inside_the_client_does_not_turn_a_clean_stop_into_a_failure() -> None:
    """SIGTERM while the broker goes down: the service leaves without goodbye and ends with status 0."""
    settings = KafkaSettings(stop_deadline_s=0.01)
    loop = ConsumerLoop(settings=settings, group="g", topics=["t"], handler=Nothing(), stage="s")

    async def join() -> Session:
        loop._session = cast("Any", Leaking())
        return cast("Any", loop._session)

    loop._join = join  # type: ignore[method-assign]
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(0.01)
    loop.stop()
    await asyncio.wait_for(running, 5)
    assert not running.cancelled()
