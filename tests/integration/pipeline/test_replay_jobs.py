"""`roggia replay run` as a process, a job of the operator service, and the real services behind it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from roggia_embedder.adapters.edge import EdgeStore
from roggia_operator.verify_client import messages
from roggia_runtime.findings import Summary, VerifyRequest
from roggia_schemas.events import JobStatus

from tests.support.kafka import Broker
from tests.support.operated import operated
from tests.support.pipeline import Pipeline
from tests.support.replaying import reached, ready
from tests.support.spoiling import EdgeSpoiler
from tests.support.verifying import COLLECTION, documents

TRIAL = "kb_acme_docs__trial"


class Stack:
    """All services on a broker, and the store that the index service opened."""

    def __init__(self, broker: Broker, pipeline: Pipeline, store: EdgeStore) -> None:
        self.broker, self.pipeline, self.store = broker, pipeline, store

    async def roggia(self, *arguments: str) -> dict[str, Any]:
        """Run `roggia replay --json`; what it printed, nothing when it printed nothing."""
        where = ("--query-url", self.pipeline.address, "--bootstrap", self.broker.bootstrap, "--json")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "roggia", "replay", *arguments, *where,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        said: dict[str, Any] = json.loads(out or b"{}")
        return said

    async def replayed(self, *arguments: str) -> dict[str, Any]:
        """Run a job to its end and let what it sent reach the index; what the command printed."""
        said = await self.roggia("run", *arguments, "--yes")
        async with ready(self.broker) as (_, client):
            await reached(client, said["job"], JobStatus.DONE)
        await self.pipeline.settle()
        return said

    async def seen(self) -> list[tuple[str, str]]:
        """What readers are shown, in no order: passages of one score have none."""
        return sorted((one.chunk_id, one.text) for one in await self.pipeline.search("wheel of mill 1", k=50))

    async def held(self, collection: str) -> dict[str, list[tuple[str, str]]]:
        """Ids and texts of the passages of each document."""
        found = await documents(self.store, collection)
        return {
            doc_id: sorted((one.attributes.chunk_id, one.text) for one in passages)
            for doc_id, (_, passages) in found.items()
        }


@pytest.fixture
async def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    """All services and an operator on a broker of their own."""
    async with operated(tmp_path, monkeypatch) as all_of_it:
        yield Stack(all_of_it.broker, all_of_it.pipeline, all_of_it.store)


async def _publish(pipeline: Pipeline) -> None:
    for number in range(8):
        await pipeline.publish(f"d{number}", 1, f"# Mill {number}\n\nWheel 1 of mill {number} turns.")
    for number in range(4):
        text = None if number == 3 else f"# Mill {number}\n\nWheel 2 of mill {number} turns."
        await pipeline.publish(f"d{number}", 2, text)
    await pipeline.settle()


@pytest.mark.timeout(240)
async def test_another_collection_is_filled_and_the_one_in_use_stays(stack: Stack) -> None:
    """--collection: the trial holds the newest version of every living document; readers see what they saw before,
    and later changes go to the collection in use alone."""
    await _publish(stack.pipeline)
    before, seen = await stack.held(COLLECTION), await stack.seen()
    said = await stack.replayed("--tenant", "acme", "--collection", "trial")
    assert said["plan"]["records"]["value"] == 12
    living = {doc_id: passages for doc_id, passages in before.items() if passages}
    assert {doc_id: passages for doc_id, passages in (await stack.held(TRIAL)).items() if passages} == living
    assert len(living) == 7
    assert await stack.held(COLLECTION) == before
    assert await stack.seen() == seen
    await stack.pipeline.publish("d1", 3, "# Mill 1\n\nWheel 3 of mill 1 turns.")
    await stack.pipeline.settle()
    assert (await stack.held(TRIAL))["d1"] == before["d1"]
    assert (await stack.held(COLLECTION))["d1"] != before["d1"]


@pytest.mark.timeout(240)
async def test_what_the_index_misses_comes_back(stack: Stack) -> None:
    """--missing: the documents that lost passages are selected, no other, and are whole again afterwards; then there is
    nothing to replay, which is no failure."""
    await _publish(stack.pipeline)
    before = await stack.held(COLLECTION)
    spoiler = EdgeSpoiler(stack.store)
    for doc_id in ("d2", "d6"):
        spoiler.remove(COLLECTION, before[doc_id][0][0])
    said = await stack.replayed("--missing", "--tenant", "acme")
    assert said["plan"]["documents"]["value"] == 2
    assert await stack.held(COLLECTION) == before
    summary = [one async for one in messages(stack.pipeline.address, VerifyRequest())][-1]
    assert isinstance(summary, Summary)
    assert summary.clean
    assert await stack.roggia("plan", "--missing") == {}
