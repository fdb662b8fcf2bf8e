"""From `retrieval.shadowed` to rows: what users were answered, and what the shadow would have answered. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roggia_schemas.events import RetrievalShadowed, ShadowedAnswer

from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.metrics import DEPTH
from roggia_operator.evaluation.shadow.model import Between, Seen, ShadowRow
from roggia_operator.evaluation.slices import located

LIVE = "live"
_FILLING = "FILLING"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: generation in the shadow, generation that answered (0: the one that did most often), since when
    (milliseconds), one tenant where it is named."""

    generation: int
    against: int = 0
    since: int = 0
    tenant: str = ""

    def takes(self, event: RetrievalShadowed) -> bool:
        """Whether an event is meant, whichever generation answered its user."""
        if len(event.answers) < 2 or event.answers[1].generation != self.generation:
            return False
        return event.occurred_at >= self.since and self.tenant in ("", event.tenant_id)


def rows(
    events: Iterable[RetrievalShadowed], wanted: Wanted, *, with_text: bool = False
) -> tuple[list[ShadowRow], Between]:
    """Rows and what they are of. Raises `EvaluationError` when there are none."""
    taken = [event for event in events if wanted.takes(event)]
    against = wanted.against or _most_often(taken)
    kept = [event for event in taken if event.answers[0].generation == against]
    if not kept:
        beside = f" beside generation {wanted.against}" if wanted.against else ""
        raise EvaluationError(
            f"generation {wanted.generation} was asked nothing in the shadow{beside}; is it in SHADOW, and is "
            "ROGGIA_QUERY__SHADOW__PERCENT of the query service above 0? Or ask again what was recorded: --queries FILE"
        )
    between = Between(
        generation=wanted.generation,
        against=against,
        source=LIVE,
        models=_models(kept, 1),
        models_against=_models(kept, 0),
        note=_note(kept),
    )
    return [_row(event, with_text) for event in kept], between


def _most_often(events: Sequence[RetrievalShadowed]) -> int:
    counts = Counter(event.answers[0].generation for event in events)
    return counts.most_common(1)[0][0] if counts else 0


def _note(events: Sequence[RetrievalShadowed]) -> str:
    filling = sum(event.answers[1].state == _FILLING for event in events)
    return f"{filling} of {len(events)} were asked while the generation was still being filled" if filling else ""


def _models(events: Sequence[RetrievalShadowed], at: int) -> tuple[str, ...]:
    return tuple(sorted({event.answers[at].model for event in events if event.answers[at].model}))


def _row(event: RetrievalShadowed, with_text: bool) -> ShadowRow:
    shape = (event.words, event.identifier)
    return ShadowRow(
        query=event.query_hash[:16],
        slices=tuple(located(event.tenant_id, event.domain, event.language, shape)),
        old=_seen(event.answers[0]),
        new=_seen(event.answers[1]),
        overlap=event.overlap,
        rbo=event.rbo,
        text=(event.query_text or "") if with_text else "",
    )


def _seen(answer: ShadowedAnswer) -> Seen:
    documents = tuple(dict.fromkeys(one.doc_id for one in answer.results))[:DEPTH]
    return Seen(documents=documents, seconds=answer.latency_ms / 1000, error=answer.error)
