"""Alerts from the log to a webhook and a topic, by auditors that are killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import AuditAlert, TenantConfig, TenantPlacement
from roggia_schemas.events import TenantStatus as Status

from tests.support.auditing import attempt, inference
from tests.support.auditor_fleet import Auditor, prepare, price
from tests.support.clients import eventually
from tests.support.kafka import Broker
from tests.support.receiving import SECRET, Received, receiver
from tests.support.replaying import codec, produce, records

TENANTS = [f"tenant-{n}" for n in range(6)]
COUNT, STRANGE = 160, 50
WANTED = {
    *((tenant, percent, "") for tenant in TENANTS for percent in (80, 100)),
    *((TENANTS[n % len(TENANTS)], 0, "unheard-of") for n in range(0, COUNT, STRANGE)),
    # A price holds for what reaches the log a minute after it: the first inferences here have none yet.
    *((tenant, 0, "example-4") for tenant in TENANTS),
}
"""Tenant, share of the limit, model without a price."""


async def limit(kafka: KafkaSettings, tokens: int) -> None:
    """Give every tenant a monthly limit."""
    made = codec()
    rows = [
        TenantConfig(
            event_id=uuid7(),
            occurred_at=now_ms(),
            tenant_id=tenant,
            status=Status.ACTIVE,
            placement=TenantPlacement.DEDICATED,
            limits={"tokens_per_month": tokens},
        )
        for tenant in TENANTS
    ]
    await produce(kafka, [made.output(topics.TENANT_CONFIG, row) for row in rows])


async def use(kafka: KafkaSettings, start: int, count: int) -> None:
    """Inferences of 110 tokens of all tenants in turn, one in fifty of a model without a price."""
    made, now = codec(), now_ms()
    events = [
        inference(
            n,
            tenant_id=TENANTS[n % len(TENANTS)],
            occurred_at=now,
            attempts=(attempt(model="unheard-of" if n % STRANGE == 0 else "example-4"),),
        )
        for n in range(start, start + count)
    ]
    await produce(kafka, [made.output(topics.INFERENCE_COMPLETED, event) for event in events])


async def alerted(kafka: KafkaSettings) -> list[AuditAlert]:
    """What the topic says, also twice."""
    made = codec()
    return [await made.decode(AuditAlert, one) for one in await records(kafka, topics.AUDIT_ALERT)]


async def delivered(received: Received, ids: set[str]) -> bool:
    """Whether every one of them has come."""
    await asyncio.sleep(0)
    return ids <= {one.id for one in received.deliveries}


async def test_each_alert_reaches_topic_and_webhook_whoever_dies(devstack_alone: Broker, tmp_path: Path) -> None:
    """A receiver that is away, then three auditors killed one after the other: every crossing of every tenant and every
    unpriced model comes, at least once, signed, always with the same id and the same body; nothing else comes."""
    kafka = KafkaSettings(bootstrap=devstack_alone.bootstrap)
    await prepare(kafka, [price()])
    await limit(kafka, 2_000)
    with receiver() as received:
        received.status = 503
        auditor = Auditor(
            devstack_alone, f"sqlite:///{tmp_path / 'ledger.sqlite3'}", tmp_path / "auditor.log",
            ROGGIA_AUDITOR_WEBHOOK__URL=received.url, ROGGIA_AUDITOR_WEBHOOK__SECRET=SECRET,
        )  # fmt: skip
        try:
            await asyncio.to_thread(auditor.start)
            await use(kafka, 0, 100)
            await eventually("it was tried", lambda: _true(bool(received.deliveries)), 60)
            await asyncio.to_thread(auditor.kill)
            received.status = 204
            for start in (100, 130):
                await asyncio.to_thread(auditor.start)
                await use(kafka, start, 30)
                before = len(received.deliveries)
                await eventually("more comes", lambda n=before: _true(len(received.deliveries) > n), 60)
                await asyncio.to_thread(auditor.kill)
            await asyncio.to_thread(auditor.start)
            await eventually("the topic has them", lambda: _as_many(kafka, len(WANTED)), 60)
            ids = {one.event_id for one in await alerted(kafka)}
            await eventually("so has the webhook", lambda: delivered(received, ids), 60)
            assert await asyncio.to_thread(auditor.stop) == 0
        finally:
            auditor.kill()
        assert {one.id for one in received.deliveries} == ids
        assert all(one.signed() for one in received.deliveries)
        assert len({(one.id, one.body) for one in received.deliveries}) == len(ids)
    assert {(one.tenant_id, one.percent, one.model) for one in await alerted(kafka)} == WANTED


async def _as_many(kafka: KafkaSettings, count: int) -> bool:
    return len({one.event_id for one in await alerted(kafka)}) == count


async def _true(found: bool) -> bool:
    return found
