"""Live first: freshness of live documents during a backfill, over freshness without one, in one run.

    python -m tests.bench.operator.bench_live_first [--documents 3000] [--latency 0.2] [--live-s 40]

Services are processes of their own on a devstack broker; the embedding model is a server that answers each batch after
a fixed latency. The vector cache is thrown away before the backfill, so that every replayed document is embedded again.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from aiohttp import web
from roggia_operator.jobs.client import JobClient
from roggia_operator.jobs.table import Job
from roggia_operator.replay.selection import OffsetRange, Selection
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.clock import now_ms
from roggia_schemas import topics
from roggia_schemas.events import DocUpserted, JobStatus

from tests.support.fleet import Fleet, apply_topics
from tests.support.kafka import DEVSTACK_ENV, devstack_broker
from tests.support.measures import report
from tests.support.processes import free_port
from tests.support.replaying import Operator, ask, codec, counts, document, produce

SERVICES = ("ingest", "embed", "index")
DIMENSION = 16
EVERY_S = 0.5
"""Between two live documents."""


class Model:
    """An embedding server whose every answer takes `latency_s` seconds."""

    def __init__(self) -> None:
        self.latency_s, self.port, self.batches, self.texts = 0.0, free_port(), 0, 0

    async def embed(self, request: web.Request) -> web.Response:
        """Answer `/v1/embeddings`: one direction for all, what it is worth is not measured."""
        texts = (await request.json())["input"]
        await asyncio.sleep(self.latency_s)
        self.batches, self.texts = self.batches + 1, self.texts + len(texts)
        data = [{"index": n, "embedding": [1.0] * DIMENSION} for n in range(len(texts))]
        return web.json_response({"data": data})

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Listen inside the block."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/v1/embeddings", self.embed)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()


class Bench:
    """Everything that runs."""

    def __init__(self, root: Path, model: Model) -> None:
        self.broker = devstack_broker(root / "broker", **DEVSTACK_ENV)
        environment = {
            "ROGGIA_EMBEDDER_MODEL_NAME": "stub",
            "ROGGIA_EMBEDDER_MODEL_REVISION": "1",
            "ROGGIA_EMBEDDER_DIMENSION": str(DIMENSION),
        }
        self.fleet = Fleet(self.broker, root / "data", f"http://127.0.0.1:{model.port}/v1", environment)
        self.operator = Operator(self.broker, root / "operator.log")
        self.cache = root / "data"

    async def start(self) -> None:
        """Start everything."""
        self.broker.start()
        await apply_topics(self.fleet.kafka)
        for name in SERVICES:
            await asyncio.to_thread(self.fleet.start, name)
        await asyncio.to_thread(self.operator.start)

    async def forget(self) -> None:
        """Throw the vector cache away: the embed service starts with an empty one."""
        await asyncio.to_thread(self.fleet.stop, "embed")
        for file in self.cache.glob("vectors.sqlite3*"):
            file.unlink()
        await asyncio.to_thread(self.fleet.start, "embed")

    def stop(self) -> None:
        """End everything."""
        self.operator.kill()
        self.fleet.kill_all()
        self.broker.kill()

    async def live(self, prefix: str, enough: asyncio.Event, least_s: float) -> list[float]:
        """Publish for `least_s` seconds and until `enough`; seconds from each document to searchable."""
        began, made, number = time.monotonic(), codec(), 0
        while time.monotonic() - began < least_s or not enough.is_set():
            event = document(f"{prefix}-{number}", tenant="live", text=f"live {prefix} {number}")
            event = type(event)(**{**_fields(event), "occurred_at": now_ms()})
            await produce(self.fleet.kafka, [made.output(topics.DOC_CHANGED, event)])
            number += 1
            await asyncio.sleep(EVERY_S)
        return await self._waits(prefix, number)

    async def _waits(self, prefix: str, number: int) -> list[float]:
        made = codec()
        for _ in range(600):
            records = await self.fleet.records(topics.DOC_UPSERTED)
            wanted = [r for r in records if (r.key or b"").startswith(f"live/{prefix}-".encode())]
            if len({r.key for r in wanted}) >= number:
                events = [await made.decode(DocUpserted, record) for record in wanted]
                return [(event.indexed_at - event.occurred_at) / 1000 for event in events]
            await asyncio.sleep(0.4)
        raise RuntimeError("live documents did not become searchable")


def _fields(event: object) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}  # type: ignore[attr-defined]


def p95(values: Sequence[float]) -> float:
    """95th percentile."""
    return sorted(values)[min(len(values) - 1, len(values) * 95 // 100)]


async def fill(bench: Bench, documents: int) -> Selection:
    """Index the documents that are replayed later; the selection that names exactly them."""
    made = codec()
    for start in range(0, documents, 1000):
        batch = range(start, min(start + 1000, documents))
        events = [document(f"d{n}", text=f"document number {n} says {n * 7919}") for n in batch]
        await produce(bench.fleet.kafka, [made.output(topics.DOC_CHANGED, event) for event in events])
    await bench.fleet.reach(topics.DOC_UPSERTED, documents)
    ends = await TopicAdmin(bench.fleet.kafka).end_offsets(topics.DOC_CHANGED)
    return Selection(topic=topics.DOC_CHANGED, offsets=tuple(OffsetRange(n, 0, end) for n, end in ends.items() if end))


async def replayed(bench: Bench, client: JobClient, selection: Selection, over: asyncio.Event) -> Job:
    """Run the backfill to its end, downstream included.

    It is followed: to read the whole topic of jobs again and again would hold up the model, which this process serves.
    """
    job = Job("")
    async with aclosing(client.follow(await ask(client, selection), 1.0)) as looks:
        async for job in looks:  # noqa: B007 - the last one is what it came to
            pass
    over.set()
    return job


async def measure(documents: int, latency_s: float, live_s: float) -> None:
    """Fill, measure without a backfill, measure with one."""
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), model)
        try:
            async with model.served(), JobClient(bench.fleet.kafka, codec()) as client:
                await bench.start()
                selection = await fill(bench, documents)
                await bench.forget()
                model.latency_s = latency_s
                over = asyncio.Event()
                over.set()
                await bench.live("warm", over, 5)
                without = p95(await bench.live("alone", over, live_s))
                over.clear()
                model.batches = model.texts = 0
                began = time.monotonic()
                job, waits = await asyncio.gather(
                    replayed(bench, client, selection, over), bench.live("beside", over, live_s)
                )
                await bench.fleet.settle(600)
                show(documents, latency_s, without, p95(waits), job, time.monotonic() - began, model)
        finally:
            bench.stop()


def show(
    documents: int, latency_s: float, without: float, beside: float, job: Job, seconds: float, model: Model
) -> None:
    """The measurements."""
    note = (
        f"{documents:,} documents, {latency_s:g} s per embedding batch, {seconds:.0f} s, {model.texts:,} texts embedded"
    )
    report("live p95 without a backfill", without, "s")
    report("live p95 during the backfill", beside, "s", note=note)
    report(
        "live p95: what the backfill adds, in embedding batches", (beside - without) / latency_s, at_most=1, note=note
    )
    ended = job.status is JobStatus.DONE and counts(job)["sent"] == documents
    report("the backfill ended, all of it sent", float(ended), at_least=1)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--live-s", type=float, default=40)
    asked = parser.parse_args()
    asyncio.run(measure(asked.documents, asked.latency, asked.live_s))


if __name__ == "__main__":
    main()
