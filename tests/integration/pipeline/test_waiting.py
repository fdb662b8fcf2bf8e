"""What a stage needs is not there: it says so where operators look, waits, loses nothing, and goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from roggia_embedder import app as embedder
from roggia_embedder.settings import EmbedderOptions, EmbedderSettings
from roggia_ingest import app as ingest
from roggia_ingest.settings import IngestOptions, IngestSettings
from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output
from roggia_runtime.service import Service
from roggia_runtime.settings import HttpSettings, KafkaSettings, RegistrySettings
from roggia_schemas import topics

from tests.support import clients
from tests.support.fleet import apply_topics
from tests.support.ingesting import change
from tests.support.kafka import Broker
from tests.support.storm import store_faults
from tests.support.storm.disk import SmallDisk
from tests.support.storm.store_faults import FaultyStore

CODEC = EventCodec(RegistrySettings(), source="/test")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk of this test alone."""
    made = SmallDisk(tmp_path / "disk", mib=8)
    if not made.small:
        pytest.skip("this user may not mount a tmpfs")
    yield made
    made.close()


def kafka_of(broker: Broker) -> KafkaSettings:
    """Quick to try again."""
    return KafkaSettings(bootstrap=broker.bootstrap, retry_max_s=0.5)


def ingesting(broker: Broker, catalogue: Path) -> Service:
    """Ingest with its catalogue there."""
    options = IngestOptions(catalogue=SecretStr(f"sqlite:///{catalogue}"), expiry_interval_s=600)
    return ingest.build(IngestSettings(kafka=kafka_of(broker), http=HttpSettings(port=0), ingest=options))


def embedding(broker: Broker, cache: Path) -> Service:
    """Embed with its vector cache there."""
    options = EmbedderOptions(model="stub", cache=cache, dimension=64)
    settings = EmbedderSettings(kafka=kafka_of(broker), http=HttpSettings(port=0), embedder=options)
    return embedder.build(settings, ["embed"], "embed")


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """The service, once it is ready; it must end cleanly."""
    run = asyncio.create_task(service.run())
    await clients.eventually("ready", lambda: _is(lambda: not service.health()))
    try:
        yield
    finally:
        service.stop()
        await run


async def _is(true: Callable[[], bool]) -> bool:
    return true()


async def says(service: Service, word: str) -> None:
    """Wait until the service's health has this word."""
    await clients.eventually(word, lambda: _is(lambda: any(word in problem for problem in service.health())))


async def arrives(broker: Broker, topic: str, records: int) -> None:
    """Wait until a topic holds so many committed records."""

    async def there() -> bool:
        return len(await clients.read_all(broker.bootstrap, topic)) == records

    await clients.eventually(f"{records} records in {topic}", there)


async def publish(broker: Broker, *outputs: Output) -> None:
    """Produce."""
    producer = Producer(kafka_of(broker))
    await producer.start()
    await producer.send_all(outputs)
    await producer.stop()


def changed(doc_id: str, words: int = 3) -> Output:
    """A document of so many words."""
    text = " ".join(f"word{number}" for number in range(words)).encode()
    return CODEC.output(topics.DOC_CHANGED, change(doc_id, 1, content=text))


async def test_ingest_waits_while_its_disk_is_full(devstack_alone: Broker, disk: SmallDisk) -> None:
    """The catalogue cannot grow: health says so, nothing is committed, and with room again every document arrives."""
    await apply_topics(kafka_of(devstack_alone))
    service = ingesting(devstack_alone, disk.folder / "catalogue.sqlite3")
    async with running(service):
        _cut_log(disk.folder / "catalogue.sqlite3")
        disk.fill()
        await publish(devstack_alone, *(changed(f"d{number}") for number in range(20)))
        await says(service, "full")
        assert await clients.read_all(devstack_alone.bootstrap, topics.doc_chunked(1)) == []
        disk.empty()
        await arrives(devstack_alone, topics.doc_chunked(1), 20)
        assert service.health() == []


async def test_ingest_waits_while_another_process_holds_its_catalogue(devstack_alone: Broker, tmp_path: Path) -> None:
    """The write lock is elsewhere for longer than SQLite waits: health names it; afterwards the document arrives."""
    await apply_topics(kafka_of(devstack_alone))
    path = tmp_path / "catalogue.sqlite3"
    service = ingesting(devstack_alone, path)
    async with running(service):
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        await publish(devstack_alone, changed("a"))
        await says(service, "locked")
        holder.execute("ROLLBACK")
        await arrives(devstack_alone, topics.doc_chunked(1), 1)
        holder.close()


async def test_embed_waits_while_its_disk_is_full(devstack_alone: Broker, disk: SmallDisk) -> None:
    """The vector cache cannot grow: health says so; with room again the vectors are computed and sent."""
    await apply_topics(kafka_of(devstack_alone))
    source = ingesting(devstack_alone, disk.folder.parent / "catalogue.sqlite3")
    service = embedding(devstack_alone, disk.folder / "vectors.sqlite3")
    async with running(source), running(service):
        await publish(devstack_alone, changed("first"))
        await arrives(devstack_alone, topics.doc_embedded(1), 1)
        _cut_log(disk.folder / "vectors.sqlite3")
        disk.fill()
        await publish(devstack_alone, changed("second", 3_000))
        await says(service, "full")
        disk.empty()
        await arrives(devstack_alone, topics.doc_embedded(1), 2)


async def test_the_index_waits_while_its_store_is_down(
    devstack_alone: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store refuses: health says so; once it answers, the document is announced."""
    await apply_topics(kafka_of(devstack_alone))
    told, real = tmp_path / "faults.json", embedder.store_of

    def faulty(options: EmbedderOptions) -> object:
        store, catalogue = real(options)
        return FaultyStore(store, told), catalogue

    monkeypatch.setattr(embedder, "store_of", faulty)
    options = EmbedderOptions(model="stub", store=str(tmp_path / "index"), dimension=64)
    settings = EmbedderSettings(kafka=kafka_of(devstack_alone), http=HttpSettings(port=0), embedder=options)
    service = embedder.build(settings, ["upsert"], "index")
    source = ingesting(devstack_alone, tmp_path / "catalogue.sqlite3")
    async with running(source), running(embedding(devstack_alone, tmp_path / "v.sqlite3")), running(service):
        store_faults.tell(told, store_faults.DOWN, 1)
        await publish(devstack_alone, changed("a"))
        await says(service, "store is down")
        told.unlink()
        await arrives(devstack_alone, topics.DOC_UPSERTED, 1)


def _cut_log(path: Path) -> None:
    """Empty SQLite's write-ahead log, so that the next write needs room."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
