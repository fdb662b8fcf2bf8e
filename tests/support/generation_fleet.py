"""An operator service as a process, with an index service and hosts of generations that a test plays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import msgspec
from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition
from roggia_operator.generations.adapters.kafka_lag import embed_group, upsert_group
from roggia_operator.generations.adapters.query_metrics import REQUESTS
from roggia_operator.generations.client import GenerationClient
from roggia_operator.generations.table import Pair
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.findings import VERIFY_PATH, Summary, VerifyRequest, line
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import GenerationState

from tests.support.fleet import apply_topics
from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker
from tests.support.loops import settings
from tests.support.processes import free_port
from tests.support.replaying import Operator, codec, produce

WAIT_S = 120.0


class PlayedIndex:
    """Answers as the query role does. `wrong` holds generations that differ from the log; aliases follow `serves`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.wrong: set[int] = set()
        self.models = {1: "model@1", 2: "model@2", 3: "model@3"}
        self.serves = 1
        self.outcomes: dict[tuple[int, str], int] = {}
        self.compared: list[int] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post(VERIFY_PATH, self._verify)
        app.router.add_get("/v1/collections", self._collections)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _verify(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=VerifyRequest)
        self.compared.append(asked.generation)
        findings = {"missing": 1} if asked.generation in self.wrong else {}
        summary = Summary(
            documents=2, chunks=2, points=4, findings=findings, suspects=0, pending=0, unreadable=0, seconds=0.0,
            generation=asked.generation,
        )  # fmt: skip
        return web.Response(body=line(summary))

    async def _collections(self, request: web.Request) -> web.Response:
        rows = [
            {"name": f"kb_acme_handbook__g{number}", "alias": "kb_acme_handbook" if number == self.serves else "",
             "generation": number, "model": model, "dimension": 8, "points": 4}
            for number, model in self.models.items()
        ]  # fmt: skip
        return web.json_response({"collections": rows})

    async def _metrics(self, request: web.Request) -> web.Response:
        samples = [
            f'{REQUESTS}{{generation="{number}",outcome="{outcome}"}} {count}'
            for (number, outcome), count in self.outcomes.items()
        ]
        return web.Response(text="\n".join([f"# TYPE {REQUESTS.removesuffix('_total')} counter", *samples, ""]))


class GenerationFleet:
    """One operator, and the test in the place of everybody else."""

    def __init__(self, broker: Broker, index: PlayedIndex, data: Path, environment: Mapping[str, str]) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.broker, self.index, self.reports = broker, index, data / "reports"
        self.reports.mkdir()
        self.kafka: KafkaSettings = settings(broker.bootstrap)
        self.console = free_port()
        self.operator = Operator(
            broker, data / "operator.log",
            ROGGIA_OPERATOR_CONSOLE_INDEX_URL=index.url,
            ROGGIA_OPERATOR_CONSOLE_PORT=str(self.console),
            ROGGIA_OPERATOR_GENERATIONS_REPORTS=str(self.reports),
            ROGGIA_OPERATOR_GENERATIONS_METRICS_URLS=index.url,
            ROGGIA_OPERATOR_GENERATIONS_GRACE_S="0",
            ROGGIA_OPERATOR_GENERATIONS_AGAIN_S="0.3",
            ROGGIA_OPERATOR_GENERATIONS_TICK_S="0.2",
            **environment,
        )  # fmt: skip

    def report(self, name: str, generation: int, verdict: str = "pass") -> str:
        """A report of the gate in the folder; its id."""
        made = {"verdict": verdict, "reason": "as played", "generation": generation}
        (self.reports / f"{name}.json").write_bytes(msgspec.json.encode(made))
        return name

    async def corpus(self) -> None:
        """A few records on the corpus, which nobody here reads."""
        outputs = [Output(topics.doc_chunked(1), f"acme/{name}".encode(), None) for name in "abcdef"]
        await produce(self.kafka, outputs)

    async def read_all(self, generation: int) -> None:
        """The hosts of a generation have read everything that there is."""
        await self._commit(embed_group(generation), topics.doc_chunked(1))
        await self._commit(upsert_group(generation), topics.doc_embedded(generation))

    async def until(self, client: GenerationClient, number: int, seen: Callable[[Pair], bool]) -> Pair:
        """A generation once it is as wanted. Fails with how it is at the deadline."""
        deadline = time.monotonic() + WAIT_S
        while True:
            pair = (await client.table()).get(number)
            if pair is not None and seen(pair):
                return pair
            assert time.monotonic() < deadline, f"g{number}: {pair and pair.state}"
            await asyncio.sleep(0.05)

    async def state(self, client: GenerationClient, number: int, wanted: GenerationState) -> Pair:
        """A generation once it is in a state."""
        return await self.until(client, number, lambda pair: pair.status is wanted)

    async def _commit(self, group: str, topic: str) -> None:
        ends = await TopicAdmin(self.kafka).end_offsets(topic)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            tps = [TopicPartition(topic, number) for number in ends]
            consumer.assign(tps)
            await consumer.commit({tp: ends[tp.partition] for tp in tps})
        finally:
            await consumer.stop()


@asynccontextmanager
async def generations(data: Path, **environment: str) -> AsyncIterator[tuple[GenerationFleet, GenerationClient]]:
    """A broker, its topics, an operator with these settings besides, a client."""
    broker = devstack_broker(data / "broker", **DEVSTACK_ENV)
    await asyncio.to_thread(broker.start)
    async with PlayedIndex() as index:
        fleet = GenerationFleet(broker, index, data, environment)
        await apply_topics(fleet.kafka)
        await asyncio.to_thread(fleet.operator.start)
        try:
            async with GenerationClient(fleet.kafka, codec()) as client:
                yield fleet, client
        finally:
            fleet.operator.kill()
            broker.kill()
