"""The probe of precision: a golden set's questions, asked of a generation and of those before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager

import numpy as np

from roggia_operator.evaluation import metrics
from roggia_operator.evaluation.asking import Asked, Depth, Failures, ask_all
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.golden.model import GoldenQuery
from roggia_operator.evaluation.ports import Ask
from roggia_operator.evaluation.scoring import score
from roggia_operator.evaluation.statistics import bootstrap

ALPHA = 0.001
"""How often an equal generation may be taken for a worse one. Small, because a watch looks many times."""
DEPTH = Depth(k=2 * metrics.DEPTH, concurrency=2)
"""Passages for each question, so that five documents are among them; two at a time, beside the queries of users."""


class NoProbe:
    """Where no golden set is named: nothing is found wrong."""

    async def lost(self, number: int, instead: Callable[[str, str], int | None]) -> str:  # noqa: ARG002
        """See `Probe`."""
        return ""


class GoldenProbe:
    """`opened` gives an `Ask` for the length of one probe; `drop` is the loss of precision@5 that is put up with."""

    def __init__(
        self, opened: Callable[[], AbstractAsyncContextManager[Ask]], queries: Sequence[GoldenQuery], drop: float
    ) -> None:
        self._opened, self._queries, self._drop = opened, queries, drop

    async def lost(self, number: int, instead: Callable[[str, str], int | None]) -> str:
        """See `Probe`. Raises `EvaluationError` when questions fail, or none is about what the generation holds."""
        pairs: list[tuple[float, float]] = []
        async with self._opened() as ask:
            for old, queries in self._by_rival(number, instead).items():
                failures = Failures(len(queries), DEPTH.failures)
                found = await ask_all(ask, queries, (old, number), DEPTH, failures)
                pairs += [_precisions(one) for one in found]
        if not pairs:
            raise EvaluationError(f"probe: the golden set holds no question about what generation {number} holds")
        return judged(pairs, self._drop)

    def _by_rival(self, number: int, instead: Callable[[str, str], int | None]) -> dict[int, list[GoldenQuery]]:
        rivals: dict[int, list[GoldenQuery]] = defaultdict(list)
        for query in self._queries:
            old = instead(query.tenant, query.domain)
            if old is not None and old != number:
                rivals[old].append(query)
        return rivals


def _precisions(one: Asked) -> tuple[float, float]:
    before, now = (score(one.query, answer).precision for answer in one.answers)
    return before, now


def judged(pairs: Iterable[tuple[float, float]], drop: float) -> str:
    """Whether precision before and now, question by question, shows a loss of more than `drop`: in words, or nothing.

    It is shown when the upper bound of the mean difference lies below it, however few the questions.
    """
    values = np.asarray(list(pairs), dtype=np.float64)
    change = (values[:, 1] - values[:, 0])[:, None]
    high = float(bootstrap.resample(change, np.ones_like(change)).high(ALPHA)[0])
    if high >= -drop:
        return ""
    before, now = values.mean(axis=0)
    return f"precision@{metrics.PROBED}: {now:.2f} over {len(values)} questions with known answers, before {before:.2f}"
