"""Re-embedding as it is done, by an embed service on a broker with an operator beside it, against bare `encode`.

    OMP_NUM_THREADS=1 python -m tests.bench.embedder.bench_reembed [--documents 60] [--chunks 5] [--rounds 3]

Prints one JSON line per measurement. Seconds are of CPU, over all threads of a process, so that a busy machine does not
decide. Fills without a head start and with one in turn, each of a new generation on a new broker, and bare `encode` of
the same texts before, between and after them: one and the same work differs by 5 % from one run to the next, so medians
of the rounds are reported. What guards cost (pause, rate, turns, share, texts in hand) is measured
apart, with a model that costs little, per chunk, against the real model's cost per chunk.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil
from prometheus_client import REGISTRY
from roggia_embedder import app
from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path
from roggia_embedder.generations.encoding import Encoding
from roggia_embedder.generations.hosted import Hosted
from roggia_embedder.settings import EmbedderOptions, EmbedderSettings
from roggia_operator.generations.client import Plan
from roggia_runtime.offsets import Offsets
from roggia_runtime.records import Handler, Output, Record
from roggia_runtime.settings import HttpSettings, KafkaSettings, load
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel, GenerationState

from tests.bench.embedder.bench_embed import WINDOW, documents, encode_seconds
from tests.support.clients import eventually
from tests.support.embedding import CountingModel, chunk_set, codec, embed_parts, handler, record
from tests.support.generation_fleet import generations
from tests.support.head_start import popularity
from tests.support.lags import live_lags
from tests.support.measures import report
from tests.support.popularity import running
from tests.support.replaying import produce

GROUP, CHUNKED, PATIENCE_S = "roggia.embed.g2", topics.doc_chunked(1), 3_600.0
FIFTH = 5
"""One document of so many is asked for."""


@dataclass(frozen=True, slots=True)
class Fill:
    """Texts encoded by log pass and lane; seconds of CPU of the embed service and of the operator; seconds passed."""

    log: float
    lane: float
    embed_s: float
    operator_s: float
    wall_s: float


async def fill(corpus: Sequence[Sequence[str]], share: float, data: Path) -> Fill:
    """One generation, from its first chunk to its last; its model is loaded before anything is measured."""
    async with generations(data) as (fleet, client):
        await produce(fleet.kafka, _log(corpus))
        async with running(app.build(_settings(fleet.kafka, share, data), ["embed"], "embed")):
            model = GenerationModel(uri=f"bundled:{BUNDLED}", window=WINDOW)
            await client.plan(Plan(model, paused=True, by="bench"))
            await eventually("the model is loaded", lambda: asyncio.sleep(0, _ready(share)), PATIENCE_S)
            operator = psutil.Process(fleet.operator.pid)
            before = _state(operator)
            await client.send(await client.changed(2, paused=False))
            until = sum(before[:2]) + sum(map(len, corpus))
            await eventually("it is filled", lambda: _filled(fleet.kafka, until), PATIENCE_S)
            return Fill(*(now - then for now, then in zip(_state(operator), before, strict=True)))


def _log(corpus: Sequence[Sequence[str]]) -> list[Output]:
    """A chunk log, and scores of some of its documents."""
    made = codec()
    sets = [made.output(CHUNKED, chunk_set(f"d{n}", texts, max_chunk_tokens=500)) for n, texts in enumerate(corpus)]
    asked = [popularity(f"d{n}", 1.0 + n) for n in range(0, len(corpus), FIFTH)]
    return [*sets, *(made.output(topics.DOC_POPULARITY, one) for one in asked)]


def _settings(kafka: KafkaSettings, share: float, data: Path) -> EmbedderSettings:
    values = {"model": "stub", "generations": "2", "cache": data / "vectors.sqlite3", "threads": 1}
    options = load(EmbedderOptions, **values, head_start_share=share)
    return load(EmbedderSettings, kafka=kafka, http=HttpSettings(port=0), embedder=options)


def _ready(share: float) -> bool:
    """Log pass and lane have all that they need."""
    assigned = REGISTRY.get_sample_value("roggia_consumer_assigned_partitions", {"group": GROUP})
    return bool(assigned) and (
        not share or bool(REGISTRY.get_sample_value("roggia_head_start_keys", {"generation": "2"}))
    )


def _encoded() -> tuple[float, float]:
    name = "roggia_generation_texts_encoded_total"
    log, lane = (REGISTRY.get_sample_value(name, {"generation": "2", "by": by}) or 0.0 for by in ("log", "lane"))
    return log, lane


def _state(operator: psutil.Process) -> tuple[float, ...]:
    used = operator.cpu_times()
    return *_encoded(), time.process_time(), used.user + used.system, time.monotonic()


async def _filled(kafka: KafkaSettings, until: float) -> bool:
    """Kafka is asked only when so many texts were encoded: asking costs CPU of this process, and is no work of it."""
    await asyncio.sleep(0.5)
    if sum(_encoded()) < until:
        return False
    async with Offsets(kafka) as offsets:
        return not sum((await live_lags(offsets, GROUP, CHUNKED)).values())


async def handled_seconds(judge: Handler, batches: Sequence[Sequence[Record]]) -> float:
    """Seconds of a handler over all batches."""
    started = time.process_time()
    for batch in batches:
        await judge.handle(batch)
    return time.process_time() - started


def guards_seconds(batches: Sequence[Sequence[Record]]) -> float:
    """What guards add to all batches, with a model that costs little: the least of several tries on both sides."""
    hosted = Hosted(2, GenerationModel(uri="stub:2"), state=GenerationState.FILLING)

    def guarded() -> Handler:
        return Encoding(
            CountingModel(), hosted, lambda: hosted, embed_parts(CountingModel(), batch_tokens=4096)
        ).log_pass()

    tries = [
        (asyncio.run(handled_seconds(guarded(), batches)), asyncio.run(handled_seconds(handler(), batches)))
        for _ in range(5)
    ]
    return min(held for held, _ in tries) - min(bare for _, bare in tries)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--chunks", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    corpus = documents(arguments.documents, arguments.chunks)
    texts = [text for held in corpus for text in held]
    model = SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW, threads=1)
    model.warm_up()
    raw = [encode_seconds(model, texts)]
    fills: dict[float, list[Fill]] = {0.0: [], 0.5: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for share, found in fills.items():
                found.append(asyncio.run(fill(corpus, share, Path(folder) / f"{number}-{share}")))
                raw.append(encode_seconds(model, texts))
    _report(len(texts), raw, fills)
    records = [record(chunk_set(f"d{n}", held), n) for n, held in enumerate(corpus)]
    batches = [records[start : start + 20] for start in range(0, len(records), 20)]
    guards = guards_seconds(batches)
    note = f"{1e6 * guards / len(texts):.0f} µs per chunk"
    report("guards of a filling generation / raw encode", guards / min(raw), at_most=0.05, note=note)


def _report(texts: int, raw: Sequence[float], fills: Mapping[float, Sequence[Fill]]) -> None:
    """Each fill against bare `encode` right before and right after it."""
    for turn, (what, found) in enumerate(zip(("log order", "head start"), fills.values(), strict=True)):
        bare = [(before + after) / 2 for before, after in pairwise(raw)][turn :: len(fills)]
        ratios = [seconds / one.embed_s for seconds, one in zip(bare, found, strict=True)]
        lane, wall = median(one.lane for one in found), median(one.wall_s for one in found)
        note = f"{texts} chunks, {lane:.0f} of them by the lane; CPU time; {wall:.0f} s passed; medians of {len(found)}"
        note += f", {min(ratios):.2f} to {max(ratios):.2f}"
        report(f"re-embedding in {what} / raw encode of the same texts", median(ratios), at_least=0.90, note=note)
        encoded = max((one.log + one.lane) / texts for one in found)
        report(f"{what}: texts encoded / distinct texts", encoded, at_most=1.0)
        busy = median(one.operator_s / one.embed_s for one in found)
        report(f"{what}: operator's CPU / embed service's", busy, at_most=0.05)


if __name__ == "__main__":
    main()
