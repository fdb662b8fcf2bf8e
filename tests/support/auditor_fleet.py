"""Auditors as processes on one broker and one ledger, and what the ledger must hold by the log alone."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from roggia_auditor.adapters.postgres_ledger import PostgresLedger
from roggia_auditor.adapters.price_log import entry_of
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.leaf import Leaf
from roggia_auditor.ledger.judging import Before, Read, Rules, judge
from roggia_auditor.ledger.model import Duplicate, Head, Known, Stream, Usage, UsageKey
from roggia_auditor.ports import Ledger
from roggia_auditor.pricing.entries import PriceBook
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.records import Output, Record
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.topic_ids import TopicIds
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted, PriceChanged

from tests.support.auditing import attempt, inference, usage
from tests.support.kafka import Broker
from tests.support.processes import ServerProcess, free_port
from tests.support.replaying import codec, produce, records

TENANTS = [f"tenant-{n}" for n in range(9)]
NAMES = (
    topics.INFERENCE_COMPLETED,
    topics.PRICE_CHANGED,
    topics.TENANT_CONFIG,
    topics.AUDIT_ALERT,
    topics.AUDIT_RECORDED,
    topics.TENANT_USAGE,
    topics.TENANT_BUDGET,
    topics.USAGE_ADJUSTED,
    topics.AUDIT_CHECKPOINT,
)


@pytest.fixture(params=["sqlite", "postgres"])
async def audit_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, Ledger]]:
    """A ledger's DSN, and the test's own view of it."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.sqlite3"
        dsn, made = f"sqlite:///{path}", SqliteLedger(path)
        view: Ledger = made
    else:
        dsn = request.getfixturevalue("postgres_dsn")
        view = PostgresLedger(dsn)
    await view.start()
    yield dsn, view
    await view.stop()


class Auditor(ServerProcess):
    """One auditor as a process, with short sessions and small batches, so that faults fall between them."""

    def __init__(self, broker: Broker, ledger: str, log: Path, **environment: str) -> None:
        port = free_port()
        base = {
            "ROGGIA_KAFKA_BOOTSTRAP": broker.bootstrap,
            "ROGGIA_KAFKA_SESSION_TIMEOUT_MS": "6000",
            "ROGGIA_KAFKA_HEARTBEAT_INTERVAL_MS": "500",
            "ROGGIA_KAFKA_REQUEST_TIMEOUT_MS": "10000",
            "ROGGIA_HTTP_PORT": str(port),
            "ROGGIA_AUDITOR_LEDGER": ledger,
            "ROGGIA_AUDITOR_BATCH__MAX_RECORDS": "40",
            "ROGGIA_AUDITOR_BATCH__MAX_WAIT_MS": "20",
        }
        super().__init__([sys.executable, "-m", "roggia_auditor"], port, log, base | environment)


@dataclass
class Books:
    """What a ledger holds, in a form that can be compared."""

    heads: dict[int, Head] = field(default_factory=dict)
    leaves: dict[int, list[Leaf]] = field(default_factory=dict)
    duplicates: dict[int, list[Duplicate]] = field(default_factory=dict)
    usage: dict[UsageKey, Usage] = field(default_factory=dict)


async def prepare(kafka: KafkaSettings, prices: Sequence[PriceChanged]) -> None:
    """The catalogue's topics, and a price book on its own."""
    async with TopicAdmin(kafka) as admin:
        specs = [topics.spec(name) for name in NAMES]
        await admin.apply([*specs, *(topics.spec(topics.dlq(name)) for name in NAMES)])
    await produce(kafka, [codec().output(topics.PRICE_CHANGED, one) for one in prices])


def price(**pico: int) -> PriceChanged:
    """An entry for the model of `auditing`."""
    return PriceChanged(
        event_id="5b1c0c1e-6a52-5f0e-9d0a-3f1d0e6f7a11",
        occurred_at=1_735_689_600_000,
        provider="openai",
        model="example-4",
        effective_from=0,
        pico_usd=pico or {"input": 2_500_000, "output": 10_000_000},
        version="v1",
        sha256="00" * 32,
    )


def traffic(seed: int, count: int, now_ms: int) -> list[Output]:
    """Inferences of nine tenants, one in twenty sent twice, some unpriced, some that cannot be read."""
    chance, made, sent = random.Random(seed), codec(), list[Output]()
    for number in range(count):
        kind = chance.random()
        if kind < 0.05 and sent:
            sent.append(chance.choice(sent[-200:]))
            continue
        if kind < 0.06:
            sent.append(Output(topics.INFERENCE_COMPLETED, chance.choice(TENANTS).encode(), b"\x00\x00\x00\x00\x07?"))
            continue
        model = "unheard-of" if kind < 0.1 else "example-4"
        used = usage(input=chance.randrange(5_000), output=chance.randrange(500))
        event = inference(
            seed * 1_000_000 + number + 1,
            tenant_id=chance.choice(TENANTS),
            occurred_at=now_ms - chance.randrange(60_000),
            attempts=(attempt(used, model=model),),
        )
        sent.append(made.output(topics.INFERENCE_COMPLETED, event))
    return sent


async def expected(kafka: KafkaSettings) -> Books:
    """What the log comes to: every partition judged once, from its first record to its last."""
    ids = TopicIds(kafka)
    topic_id = (await ids.of([topics.INFERENCE_COMPLETED]))[topics.INFERENCE_COMPLETED]
    await ids.stop()
    made = Codec()
    prices = [
        entry_of(made.decode(PriceChanged, one.value or b""), one.timestamp_ms)
        for one in await records(kafka, topics.PRICE_CHANGED)
    ]
    parts: dict[int, list[Record]] = defaultdict(list)
    for record in await records(kafka, topics.INFERENCE_COMPLETED):
        parts[record.partition].append(record)
    found, known, rules = Books(), dict[str, Known](), Rules(PriceBook(prices), {})
    for number, held in parts.items():
        stream = Stream(topics.INFERENCE_COMPLETED, topic_id, number)
        draft = judge(stream, [_read(made, one) for one in held], Before(Head(), {}), known, rules)
        found.heads[number] = draft.after
        found.leaves[number] = [row.leaf for row in draft.rows]
        found.duplicates[number] = draft.duplicates
        for key, more in draft.usage.items():
            found.usage.setdefault(key, Usage()).add(more)
    return found


async def held(ledger: Ledger, kafka: KafkaSettings) -> Books:
    """What a ledger holds."""
    ids = TopicIds(kafka)
    topic_id = (await ids.of([topics.INFERENCE_COMPLETED]))[topics.INFERENCE_COMPLETED]
    await ids.stop()
    streams = [Stream(topics.INFERENCE_COMPLETED, topic_id, n) for n in range(6)]
    found = Books()
    for stream, head in (await ledger.heads(streams)).items():
        found.heads[stream.partition] = head
        found.leaves[stream.partition] = [row.leaf for row in await ledger.rows(stream, 0, 10**6)]
        found.duplicates[stream.partition] = list(await ledger.duplicates(stream, 0, 10**6))
    for tenant in TENANTS:
        found.usage.update(await ledger.usage(tenant, ""))
    return found


async def caught_up(ledger: Ledger, kafka: KafkaSettings, timeout_s: float) -> None:
    """Wait until the ledger's heads are at the ends of the log. Fails at the deadline."""
    deadline = time.monotonic() + timeout_s
    ends = {n: end for n, end in (await TopicAdmin(kafka).end_offsets(topics.INFERENCE_COMPLETED)).items() if end}
    while True:
        heads: Mapping[int, Head] = (await held(ledger, kafka)).heads
        behind = {n: end for n, end in ends.items() if n not in heads or heads[n].next_offset < end}
        if not behind:
            return
        assert time.monotonic() < deadline, f"the ledger is behind: {behind}"
        await asyncio.sleep(0.3)


async def everything_told(ledger: Ledger, timeout_s: float) -> None:
    """Wait until nothing is left to tell. Fails at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        untold, heads = await ledger.untold(1), (await ledger.everything()).heads
        left = [s for s, head in heads.items() if await ledger.told_rows(s) < head.frontier.size]
        if not untold.months and not untold.days and not left:
            return
        assert time.monotonic() < deadline, f"not told: {untold}, {left}"
        await asyncio.sleep(0.3)


def _read(made: Codec, record: Record) -> Read:
    try:
        return Read(record, made.decode(InferenceCompleted, record.value or b"", record.headers))
    except SchemasError as error:
        return Read(record, None, str(error)[:1000])
