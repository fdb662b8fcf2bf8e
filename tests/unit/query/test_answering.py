"""Answers are counted by the generation that gave them, and only what a generation is to blame for."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY, generate_latest
from roggia_embedder.query import answering
from roggia_embedder.query.errors import BadRequestError, QueryError, TimedOutError
from roggia_operator.generations.adapters.query_metrics import summed
from roggia_operator.generations.alarms import Counts


async def _request(generation: int, *, empty: bool = False, fails: QueryError | None = None) -> None:
    with answering.counted() as answer:
        await asyncio.sleep(0)
        if generation:
            answering.by(generation)
        await asyncio.sleep(0)
        if fails is not None:
            raise fails
        answer.empty = empty


def _counts(generation: int) -> Counts:
    """As the operator reads them."""
    return summed([generate_latest(REGISTRY).decode()]).get(generation, Counts())


async def test_each_request_counts_for_its_own_generation() -> None:
    """Also when many are answered at once: none counts for another's generation, and the operator reads the same."""
    await asyncio.gather(*(_request(901 + number % 2, empty=number == 0) for number in range(10)))
    assert [(_counts(number).requests, _counts(number).empty) for number in (901, 902)] == [(5, 1), (5, 0)]
    assert _counts(901).seconds[float("inf")] == 5


async def test_only_a_generations_own_errors_count() -> None:
    """A wrong request, and one that came to no generation, are nobody's fault here."""
    for fails, generation in ((TimedOutError("late"), 903), (BadRequestError("k"), 903), (TimedOutError("late"), 0)):
        with pytest.raises(QueryError):
            await _request(generation, fails=fails)
    assert (_counts(903).requests, _counts(903).errors) == (1, 1)
