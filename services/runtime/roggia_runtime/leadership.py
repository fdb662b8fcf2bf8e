"""One of several instances works: membership of a group chooses it, a transactional producer fences the others.

Whoever owns the one partition of a topic leads. A leader that was declared dead and wakes up again may still do what is
harmless twice, but nothing that it writes through its `FencedWriter` becomes final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerFenced

from roggia_runtime import clients, denials
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.consumer.leaving import leave
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import AdminError, ProduceError, RoggiaError, UnavailableError
from roggia_runtime.producer import close, send_all
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings

log = structlog.get_logger()
_POLL_MS = 200
_CLOSE_S = 5.0
_COMMIT_S = 5.0


class LeadershipLostError(RoggiaError):
    """Another instance leads now, or Kafka was away for longer than a transaction may take: give the work up."""


class FencedWriter:
    """Writes records of which none becomes final once another instance leads. Tasks may share it."""

    def __init__(self, settings: KafkaSettings, role: str) -> None:
        self._settings, self._role = settings, role
        self._client = AIOKafkaProducer(**clients.transactional_producer(settings, role))
        self._lock = asyncio.Lock()
        self._given_up = False

    async def start(self) -> None:
        """Fence every earlier writer of the role and wait until its transaction is over.

        Raises `UnavailableError` when no broker answers, `ProduceError` when Kafka refuses.
        """
        try:
            await self._client.start()
        except KafkaConnectionError as error:
            raise UnavailableError(f"Kafka at {self._settings.bootstrap} does not answer") from error
        except KafkaError as error:
            doing = f"use transactional id {self._role}"
            raise ProduceError(denials.explain(error, self._settings, doing)) from error

    async def write(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        """Write records in one transaction; their (partition, offset).

        Raises `LeadershipLostError`, or `ProduceError` when Kafka refuses one. Nothing can be written any more once a
        call was cancelled: its transaction is left to whoever takes the role over, as the brokers may be away.
        """
        async with self._lock:
            if self._given_up:
                raise LeadershipLostError("a write of this instance was given up")
            self._given_up = True
            try:
                await self._client.begin_transaction()
                places = await self._sent(outputs)
                await self._client.commit_transaction()
            except (KafkaError, TimeoutError, AssertionError) as error:  # the client asserts its state
                raise LeadershipLostError(f"this instance does not lead any more: {error!r}") from error
            self._given_up = False
            return places

    async def _sent(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        try:
            return await send_all(self._client, outputs)
        except ProduceError as error:
            if isinstance(error.__cause__, ProducerFenced):
                raise error.__cause__ from error
            async with asyncio.timeout(_CLOSE_S):
                await self._client.abort_transaction()
            self._given_up = False
            raise

    async def stop(self) -> None:
        """Disconnect."""
        await close(self._client, _CLOSE_S)


Work = Callable[[FencedWriter], Awaitable[None]]


class Leader(ConsumerRebalanceListener):  # type: ignore[misc]  # the client's base class has no types
    """A service's worker: joins `role` as a group on `topic` (one partition), and does `work` while it leads.

    `work` is cancelled when leadership is lost. It is begun again after an `UnavailableError`, a `ProduceError` or a
    `LeadershipLostError`; any other exception ends `run`.
    """

    def __init__(self, settings: KafkaSettings, role: str, topic: str, work: Work) -> None:
        self._settings, self._role, self._work = settings, role, work
        self._tp = TopicPartition(topic, 0)
        self._stopping, self._lost = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._commit_at = 0.0
        self._trouble = "waiting for its group"

    async def run(self) -> None:
        """Join, lead when chosen, until `stop`."""
        backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
        while not self._stopping.is_set():
            try:
                await self._member()
                backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
            except (KafkaError, UnavailableError, AdminError, ProduceError, LeadershipLostError) as error:
                self._trouble = str(error) or type(error).__name__
                log.warning("leadership_lost", role=self._role, error=repr(error), tries=backoff.tries + 1)
                await either(self._stopping, timeout_s=backoff.wait_s())

    def stop(self) -> None:
        """Let go of the work and leave the group."""
        self._stopping.set()

    def health(self) -> list[str]:
        """What keeps it from leading or from standing by."""
        return [f"{self._role}: {self._trouble}"] if self._trouble else []

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:  # noqa: ARG002
        """Called by the client before the partition may go to another instance."""
        await self._let_go()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Called by the client: this instance leads if it got the partition."""
        self._trouble = ""
        if self._tp in assigned:
            self._client.seek(self._tp, 0)
            self._client.pause(self._tp)
            self._task = asyncio.create_task(self._lead())

    async def _member(self) -> None:
        self._client = AIOKafkaConsumer(**clients.group_consumer(self._settings, self._role))
        try:
            await self._start(self._client)
            await self._exists()
            self._client.subscribe([self._tp.topic], listener=self)
            while not self._stopping.is_set():
                await self._client.getmany(timeout_ms=_POLL_MS)
                if self._task is not None:
                    if self._task.done():
                        await self._task
                    await self._caught_up()
        finally:
            await self._let_go()
            await leave(self._client.stop(), self._role)

    async def _start(self, client: AIOKafkaConsumer) -> None:
        try:
            await client.start()
        except KafkaConnectionError as error:
            raise UnavailableError(f"Kafka at {self._settings.bootstrap} does not answer") from error

    async def _exists(self) -> None:
        """Raises `UnavailableError` for a missing topic: the client would look for it again only minutes later."""
        if self._tp.topic not in await TopicAdmin(self._settings).topics():
            raise UnavailableError(f"topic {self._tp.topic} does not exist: create it (roggia topics apply)")

    async def _caught_up(self) -> None:
        """Commit the topic's end every few seconds: the work reads by itself, and the group must not look behind."""
        now = time.monotonic()
        if now < self._commit_at:
            return
        self._commit_at = now + _COMMIT_S
        try:
            await self._client.commit(await self._client.end_offsets([self._tp]))
        except KafkaError as error:  # a rebalance, or Kafka is away: the next one will do
            log.debug("not_committed", role=self._role, error=repr(error))

    async def _lead(self) -> None:
        writer = FencedWriter(self._settings, self._role)
        try:
            await writer.start()
            log.info("leading", role=self._role)
            await self._work(writer)
        finally:
            await writer.stop()

    async def _let_go(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            log.info("work_ended", role=self._role, error=repr(task.exception()))
