"""Which groups nobody waits for: those of generations that serve nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from roggia_runtime.generations import states
from roggia_schemas.events import GenerationState, IndexGeneration

from roggia_operator.generations.adapters.kafka_lag import embed_group, upsert_group


def unhurried(rows: Iterable[IndexGeneration]) -> frozenset[str]:
    """Groups of the generations that are not LIVE: they may be behind by the whole corpus, or never read again.

    A backfill that waited for them would stand still for as long as a generation fills.
    """
    numbers = [row.generation for row in states(rows) if row.state is not GenerationState.LIVE]
    return frozenset(group(number) for number in numbers for group in (embed_group, upsert_group))
