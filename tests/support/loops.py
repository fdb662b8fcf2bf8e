"""Helpers for tests of the consumer loop: topics, feeding, reading back, workers in processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.loop import ConsumerLoop
from roggia_runtime.offsets import Offsets
from roggia_runtime.producer import Producer
from roggia_runtime.records import Done, Output, Record, Verdict
from roggia_runtime.settings import BatchLimits, KafkaSettings

from tests.support.lags import lags

QUICK: dict[str, Any] = {
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 400,
    "retry_first_s": 0.02,
    "retry_max_s": 0.1,
    "stop_deadline_s": 5.0,
    "request_timeout_ms": 10_000,
}


def settings(bootstrap: str, **values: Any) -> KafkaSettings:
    """Settings with short times."""
    return KafkaSettings(bootstrap=bootstrap, **{**QUICK, **values})


async def make_topics(bootstrap: str, partitions: int, *names: str) -> None:
    """Create topics and wait until they can be used."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.create_topics([NewTopic(name, partitions, 1) for name in names])
        while True:
            found = await client.describe_topics(list(names))
            if all(t["partitions"] and all(p["leader"] >= 0 for p in t["partitions"]) for t in found):
                return
            await asyncio.sleep(0.05)
    finally:
        await client.close()


async def feed(bootstrap: str, topic: str, values: Sequence[tuple[bytes, bytes]]) -> None:
    """Produce (key, value) pairs outside transactions."""
    producer = Producer(settings(bootstrap))
    await producer.start()
    await producer.send_all([Output(topic, key, value) for key, value in values])
    await producer.stop()


async def feed_transactions(bootstrap: str, topic: str, values: Sequence[tuple[bytes, bytes]], pace_s: float) -> None:
    """Produce pairs in transactions of 25; before each, one with the same records that is aborted."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"feed-{topic}") as producer:
        for start in range(0, len(values), 25):
            for commit in (False, True) if start % 100 == 0 else (True,):
                await producer.begin_transaction()
                for key, value in values[start : start + 25]:
                    await producer.send(topic, value, key)
                await (producer.commit_transaction() if commit else producer.abort_transaction())
            await asyncio.sleep(pace_s)


async def read_all(bootstrap: str, topic: str) -> list[Record]:
    """Every committed record of a topic, by partition and offset."""
    admin = TopicAdmin(settings(bootstrap))
    ends = await admin.end_offsets(topic)
    return [record for number in sorted(ends) async for record in admin.read(topic, number, 0)]


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until `condition` holds; fail after `timeout_s` seconds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # conditions span processes
            await asyncio.sleep(0.01)


async def lag(bootstrap: str, group: str) -> int | None:
    """A group's lag over all its partitions, or None while it has committed nothing."""
    async with Offsets(settings(bootstrap)) as offsets:
        found = await lags(offsets, group)
    return sum(found.values()) if found else None


@dataclass
class Copier:
    """A handler that copies records to `target`, and remembers what it saw."""

    target: str
    seen: list[Record] = field(default_factory=list)

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Copy each record, its place in the value."""
        self.seen += batch
        return [Done((copy(record, self.target),)) for record in batch]


def copy(record: Record, target: str) -> Output:
    """The copy of one record."""
    return Output(target, record.key, (record.value or b"") + b"@%d:%d" % (record.partition, record.offset))


@asynccontextmanager
async def running(loop: ConsumerLoop) -> AsyncIterator[asyncio.Task[None]]:
    """Run a loop; stop it at the end and raise what it raised."""
    task = asyncio.create_task(loop.run())
    try:
        yield task
    finally:
        loop.stop()
        await asyncio.wait({task}, timeout=15)
    if not task.cancelled():
        await task


class Worker:
    """A loop in a process of its own: `tests.support.loop_worker`."""

    def __init__(self, bootstrap: str, group: str, source: str, target: str, delivery: str, log: Path) -> None:
        self._path, self._log = log, log.open("ab")
        command = [sys.executable, "-m", "tests.support.loop_worker", bootstrap, group, source, target, delivery]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd=root, env=dict(os.environ))

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def working(self) -> None:
        """Wait until it owns partitions."""
        await until(lambda: b'"assigned"' in self._path.read_bytes())

    async def ended(self, timeout_s: float = 20.0) -> int:
        """Wait for the end; return the exit status."""
        await until(lambda: self._process.poll() is not None, timeout_s)
        self._log.close()
        return self._process.returncode

    def kill(self) -> None:
        """Kill it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def worker_limits() -> BatchLimits:
    """Small batches, so that there are many commits to disturb."""
    return BatchLimits(max_records=40, max_bytes=1 << 20, max_wait_ms=10)


def show(values: object) -> str:
    """For assertion messages."""
    return json.dumps(values, default=str)[:2000]


async def delete_before(bootstrap: str, topic: str, offset: int) -> None:
    """Delete the records of partition 0 that lie before an offset."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    await client.close()
