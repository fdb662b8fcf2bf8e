"""The pipeline as a whole, on devstack: documents to searchable against raw encoding, CPU per chunk, replay, memory.

usage: python -m tests.bench.pipeline.bench_pipeline [real|engine|memory]…     all three when none is named

Each service is a process of its own, as in production; CPU times and peak memory are what the kernel accounts for it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from roggia.demo.corpus import gather
from roggia_embedder.settings import DEFAULT_MODEL
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, DocChunked, Operation

from tests.bench.pipeline.raw import encode_seconds
from tests.support.fleet import Fleet, apply_topics, until
from tests.support.kafka import devstack_broker
from tests.support.measures import report
from tests.support.workload import workload

SERVICES = ("ingest", "embed", "index")
_REAL_CHARS = 350_000
_ENGINE_CHARS = 1_500_000
_SMALL_DOCUMENTS = 2_000
_PREPARING = "roggia_ingest_prepare_cpu_seconds_total"
_WARM_UP = 100
"""Documents before the clock starts: models are loaded and collections made by then, as in a service that runs."""
_MEMORY_DOCUMENTS = 10_000


@dataclass(frozen=True)
class Indexed:
    """What one run took: wall and CPU seconds by service, and the chunk sets that came of it."""

    wall_s: float
    cpu_s: dict[str, float]
    sets: list[DocChunked]

    @property
    def chunks(self) -> int:
        """Chunks indexed."""
        return sum(len(one.chunks) for one in self.sets)


class Bench:
    """A fleet on a devstack broker of its own, ready before anything is timed."""

    def __init__(self, root: Path, model: str) -> None:
        self.broker = devstack_broker(root / "broker")
        self.fleet = Fleet(self.broker, root / "data", model=model)
        self.codec = EventCodec(RegistrySettings(), source="/bench")

    async def start(self) -> None:
        """Start everything and wait until it is ready."""
        self.broker.start()
        await apply_topics(self.fleet.kafka)
        for name in SERVICES:
            self.fleet.start(name)
        await until(lambda: all(self._ready(name) for name in SERVICES), 0.2)

    def stop(self) -> None:
        """End what was started."""
        self.fleet.kill_all()
        self.broker.kill()

    async def index(self, events: Sequence[DocChanged]) -> Indexed:
        """Publish and wait until every document is searchable."""
        before = await self.fleet.total(topics.DOC_UPSERTED)
        known = {event.event_id for event in await self.chunk_sets()}
        outputs, cpu = [self.codec.output(topics.DOC_CHANGED, event) for event in events], self._cpu()
        started = time.perf_counter()
        await self.fleet.produce(outputs)
        await self.fleet.reach(topics.DOC_UPSERTED, before + len(events))
        wall, after = time.perf_counter() - started, self._cpu()
        made = [event for event in await self.chunk_sets() if event.event_id not in known]
        return Indexed(wall, {name: after[name] - cpu[name] for name in SERVICES}, made)

    async def chunk_sets(self) -> list[DocChunked]:
        """Every chunk set on the log."""
        return [
            await self.codec.decode(DocChunked, record) for record in await self.fleet.records(topics.doc_chunked(1))
        ]

    async def replay_chunked(self) -> None:
        """Produce every chunk set again and wait until all is consumed."""
        await self.fleet.replay(topics.doc_chunked(1))
        await self.fleet.settle(120)

    def metric(self, name: str, metric: str) -> float:
        """Sum of a counter of one service over its labels."""
        port = self.fleet.processes[name].port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == metric)

    def peak_mib(self, name: str) -> float:
        """Largest resident memory so far, MiB."""
        status = Path(f"/proc/{self.fleet.processes[name].pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def _cpu(self) -> dict[str, float]:
        times = {name: psutil.Process(self.fleet.processes[name].pid).cpu_times() for name in SERVICES}
        return {name: taken.user + taken.system for name, taken in times.items()}

    def _ready(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.fleet.processes[name].port}/health/ready", timeout=5):
                return True
        except OSError:
            return False


async def real(root: Path) -> None:
    """Documents to searchable with the real model, against raw encoding of the same chunks with the best batching."""
    bench = Bench(root, DEFAULT_MODEL)
    try:
        await bench.start()
        found = await bench.index(
            [_changed(number, source.content) for number, source in enumerate(gather(_REAL_CHARS))]
        )
    finally:
        bench.stop()
    raw = encode_seconds([chunk.text for one in found.sets for chunk in one.chunks])
    note = f"{found.chunks} chunks: {found.wall_s:.1f} s to searchable, {raw:.1f} s raw encode"
    report("documents to searchable / raw encode", raw / found.wall_s, "of its rate", at_least=0.90, note=note)


async def engine(root: Path) -> None:
    """CPU per chunk over all hops with a stub model; extraction, tokenising and chunking apart; a replay."""
    bench = Bench(root, "stub")
    try:
        await bench.start()
        small = _documents(_SMALL_DOCUMENTS + _WARM_UP)
        await bench.index(small[:_WARM_UP])
        texts = [_changed(number, source.content) for number, source in enumerate(gather(_ENGINE_CHARS))]
        await _engine(bench, "documentation", texts)
        await _engine(bench, "small documents", small[_WARM_UP:])
        await _report_replay(bench)
    finally:
        bench.stop()


async def _engine(bench: Bench, kind: str, events: Sequence[DocChanged]) -> None:
    before = bench.metric("ingest", _PREPARING)
    found = await bench.index(events)
    prepared_s = bench.metric("ingest", _PREPARING) - before
    total, ms = sum(found.cpu_s.values()), 1000 / found.chunks
    shape = f"{found.chunks} chunks of {len(events)} documents"
    note = f"{shape}; " + ", ".join(f"{name} {cpu * ms:.2f} ms" for name, cpu in found.cpu_s.items())
    report(f"engine CPU per chunk, all hops, {kind}", (total - prepared_s) * ms, "ms", at_most=0.8, note=note)
    report(
        f"preparing a chunk, {kind}", prepared_s * ms, "ms", note="extraction, tokenising, chunking: in ingest, apart"
    )


async def _report_replay(bench: Bench) -> None:
    computed = "roggia_embed_vectors_computed_total"
    written = "roggia_upsert_points_written_total"
    before = bench.metric("embed", computed), bench.metric("index", written)
    await bench.replay_chunked()
    after = bench.metric("embed", computed), bench.metric("index", written)
    report("no-op replay: embeddings computed", after[0] - before[0], at_most=0)
    report("no-op replay: points written", after[1] - before[1], at_most=0)


async def memory(root: Path) -> None:
    """Peak resident memory of each service while 10,000 documents are indexed."""
    bench = Bench(root, "stub")
    try:
        await bench.start()
        await bench.index(_documents(_MEMORY_DOCUMENTS))
        for name in SERVICES:
            report(f"peak memory of {name}", bench.peak_mib(name), "MiB", note="10,000 documents, stub model")
    finally:
        bench.stop()


def _documents(count: int) -> list[DocChanged]:
    """First revisions of `count` documents, one event each."""
    first: dict[str, DocChanged] = {}
    for event in workload(documents=count, events=count + count // 10).events:
        if event.content is not None:
            first.setdefault(event.doc_id, event)
    return list(first.values())


def _changed(number: int, content: bytes) -> DocChanged:
    return DocChanged(
        event_id=f"018bcfe5-0000-7000-8000-{number:012x}",
        occurred_at=1_700_000_000_000,
        tenant_id="bench",
        domain="docs",
        doc_id=f"doc-{number}",
        revision=1,
        operation=Operation.UPSERT,
        content_type="text/markdown",
        content=content,
        acl=("*",),
    )


def main(names: Sequence[str] = ()) -> int:
    """Run the parts named, or all."""
    parts = {"real": real, "engine": engine, "memory": memory}
    for name in names or parts:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(parts[name](Path(folder)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
