"""Comparisons in the shadow for tests: events as the query role tells them, rows with given answers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from roggia_operator.evaluation.shadow.model import Between, Seen, ShadowRow
from roggia_operator.evaluation.slices import located
from roggia_runtime import rankings
from roggia_runtime.ids import uuid7
from roggia_schemas.events import RetrievalShadowed, ShadowedPassage

from tests.support.events import example

CHUNK = "0b7d1a52-3a7e-5d53-8f0b-6b1c2d3e4f50"
BETWEEN = Between(generation=2, against=1, source="live", models=("new/2",), models_against=("old/1",))


def told(old: Sequence[str], new: Sequence[str], error: str = "", **changes: object) -> RetrievalShadowed:
    """The catalogue's example with these documents of both; `error` in the place of the second answer."""
    event = example("retrieval.shadowed")
    assert isinstance(event, RetrievalShadowed)
    found = [tuple(ShadowedPassage(doc_id=doc, chunk_id=CHUNK) for doc in side) for side in (old, new)]
    answers = tuple(
        msgspec.structs.replace(answer, results=results) for answer, results in zip(event.answers, found, strict=True)
    )
    if error:
        answers = (answers[0], msgspec.structs.replace(answers[1], results=(), error=error, model="", collection=""))
    agree = (None, None) if error else (rankings.overlap(old, new), rankings.rbo(old, new))
    own = {"event_id": uuid7(), "answers": answers, "overlap": agree[0], "rbo": agree[1]}
    return msgspec.structs.replace(event, **(own | changes))


def row(query: str, old: Sequence[str], new: Sequence[str], error: str = "", **facts: object) -> ShadowRow:
    """One question of acme's docs; the new generation takes twice as long."""
    made: dict[str, object] = {
        "query": query,
        "slices": tuple(located("acme", "docs", None, (4, False))),
        "old": Seen(documents=tuple(old), seconds=0.01),
        "new": Seen(documents=tuple(new), seconds=0.02, error=error),
        "overlap": None if error else rankings.overlap(old, new),
        "rbo": None if error else rankings.rbo(old, new),
    }
    return ShadowRow(**(made | facts))  # type: ignore[arg-type]
