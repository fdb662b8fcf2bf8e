"""One worker per generation that follows the log, and none in another's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.hosting import Hosting
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.errors import ConfigurationError, UnavailableError
from roggia_schemas.events import GenerationModel, GenerationSide, GenerationState, IndexGeneration

from tests.support.generations import row

FILLING, LIVE, RETIRED = GenerationState.FILLING, GenerationState.LIVE, GenerationState.RETIRED


class Work:
    """A worker that runs until it is stopped or told to fail."""

    def __init__(self, hosted: Hosted) -> None:
        self.hosted = hosted
        self.fingerprint = ""
        self._over = asyncio.Event()
        self._failure: Exception | None = None

    def fail(self, error: Exception) -> None:
        self._failure = error
        self._over.set()

    async def run(self) -> None:
        await self._over.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self._over.set()

    def health(self) -> list[str]:
        return []


class Ground:
    """A hosting over rows that a test writes; `made` holds every worker, in order."""

    def __init__(self, numbers: frozenset[int] | None = None, backoff_s: float = 0.01) -> None:
        self.rows: dict[str, IndexGeneration] = {}
        self.made: list[Work] = []
        self.refused: dict[int, Exception] = {}
        view = View(self.rows.values, Hosted(1, GenerationModel(uri="")))
        self.hosting = Hosting(view, self._make, numbers, stage="embed", backoff=lambda: Backoff(backoff_s, backoff_s))

    def _make(self, hosted: Hosted) -> Work:
        if hosted.number in self.refused:
            raise self.refused[hosted.number]
        self.made.append(Work(hosted))
        return self.made[-1]

    def write(self, *rows: IndexGeneration) -> None:
        """Records, as a table tells them."""
        for one in rows:
            self.rows[f"g{one.generation}/{one.side.value}"] = one
        self.hosting.changed()

    @property
    def running(self) -> list[int]:
        """Numbers of the generations whose workers run."""
        return sorted(worker.hosted.number for worker in self.hosting.workers())  # type: ignore[attr-defined]


@asynccontextmanager
async def hosted(numbers: frozenset[int] | None = None) -> AsyncIterator[Ground]:
    """A hosting that runs."""
    ground = Ground(numbers)
    task = asyncio.create_task(ground.hosting.run())
    try:
        yield ground
    finally:
        ground.hosting.stop()
        await asyncio.wait_for(task, 5)


async def until(true: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_workers_come_and_go_with_the_rows() -> None:
    """The baseline needs no row; a generation is hosted from FILLING until it is RETIRED, over every move in between by
    the same worker; so is the baseline once its own row ends it."""
    async with hosted() as ground:
        await until(lambda: ground.running == [1])
        ground.write(row(2, GenerationState.PLANNED))
        await asyncio.sleep(0.02)
        assert ground.running == [1]
        for state in (FILLING, GenerationState.SHADOW, LIVE, GenerationState.ROLLED_BACK, LIVE):
            ground.write(row(2, state))
            await until(lambda: ground.running == [1, 2])
        assert len(ground.made) == 2
        ground.write(row(1, RETIRED))
        await until(lambda: ground.running == [2])
        ground.write(row(2, RETIRED))
        await until(lambda: ground.running == [])


async def test_a_process_hosts_the_generations_that_it_is_told_to() -> None:
    """With a list, others are left to other processes; one without a record is said."""
    async with hosted(frozenset({2, 3})) as ground:
        ground.write(row(2, FILLING), row(4, FILLING))
        await until(lambda: ground.running == [2])
        assert ground.hosting.health() == []
        assert ground.hosting.notes() == ["embed: generation 3 is to be hosted here, but has no record yet"]


async def test_another_generation_s_failure_is_noted_and_retried_while_the_baseline_goes_on() -> None:
    """Whether it cannot be made or fails at work: it is tried again, said in a note, and the service stays ready."""
    async with hosted() as ground:
        ground.refused[2] = RuntimeError("no such model")
        ground.write(row(2, FILLING))
        await until(lambda: "no such model" in str(ground.hosting.notes()))
        assert ground.hosting.health() == []
        assert len(ground.hosting.notes()) == 1
        del ground.refused[2]
        await until(lambda: ground.running == [1, 2])
        ground.made[-1].fail(RuntimeError("broken"))
        await until(lambda: len(ground.made) == 3)
        await until(lambda: ground.running == [1, 2])
        assert ground.hosting.notes() == []
        assert [work.hosted.number for work in ground.made] == [1, 2, 2]


async def test_a_new_row_ends_the_wait_for_the_next_try() -> None:
    """Who mends a row need not wait until the old one would have been tried again."""
    ground = Ground(backoff_s=30.0)
    task = asyncio.create_task(ground.hosting.run())
    ground.refused[2] = RuntimeError("no such model")
    ground.write(row(2, FILLING))
    await until(lambda: "no such model" in str(ground.hosting.notes()))
    del ground.refused[2]
    ground.write(row(2, FILLING))
    await asyncio.sleep(0.05)
    assert ground.running == [1]
    ground.write(row(2, FILLING, fingerprint="b"))
    await until(lambda: ground.running == [1, 2])
    ground.hosting.stop()
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("error", [ConfigurationError("wrong"), RuntimeError("broken")])
async def test_the_baseline_s_failure_ends_the_service(error: Exception) -> None:
    """And takes the others down in order."""
    ground = Ground()
    task = asyncio.create_task(ground.hosting.run())
    ground.write(row(2, FILLING))
    await until(lambda: ground.running == [1, 2])
    next(work for work in ground.made if work.hosted.number == 1).fail(error)
    with pytest.raises(type(error), match=str(error)):
        await asyncio.wait_for(task, 1)
    assert ground.running == []


async def test_a_baseline_that_cannot_start_yet_is_tried_again() -> None:
    """A model server that is away at the start ends nothing: the service says so and waits."""
    async with hosted() as ground:
        ground.refused[1] = UnavailableError("model server is away")
        await until(lambda: "model server is away" in str(ground.hosting.health()))
        ground.refused.clear()
        await until(lambda: ground.running == [1])
        assert ground.hosting.health() == []


async def test_a_row_that_asks_for_another_model_starts_a_new_worker() -> None:
    """Also one whose fingerprint turns out to be another than the loaded model's; one that names it changes nothing."""
    async with hosted() as ground:
        ground.write(row(2, FILLING))
        await until(lambda: ground.running == [1, 2])
        ground.made[-1].fingerprint = "a"
        ground.write(row(2, FILLING, fingerprint="a"))
        await asyncio.sleep(0.02)
        assert len(ground.made) == 2
        ground.write(row(2, FILLING, uri="stub:other"))
        await until(lambda: len(ground.made) == 3 and ground.running == [1, 2])
        ground.made[-1].fingerprint = "a"
        ground.write(row(2, FILLING, uri="stub:other", fingerprint="b"))
        await until(lambda: len(ground.made) == 4 and ground.running == [1, 2])


def test_operators_pause_and_throttle_by_their_own_side() -> None:
    """What the controller repeats counts only where nothing is wanted."""
    ground, wanted = Ground(), {"side": GenerationSide.WANTED}
    view = View(ground.rows.values, Hosted(1, GenerationModel(uri="")))
    ground.write(row(2, FILLING, paused=True, rate=5.0))
    assert (view.followed()[2].paused, view.followed()[2].rate) == (True, 5.0)
    ground.write(row(2, GenerationState.PLANNED, paused=False, rate=7.0, **wanted))
    assert (view.followed()[2].paused, view.followed()[2].rate, view.followed()[2].state) == (False, 7.0, FILLING)


def test_what_may_serve_is_everything_that_somebody_may_be_answered_by() -> None:
    """The baseline as long as nothing serves everywhere; then the last that does, and what was cut over after it."""
    ground = Ground()
    view = View(ground.rows.values, Hosted(1, GenerationModel(uri="")))
    assert view.may_serve() == {1}
    ground.write(row(2, LIVE, cutover=1, selection=("acme/docs",)))
    assert view.may_serve() == {1, 2}
    ground.write(row(3, LIVE, cutover=2))
    assert view.may_serve() == {3}
    ground.write(row(4, LIVE, cutover=3, selection=("acme/*",)))
    assert view.may_serve() == {3, 4}
