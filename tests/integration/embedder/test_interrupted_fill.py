"""The embed role killed while a generation fills: what it had in hand is computed again, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocEmbedded, GenerationModel, GenerationState, IndexGeneration

from tests.support.clients import eventually
from tests.support.embedding import chunk_set
from tests.support.fleet import Fleet, apply_topics
from tests.support.generations import row
from tests.support.head_start import popularity
from tests.support.kafka import Broker
from tests.support.model_server import ModelServer, model_server

DOCUMENTS, POPULAR, BATCH = 300, 60, 8
PASSAGE_BYTES = 4_000
LANE_BATCH = (64 << 10) // PASSAGE_BYTES
"""Documents of one passage in a lane's batch."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.chaos)])
async def test_an_interrupted_fill_repeats_one_batch(devstack_alone: Broker, tmp_path: Path, kills: int) -> None:
    """kill -9 while log pass and head start both work: every document is embedded in the end, and of texts that were
    computed more than once there are no more than both had in hand at each kill, a batch each. A pause in between
    costs nothing."""
    fleet = Fleet(devstack_alone, tmp_path / "data", environment={
        "ROGGIA_EMBEDDER_GENERATIONS": "2",
        "ROGGIA_EMBEDDER_EMBED_BATCH__MAX_RECORDS": str(BATCH),
        "ROGGIA_EMBEDDER_BATCH_TOKENS": "256",
    })  # fmt: skip
    await apply_topics(fleet.kafka)
    await fleet.create(topics.doc_embedded(2))
    await fleet.produce(_log())
    with model_server() as server:
        server.delay_s = 0.03
        await fleet.tell(_row(server))
        try:
            await _interrupted(fleet, server, kills)
        finally:
            fleet.kill_all()
        counts = Counter(_numbers(server))
    assert set(counts) == set(range(DOCUMENTS))
    repeated = sum(counts.values()) - DOCUMENTS
    print(f"{kills} kills: {repeated} of {DOCUMENTS} computed again, at most {kills * (BATCH + LANE_BATCH)}")
    assert repeated <= kills * (BATCH + LANE_BATCH)
    assert await _written(fleet) == {f"d{n}" for n in range(DOCUMENTS)}


async def _interrupted(fleet: Fleet, server: ModelServer, kills: int) -> None:
    fleet.start("embed")
    for kill in range(kills):
        goal = DOCUMENTS * (kill + 1) // (kills + 2)
        await eventually("some is embedded", lambda n=goal: asyncio.sleep(0, len(_numbers(server)) >= n), 60)  # type: ignore[misc]
        assert max(_numbers(server)) >= DOCUMENTS - POPULAR, "the head start has work in hand as well"
        await asyncio.sleep(random.random() / 10)
        fleet.kill("embed")
        await fleet.tell(_row(server, paused=True))
        fleet.start("embed")
        await fleet.tell(_row(server))
    await _through(fleet)
    fleet.stop("embed")


def _log() -> list[Output]:
    """A chunk log, and scores by which its last documents are asked for most."""
    codec = EventCodec(RegistrySettings(), source="/test")
    chance = random.Random(7)
    filler = ["mill", "gate", "keeper", "river"]
    sets = [
        chunk_set(f"d{n}", [f"number {n} " + "".join(chance.choices(filler, k=PASSAGE_BYTES // 5))])
        for n in range(DOCUMENTS)
    ]
    scores = [popularity(f"d{n}", float(n)) for n in range(DOCUMENTS - POPULAR, DOCUMENTS)]
    chunked, popular = topics.doc_chunked(1), topics.DOC_POPULARITY
    return [*(codec.output(chunked, one) for one in sets), *(codec.output(popular, one) for one in scores)]


def _row(server: ModelServer, **facts: Any) -> IndexGeneration:
    model = GenerationModel(uri=f"{server.url}/v1", name="stub", version="r", dimension=8, window=512)
    return row(2, GenerationState.FILLING, model=model, **facts)


def _numbers(server: ModelServer) -> list[int]:
    """Numbers of the documents whose texts were computed, as often as they were."""
    return [int(text.split()[1]) for _, text in server.encoded() if text.startswith("number ")]


async def _through(fleet: Fleet) -> None:
    fleet.groups = {"roggia.embed.g2": topics.doc_chunked(1)}
    await fleet.settle(120)


async def _written(fleet: Fleet) -> set[str]:
    codec = Codec()
    records = await fleet.records(topics.doc_embedded(2))
    return {codec.decode(DocEmbedded, record.value).doc_id for record in records if record.value}
