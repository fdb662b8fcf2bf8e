"""What every pass of one run shares: the collections by number, the slices, the counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.ports import VectorStore
from roggia_embedder.verify.limits import Pace, Throttle, slices_for
from roggia_embedder.verify.log import SettledLog
from roggia_embedder.verify.rows import Expected
from roggia_embedder.verify.scope import Place, Scope


@dataclass(slots=True)
class Counts:
    """What a run has seen so far."""

    documents: int = 0
    chunks: int = 0
    points: int = 0
    suspects: int = 0
    pending: int = 0
    findings: dict[str, int] = field(default_factory=dict)


class Ground:
    """One run's surroundings. Collections have numbers, in the order in which they were met."""

    def __init__(self, store: VectorStore, log: SettledLog, scope: Scope, pace: Pace, folder: Path) -> None:
        self.store, self.log, self.scope, self.pace, self.folder = store, log, scope, pace, folder
        self.throttle = Throttle(pace.points_per_s)
        self.counts = Counts()
        self.slices = 0
        self._places: list[Place] = []
        self._numbers: dict[str, int] = {}

    async def look_around(self) -> None:
        """Learn which collections there are now."""
        for place in self.scope.places(await self.store.collections()):
            number = self._number(place)
            self._places[number] = place

    async def measure(self) -> None:
        """Choose the number of slices by what there is. Points that the index lacks count too, by the log's records."""
        points = sum((await self.log.ends()).values())
        for _, place in self.existing():
            points += await self.size(place.name)
        self.slices = slices_for(points)

    async def size(self, collection: str) -> int:
        """Points of a collection; 0 when it was dropped meanwhile."""
        try:
            return await self.store.point_count(collection)
        except UnknownCollectionError:
            return 0

    def existing(self) -> list[tuple[int, Place]]:
        """The collections that the store has."""
        return [(number, place) for number, place in enumerate(self._places) if place.spec is not None]

    def place(self, number: int) -> Place:
        """The collection of a number."""
        return self._places[number]

    def own(self, expected: Expected) -> int | None:
        """The collection that a living document belongs to; None where it is none of this run's."""
        if not expected.living or not self.scope.covers(expected.tenant, expected.domain):
            return None
        return self._number(self.scope.place(expected.tenant, expected.domain))

    def _number(self, place: Place) -> int:
        number = self._numbers.setdefault(place.name, len(self._places))
        if number == len(self._places):
            self._places.append(place)
        return number
