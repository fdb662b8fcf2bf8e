"""Which wish a record holds. Pure.

A WANTED is written again whenever its rate or pause changes, also by somebody who read it before another's rollback. So
a cutover that was undone is repeated only for a wish that differs from the one that asked for it.
"""

from __future__ import annotations

import hashlib

from roggia_schemas.events import GenerationMove, GenerationState, IndexGeneration

MACHINES = frozenset({"models", "reconciler", "roggia.operator.generations"})
"""Services that write wishes, by the first part of their names."""
WISH, CANARY = "wish", "canary"
"""Names under which a move's evidence keeps the mark of the wish that it answered, or of the canary that it ended."""


def wish(wanted: IndexGeneration) -> str:
    """The mark of what is wished, by whom, why and on which evidence."""
    return _mark(wanted.wish.value, wanted.by, wanted.why, wanted.report, wanted.override)


def canary(wanted: IndexGeneration) -> str:
    """The mark of a canary: a share of queries, wanted by somebody for a reason."""
    return _mark(repr(wanted.canary), wanted.by, wanted.why, wanted.report, wanted.override)


def answered(state: IndexGeneration, wanted: IndexGeneration) -> bool:
    """Whether this very wish has led to a cutover before."""
    return any(move.evidence.get(WISH) == wish(wanted) for move in state.history if is_cutover(move))


def stopped(state: IndexGeneration, wanted: IndexGeneration) -> bool:
    """Whether this very canary was ended by a rule."""
    return any(move.evidence.get(CANARY) == canary(wanted) for move in state.history)


def is_cutover(move: GenerationMove) -> bool:
    """Whether a move made a generation LIVE."""
    return move.after == GenerationState.LIVE.value


def machine(by: str) -> bool:
    """Whether a name is that of a service: it answers for nothing, and says nothing new by saying it again."""
    return by.partition("/")[0].strip() in MACHINES


def _mark(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
