"""Checkpoints on Kafka, and a whole auditor that anchors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_auditor.adapters.anchors.kafka import KafkaAnchor
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.heads.anchoring import Anchoring
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.tlog import note
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import AuditCheckpoint

from tests.support.anchoring import HEAD, KEY, ORIGIN, WITNESS, WitnessProcess, grow
from tests.support.auditor_fleet import Auditor, prepare, price, traffic
from tests.support.kafka import Broker
from tests.support.replaying import codec, produce, records


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """Three records of two tenants."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    await grow(made)
    yield made
    await made.stop()


async def published(kafka: KafkaSettings) -> list[AuditCheckpoint]:
    """What the topic holds."""
    found = await records(kafka, topics.AUDIT_CHECKPOINT)
    assert {one.key for one in found} <= {HEAD.encode()}
    return [Codec().decode(AuditCheckpoint, one.value or b"") for one in found]


async def test_a_checkpoint_is_on_the_topic_byte_for_byte(kafka: Broker, ledger: SqliteLedger) -> None:
    """Whoever reads the topic verifies the note with the public key alone; a topic that is missing is said, and once it
    is there the newest checkpoint is on it."""
    settings = KafkaSettings(bootstrap=kafka.bootstrap)
    async with TopicAdmin(settings) as admin:
        await admin.apply([topics.spec(topics.AUDIT_CHECKPOINT)])
    before = len(await published(settings))
    anchors = Anchoring(ledger, HEAD, {}, {"topic": KafkaAnchor(settings, codec(), lambda: 7)})
    for _ in range(2):
        await grow(ledger)
        sealed = await Sealer(ledger, ORIGIN, KEY).seal()
        await anchors.catch_up()
        await anchors.catch_up()
    assert anchors.notes() == []
    await anchors.close()
    found = (await published(settings))[before:]
    assert [(one.log, one.size, one.occurred_at) for one in found] == [(HEAD, 1, 7), (HEAD, 2, 7)]
    assert found[-1].note == str(sealed.checkpoint)
    note.parse(found[-1].note).verified([KEY.verifier()])


async def test_an_auditor_anchors_what_it_seals(devstack_alone: Broker, tmp_path: Path) -> None:
    """The service with a key, a topic, a folder and a witness: what it signs is at all three, and a witness that comes
    late is told of in its health and caught up with."""
    kafka = KafkaSettings(bootstrap=devstack_alone.bootstrap)
    await prepare(kafka, [price()])
    (tmp_path / "head.key").write_text(KEY.text())
    witness = WitnessProcess(tmp_path / "witness", KEY)
    auditor = Auditor(
        devstack_alone,
        f"sqlite:///{tmp_path / 'auditor.sqlite3'}",
        tmp_path / "auditor.log",
        ROGGIA_AUDITOR_ORIGIN=ORIGIN,
        ROGGIA_AUDITOR_SIGNING_KEY=str(tmp_path / "head.key"),
        ROGGIA_AUDITOR_SEAL_INTERVAL_S="0.2",
        ROGGIA_AUDITOR_ANCHOR__FOLDER=str(tmp_path / "anchors"),
        ROGGIA_AUDITOR_ANCHOR__WITNESSES=f"{WITNESS.verifier()} {witness.url}",
    )
    auditor.start()
    try:
        await produce(kafka, traffic(1, 40, int(time.time() * 1000)))
        while not (found := await published(kafka)):
            await asyncio.sleep(0.1)
        witness.start()
        while not any(WITNESS.name in one.note for one in found):
            await produce(kafka, traffic(len(found) + 1, 2, int(time.time() * 1000)))
            await asyncio.sleep(0.2)
            found = await published(kafka)
    finally:
        assert auditor.stop() == 0
        witness.stop()
    newest = note.parse(next(one.note for one in found if WITNESS.name in one.note))
    assert newest.verified([KEY.verifier(), WITNESS.verifier()]) == (KEY.verifier(), WITNESS.verifier())
    assert "not_anchored" in (tmp_path / "auditor.log").read_text()
    assert list((tmp_path / "anchors").rglob("*.checkpoint"))
