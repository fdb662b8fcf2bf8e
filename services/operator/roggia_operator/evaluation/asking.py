"""Ask a golden set's questions: both generations side by side, so many at a time, and count what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from roggia_runtime.errors import UnavailableError

from roggia_operator.evaluation.errors import EvaluationError, WrongGenerationError
from roggia_operator.evaluation.golden.model import GoldenQuery
from roggia_operator.evaluation.ports import Answer, Ask, Question

_WARM = 3
"""Questions asked before anything is measured: the first ones wait for models and caches."""
_FEW = 10
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Depth:
    """How questions are asked: passages for each, mode, and how many at a time."""

    k: int = 50
    mode: str = "hybrid"
    concurrency: int = 8
    failures: float = 0.01
    """Share of questions that may fail before the run is given up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with its answer of every generation, in the order in which generations were named."""

    query: GoldenQuery
    answers: tuple[Answer, ...]


class Failures:
    """Counts questions without an answer, and gives the run up when they are too many."""

    def __init__(self, total: int, share: float) -> None:
        self._most = max(_FEW, int(total * share))
        self.count = 0
        self.first = ""

    def note(self, failed: Exception) -> None:
        """Count one. Raises `EvaluationError`, naming the first, when there are too many."""
        self.count += 1
        self.first = self.first or str(failed)
        if self.count > self._most:
            raise EvaluationError(f"{self.count} questions have no answer, the first because: {self.first}") from failed


def question(query: GoldenQuery, generation: int | None, depth: Depth) -> Question:
    """What a golden question asks of a generation."""
    return Question(query.tenant, query.domain, query.query, query.groups, depth.k, generation, depth.mode)


async def ask_all(
    ask: Ask, queries: Sequence[GoldenQuery], generations: Sequence[int | None], depth: Depth, failures: Failures
) -> list[Asked]:
    """Every question to every generation. Questions that fail are left out of all, so that the rest stays paired.

    Raises `WrongGenerationError`, and `EvaluationError` for too many failures.
    """
    await _warm_up(ask, queries[:_WARM], generations, depth)

    async def work(place: int, query: GoldenQuery) -> Asked | None:
        return await _one(ask, place, query, generations, depth, failures)

    found = await bounded(queries, work, depth.concurrency)
    return [one for one in found if one is not None]


async def _warm_up(ask: Ask, queries: Sequence[GoldenQuery], generations: Sequence[int | None], depth: Depth) -> None:
    """Ask the first questions unmeasured. When none has an answer, say why at once: it will be so for all."""
    why: EvaluationError | UnavailableError | None = None
    answered = 0
    for query in queries:
        try:
            for generation in generations:
                await ask(question(query, generation, depth))
            answered += 1
        except (EvaluationError, UnavailableError) as failed:
            why = failed
    if why is not None and not answered:
        raise why


async def _one(
    ask: Ask, place: int, query: GoldenQuery, generations: Sequence[int | None], depth: Depth, failures: Failures
) -> Asked | None:
    # Who is asked first changes with every question: caches on the way must not favour one generation.
    order = list(range(len(generations)))[:: -1 if place % 2 else 1]
    answers: dict[int, Answer] = {}
    try:
        for at in order:
            answers[at] = await ask(question(query, generations[at], depth))
    except WrongGenerationError:
        raise
    except (EvaluationError, UnavailableError) as failed:
        failures.note(failed)
        return None
    return Asked(query, tuple(answers[at] for at in range(len(generations))))


async def bounded(items: Iterable[_T], work: Callable[[int, _T], Awaitable[_R]], limit: int) -> list[_R]:
    """Do `work` for all items, `limit` at a time; results in the items' order. The first exception ends it all."""
    waiting = enumerate(items)
    done: dict[int, _R] = {}

    async def worker() -> None:
        for place, item in waiting:
            done[place] = await work(place, item)

    workers = [asyncio.create_task(worker()) for _ in range(limit)]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [done[place] for place in sorted(done)]
