"""The STATE side that a decision makes of a generation. Pure but for its id."""

from __future__ import annotations

from msgspec import structs
from roggia_runtime.ids import uuid7
from roggia_schemas.events import (
    GenerationModel,
    GenerationMove,
    GenerationSide,
    GenerationState,
    GenerationWish,
    IndexGeneration,
)

from roggia_operator.generations.case import Case
from roggia_operator.generations.moves import BY_RULE
from roggia_operator.generations.values import Decision

MOVES_KEPT = 1_000
"""Newest moves in a history: a record has to stay far below the topic's largest."""
REFUSED = "another model, chunker, selection or store was sent under its number and is refused: plan another generation"
_UNTOLD = frozenset({"event_id", "occurred_at"})
_LOOSE = frozenset({"counts", "message"})


def baseline_row(number: int, now_ms: int) -> IndexGeneration:
    """The baseline's first STATE: it serves everything that no other generation serves."""
    move = GenerationMove(
        at=now_ms,
        before=GenerationState.PLANNED.value,
        after=GenerationState.LIVE.value,
        by=BY_RULE,
        why="baseline: it has served since before there were records of generations",
    )
    return IndexGeneration(
        event_id=uuid7(),
        occurred_at=now_ms,
        generation=number,
        side=GenerationSide.STATE,
        model=GenerationModel(uri=""),
        wish=GenerationWish.SERVE,
        state=GenerationState.LIVE,
        message="baseline",
        history=(move,),
    )


def after(case: Case, decision: Decision, message: str) -> IndexGeneration:
    """The STATE from now on. What was planned first stands: model, chunker, selection and store never
    change."""
    row, wanted = case.row, case.wanted
    same = case.state is None or same_plan(row, wanted)
    return structs.replace(
        wanted,
        event_id=uuid7(),
        occurred_at=case.now_ms,
        side=GenerationSide.STATE,
        model=_model(row.model, decision.fingerprint),
        chunker_generation=row.chunker_generation,
        selection=row.selection,
        store=row.store,
        state=decision.move.after if decision.move else row.state,
        cutover=row.cutover if decision.cutover is None else decision.cutover,
        canary=decision.canary,
        counts=dict(row.counts if decision.counts is None else decision.counts),
        message=message if same else f"{message}; {REFUSED}",
        history=_history(case, decision),
    )


def same_plan(one: IndexGeneration, other: IndexGeneration) -> bool:
    """Whether two sides are of the same model, chunker, selection and store; what only one of them knows makes no
    difference."""
    known = (
        not (one.model.fingerprint and other.model.fingerprint) or one.model.fingerprint == other.model.fingerprint,
        not (one.model.dimension and other.model.dimension) or one.model.dimension == other.model.dimension,
    )
    return all(known) and _plan(one) == _plan(other)


def differs(before: IndexGeneration | None, now: IndexGeneration) -> bool:
    """Whether there is anything new to write."""
    return before is None or _told(before, _UNTOLD) != _told(now, _UNTOLD)


def urgent(before: IndexGeneration | None, now: IndexGeneration) -> bool:
    """Whether others act upon what is new: everything but progress and words."""
    return before is None or _told(before, _UNTOLD | _LOOSE) != _told(now, _UNTOLD | _LOOSE)


def _history(case: Case, decision: Decision) -> tuple[GenerationMove, ...]:
    move = decision.move
    so_far = case.state.history if case.state else ()
    if move is None:
        return so_far
    made = GenerationMove(
        at=case.now_ms,
        before=case.state.state.value if case.state else "",
        after=move.after.value,
        by=move.by,
        why=move.why,
        evidence=dict(move.rests_on),
    )
    return (*so_far, made)[-MOVES_KEPT:]


def _model(model: GenerationModel, fingerprint: str) -> GenerationModel:
    return structs.replace(model, fingerprint=model.fingerprint or fingerprint)


def _plan(side: IndexGeneration) -> tuple[object, ...]:
    model = structs.replace(side.model, fingerprint="", dimension=0)
    return model, side.chunker_generation, tuple(sorted(side.selection)), side.store


def _told(side: IndexGeneration, without: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in structs.asdict(side).items() if name not in without}
