"""How far behind live is and what waits after a lane: asked of Kafka."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Self

from roggia_runtime.errors import RoggiaError
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from roggia_operator.lag import LagObserver, Measurement, freshness
from roggia_operator.replay.throttle import Reading

_STAGES = (topics.DOC_CHANGED, "doc.chunked.", "doc.embedded.")


class LagProbe:
    """A `Probe` on the lags of every group but those that `aside` names. After an error it connects anew."""

    def __init__(self, settings: KafkaSettings, aside: Callable[[], Collection[str]] = frozenset) -> None:
        self._settings, self._aside = settings, aside
        self._observer: LagObserver | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            await observer.__aexit__(*error)

    async def reading(self, topic: str) -> Reading:
        """See `Probe`."""
        try:
            if self._observer is None:
                self._observer = await LagObserver(self._settings).__aenter__()
            return of(await self._observer.measure(), topic, self._aside())
        except RoggiaError:
            await self.__aexit__(None, None, None)
            raise


def of(measured: Measurement, topic: str, aside: Collection[str] = ()) -> Reading:
    """What a job over `topic` looks at: groups that read documents, not those of operators or of others, nor those
    that nobody waits for (`aside`)."""
    groups = {part.group for part in measured.partitions if part.where.topic.startswith(_STAGES)} - set(aside)
    fresh = freshness(measured, groups)
    stage, age = slowest(fresh.stages)
    waiting = sum(fresh.unconsumed[name] for name in after(topic, fresh.unconsumed))
    return Reading(age, waiting, stage)


def slowest(stages: Mapping[str, float | None]) -> tuple[str, float]:
    """The group whose oldest live event is the oldest, and its age; one that could not be read counts as endless."""
    ages = {name: math.inf if age is None else age for name, age in stages.items()}
    name = max(ages, key=lambda name: ages[name], default="")
    return name, ages.get(name, 0.0)


def after(topic: str, known: Iterable[str]) -> frozenset[str]:
    """Which of `known` are the lane of `topic`, or live topics and lanes of the stages behind it."""
    stage = next(n for n, prefix in enumerate(_STAGES) if topic.startswith(prefix))
    later = _STAGES[stage + 1 :]
    return frozenset(
        name for name in known if name == topics.replay(topic) or (name.startswith(later) and not name.endswith(".dlq"))
    )
