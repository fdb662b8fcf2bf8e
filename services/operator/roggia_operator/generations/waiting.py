"""Which groups nobody waits for, and which events of the index somebody does: by who serves what. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from roggia_runtime.generations import FOLLOWING, serving, states
from roggia_schemas.events import DocUpserted, GenerationState, IndexGeneration

from roggia_operator.generations.adapters.kafka_lag import embed_group, upsert_group
from roggia_operator.generations.moves import DONE, OFFSETS
from roggia_operator.lag.values import Aside


def unhurried(rows: Iterable[IndexGeneration]) -> frozenset[str]:
    """Groups of the generations that are not LIVE: they may be behind by the whole corpus, or never read again.

    A backfill that waited for them would stand still for as long as a generation fills.
    """
    return frozenset(aside(rows))


def aside(rows: Iterable[IndexGeneration]) -> dict[str, Aside]:
    """The same groups, and what each is there for instead of serving."""
    found = {row.generation: _aside(row) for row in states(rows) if row.state is not GenerationState.LIVE}
    return {group(number): one for number, one in found.items() for group in (embed_group, upsert_group)}


def awaited(rows: Iterable[IndexGeneration], baseline: int, event: DocUpserted) -> bool:
    """Whether readers have the index that an event is about: that of the generation that serves its knowledge base."""
    return event.generation == serving(rows, event.tenant_id, event.domain, baseline)


def _aside(row: IndexGeneration) -> Aside:
    return Aside(
        generation=row.generation,
        state=row.state.value,
        filling=row.state is GenerationState.FILLING,
        ended=row.state not in FOLLOWING,
        paused=row.paused,
        done=row.counts.get(DONE, 0),
        offsets=row.counts.get(OFFSETS, 0),
    )
