"""Counts answers by the index generation that gave them: a canary and a fresh cutover are judged by these.

The searcher says which generation it asks, inside; the HTTP layer sees how the request ended, outside.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from roggia_embedder.query import metrics
from roggia_embedder.query.errors import QueryError

_NONE = 0
_OWN_FAULT = 500
"""From this status on an error is the server's."""
_generation: ContextVar[int] = ContextVar("generation", default=_NONE)


@dataclass(slots=True)
class Answer:
    """How a request was answered; `empty`: rightly, with nothing."""

    empty: bool = False


def by(generation: int) -> None:
    """The searcher: this generation is asked now."""
    _generation.set(generation)


@contextmanager
def counted() -> Iterator[Answer]:
    """Around one request. What never came to a generation, and what the client did wrong, is not counted."""
    before, started, outcome = _generation.set(_NONE), time.perf_counter(), "error"
    answer = Answer()
    try:
        yield answer
        outcome = "empty" if answer.empty else "ok"
    except QueryError as error:
        outcome = "error" if error.status >= _OWN_FAULT else ""
        raise
    finally:
        _count(_generation.get(), outcome, time.perf_counter() - started)
        _generation.reset(before)


def _count(generation: int, outcome: str, seconds: float) -> None:
    if generation != _NONE and outcome:
        metrics.generation_requests.labels(str(generation), outcome).inc()
        metrics.generation_seconds.labels(str(generation)).observe(seconds)
