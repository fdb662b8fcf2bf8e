"""Work that keeps a broker busy while it is killed, and what must be found of it afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from roggia_devstack.wire import apis

from tests.contract.kafka.answers.asking import Asker, asking
from tests.support.clients import consumer, producer, read_all

PARTITIONS = 3
_PATIENT = {"request_timeout_ms": 60_000, "retry_backoff_ms": 50, "linger_ms": 1}
_IN_FLIGHT = 20
_FIRST_SETTING = 1000
_GONE = (ConnectionError, asyncio.IncompleteReadError, OSError, KafkaError)


@dataclass
class Idempotent:
    """Rising numbers per partition, many in flight; `acknowledged` are those that were acknowledged by all."""

    bootstrap: str
    topic: str
    acknowledged: list[list[int]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    next: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    @property
    def done(self) -> int:
        """How many records were acknowledged."""
        return sum(map(len, self.acknowledged))

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`; a client that gives up is followed by a new one, which goes on with unused numbers."""
        while not stop.is_set():
            await _unless_gone(partial(self._write, stop))

    async def _write(self, stop: asyncio.Event) -> None:
        async with producer(self.bootstrap, **_PATIENT) as client:
            while not stop.is_set():
                await asyncio.gather(*(self._batch(client, partition) for partition in range(PARTITIONS)))

    async def _batch(self, client: AIOKafkaProducer, partition: int) -> None:
        first, self.next[partition] = self.next[partition], self.next[partition] + _IN_FLIGHT
        numbers = range(first, first + _IN_FLIGHT)
        sent = [await client.send(self.topic, b"%d" % number, partition=partition) for number in numbers]
        for number, pending in zip(numbers, sent, strict=True):
            await pending
            self.acknowledged[partition].append(number)

    async def check(self) -> None:
        """Every acknowledged number is there; none is there twice, none before a smaller one."""
        records = await read_all(self.bootstrap, self.topic)
        for partition, wanted in enumerate(self.acknowledged):
            found = [int(record.value) for record in records if record.partition == partition]
            assert found == sorted(set(found)), f"partition {partition}: doubled or out of order"
            assert set(wanted) <= set(found), f"partition {partition}: lost {sorted(set(wanted) - set(found))[:20]}"


@dataclass
class Transactional:
    """Transactions over all partitions with an offset each; every third is aborted.

    `unknown` are those whose commit was asked for when the client gave up: they are there as a whole, or not at all.
    """

    bootstrap: str
    topic: str
    group: str
    committed: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    aborted: int = 0
    next: int = 0

    @property
    def done(self) -> int:
        """How many transactions ended as they were told to."""
        return len(self.committed) + self.aborted

    async def run(self, stop: asyncio.Event) -> None:
        """One transaction after another until `stop`, by one client after another where one gives up."""
        while not stop.is_set():
            await _unless_gone(partial(self._write, stop))

    async def _write(self, stop: asyncio.Event) -> None:
        async with producer(self.bootstrap, transactional_id=f"{self.topic}.tx", **_PATIENT) as client:
            while not stop.is_set():
                number, self.next = self.next, self.next + 1
                await self._transaction(client, number)

    async def _transaction(self, client: AIOKafkaProducer, number: int) -> None:
        await client.begin_transaction()
        for partition in range(PARTITIONS):
            await client.send(self.topic, b"%d" % number, partition=partition)
        await client.send_offsets_to_transaction({TopicPartition(self.topic, 0): number}, self.group)
        if number % 3 == 2:
            await client.abort_transaction()
            self.aborted += 1
            return
        self.unknown.append(number)
        await client.commit_transaction()
        self.committed.append(self.unknown.pop())

    async def check(self) -> None:
        """Committed transactions are whole and in order on every partition; of others there is nothing."""
        records = await read_all(self.bootstrap, self.topic)
        by_partition = [
            [int(record.value) for record in records if record.partition == partition]
            for partition in range(PARTITIONS)
        ]
        found = by_partition[0]
        assert all(other == found for other in by_partition), "a transaction is not whole"
        assert found == sorted(set(found)), "doubled or out of order"
        assert set(self.committed) <= set(found) <= {*self.committed, *self.unknown}
        async with consumer(self.bootstrap, group_id=self.group) as reader:
            assert await reader.committed(TopicPartition(self.topic, 0)) == found[-1]


@dataclass
class Positions:
    """A group's offset and a topic's setting that only ever rise; both fields hold what was acknowledged."""

    bootstrap: str
    topic: str
    group: str
    offset: int = 0
    setting: int = _FIRST_SETTING

    @property
    def raised(self) -> bool:
        """Say whether both have been acknowledged once."""
        return self.setting > _FIRST_SETTING

    async def run(self, stop: asyncio.Event) -> None:
        """Raise both, in turns, until `stop`."""
        while not stop.is_set():
            await _unless_gone(self._raise)
            await asyncio.sleep(0.01)

    async def _raise(self) -> None:
        async with asking(self.bootstrap) as asker:
            assert await asker.commit(self.group, self.topic, offset=self.offset + 1) == "ok"
            self.offset += 1
            await self._set(asker, self.setting + 1)
            self.setting += 1

    async def _set(self, asker: Asker, value: int) -> None:
        change = {"name": "segment.ms", "config_operation": 0, "value": str(value)}
        resource = {"resource_type": 2, "resource_name": self.topic, "configs": [change]}
        answer = await asker.ask(apis.INCREMENTAL_ALTER_CONFIGS, resources=[resource], validate_only=False)
        assert answer["responses"][0]["error_code"] == 0

    async def check(self) -> None:
        """Neither is older than what was acknowledged, nor newer than what was asked for."""
        offset, setting = self.offset, self.setting
        async with asking(self.bootstrap) as asker:
            resource = {"resource_type": 2, "resource_name": self.topic, "configuration_keys": ["segment.ms"]}
            answer = await asker.ask(apis.DESCRIBE_CONFIGS, resources=[resource])
            found = int(answer["results"][0]["configs"][0]["value"]), await asker.committed(self.group, self.topic)
        assert setting <= found[0] <= self.setting + 1, f"segment.ms {found[0]} after {setting} was acknowledged"
        assert offset <= found[1] <= self.offset + 1, f"offset {found[1]} after {offset} was acknowledged"


async def _unless_gone(work: Callable[[], Awaitable[None]]) -> None:
    """Do something that a broker's death may interrupt."""
    try:
        await work()
    except _GONE:
        await asyncio.sleep(0.05)


def pauses(seed: int, count: int) -> list[float]:
    """Seconds that the broker lives at least, each time; 0.0 for a death as soon as it listens, or in its recovery.

    After a pause above 0 the caller also waits for work to have gone on: a busy machine needs longer for it.
    """
    rng = random.Random(seed)
    return [rng.choice((0.0, 0.05, 0.15, 0.3)) * rng.uniform(0.5, 1.0) for _ in range(count)]
