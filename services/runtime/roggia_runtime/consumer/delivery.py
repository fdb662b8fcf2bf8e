"""The two ways to make a batch final. Both are used by the loop alone, under its lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TransactionalIdAuthorizationFailed,
)
from roggia_schemas import topics

from roggia_runtime import clients, denials, outcomes, producer
from roggia_runtime.consumer import batches
from roggia_runtime.consumer.batches import Batch, Polled
from roggia_runtime.consumer.hanging import Reach, Unasked, complete_commit, end_what_hangs
from roggia_runtime.consumer.links import Link
from roggia_runtime.errors import MissingTopicError, ProduceError
from roggia_runtime.records import Output, Ownership, Partition
from roggia_runtime.settings import BatchLimits, KafkaSettings

Committed = Callable[[], None]
_CLOSE_S = 3.0
_DOUBT_S, _AGAIN_S = 30.0, 0.25
_REFUSED = (GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed)


class Delivery(Enum):
    """What a crash may do to a batch's outputs."""

    AT_LEAST_ONCE = "at_least_once"
    """Outputs may be produced again. Batches mix partitions."""
    TRANSACTIONAL = "transactional"
    """Outputs and offsets become visible together or not at all (read_committed). One batch, one partition."""


class FencedError(Exception):
    """Another member owns the partition, or its producer is beyond repair. Internal to the loop."""

    def __init__(self, partition: Partition, cause: BaseException) -> None:
        super().__init__(f"{partition.topic}/{partition.number}: {cause!r}")
        self.partition = partition


class Finisher(Protocol):
    """How a delivery mode starts, cuts, finishes and stops."""

    async def assigned(self, partitions: Collection[Partition]) -> None:
        """Take partitions over, before their committed offsets are read."""
        ...

    def owned(self) -> Mapping[Partition, Ownership]:
        """What proves that partitions are this member's; empty where nothing does."""
        ...

    def notes(self) -> list[str]:
        """What is wrong although everything is produced, in words."""
        ...

    async def revoked(self) -> None:
        """Give all partitions up."""
        ...

    def cut(self, polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
        """Batches in which polled records are judged and finished."""
        ...

    async def finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int], done: Committed) -> None:
        """Begin to produce outputs and commit positions; `done` is called when both are final.

        May return earlier: `settle` waits. In transactional mode `positions` holds one partition.
        """
        ...

    async def settle(self) -> None:
        """Wait until everything begun is final. Raises `ProduceError`, `FencedError`, `KafkaError`."""
        ...

    async def mend(self) -> None:
        """See that nothing hangs of what is final. Between transactions; raises as `settle` does."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...


class AtLeastOnce:
    """Produce, wait for every acknowledgement, then commit."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: KafkaSettings, group: str) -> None:
        self._consumer = consumer
        self._producer = producer.Producer(settings, group)
        self._started = False

    async def assigned(self, partitions: Collection[Partition]) -> None:
        """Start the producer on the first assignment."""
        if partitions and not self._started:
            await self._producer.start()
            self._started = True

    def owned(self) -> Mapping[Partition, Ownership]:
        """Nothing proves it."""
        return {}

    def notes(self) -> list[str]:
        """Nothing can be."""
        return []

    async def revoked(self) -> None:
        """Nothing is bound to a partition."""

    def cut(self, polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
        """Batches over all partitions."""
        return batches.over_all(polled, limits)

    async def finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int], done: Committed) -> None:
        """Produce, then commit."""
        if outputs:
            await self._producer.deliver(outputs)
        await self._consumer.commit({TopicPartition(*p): offset for p, offset in positions.items()})
        done()

    async def settle(self) -> None:
        """Everything is final when `finish` returns."""

    async def mend(self) -> None:
        """Nothing can hang without transactions."""

    async def stop(self) -> None:
        """Stop the producer."""
        await self._producer.stop(_CLOSE_S)


class Transactional:
    """One producer with one transactional.id per (group, source partition), because the client has no KIP-447.

    Starting it fences the partition's former owner and waits until that one's transaction is gone. Transactions of
    different partitions run side by side, those of one partition in order.

    A broker that is starting may believe that it has ended a transaction although a partition never got the marker
    (Apache Kafka skips partitions that its metadata does not know yet). What was aborted then hangs there, and the next
    commit of the same producer id would make it visible. So every start ends whatever may hang in `outputs` (topics)
    and in the source's dead-letter topic, as the coordinator decided it, before anything is committed: see `hanging`.
    A broker that restarts while a producer goes on may lose the markers of a commit the same way: so whoever has lost a
    connection completes its last commit, before it begins anything else.
    """

    def __init__(self, settings: KafkaSettings, group: str, outputs: Sequence[str] = ()) -> None:
        self._settings = settings
        self._group = group
        self._outputs = tuple(outputs)
        self._producers: dict[Partition, AIOKafkaProducer] = {}
        self._links: dict[Partition, Link] = {}
        self._owed: set[str] = set()
        """Ids that were taken over after a commit, and not ended yet: their coordinator has forgotten it."""
        self._running: dict[Partition, asyncio.Task[None]] = {}
        self._unasked = Unasked(settings)

    async def assigned(self, partitions: Collection[Partition]) -> None:
        """Start every partition's producer."""
        unasked: set[str] = set()
        await self._ask([self._name(partition) for partition in partitions])
        starting = [self._start(partition) for partition in partitions]
        for started in await asyncio.gather(*starting, return_exceptions=True):
            if isinstance(started, BaseException):
                raise started
            unasked |= started
        self._unasked.are(unasked)

    async def _ask(self, names: Sequence[str]) -> None:
        """How the last transaction of each id was decided, before it is taken over."""
        states = await outcomes.last(self._settings, names) if self._outputs and names else {}
        for name, state in states.items():
            if state in outcomes.COMMITTED:
                self._owed.add(name)
            elif state != outcomes.BEGUN:
                self._owed.discard(name)

    def owned(self) -> Mapping[Partition, Ownership]:
        """Id and epoch of every partition's producer."""
        return {
            partition: Ownership(client._txn_manager.producer_id, client._txn_manager.producer_epoch)  # noqa: SLF001  # the client shows them nowhere else
            for partition, client in self._producers.items()
        }

    def notes(self) -> list[str]:
        """That the broker does not tell what hangs in some topics, and how to change that."""
        return self._unasked.notes()

    async def revoked(self) -> None:
        """Stop every producer."""
        self._links = {}
        producers, self._producers = self._producers, {}
        await asyncio.gather(*(producer.close(client, _CLOSE_S) for client in producers.values()))

    def cut(self, polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
        """Batches of one partition."""
        return batches.per_partition(polled, limits)

    async def finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int], done: Committed) -> None:
        """Begin a transaction, after the partition's last one is over."""
        ((partition, offset),) = positions.items()
        before = self._running.pop(partition, None)
        if before is not None:
            await before
        self._running[partition] = asyncio.create_task(self._transact(partition, outputs, offset, done))

    async def settle(self) -> None:
        """Wait for every transaction."""
        running, self._running = list(self._running.values()), {}
        if running:
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError:
                for task in running:
                    task.cancel()
                await asyncio.wait(running, timeout=_CLOSE_S)
                raise
        for failure in [task.exception() for task in running if task.done() and not task.cancelled()]:
            if failure is not None:
                raise failure

    async def mend(self) -> None:
        """Complete last commits that may hang since a connection was lost."""
        due = [partition for partition, link in self._links.items() if link.due()]
        for completed in await asyncio.gather(*map(self._complete, due), return_exceptions=True):
            if isinstance(completed, BaseException):
                raise completed

    async def stop(self) -> None:
        """Stop every producer."""
        await self.revoked()

    async def _transact(self, partition: Partition, outputs: Sequence[Output], offset: int, done: Committed) -> None:
        client = self._producers.get(partition)
        if client is None:
            raise FencedError(partition, LookupError("its producer did not start"))
        await self._surely(partition)
        link = self._links.pop(partition, None)  # what hangs after a failure is no commit: it is not to be completed
        try:
            await client.begin_transaction()
            await producer.deliver(client, outputs, self._settings)
            await client.send_offsets_to_transaction({TopicPartition(*partition): offset}, self._group)
            await client.commit_transaction()
        except ProduceError as error:
            if producer.permanent(error) or isinstance(error, MissingTopicError):
                raise
            raise FencedError(partition, error.__cause__ or error) from error
        except _REFUSED as error:
            doing = f"commit transactions for group {self._group}"
            raise ProduceError(denials.explain(error, self._settings, doing)) from error
        except (KafkaError, AssertionError) as error:  # the client asserts its state after its sender has died
            raise FencedError(partition, error) from error
        if link is not None and self._producers.get(partition) is client:
            link.committed()
            self._links[partition] = link
        done()

    async def _surely(self, partition: Partition) -> None:
        """Begin nothing on top of a commit that may hang: should it fail, its abort would take that commit with it.

        Raises `FencedError` when brokers do not answer for long, and as `_complete` does.
        """
        until = time.monotonic() + _DOUBT_S
        while (link := self._links.get(partition)) is not None and link.lost() and not await self._complete(partition):
            if time.monotonic() > until:
                raise FencedError(partition, TimeoutError("its last commit may hang, and brokers do not say"))
            await asyncio.sleep(_AGAIN_S)

    async def _complete(self, partition: Partition) -> bool:
        """Complete what hangs of the last commit; whether that was done. Not where brokers do not answer now.

        Raises `FencedError`, `MissingTopicError`; the partition needs a new owner then.
        """
        link = self._links.pop(partition)
        try:
            await complete_commit(self._producers[partition], self._reach(partition.topic))
            link.trust()
        except (KafkaError, AssertionError) as error:  # the client asserts its state after its sender has died
            later = isinstance(error, KafkaConnectionError) or getattr(error, "retriable", False)
            if not later:
                raise FencedError(partition, error) from error
            self._links[partition] = link
            return False
        self._links[partition] = link
        return True

    def _reach(self, topic: str) -> Reach:
        """Where records of `topic` may be answered; of a lane also on lanes, which need not exist."""
        lanes = [topics.replay(output) for output in self._outputs] if topics.base(topic) != topic else []
        return Reach(self._group, [*self._outputs, topics.dlq(topic)], lanes)

    def _name(self, partition: Partition) -> str:
        return f"{self._group}-{partition.topic}-{partition.number}"

    async def _start(self, partition: Partition) -> frozenset[str]:
        """Returns the topics of which the broker does not tell this client what hangs there."""
        name = self._name(partition)
        client = AIOKafkaProducer(**clients.transactional_producer(self._settings, name))
        unasked: frozenset[str] = frozenset()
        started = False
        try:
            await client.start()
            if self._outputs:
                unasked = await end_what_hangs(client, self._reach(partition.topic), commit=name in self._owed)
                self._owed.discard(name)
            started = True
        except TransactionalIdAuthorizationFailed as error:
            raise ProduceError(denials.explain(error, self._settings, f"use transactional id {name}")) from error
        except denials.DENIED as error:
            raise ProduceError(denials.explain(error, self._settings)) from error
        finally:
            if not started:
                await producer.close(client, _CLOSE_S)
        self._producers[partition] = client
        if self._outputs:
            self._links[partition] = Link(client)
        return unasked
