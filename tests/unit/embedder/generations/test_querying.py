"""Models of the query role: every generation that may be asked, beside requests; ready when those that serve are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from roggia_embedder.errors import ModelLoadError
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.querying import QueryModels
from roggia_embedder.ports import EmbeddingModel
from roggia_embedder.query.models import Models
from roggia_runtime.consumer.retry import Backoff
from roggia_schemas.events import GenerationModel, GenerationState, IndexGeneration

from tests.support.generations import row
from tests.support.query import WordsModel

SHADOW, LIVE = GenerationState.SHADOW, GenerationState.LIVE


class Ground:
    """Rows, models that load when they may, and the worker."""

    def __init__(self, *, shadow_filling: bool = False) -> None:
        self.rows: dict[int, IndexGeneration] = {}
        self.loaded: list[str] = []
        self.refused: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.models = Models(())
        self.view = View(self.rows.values, Hosted(1, GenerationModel(uri="")), shadow_filling=shadow_filling)
        self.worker = QueryModels(self.view, self.models, self._load, lambda: Backoff(0.01, 0.02), self._missing)

    def _load(self, model: GenerationModel) -> EmbeddingModel:
        self.gate.wait(5)
        if model.uri in self.refused:
            raise ModelLoadError(f"{model.uri} cannot be used")
        self.loaded.append(model.uri)
        return WordsModel(f"m{model.uri}")

    @staticmethod
    def _missing(hosted: Hosted) -> str:
        return f"no store {hosted.store}" if hosted.store else ""

    def write(self, number: int, state: GenerationState, **facts: object) -> None:
        """One row."""
        self.rows[number] = row(number, state, **facts)
        self.worker.changed()

    def has(self, uri: str) -> bool:
        """Whether a query can be encoded by it."""
        return self.models.has(WordsModel(f"m{uri}").fingerprint)


@asynccontextmanager
async def running(ground: Ground) -> AsyncIterator[Ground]:
    """The worker at work."""
    task = asyncio.create_task(ground.worker.run())
    try:
        yield ground
    finally:
        ground.worker.stop()
        ground.worker.changed()
        await asyncio.wait_for(task, 5)


async def until(true: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_models_come_with_the_generations_that_may_be_asked_and_go_with_them() -> None:
    """Not those that only fill; those that were filled, until they are retired. The same model is loaded once."""
    async with running(Ground()) as ground:
        await until(lambda: ground.has(""))
        ground.write(2, GenerationState.FILLING)
        await asyncio.sleep(0.02)
        assert not ground.has("stub:2")
        ground.write(2, SHADOW)
        await until(lambda: ground.has("stub:2"))
        ground.write(3, SHADOW, uri="stub:2", fingerprint=WordsModel("mstub:2").fingerprint)
        ground.write(2, GenerationState.RETIRED)
        await until(lambda: ground.worker.notes() == [])
        assert ground.has("stub:2")
        ground.write(3, GenerationState.RETIRED)
        await until(lambda: not ground.has("stub:2"))
        assert ground.loaded == ["", "stub:2"]


async def test_a_generation_that_fills_has_its_model_when_it_is_asked_in_the_shadow() -> None:
    """Only where that is wanted; it serves nobody, and nothing else takes it for filled."""
    async with running(Ground(shadow_filling=True)) as ground:
        ground.write(2, GenerationState.FILLING)
        await until(lambda: ground.has("stub:2"))
        assert ground.view.shadow("acme", "docs") == 2
        assert 2 not in ground.view.readable()
        assert 2 not in ground.view.may_serve()
        assert ground.worker.health() == []
        ground.write(2, GenerationState.FAILED)
        await until(lambda: not ground.has("stub:2"))
        assert ground.view.shadow("acme", "docs") is None


async def test_loading_keeps_no_request_waiting_and_the_service_is_ready_when_what_serves_is_loaded() -> None:
    """Not ready while the baseline's model loads; ready while a shadow's does; not ready while a serving one's does."""
    ground = Ground()
    ground.gate.clear()
    async with running(ground):
        await asyncio.sleep(0.02)
        assert ground.worker.health() == ["query: model of generation 1: loading"]
        ground.gate.set()
        await until(lambda: ground.worker.health() == [])
        ground.gate.clear()
        ground.write(2, SHADOW)
        await asyncio.sleep(0.02)
        assert (ground.worker.health(), ground.worker.notes()) == ([], ["query: model of generation 2: loading"])
        ground.write(2, LIVE, cutover=1)
        await asyncio.sleep(0.02)
        assert ground.worker.health() == ["query: model of generation 2: loading"]
        ground.gate.set()
        await until(lambda: ground.worker.health() == ground.worker.notes() == [])


async def test_a_model_that_cannot_be_loaded_is_noted_and_tried_again() -> None:
    """The others stay; nothing ends."""
    ground = Ground()
    ground.refused.add("stub:2")
    async with running(ground):
        ground.write(2, SHADOW)
        await until(lambda: "stub:2 cannot be used" in str(ground.worker.notes()))
        assert ground.has("")
        ground.refused.clear()
        await until(lambda: ground.has("stub:2"))


async def test_the_baseline_s_model_that_cannot_be_used_ends_the_service() -> None:
    """A wrong setting is said at the start, not with the first request."""
    ground = Ground()
    ground.refused.add("")
    with pytest.raises(ModelLoadError):
        await asyncio.wait_for(ground.worker.run(), 1)


async def test_a_role_without_the_store_of_what_serves_is_not_ready() -> None:
    """While it serves nobody that is a note."""
    ground = Ground()
    ground.write(2, SHADOW, store="pg")
    async with running(ground):
        await until(lambda: ground.has("stub:2"))
        assert (ground.worker.health(), ground.worker.notes()) == ([], ["query: no store pg"])
        ground.write(2, LIVE, cutover=1, store="pg")
        assert (ground.worker.health(), ground.worker.notes()) == (["query: no store pg"], [])
