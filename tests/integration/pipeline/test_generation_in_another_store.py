"""An index generation in another store: from the embedded engine to PostgreSQL with pgvector on a running pipeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from roggia_embedder import app as embedder
from roggia_embedder.query import api
from roggia_embedder.stores import Stores
from roggia_schemas import topics
from roggia_schemas.events import GenerationState

from tests.support.fleet import GROUPS
from tests.support.generations import groups, row
from tests.support.index import contents
from tests.support.kafka import Broker
from tests.support.pipeline import Pipeline, running
from tests.support.severing import Severed

ROLLBACK_S = 1.0
ONE, TWO = "kb_acme_docs__g1", "kb_acme_docs__g2"
FILLING, SHADOW, LIVE, ROLLED_BACK, RETIRED = (
    GenerationState.FILLING, GenerationState.SHADOW, GenerationState.LIVE, GenerationState.ROLLED_BACK,
    GenerationState.RETIRED,
)  # fmt: skip


class Move:
    """Generation 1 in the embedded engine, generation 2 in PostgreSQL, and documents that change all the time."""

    def __init__(self, pipeline: Pipeline, stores: Stores) -> None:
        self.pipeline, self.stores = pipeline, stores
        self._revision = 1
        self.still = asyncio.Lock()

    async def tell(self, state: GenerationState, cutover: int = 0) -> float:
        """What the controller would write; when."""
        began = time.monotonic()
        await self.pipeline.send(topics.INDEX_GENERATION, row(2, state, cutover=cutover, store="pg"))
        return began

    async def until(self, number: int, generation: int | None = None) -> api.SearchResponse:
        """The first answer of a generation. Readers are answered all the time; a pinned request may wait."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.pipeline.answer("keeper gate dawn", k=50, generation=generation)
                if isinstance(answer, api.SearchResponse) and answer.generation == number:
                    return answer
                await asyncio.sleep(0.01)

    async def back(self, cutover: int) -> float:
        """Roll back; seconds of this process, which is readers and keepers and everybody else, until readers are in the
        first store. Those on the clock are told only: a busy machine makes them many."""
        worked = time.process_time()
        began = await self.tell(ROLLED_BACK, cutover)
        await self.until(1)
        took = time.process_time() - worked
        print(f"rollback to the other store: {took:.2f} s of work, {time.monotonic() - began:.2f} s on the clock")
        return took

    async def edit(self) -> None:
        """Edits and deletions without end."""
        while True:
            self._revision += 1
            gone = self._revision % 3 == 0
            text = f"# Gate\n\nThe keeper of gate {self._revision} opens at dawn."
            async with self.still:
                await self.pipeline.publish(f"doc-{self._revision % 7}.md", self._revision, None if gone else text)
            await asyncio.sleep(0.05)

    async def ask(self) -> None:
        """Queries without end. Fails with the first that is refused, or that names another model than its
        generation's."""
        models: dict[int, str] = {}
        while True:
            answer = await self.pipeline.answer("keeper gate dawn")
            assert isinstance(answer, api.SearchResponse), answer
            assert answer.collection == f"kb_acme_docs__g{answer.generation}"
            assert models.setdefault(answer.generation, answer.model) == answer.model
            await asyncio.sleep(0.02)

    async def equal(self) -> None:
        """Both generations are what the log says; beside vectors, both stores hold the same."""
        async with self.still:
            await self.pipeline.settle(groups={**GROUPS, **groups(2)})
            found = [await self.pipeline.verify(number) for number in (1, 2)]
            assert [(one.findings, one.pending) for one in found] == [({}, 0), ({}, 0)]
            assert [one.collections for one in found] == [(ONE,), (TWO,)]
            own = await contents(self.stores.of("").store, ONE)
            other = await contents(self.stores.of("pg").store, TWO)
        assert own[1] == other[1]
        assert {doc: head.version for doc, head in own[0].items()} == {d: h.version for d, h in other[0].items()}

    async def serving(self) -> dict[str, tuple[str, bool]]:
        """Store of each collection, and whether readers get it."""
        return {name: (one.store, one.serves) for name, one in (await self.pipeline.collections()).items()}


@asynccontextmanager
async def moving(
    bootstrap: str, data: Path, monkeypatch: pytest.MonkeyPatch, dsn: str, **options: Any
) -> AsyncIterator[Move]:
    """A pipeline with a corpus, whose second generation is filling in PostgreSQL."""
    made: list[Stores] = []
    original = embedder.stores_of
    monkeypatch.setattr(embedder, "stores_of", lambda options: made.append(original(options)) or made[0])
    async with running(bootstrap, data, stores={"pg": dsn}, **options) as pipeline:
        for number in range(20):
            await pipeline.publish(
                f"doc-{number}.md", 1, f"# Gate {number}\n\nThe keeper of gate {number} opens at dawn."
            )
        await pipeline.settle()
        move = Move(pipeline, made[0])
        await pipeline.create(topics.doc_embedded(2))
        await move.tell(FILLING)
        yield move


@pytest.mark.timeout(400)
async def test_from_the_embedded_engine_to_postgresql_and_back(
    devstack_alone: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pgvector_dsn: str
) -> None:
    """While documents are edited and deleted and every query is answered: filled in another store, both equal the log;
    one record moves readers there and one back, within a second; retired, its tables are gone."""
    async with moving(
        devstack_alone.bootstrap, tmp_path / "data", monkeypatch, pgvector_dsn, retire_grace_s=0.5
    ) as move:
        busy = [asyncio.create_task(move.edit()), asyncio.create_task(move.ask())]
        await move.equal()
        assert await move.serving() == {ONE: ("", True), TWO: ("pg", False)}
        await move.tell(SHADOW)
        assert (await move.until(2, generation=2)).collection == TWO
        await move.tell(LIVE, cutover=1)
        await move.until(2)
        await move.equal()
        assert await move.serving() == {ONE: ("", False), TWO: ("pg", True)}
        assert await move.back(cutover=1) < ROLLBACK_S
        await move.equal()
        assert await move.serving() == {ONE: ("", True), TWO: ("pg", False)}
        await move.tell(RETIRED)
        async with asyncio.timeout(30):
            while await move.stores.of("pg").store.collections():
                await asyncio.sleep(0.05)
        for one in busy:
            one.cancel()
        assert [type(one) for one in await asyncio.gather(*busy, return_exceptions=True)] == [
            asyncio.CancelledError
        ] * 2
        assert await move.serving() == {ONE: ("", True)}
        assert await move.pipeline.dead() == 0


@pytest.mark.timeout(400)
async def test_back_from_a_store_that_has_gone(
    devstack_alone: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pgvector_dsn: str
) -> None:
    """PostgreSQL disappears while it serves: queries are refused, not answered by what served before; a rollback gets
    them back, with what was published meanwhile. When it is there again it catches up, and may serve."""
    async with (
        Severed(pgvector_dsn) as link,
        moving(devstack_alone.bootstrap, tmp_path / "data", monkeypatch, link.dsn) as move,
    ):
        await move.equal()
        await move.tell(LIVE, cutover=1)
        await move.until(2)
        await link.cut()
        refused = await move.pipeline.answer("keeper gate dawn")
        assert isinstance(refused, api.ErrorDetail)
        assert refused.code == "index_unavailable"
        await move.pipeline.publish("late.md", 1, "# Late\n\nThe keeper of the late gate sleeps in winter.")
        began = await move.tell(ROLLED_BACK, cutover=1)
        await move.until(1)
        print(f"rollback from a store that is away: {(time.monotonic() - began) * 1e3:.0f} ms")
        await move.pipeline.settle()
        assert "late.md" in {hit.doc_id for hit in await move.pipeline.search("keeper sleeps winter", k=50)}
        assert move.pipeline.health() == []
        assert await move.serving() == {ONE: ("", True)}
        await link.mend()
        await move.equal()
        await move.tell(LIVE, cutover=2)
        await move.until(2)
        assert await move.serving() == {ONE: ("", False), TWO: ("pg", True)}
