"""What people ask for, through the query API, is what another model embeds first; nothing is embedded twice for it."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.ranges import RangeReader
from roggia_runtime.records import Record
from roggia_runtime.settings import BatchLimits, KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel, GenerationState, IndexGeneration

from tests.support import popularity
from tests.support.clients import eventually
from tests.support.generations import groups, row
from tests.support.kafka import Broker
from tests.support.loops import settings
from tests.support.model_server import ModelServer, model_server
from tests.support.pipeline import Pipeline, running

pytest.importorskip("faust", reason="the popularity role needs Faust: pip install 'roggia[popularity]'")

DOCUMENTS, QUERIES, HEAD = 90, 120, 8
SMALL = BatchLimits(max_records=4)
FILLING, SHADOW = GenerationState.FILLING, GenerationState.SHADOW


@pytest.mark.timeout(240)
async def test_what_is_asked_for_is_embedded_first_and_nothing_twice(devstack_alone: Broker, tmp_path: Path) -> None:
    """Zipf traffic falls on documents that lie late in the log. When another model is planned, they are embedded before
    its log pass comes to them, and it encodes none of them again: each distinct text once, in all. A pause is
    one for both. Once it has been filled, the lane is gone, and the index equals the log."""
    kafka = settings(devstack_alone.bootstrap)
    with model_server() as server:
        async with running(devstack_alone.bootstrap, tmp_path / "data", embed_batch=SMALL, batch_tokens=32) as pipeline:
            lying = await _corpus(pipeline, kafka)
            head = await _asked_for(pipeline, kafka, lying)
            before = _texts()
            await _filled(pipeline, server)
            encoded = _encoded(server)
            _each_once(encoded)
            _before_the_log_pass(encoded, lying, head, await _reached(kafka))
            told = {by: count - before[by] for by, count in _texts().items()}
            assert told["lane"] >= HEAD
            assert told["lane"] + told["log"] == DOCUMENTS
            assert (await pipeline.verify(2)).clean
            await pipeline.send(topics.INDEX_GENERATION, _row(server, SHADOW))
            await eventually("the lane has ended", lambda: asyncio.sleep(0, _keys() is None))


async def _corpus(pipeline: Pipeline, kafka: KafkaSettings) -> list[list[str]]:
    """Documents of one chunk each; their keys as they lie in the partitions of the log."""
    for n in range(DOCUMENTS):
        await pipeline.publish(f"d{n}", 1, f"# Mill {n}\n\nThe keeper of mill{n} opens gate{n} at dawn.")
    await pipeline.settle()
    lying: dict[int, list[str]] = {}
    for record in await _records(kafka, topics.doc_chunked(1)):
        lying.setdefault(record.partition, []).append((record.key or b"").decode())
    return list(lying.values())


async def _asked_for(pipeline: Pipeline, kafka: KafkaSettings, lying: list[list[str]]) -> list[str]:
    """Ask as people do, for what lies last in the log most of all; what was asked for most, by its score."""
    late_first = [key for row in zip_longest(*(keys[::-1] for keys in lying)) for key in row if key]
    async with popularity.running(popularity.service(kafka)):
        for rank in popularity.Zipf(DOCUMENTS, 1.0, seed=3).draw(QUERIES):
            number = late_first[rank].removeprefix("acme/d")
            (hit,) = await pipeline.search(f"keeper mill{number} gate{number}", k=1)
            assert hit.doc_id == f"d{number}"
        await eventually("all queries count", lambda: _counted(kafka))
    scores = {key: row.score for key, row in (await popularity.popular(kafka)).items() if row is not None}
    return sorted(scores, key=lambda key: -scores[key])[:HEAD]


async def _counted(kafka: KafkaSettings) -> bool:
    rows = await popularity.popular(kafka)
    return sum(one.requests for one in rows.values() if one is not None) == QUERIES


async def _filled(pipeline: Pipeline, server: ModelServer) -> None:
    """Planned while paused: nothing happens but that the lane learns what there is. Then it may."""
    await pipeline.create(topics.doc_embedded(2))
    await pipeline.send(topics.INDEX_GENERATION, _row(server, FILLING, paused=True))
    await eventually("the log's keys are known", lambda: asyncio.sleep(0, _keys() == DOCUMENTS))
    await asyncio.sleep(0.5)
    assert _encoded(server) == [], "a pause is one for the lane as well"
    await pipeline.send(topics.INDEX_GENERATION, _row(server, FILLING))
    await pipeline.settle(groups=groups(2))


def _encoded(server: ModelServer) -> list[tuple[float, str]]:
    """Keys of documents as they were encoded, and when, in seconds of the wall clock."""
    offset = time.time() - time.monotonic()
    found = ((at, re.search(r"mill(\d+) ", text)) for at, text in server.encoded())
    return [(at + offset, f"acme/d{number[1]}") for at, number in found if number]


def _each_once(encoded: list[tuple[float, str]]) -> None:
    counts = Counter(key for _, key in encoded)
    assert {key: count for key, count in counts.items() if count > 1} == {}, "no text is encoded twice"
    assert len(counts) == DOCUMENTS


def _before_the_log_pass(
    encoded: list[tuple[float, str]], lying: list[list[str]], head: list[str], reached: Mapping[str, float]
) -> None:
    """Every popular document was encoded before the log pass had written the one that lies before it."""
    at = {key: at for at, key in encoded}
    before = {key: earlier for keys in lying for earlier, key in pairwise(keys)}
    assert {key: at[key] - reached[before[key]] for key in head if at[key] >= reached[before[key]]} == {}


async def _reached(kafka: KafkaSettings) -> dict[str, float]:
    """When the log pass wrote each document."""
    return {(r.key or b"").decode(): r.timestamp_ms / 1000 for r in await _records(kafka, topics.doc_embedded(2))}


async def _records(kafka: KafkaSettings, topic: str) -> list[Record]:
    async with RangeReader(kafka) as reader:
        spans = await reader.spans(await TopicAdmin(kafka).partitions(topic))
        return [record async for piece in reader.read(spans) for record in piece.records]


def _row(server: ModelServer, state: GenerationState, **facts: Any) -> IndexGeneration:
    model = GenerationModel(uri=f"{server.url}/v1", name="stub", version="r", dimension=8, window=512)
    return row(2, state, model=model, **facts)


def _texts() -> dict[str, float]:
    name = "roggia_generation_texts_encoded_total"
    return {by: REGISTRY.get_sample_value(name, {"generation": "2", "by": by}) or 0.0 for by in ("log", "lane")}


def _keys() -> float | None:
    return REGISTRY.get_sample_value("roggia_head_start_keys", {"generation": "2"})
