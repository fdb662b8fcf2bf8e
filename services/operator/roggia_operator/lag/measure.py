"""Measures lag exactly: by reading the first record that each group has not read yet.

For throttling: `async with LagObserver(kafka) as lag: fresh = freshness(await lag.measure())`, every second or so.
One observer is for one task; it keeps its connections and what it has read, so that an observation of hundreds of
partitions costs a handful of requests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Self

from roggia_runtime.clock import now_ms
from roggia_runtime.offsets import GroupInfo, Offsets
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from roggia_operator.lag.heads import Heads, Place
from roggia_operator.lag.values import Freshness, GroupState, Measurement

GROUP_PREFIX = "roggia."
_NO_DOCUMENTS = frozenset({
    topics.INDEX_GENERATION, topics.OPS_JOB, topics.TENANT_CONFIG, topics.RETRIEVAL_SERVED, topics.RETRIEVAL_SHADOWED,
    topics.INFERENCE_COMPLETED, topics.PRICE_CHANGED,
})  # fmt: skip
"""Topics whose records no document waits for: who reads them is no stage."""


async def measure(kafka: KafkaSettings, groups: Sequence[str] | None = None) -> Measurement:
    """One observation with connections of its own: `groups`, or every group whose name begins with `roggia.`.

    Raises `UnavailableError` when no broker answers and `AdminError` when Kafka refuses.
    """
    async with LagObserver(kafka) as observer:
        return await observer.measure(groups)


def freshness(
    measured: Measurement, groups: Iterable[str] | None = None, *, without: Collection[str] = ()
) -> Freshness:
    """How long live events wait per group and over all of `groups` (default: all that were measured, `without` those
    that no reader waits for).

    Only topics on which documents travel count: a job that no operator has taken makes no document late.
    """
    parts = [
        part
        for part in measured.partitions
        if topics.base(part.where.topic) not in _NO_DOCUMENTS and part.group not in without
    ]
    chosen = {part.group for part in parts} if groups is None else set(groups)
    parts = [part for part in parts if part.group in chosen]
    stages = {group: oldest([part.live_s for part in parts if part.group == group]) for group in sorted(chosen)}
    unconsumed: dict[tuple[str, str], int] = {}
    for part in parts:
        key = (part.where.topic, part.group)
        unconsumed[key] = unconsumed.get(key, 0) + part.lag
    by_topic: dict[str, int] = {}
    for (topic, _), records in unconsumed.items():
        by_topic[topic] = max(by_topic.get(topic, 0), records)
    exact = all(part.live_exact for part in parts)
    return Freshness(oldest(list(stages.values())), stages, exact, by_topic)


def oldest(ages: Sequence[float | None]) -> float | None:
    """The largest age; None when one is not known, 0 without any."""
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None


class LagObserver:
    """Observes again and again over the same connections. Errors as `measure`; open a new one after an error."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._offsets = await self._stack.enter_async_context(Offsets(self._kafka))
        self._heads = Heads(self._offsets)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def measure(self, groups: Sequence[str] | None = None) -> Measurement:
        """One observation, as the function `measure` makes it."""
        chosen = [name for name in await self._offsets.groups() if name.startswith(GROUP_PREFIX)]
        chosen = chosen if groups is None else list(groups)
        committed = await self._offsets.committed(chosen)
        infos = await self._offsets.describe(chosen)
        known = await self._offsets.partitions()
        read = {name: _read(known, committed[name], infos[name]) for name in chosen}
        bounds = await self._offsets.bounds({where for parts in read.values() for where in parts})
        places = [
            Place(name, where, committed[name].get(where), bounds[where])
            for name in chosen
            for where in read[name]
            if where in bounds
        ]
        ages = await self._heads.ages(places)
        at = now_ms()
        owners = {
            (name, p): f"{m.client_id}@{m.host}" for name in chosen for m in infos[name].members for p in m.partitions
        }
        parts = [
            age.lag(place, at, owners.get((place.group, place.where), ""))
            for place, age in zip(places, ages, strict=True)
        ]
        states = {name: GroupState(info.state, len(info.members)) for name, info in infos.items()}
        return Measurement(at, tuple(sorted(parts, key=lambda part: (part.group, part.where))), states)


def _read(
    known: dict[str, tuple[Partition, ...]], committed: dict[Partition, int], info: GroupInfo
) -> tuple[Partition, ...]:
    """Partitions that a group reads: of the topics that it committed to or owns, and of their lanes."""
    own = {where.topic for where in committed} | {where.topic for m in info.members for where in m.partitions}
    lanes = {topics.replay(name) for name in own if topics.base(name) == name}
    return tuple(where for name in sorted(own | lanes) for where in known.get(name, ()))
