"""The whole pipeline inside one test process: ingest, embed and index as their own apps build them, on one broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
from roggia_embedder import app as embedder
from roggia_embedder.query import api
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.settings import EmbedderOptions, EmbedderSettings
from roggia_ingest import app as ingest
from roggia_ingest.settings import IngestOptions, IngestSettings
from roggia_runtime import findings
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.offsets import Offsets
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import RangeReader
from roggia_runtime.records import Partition
from roggia_runtime.service import Service
from roggia_runtime.settings import HttpSettings, KafkaSettings, RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, DocUpserted, Operation, RetrievalServed
from roggia_schemas.wiretypes import Event

from tests.support.fleet import GROUPS, apply_topics, behind, with_lanes
from tests.support.processes import free_port

TENANT = "acme"
_E = TypeVar("_E", bound=Event)


class Pipeline:
    """Publishes changes, waits for what comes out, and searches over HTTP."""

    def __init__(
        self,
        kafka: KafkaSettings,
        client: aiohttp.ClientSession,
        address: str = "",
        services: Sequence[Service] = (),
    ) -> None:
        self._services = services
        self._kafka = kafka
        self.address = address
        self.bootstrap = kafka.bootstrap
        self._client = client
        self._codec = EventCodec(RegistrySettings(), source="/test")
        self._producer = Producer(kafka)
        self._admin = TopicAdmin(kafka)
        self._number = 0

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()
        await self._admin.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._admin.stop()
        await self._producer.stop()

    async def publish(self, doc_id: str, revision: int, text: str | None, **changes: Any) -> DocChanged:
        """One change of a document; no text deletes it."""
        self._number += 1
        facts: dict[str, Any] = {
            "event_id": f"018bcfe5-0000-7000-8000-{self._number:012x}",
            "occurred_at": int(time.time() * 1000),
            "tenant_id": TENANT,
            "domain": "docs",
            "doc_id": doc_id,
            "revision": revision,
            "operation": Operation.DELETE if text is None else Operation.UPSERT,
        }
        if text is not None:
            facts |= {"content_type": "text/markdown", "content": text.encode(), "acl": ("*",), "language": "en"}
        event = DocChanged(**facts | changes)
        await self.again(event)
        return event

    async def again(self, event: DocChanged) -> None:
        """Publish an event as it is, for instance an old one."""
        await self.send(topics.DOC_CHANGED, event)

    async def send(self, topic: str, event: Event) -> None:
        """Any event to its topic."""
        await self._producer.send(self._codec.output(topic, event))

    def health(self) -> list[str]:
        """What is not ready."""
        return [problem for service in self._services for problem in service.health()]

    def notes(self) -> list[str]:
        """What is wrong although everything is ready."""
        return [note for service in self._services for note in service.notes()]

    async def total(self, topic: str) -> int:
        """End offsets of a topic, summed."""
        return sum((await self._admin.end_offsets(topic)).values())

    async def create(self, *names: str) -> None:
        """Further topics of the catalogue, with their lanes and dead letters."""
        await self._admin.apply(with_lanes(*names))

    async def settle(self, timeout_s: float = 60, groups: Mapping[str, str] = GROUPS) -> None:
        """Until every stage has consumed its topic, twice in a row."""
        quiet = 0
        async with asyncio.timeout(timeout_s), Offsets(self._kafka) as offsets:
            while quiet < 2:
                lags = [await behind(offsets, group, topic) for group, topic in groups.items()]
                quiet = 0 if any(lags) else quiet + 1
                await asyncio.sleep(0.1)

    async def upserted(self) -> list[DocUpserted]:
        """Every doc.upserted so far, oldest first."""
        return sorted(await self._all(DocUpserted, topics.DOC_UPSERTED), key=lambda event: event.indexed_at)

    async def served(self) -> AsyncGenerator[RetrievalServed]:
        """Every retrieval.served from the first on, without end."""
        parts = await self._admin.end_offsets(topics.RETRIEVAL_SERVED)
        starts = {Partition(topics.RETRIEVAL_SERVED, number): 0 for number in parts}
        async with aclosing(self._admin.follow(starts)) as records:
            async for record in records:
                yield await self._codec.decode(RetrievalServed, record)

    async def dead(self) -> int:
        """Dead letters of all stages. Counted one by one: markers of transactions take offsets as well."""
        names = [topics.dlq(name) for topic in GROUPS.values() for name in (topic, topics.replay(topic))]
        async with RangeReader(self._kafka) as reader:
            held = [Partition(name, number) for name in names for number in await self._admin.end_offsets(name)]
            return sum([len(piece.records) async for piece in reader.read(await reader.spans(held))])

    async def search(self, query: str, domain: str = "docs", **changes: Any) -> list[api.Passage]:
        """What the query role finds; nothing where no index is served."""
        request = api.SearchRequest(tenant=TENANT, domain=domain, query=query, **changes)
        async with self._client.post(api.SEARCH_PATH, data=api.encode(request)) as response:
            body = await response.read()
            if response.status == 404:
                return []
            assert response.status == 200, body
            return list(api.decode(body, api.SearchResponse).results)

    async def answer(self, query: str, domain: str = "docs", **changes: Any) -> api.SearchResponse | api.ErrorDetail:
        """The whole answer, or why there is none."""
        request = api.SearchRequest(tenant=TENANT, domain=domain, query=query, **changes)
        async with self._client.post(api.SEARCH_PATH, data=api.encode(request)) as response:
            body = await response.read()
            if response.status != 200:
                return api.decode(body, api.ErrorResponse).error
            return api.decode(body, api.SearchResponse)

    async def collections(self) -> dict[str, api.Collection]:
        """Every collection by its name."""
        async with self._client.get(api.COLLECTIONS_PATH) as response:
            found = api.decode(await response.read(), api.CollectionsResponse)
        return {one.name: one for one in found.collections}

    async def verify(self, generation: int) -> findings.Summary:
        """How one generation compares with the log. Fails when the run does."""
        body = msgspec.json.encode(findings.VerifyRequest(generation=generation))
        async with self._client.post(findings.VERIFY_PATH, data=body) as response:
            lines = [findings.message(text) for text in (await response.read()).splitlines()]
        assert isinstance(lines[-1], findings.Summary), lines[-1]
        return lines[-1]

    async def ask(self, question: str) -> api.AskResponse:
        """The answer."""
        request = api.SearchRequest(tenant=TENANT, domain="docs", query=question)
        async with self._client.post(api.ASK_PATH, data=api.encode(request)) as response:
            return api.decode(await response.read(), api.AskResponse)

    async def _all(self, cls: type[_E], topic: str) -> list[_E]:
        ends = await self._admin.end_offsets(topic)
        records = [record for number in ends async for record in self._admin.read(topic, number, 0)]
        return [await self._codec.decode(cls, record) for record in records]


@asynccontextmanager
async def running(bootstrap: str, data: Path, **options: Any) -> AsyncIterator[Pipeline]:
    """All services over `data`, started, and stopped at the end. Fails when one of them failed. `options` are the
    embedder's."""
    kafka = KafkaSettings(bootstrap=bootstrap, session_timeout_ms=10_000)
    await apply_topics(kafka)
    async with running_as(lambda _role: kafka, data, **options) as pipeline:
        yield pipeline


@asynccontextmanager
async def running_as(settings: Callable[[str], KafkaSettings], data: Path, **options: Any) -> AsyncIterator[Pipeline]:
    """The same with settings of their own for ingest, embed, index and operators (the test itself); topics exist."""
    port, kafka = free_port(), settings("operators")
    services = _services(settings, data, port, options)
    tasks = [asyncio.create_task(service.run()) for service in services]
    try:
        await _ready(services, tasks)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            pipeline = Pipeline(kafka, client, f"http://127.0.0.1:{port}", services)
            await pipeline.start()
            try:
                yield pipeline
            finally:
                await pipeline.stop()
    finally:
        for service in services:
            service.stop()
        await asyncio.gather(*tasks)


def _services(
    kafka: Callable[[str], KafkaSettings], data: Path, port: int, changes: Mapping[str, Any]
) -> list[Service]:
    http = HttpSettings(port=0)
    paths = {"cache": data / "vectors.sqlite3", "store": str(data / "index"), "query_port": port}
    options = EmbedderOptions(**{"model": "stub", "dimension": 64, **paths, **changes})
    told = IngestOptions(catalogue=f"sqlite:///{data / 'catalogue.sqlite3'}", inline_bytes=1 << 20)
    more = {"http": http, "embedder": options, "query": QuerySettings(threshold=0.2)}
    return [
        ingest.build(IngestSettings(kafka=kafka("ingest"), http=http, ingest=told)),
        embedder.build(EmbedderSettings(kafka=kafka("embed"), **more), ["embed"], "embed"),
        embedder.build(EmbedderSettings(kafka=kafka("index"), **more), ["upsert", "query"], "index"),
    ]


async def _ready(services: Sequence[Service], tasks: Sequence[asyncio.Task[None]], timeout_s: float = 60) -> None:
    async with asyncio.timeout(timeout_s):
        while any(service.health() for service in services):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)
