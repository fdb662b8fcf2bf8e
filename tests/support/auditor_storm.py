"""Auditors in a storm: they, their broker and their database die; the ledger must be what the log says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from roggia_auditor.leaf import Leaf, Status
from roggia_auditor.ports import Ledger
from roggia_runtime.clock import now_ms
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import AuditRecorded, TenantBudget

from tests.support.auditor_fleet import (
    Auditor,
    Books,
    caught_up,
    everything_told,
    expected,
    held,
    prepare,
    price,
    traffic,
)
from tests.support.kafka import Broker
from tests.support.replaying import codec, produce, records

Fault = Callable[[], None]
"""Something that dies and comes back."""
PER_KILL_S = 1.5
"""About what a kill and its restart take: traffic is spread over the storm."""


class Storm(NamedTuple):
    """How much traffic, and how many auditors die."""

    seed: int
    count: int
    kills: int


async def storm(auditors: list[Auditor], chance: random.Random, kills: int, faults: Sequence[Fault]) -> None:
    """Kill one auditor after the other, at any moment, and start it again; after every tenth one of the faults."""
    for number in range(kills):
        await asyncio.sleep(chance.uniform(0.3, 1.6))
        if faults and number % 10 == 9:
            await asyncio.to_thread(faults[number // 10 % len(faults)])
        victim = chance.choice(auditors)
        await asyncio.to_thread(victim.kill)
        await asyncio.to_thread(victim.start)


async def prove(
    broker: Broker, ledger: tuple[str, Ledger], folder: Path, size: Storm, faults: Sequence[Fault] = ()
) -> None:
    """Two auditors share the partitions and are killed; the ledger must be what one undisturbed reading comes to."""
    dsn, view = ledger
    seed, count, kills = size
    kafka, chance = KafkaSettings(bootstrap=broker.bootstrap), random.Random(seed)
    await prepare(kafka, [price()])
    auditors = [Auditor(broker, dsn, folder / f"auditor-{n}.log") for n in range(2)]
    sent = traffic(seed, count, now_ms())
    try:
        for one in auditors:
            await asyncio.to_thread(one.start)
        disturbing = asyncio.create_task(storm(auditors, chance, kills, faults))
        for start in range(0, count, 100):
            await produce(kafka, sent[start : start + 100])
            await asyncio.sleep(kills * PER_KILL_S * 100 / count)
        await disturbing
        await caught_up(view, kafka, 120)
        await everything_told(view, 60)
        for one in auditors:
            assert await asyncio.to_thread(one.stop) == 0
    finally:
        for one in auditors:
            one.kill()
    want, got = await expected(kafka), await held(view, kafka)
    assert got.heads == want.heads
    assert got.leaves == want.leaves
    assert got.duplicates == want.duplicates
    assert got.usage == want.usage
    entered = [leaf for leaves in got.leaves.values() for leaf in leaves]
    assert len(entered) + sum(map(len, got.duplicates.values())) == count
    assert any(leaf.status is Status.UNREADABLE for leaf in entered)
    assert got.usage, "nothing was counted"
    await told(kafka, got, entered)


async def told(kafka: KafkaSettings, got: Books, entered: list[Leaf]) -> None:
    """The newest budget of every month is the sum of its cells, and every record was told of at its place."""
    made = codec()
    budgets = {
        (one.tenant_id, one.period): (one.tokens, one.cost_pico_usd)
        for one in [await made.decode(TenantBudget, record) for record in await records(kafka, topics.TENANT_BUDGET)]
    }
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for key, cell in got.usage.items():
        tokens, pico = sums.get((key.tenant, key.booked), (0, 0))
        sums[key.tenant, key.booked] = tokens + cell.tokens(), pico + cell.pico_usd
    assert budgets == sums
    places = [await made.decode(AuditRecorded, record) for record in await records(kafka, topics.AUDIT_RECORDED)]
    assert {(one.partition, one.offset) for one in places} == {
        (number, leaf.offset) for number, leaves in got.leaves.items() for leaf in leaves if leaf.tenant
    }
    assert len({one.event_id for one in places}) == sum(bool(leaf.tenant) for leaf in entered)
