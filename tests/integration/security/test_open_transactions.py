"""Ingest asks a Kafka that trusts nobody what hangs open of its own, and is answered with the rights of its role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from roggia.access import roles
from roggia.access.plan import AclPlan, apply_acls
from roggia_ingest import app as ingest
from roggia_ingest.settings import IngestOptions, IngestSettings
from roggia_runtime import clients
from roggia_runtime.acls import Acl, AclAdmin, Operation, Resource
from roggia_runtime.open_transactions import Told, still_open
from roggia_runtime.service import Service
from roggia_runtime.settings import HttpSettings
from roggia_schemas import topics
from structlog.testing import capture_logs

from tests.support.fleet import apply_topics
from tests.support.loops import QUICK
from tests.support.secured import ADMIN, Secured

WHO = "User:roggia-ingest"
WRITTEN = (
    topics.doc_chunked(1),
    topics.replay(topics.doc_chunked(1)),
    topics.dlq(topics.DOC_CHANGED),
    topics.dlq(topics.replay(topics.DOC_CHANGED)),
)
"""Where ingest may leave a transaction open: its output, live and lane, and the dead letters of both."""
ASKS = tuple(Acl(WHO, Resource.TOPIC, name, Operation.READ) for name in WRITTEN)


@pytest.fixture
async def granted(secured_kafka: Secured) -> AclAdmin:
    """All topics, and exactly the rights of ingest."""
    admin = secured_kafka.scram(ADMIN)
    await apply_topics(admin)
    acls = AclAdmin(admin)
    found = {acl for acl in await acls.list() if acl.principal == WHO}
    wanted = roles.acls(roles.INGEST, WHO, topics.catalogue())
    await apply_acls(acls, AclPlan(tuple(wanted - found), tuple(found - wanted)), {WHO})
    return acls


async def test_the_role_is_answered_where_a_transaction_of_its_own_is_open(
    granted: AclAdmin, secured_kafka: Secured
) -> None:
    """In its output, live and lane, and both dead-letter topics: Kafka names the open transaction, denies nothing."""
    settings = secured_kafka.scram("roggia-ingest", **QUICK)
    owner = AIOKafkaProducer(**clients.transactional_producer(settings, "roggia.ingest-asks"))
    await owner.start()
    try:
        partitions = frozenset(TopicPartition(name, 0) for name in WRITTEN)
        await owner.begin_transaction()
        for tp in partitions:
            await owner.send_and_wait(tp.topic, b"{}", key=b"acme/open.md", partition=tp.partition)
        told = await still_open(owner, partitions)
        await owner.abort_transaction()
    finally:
        await owner.stop()
    assert told == Told(partitions, frozenset())


async def test_ingest_asks_everywhere_with_the_rights_of_its_role(
    granted: AclAdmin, secured_kafka: Secured, tmp_path: Path
) -> None:
    """The service as its app builds it, lane included, has nothing to complain of."""
    async with _ingest(secured_kafka, tmp_path) as service:
        assert service.notes() == []


async def test_without_read_ingest_works_and_says_where_it_cannot_look(
    granted: AclAdmin, secured_kafka: Secured, tmp_path: Path
) -> None:
    """One warning and one note: who may not read which topics, what it costs, and the command that grants it."""
    await apply_acls(granted, AclPlan((), ASKS), {WHO})
    with capture_logs() as logs:
        async with _ingest(secured_kafka, tmp_path) as service:
            notes = service.notes()
    warned = [entry for entry in logs if entry["event"] == "open_transactions_unknown"]
    assert [(entry["topics"], entry["log_level"]) for entry in warned] == [(sorted(WRITTEN), "warning")]
    assert notes == [f"ingest: {warned[0]['error']}"]
    who = f"does not let {WHO} read {', '.join(sorted(WRITTEN))}, so it cannot see"
    assert all(said in notes[0] for said in (who, "`roggia topics apply` grants them")), notes


@asynccontextmanager
async def _ingest(secured: Secured, data: Path) -> AsyncIterator[Service]:
    """Ingest with the rights of its principal, while it is ready. Fails when it failed."""
    service = ingest.build(
        IngestSettings(
            kafka=secured.scram("roggia-ingest", **QUICK),
            http=HttpSettings(port=0),
            ingest=IngestOptions(catalogue=f"sqlite:///{data / 'catalogue.sqlite3'}", inline_bytes=1 << 20),
        )
    )
    running = asyncio.create_task(service.run())
    try:
        async with asyncio.timeout(60):
            while service.health() and not running.done():
                await asyncio.sleep(0.05)
        yield service
    finally:
        service.stop()
        await running
