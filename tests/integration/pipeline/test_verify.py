"""Verification over HTTP with the real services, on a broker: damage is found while documents go on being published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_embedder import app as embedder
from roggia_embedder.adapters.edge import EdgeStore
from roggia_operator.errors import SelectionError
from roggia_operator.verify_client import messages
from roggia_runtime.errors import UnavailableError
from roggia_runtime.findings import Finding, Kind, Progress, Summary, VerifyRequest

from tests.support.kafka import Broker
from tests.support.pipeline import Pipeline, running
from tests.support.processes import free_port
from tests.support.spoiling import EdgeSpoiler

COLLECTION = "kb_acme_docs__g1"


@pytest.fixture
async def pipeline(devstack: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pipeline]:
    """All services, and (as `store`) the store that the index service opened."""
    made: list[EdgeStore] = []

    def remembered(options):
        store, catalogue = original(options)
        made.append(store)
        return store, catalogue

    original = embedder.store_of
    monkeypatch.setattr(embedder, "store_of", remembered)
    async with running(devstack.bootstrap, tmp_path) as running_pipeline:
        running_pipeline.store = made[0]  # type: ignore[attr-defined]
        yield running_pipeline


async def run(pipeline: Pipeline, **request: object) -> tuple[list[Finding], Summary]:
    """What a run over HTTP says."""
    said = [one async for one in messages(pipeline.address, VerifyRequest(**request))]
    assert any(isinstance(one, Progress) for one in said)
    assert isinstance(said[-1], Summary)
    return [one for one in said if isinstance(one, Finding)], said[-1]


async def test_a_damaged_index_is_told_while_writes_go_on(pipeline: Pipeline) -> None:
    """A clean index has no findings, also while documents change; a passage that is gone and one that is too many are
    found, by their ids, and a request for one document answers for that one alone."""
    for number in range(20):
        await pipeline.publish(f"d{number}", 1, f"# Document {number}\n\nSome words about it.")
    await pipeline.settle()
    assert (await run(pipeline))[1].clean

    async def writing() -> None:
        for revision in range(2, 40):
            await pipeline.publish(f"d{revision % 10}", revision, f"# Changed\n\nRevision {revision}.")
            await asyncio.sleep(0.02)

    writer = asyncio.create_task(writing())
    findings, _ = await run(pipeline)
    await writer
    assert findings == []
    await pipeline.settle()
    store: EdgeStore = pipeline.store  # type: ignore[attr-defined]
    points = [point async for point in store.examine(COLLECTION)]
    victims = [p for p in points if not hasattr(p, "head") and p.attributes.document.doc_id == "d15"]
    EdgeSpoiler(store).remove(COLLECTION, victims[0].point_id)
    findings, summary = await run(pipeline)
    assert [(one.kind, one.point_id, one.doc_id) for one in findings] == [(Kind.MISSING, victims[0].point_id, "d15")]
    assert not summary.clean
    assert (await run(pipeline, tenant="acme", doc_ids=("d14",)))[0] == []
    assert len((await run(pipeline, tenant="acme", doc_ids=("d15", "d14")))[0]) == 1
    assert (await run(pipeline, tenant="acme", domain="wiki"))[0] == []


async def test_wrong_requests_are_refused_in_words(pipeline: Pipeline) -> None:
    """A name that is none, documents without a tenant, and a server that is not there have errors of their own."""
    with pytest.raises(SelectionError, match="tenant"):
        await run(pipeline, tenant="Not A Name")
    with pytest.raises(SelectionError, match="doc_ids"):
        await run(pipeline, doc_ids=("d1",))
    with pytest.raises(UnavailableError, match="no query service"):
        [one async for one in messages(f"http://127.0.0.1:{free_port()}", VerifyRequest())]
