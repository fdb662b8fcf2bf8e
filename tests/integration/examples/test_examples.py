"""The example programs publish and consume as the guides say, against the real services."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.partitioner import murmur2
from roggia.inspect import schemas
from roggia_runtime.settings import RegistrySettings, load
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocChanged, Operation

from tests.support.fleet import Fleet, apply_topics
from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker
from tests.support.registry import Registry
from tests.support.toolchains import LANGUAGES, Program

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
TEXT = "# Expenses\n\nKeep the receipts, and hand them in within thirty days.\n"


@dataclass(frozen=True, slots=True)
class Stack:
    """A broker, a registry and the services of the pipeline."""

    broker: Broker
    registry: str
    fleet: Fleet


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One for all languages: documents differ by name."""
    data = tmp_path_factory.mktemp("examples")
    broker, registry = devstack_broker(data / "broker", **DEVSTACK_ENV), Registry(data / "registry")
    broker.start()
    registry.start()
    async with schemas.registry(load(RegistrySettings, url=registry.url)) as client:
        await schemas.register(client)
    fleet = Fleet(broker, data / "fleet", environment={"ROGGIA_REGISTRY_URL": registry.url})
    await apply_topics(fleet.kafka)
    for name in ("ingest", "embed", "index"):
        fleet.start(name)
    yield Stack(broker, registry.url, fleet)
    fleet.kill_all()
    registry.kill()
    broker.kill()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_document_is_published_followed_and_deleted(language: str, stack: Stack, tmp_path: Path) -> None:
    """Both programs do what the guide promises: right key, partition, headers and bytes; searchable, then gone."""
    program = LANGUAGES[language](tmp_path)
    tenant, doc_id, key = language, "travel/expenses ä.md", f"{language}/travel/expenses ä.md"
    _publish(program, stack, tmp_path, tenant, doc_id)
    record = next(r for r in await stack.fleet.records(topics.DOC_CHANGED) if r.key == key.encode())
    event = Codec().decode(DocChanged, _bundled(record.value))
    program.run(program.publish, stack.broker.bootstrap, stack.registry, tenant, "handbook", doc_id, "8", "--delete")
    await stack.fleet.settle(120)

    assert (event.tenant_id, event.domain, event.doc_id, event.revision) == (tenant, "handbook", doc_id, 7)
    assert (event.operation, event.content, event.acl) == (Operation.UPSERT, TEXT.encode(), ("staff",))
    assert record.partition == (murmur2(key.encode()) & 0x7FFFFFFF) % 6, "the partition where every other client looks"
    assert dict(record.headers)["ce_id"].decode() == event.event_id
    seen = _consume(program, stack, language)
    assert [(one["revision"], one["deleted"]) for one in seen if one["key"] == key] == [(7, False), (8, True)]
    assert all(one["replayed"] is False and one["event_id"] for one in seen)


def _publish(program: Program, stack: Stack, work: Path, tenant: str, doc_id: str) -> None:
    page = work / "page.md"
    page.write_text(TEXT)
    where = stack.broker.bootstrap, stack.registry
    program.run(program.publish, *where, tenant, "handbook", doc_id, "7", str(page))


def _consume(program: Program, stack: Stack, language: str) -> list[dict[str, object]]:
    """Everything on doc.upserted so far, by a group of its own."""
    _done.add(language)
    count = 2 * len(_done)
    where = stack.broker.bootstrap, stack.registry
    printed = program.run(program.consume, *where, f"example-{language}", str(count))
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


_done: set[str] = set()
"""Languages that have published: one that is skipped has not."""


def _bundled(value: bytes | None) -> bytes:
    """The same value under the id of the bundled schema."""
    assert value is not None
    return b"\x00" + bytes(Codec().encode(_PROBE))[1:5] + value[5:]


_PROBE = DocChanged(
    event_id="01941f29-7c00-7000-8000-000000000001", occurred_at=0, tenant_id="a", domain="b", doc_id="c", revision=0,
    operation=Operation.DELETE,
)  # fmt: skip
