"""Throughput and latency of the devstack broker, as ratios to Apache Kafka, both driven by one client in one run.

usage: python -m tests.bench.devstack.bench_broker [--records N] [--rounds N]

Prints one JSON line per figure. The two brokers take turns, so that a busy machine disturbs both alike; a figure is the
median over the rounds. The client is aiokafka (idempotent producer, 500-byte records), which costs more than either
broker: the broker's own CPU time per record is given beside it. Without KAFKA_HOME there is nothing to compare with,
and devstack's own figures are printed alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import Broker, devstack_broker, find_java

_VALUE = bytes(range(250)) * 2
_LATENCIES = 150
_UNITS = {
    "produce": "records/s",
    "consume": "records/s",
    "latency": "ms",
    "produce_cpu": "µs/record",
    "consume_cpu": "µs/record",
}


@dataclass
class Figures:
    """What one broker did, round by round: records per second, milliseconds, µs of CPU per record."""

    produce: list[float] = field(default_factory=list)
    consume: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    produce_cpu: list[float] = field(default_factory=list)
    consume_cpu: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] = ()) -> int:
    """Start the brokers, run the rounds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000, help="records per round and broker")
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        brokers = _brokers(Path(folder))
        try:
            for broker in brokers:
                broker.start()
            figures = asyncio.run(_measure(brokers, options.records, options.rounds))
        finally:
            for broker in brokers:
                broker.kill()
    for line in _lines(figures):
        print(json.dumps(line, ensure_ascii=False), flush=True)
    return 0


def _brokers(folder: Path) -> list[Broker]:
    found = [devstack_broker(folder / "devstack")]
    if os.environ.get("KAFKA_HOME") and shutil.which("java"):
        found.append(find_java().broker(folder / "apache"))
    return found


async def _measure(brokers: list[Broker], records: int, rounds: int) -> dict[str, Figures]:
    figures = {broker.kind: Figures() for broker in brokers}
    for broker in brokers:
        await _round(broker, Figures(), records)
    for number in range(rounds):
        for broker in brokers if number % 2 else brokers[::-1]:
            await _round(broker, figures[broker.kind], records)
    return figures


async def _round(broker: Broker, figures: Figures, records: int) -> None:
    topic = f"bench.{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    process = psutil.Process(broker.pid)
    cpu = _cpu(process)
    figures.produce.append(records / await _produce(broker.bootstrap, topic, records))
    between = _cpu(process)
    figures.produce_cpu.append((between - cpu) / records * 1e6)
    figures.consume.append(records / await _consume(broker.bootstrap, topic, records))
    figures.consume_cpu.append((_cpu(process) - between) / records * 1e6)
    figures.latency.append(await _latency(broker.bootstrap, topic))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _produce(bootstrap: str, topic: str, records: int) -> float:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=1 << 16
    )
    await producer.start()
    await producer.send_and_wait(topic, _VALUE, partition=0)
    start = time.perf_counter()
    last = [await producer.send(topic, _VALUE, partition=0) for _ in range(records)]
    await producer.flush()
    taken = time.perf_counter() - start
    await asyncio.gather(*last)
    await producer.stop()
    return taken


async def _consume(bootstrap: str, topic: str, records: int) -> float:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_beginning()
    count, start = 0, time.perf_counter()
    while count <= records:
        for batch in (await consumer.getmany(timeout_ms=1000)).values():
            count += len(batch)
    taken = time.perf_counter() - start
    await consumer.stop()
    return taken


async def _latency(bootstrap: str, topic: str) -> float:
    """Median milliseconds from send to arrival at a consumer that waits."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_end()
    await consumer.position(TopicPartition(topic, 0))
    taken = []
    for _ in range(_LATENCIES):
        start = time.perf_counter()
        arrival = asyncio.ensure_future(consumer.getone())
        await producer.send(topic, b"now", partition=0)
        await arrival
        taken.append(time.perf_counter() - start)
    await producer.stop()
    await consumer.stop()
    return statistics.median(taken) * 1000


def _lines(figures: dict[str, Figures]) -> list[dict[str, object]]:
    ours, theirs = figures["devstack"], figures.get("apache")
    lines: list[dict[str, object]] = []
    for name, unit in _UNITS.items():
        own = getattr(ours, name)
        if theirs is None:
            lines.append({"name": f"devstack {name}", "value": _rounded(own), "unit": unit})
            continue
        other = getattr(theirs, name)
        ratios = [mine / its for mine, its in zip(own, other, strict=True) if its]
        shown = {"devstack": f"{_rounded(own)} {unit}", "apache": f"{_rounded(other)} {unit}"}
        lines.append({"name": f"devstack {name}", "ratio": _rounded(ratios), "baseline": "Apache Kafka", **shown})
    return lines


def _rounded(values: list[float]) -> float:
    return float(f"{statistics.median(values):.3g}") if values else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
