"""Ask recorded questions of both generations, one after the other; what fails on one side is something seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roggia_runtime.errors import UnavailableError

from roggia_operator.evaluation import metrics
from roggia_operator.evaluation.asking import Depth, Failures, bounded, question
from roggia_operator.evaluation.errors import EvaluationError, WrongGenerationError
from roggia_operator.evaluation.golden.model import GoldenQuery
from roggia_operator.evaluation.ports import Answer, Ask
from roggia_operator.evaluation.scoring import ranking
from roggia_operator.evaluation.shadow.model import Seen, ShadowRow
from roggia_operator.evaluation.slices import slices

_WARM = 3
REFUSED, UNAVAILABLE = "refused", "unavailable"
"""Why there is no answer: the service refuses the question, or does not answer after some tries."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The rows, and the models that answered, of the old generation and of the new."""

    rows: tuple[ShadowRow, ...]
    models: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Heard:
    """One side's answer to one question, or why there is none."""

    seen: Seen
    answer: Answer | None = None


async def replay(
    ask: Ask, questions: Sequence[GoldenQuery], generations: tuple[int, int], depth: Depth, *, with_text: bool = False
) -> Replayed:
    """Ask all of the old and the new generation (`generations`), both pinned: nothing of it counts as asked by users.

    Raises `WrongGenerationError`; `EvaluationError` when the old generation leaves too many without an answer, because
    then there is nothing to compare with.
    """
    for one in questions[:_WARM]:  # unmeasured: the first wait for models and caches
        for generation in generations:
            await _hear(ask, one, generation, depth, None)
    failures = Failures(len(questions), depth.failures)

    async def work(place: int, one: GoldenQuery) -> tuple[ShadowRow, list[_Heard]]:
        # Who is asked first changes with every question: caches on the way must not favour one generation.
        order = (0, 1) if place % 2 else (1, 0)
        heard: dict[int, _Heard] = {}
        for at in order:
            heard[at] = await _hear(ask, one, generations[at], depth, failures if at == 0 else None)
        return _row(one, heard[0], heard[1], with_text), [heard[0], heard[1]]

    found = await bounded(questions, work, depth.concurrency)
    models = (_models(sides[0] for _, sides in found), _models(sides[1] for _, sides in found))
    return Replayed(tuple(row for row, _ in found), models)


async def _hear(ask: Ask, one: GoldenQuery, generation: int, depth: Depth, failures: Failures | None) -> _Heard:
    try:
        answer = await ask(question(one, generation, depth))
    except WrongGenerationError:
        raise
    except (EvaluationError, UnavailableError) as failed:
        if failures is not None:
            failures.note(failed)
        code = UNAVAILABLE if isinstance(failed, UnavailableError) else REFUSED
        return _Heard(Seen(seconds=0.0, error=code))
    return _Heard(Seen(documents=ranking(one, answer)[: metrics.DEPTH], seconds=answer.seconds), answer)


def _row(one: GoldenQuery, old: _Heard, new: _Heard, with_text: bool) -> ShadowRow:
    both = old.answer is not None and new.answer is not None
    first, second = old.seen.documents, new.seen.documents
    return ShadowRow(
        query=one.id,
        slices=tuple(slices(one)),
        old=old.seen,
        new=new.seen,
        overlap=metrics.overlap(first, second) if both else None,
        rbo=metrics.rbo(first, second) if both else None,
        text=one.query if with_text else "",
    )


def _models(side: Iterable[_Heard]) -> tuple[str, ...]:
    return tuple(sorted({heard.answer.model for heard in side if heard.answer is not None}))
