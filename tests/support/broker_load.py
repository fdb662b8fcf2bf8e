"""Work that keeps a broker busy while it is killed, and what must be found of it afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as ConfluentPartition
from roggia_devstack.wire import apis

from tests.contract.kafka.answers.asking import Asker, asking
from tests.support.clients import consumer, read_all

PARTITIONS = 3
_PATIENCE_S = 600.0
_PATIENT: dict[str, str | int | float | bool] = {
    "linger.ms": 1,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 100,
    "reconnect.backoff.ms": 10,
    "reconnect.backoff.max.ms": 100,
    "log_level": 0,
}
_IN_FLIGHT = 20
_FIRST_SETTING = 1000
_GONE = (ConnectionError, asyncio.IncompleteReadError, OSError, KafkaException)


@dataclass
class Idempotent:
    """Numbers per partition, many in flight, each acknowledged by all."""

    bootstrap: str
    topic: str
    acknowledged: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`, then wait for every acknowledgement."""
        await asyncio.to_thread(self._write, stop)

    def _write(self, stop: asyncio.Event) -> None:
        client = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, **_PATIENT})
        while not stop.is_set():
            for partition in range(PARTITIONS):
                first = self.acknowledged[partition]
                for number in range(first, first + _IN_FLIGHT):
                    client.produce(self.topic, b"%d" % number, partition=partition, on_delivery=self._delivered)
            assert client.flush(_PATIENCE_S) == 0, "records are not acknowledged"

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        self.acknowledged[message.partition() or 0] += 1

    async def check(self) -> None:
        """Every acknowledged number is there once, in order, and nothing else."""
        records = await read_all(self.bootstrap, self.topic)
        for partition, count in enumerate(self.acknowledged):
            found = [int(record.value) for record in records if record.partition == partition]
            assert found == list(range(count)), f"partition {partition}: {len(found)} records, {count} acknowledged"


@dataclass
class Transactional:
    """Transactions over all partitions with an offset each; every third is aborted."""

    bootstrap: str
    topic: str
    group: str
    committed: list[int] = field(default_factory=list)
    aborted: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """One transaction after another until `stop`."""
        await asyncio.to_thread(self._write, stop)

    def _write(self, stop: asyncio.Event) -> None:
        settings = {"bootstrap.servers": self.bootstrap, **_PATIENT}
        client = Producer({**settings, "transactional.id": f"{self.topic}.tx"})
        reader = Consumer({**settings, "group.id": self.group})
        _again(client.init_transactions, 10.0)
        number = 0
        while not stop.is_set():
            self._transaction(client, reader, number)
            number += 1
        reader.close()

    def _transaction(self, client: Producer, reader: Consumer, number: int) -> None:
        client.begin_transaction()
        for partition in range(PARTITIONS):
            client.produce(self.topic, b"%d" % number, partition=partition)
        position = ConfluentPartition(self.topic, 0, number)
        try:
            _again(client.send_offsets_to_transaction, [position], reader.consumer_group_metadata(), 10.0)
            if number % 3 != 2:
                _again(client.commit_transaction, 10.0)
                self.committed.append(number)
                return
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
        _again(client.abort_transaction, 10.0)
        self.aborted += 1

    async def check(self) -> None:
        """Each committed transaction is whole and in order on every partition; of aborted ones there is nothing."""
        records = await read_all(self.bootstrap, self.topic)
        for partition in range(PARTITIONS):
            found = [int(record.value) for record in records if record.partition == partition]
            assert found == self.committed, f"partition {partition}: {len(found)}, {len(self.committed)} committed"
        async with consumer(self.bootstrap, group_id=self.group) as reader:
            assert await reader.committed(TopicPartition(self.topic, 0)) == self.committed[-1]


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


def _again(call: Callable[..., object], *arguments: object) -> None:
    """Call until the client says that it was done; it asks to be called again while the broker is away."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            call(*arguments)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
        else:
            return


def pauses(seed: int, count: int) -> list[float]:
    """Seconds that the broker lives at least, each time; 0.0 for a death as soon as it listens, or in its recovery.

    After a pause above 0 the caller also waits for work to have gone on: a busy machine needs longer for it.
    """
    rng = random.Random(seed)
    return [rng.choice((0.0, 0.05, 0.15, 0.3)) * rng.uniform(0.5, 1.0) for _ in range(count)]
