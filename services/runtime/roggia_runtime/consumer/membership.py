"""Membership in a consumer group: the one lock, the rebalance callbacks, and polls that cannot block them.

What aiokafka 0.14 does, and this module answers: rebalances run in a background task, so a poll may return records of
partitions that are about to be revoked; a poll that wakes during a rebalance waits for the next assignment while it
holds our lock, which the callbacks need; an exception in a callback is logged and forgotten; and the client chooses a
position by itself before the assignment callback has run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from roggia_runtime.consumer import coordination, fetching
from roggia_runtime.consumer.waiting import cancelled_from_outside
from roggia_runtime.records import Partition

Callback = Callable[[set[Partition]], Awaitable[None]]


class ClientGaveUpError(Exception):
    """The client ended its membership by itself: only a new one can go on. Internal to the loop."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Owns the group consumer. Between a revocation and the end of the next assignment, nothing may poll.

    `lock` is held around poll, process and commit, and by both callbacks. `ready` is set while the assignment is
    complete and every position has been set; `rebalancing` is its opposite, to wait for. `underway` says that the
    client is between the two callbacks. `failure` holds what a callback raised: the lock's holder must look at it.
    `over` is set when the client has given up, and `raise_over` says why: no assignment will come.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, topics: Sequence[str], *, assigned: Callback, revoked: Callback
    ) -> None:
        self.consumer = consumer
        self.lock = asyncio.Lock()
        self.ready = asyncio.Event()
        self.rebalancing = asyncio.Event()
        self.joined = False
        self.underway = True
        self.failure: BaseException | None = None
        self.over = asyncio.Event()
        self._why_over = ""
        self._topics = tuple(topics)
        self._assigned = assigned
        self._revoked = revoked
        self._poll: asyncio.Task[Any] | None = None
        self._waiting = ExitStack()
        self._leaving = False
        self._paused = False

    async def join(self) -> None:
        """Connect and join the group. Raises `KafkaError`."""
        self.consumer.subscribe(self._topics, listener=self)
        self._wait()
        await self.consumer.start()
        coordination.on_end(self.consumer, self._ended)
        self.busy(full=False)
        self.joined = True

    def busy(self, *, full: bool) -> None:
        """The batch that has been collected is a full one, or is not: see `fetching`."""
        fetching.ask(self.consumer, busy=full)

    def raise_over(self) -> None:
        """Raises `ClientGaveUpError` when no assignment will come any more."""
        if self.over.is_set():
            raise ClientGaveUpError(self._why_over)

    def suspend(self) -> None:
        """Poll no more until the next assignment: a rebalance has begun or must come."""
        self.ready.clear()
        self.rebalancing.set()
        self._wait()
        if self._poll is not None:
            self._poll.cancel()

    def rejoin(self) -> None:
        """Ask for a new assignment: what this member owns is in doubt."""
        self.failure = None
        self.suspend()
        coordination.request_join(self.consumer)
        self.consumer.subscribe(self._topics, listener=self)

    async def leave(self) -> None:
        """Leave the group and disconnect. The lock must be free."""
        self._leaving = True
        self.suspend()
        await self.consumer.stop()

    async def resubscribe(self, topics: Sequence[str]) -> None:
        """Read other topics from the next assignment on. Waits for the batch in hand."""
        async with self.lock:
            self._topics = tuple(topics)
            self.rejoin()

    async def poll(
        self, timeout_ms: int, max_records: int, partitions: Collection[TopicPartition] = ()
    ) -> dict[TopicPartition, list[Any]]:
        """Records fetched so far, waiting for at most `timeout_ms`. Empty when a rebalance begins, or has begun.

        Only of `partitions`, unless there are none; what was fetched of others is kept.

        Call it with the lock held. Raises `KafkaError`.
        """
        if not self.ready.is_set():  # the client would wait for an assignment, which waits for the lock
            return {}
        poll = asyncio.ensure_future(self.consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records))
        self._poll = poll
        try:
            polled: dict[TopicPartition, list[Any]] = await poll
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            return {}
        finally:
            self._poll = None
        return polled

    async def pause(self) -> None:
        """Fetch no more, but show the group that this member lives. Call it again while the pause lasts.

        What was fetched ahead is dropped; `resume` fetches it again.
        """
        if self.rebalancing.is_set():
            return
        self._paused = True
        self.consumer.pause(*self.consumer.assignment())
        await self.consumer.getmany(timeout_ms=0)

    def resume(self) -> None:
        """Fetch again."""
        if self._paused:
            self._paused = False
            if not self.rebalancing.is_set():
                self.consumer.resume(*self.consumer.paused())

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called by the client: wait for the batch in hand, then give the partitions up."""
        self.underway = True
        self.suspend()
        async with self.lock:
            await self._call(self._revoked, revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called by the client: take the partitions over and set every position, then allow polls again."""
        async with self.lock:
            if self._leaving:
                return
            try:
                await self._call(self._assigned, assigned)
            finally:
                self.underway = False
                self._waiting.close()
                self.rebalancing.clear()
                self.ready.set()

    def _wait(self) -> None:
        """Until the next assignment nobody polls, and the client must not take that for absence."""
        self._waiting.close()
        self._waiting.enter_context(coordination.waiting(self.consumer))

    def _ended(self, why: str) -> None:
        if not self._leaving:
            self._why_over = why
            self.suspend()
            self.over.set()

    async def _call(self, callback: Callback, partitions: Iterable[TopicPartition]) -> None:
        try:
            await callback({Partition(p.topic, p.partition) for p in partitions})
        except BaseException as error:
            self.failure = error
            raise
