"""What the consumer loop costs: events per CPU-second of the loop over those of bare aiokafka, in one process.

Bare: `getmany`, an idempotent send per event, one commit per batch. The loop does the same through a handler, with
verdicts, limits, metrics and safe rebalances. Prints one JSON line per measurement and one per ratio.

    python -m tests.bench.runtime.bench_loop [--bootstrap HOST:PORT] [--events 30000] [--rounds 5]

Without `--bootstrap` it starts a devstack broker of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.producer import Producer
from roggia_runtime.records import Done, Output, Record, Verdict
from roggia_runtime.settings import BatchLimits, KafkaSettings

from tests.support.kafka import devstack_broker
from tests.support.loops import make_topics, until
from tests.support.measures import report

VALUE = b"v" * 500
BATCH = 2_000
PARTITIONS = 6
Run = Callable[[KafkaSettings, str, str, int], Awaitable[None]]


async def bare(settings: KafkaSettings, source: str, target: str, events: int) -> None:
    """What a careful program without the loop would do."""
    common = {"bootstrap_servers": settings.bootstrap}
    consumer = AIOKafkaConsumer(
        source,
        group_id=f"bare-{secrets.token_hex(4)}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        **common,
    )
    producer = AIOKafkaProducer(
        acks="all", enable_idempotence=True, compression_type="zstd", max_batch_size=256 << 10, **common
    )
    await consumer.start()
    await producer.start()
    seen = 0
    while seen < events:
        futures = []
        for records in (await consumer.getmany(timeout_ms=200, max_records=BATCH)).values():
            futures += [await producer.send(target, record.value, record.key) for record in records]
        await asyncio.gather(*futures)
        await consumer.commit()
        seen += len(futures)
    await producer.stop()
    await consumer.stop()


class Forward:
    """Sends every record on."""

    def __init__(self, target: str) -> None:
        self.target, self.seen = target, 0

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """One output per record."""
        self.seen += len(batch)
        return [Done((Output(self.target, record.key, record.value),)) for record in batch]


def looped(delivery: Delivery) -> Run:
    """The same work through the consumer loop."""

    async def run(settings: KafkaSettings, source: str, target: str, events: int) -> None:
        handler = Forward(target)
        loop = ConsumerLoop(
            settings=settings,
            group=f"loop-{secrets.token_hex(4)}",
            topics=[source],
            handler=handler,
            stage="bench",
            delivery=delivery,
            limits=BatchLimits(max_records=BATCH, max_wait_ms=0),
        )
        running = asyncio.create_task(loop.run())
        await until(lambda: handler.seen >= events, 120)
        loop.stop()
        await running

    return run


async def measure(settings: KafkaSettings, events: int, rounds: int) -> dict[str, list[float]]:
    """Events per CPU-second of each way, in turn, so that a noisy machine disturbs all alike."""
    source, target = f"bench.in.{secrets.token_hex(4)}", f"bench.out.{secrets.token_hex(4)}"
    await make_topics(settings.bootstrap, PARTITIONS, source, target)
    producer = Producer(settings)
    await producer.start()
    for start in range(0, events, BATCH):
        await producer.send_all([Output(source, b"%d" % i, VALUE) for i in range(start, min(start + BATCH, events))])
    await producer.stop()
    ways: dict[str, Run] = {
        "bare_aiokafka": bare,
        "loop_at_least_once": looped(Delivery.AT_LEAST_ONCE),
        "loop_transactional": looped(Delivery.TRANSACTIONAL),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            before = time.process_time()
            await run(settings, source, target, events)
            found[name].append(events / (time.process_time() - before))
    return found


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap")
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        broker = None if given.bootstrap else devstack_broker(Path(folder))
        if broker is not None:
            broker.start()
        try:
            bootstrap = given.bootstrap or (broker.bootstrap if broker else "")
            show(asyncio.run(measure(KafkaSettings(bootstrap=bootstrap), given.events, given.rounds)))
        finally:
            if broker is not None:
                broker.kill()
    return 0


def show(found: dict[str, list[float]]) -> None:
    """Report rates, and ratios taken round by round."""
    for name, rates in found.items():
        report(name, round(median(rates)), "events/CPU-s")
    for name, goal in (("loop_at_least_once", 0.8), ("loop_transactional", 0.7)):
        ratio = median(a / b for a, b in zip(found[name], found["bare_aiokafka"], strict=True))
        report(f"{name} / bare_aiokafka", round(ratio, 3), at_least=goal)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
