"""Counting: what each document is worth now, and what of that readers should be told. Pure but for the clock's values.

Keys are `tenant/doc`. What was published is the base: a document that is not counted here yet starts from its row in
`doc.popularity`, so a restart or another worker goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from heapq import nlargest, nsmallest

from roggia_schemas.events import DocPopularity, RetrievalServed
from roggia_schemas.names import document_key

from roggia_embedder.popularity.decay import Score, weights


@dataclass(frozen=True, slots=True)
class Rules:
    """How to count and when to tell. `tolerance`: share of what readers know by which a score must have changed.

    `floor`: a score below it is forgotten, here and (as a Kafka null) in the topic. `most`: documents kept in memory.
    """

    half_life_ms: int
    interval_ms: int
    tolerance: float
    floor: float
    most: int


@dataclass(frozen=True, slots=True)
class Popular:
    """One document's state."""

    tenant_id: str
    domain: str
    doc_id: str
    score: Score
    requests: int


@dataclass(slots=True)
class _Counted:
    now: Popular
    told: Score | None
    told_at: int


Known = Callable[[str], DocPopularity | None]
"""The published row of a key."""


class Counts:
    """The state of one worker. Its size is bounded by `Rules.most`: beyond it the least popular quarter is left to its
    published row."""

    def __init__(self, rules: Rules, known: Known) -> None:
        self._rules, self._known = rules, known
        self._held: dict[str, _Counted] = {}
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        """Documents in memory."""
        return len(self._held)

    def take(self, event: RetrievalServed, now: int) -> int:
        """Count one answer; return how many documents it held. Raises `InvalidNameError` for a name that cannot be.

        A time ahead of ours is taken for now: one wrong clock would outweigh everybody for as long as it is ahead.
        """
        moment = min(event.occurred_at, now)
        found = weights(event.results)
        for doc_id, weight in found.items():
            key = document_key(event.tenant_id, doc_id).decode()
            self._add(key, Popular(event.tenant_id, event.domain, doc_id, Score(weight, moment), 1))
        if len(self._held) > self._rules.most:
            self._shed(now)
        return len(found)

    def due(self, now: int, at_most: int, *, closing: bool = False) -> list[tuple[str, Popular]]:
        """What to tell now, in the order in which it changed. Call `told` once it is written.

        `closing`: nothing is told later, so what was told less than an interval ago may be told again.
        """
        found: list[tuple[str, Popular]] = []
        for key in list(self._changed):
            if len(found) >= at_most:
                break
            held = self._held[key]
            if not self._worth_telling(held):
                self._changed.pop(key)
            elif closing or held.told is None or now - held.told_at >= self._rules.interval_ms:
                found.append((key, held.now))
        return found

    def told(self, key: str, score: Score, now: int) -> None:
        """Readers know this score of a key, which may have grown since `due` named it."""
        held = self._held.get(key)
        if held is not None:
            held.told, held.told_at = score, now
            if held.now.score == score:
                self._changed.pop(key, None)

    def faded(self, now: int) -> Iterator[str]:
        """Keys whose score has sunk below the floor; they are forgotten here as they are named."""
        for key, held in list(self._held.items()):
            if held.now.score.at(now, self._rules.half_life_ms) < self._rules.floor:
                self.forget(key)
                yield key

    def forget(self, key: str) -> None:
        """Drop one document."""
        self._held.pop(key, None)
        self._changed.pop(key, None)

    def leave(self, tenants: Collection[str]) -> None:
        """Drop what belongs to tenants: another worker counts on from what was published."""
        for key in [key for key, held in self._held.items() if held.now.tenant_id in tenants]:
            self.forget(key)

    def top(self, count: int, now: int) -> list[tuple[str, float]]:
        """Keys and scores of the most popular, for tests and for people."""
        scored = ((key, held.now.score.at(now, self._rules.half_life_ms)) for key, held in self._held.items())
        return nlargest(count, scored, key=lambda row: row[1])

    def _add(self, key: str, more: Popular) -> None:
        held = self._held.get(key) or self._base(key)
        if held is None:
            held = self._held[key] = _Counted(more, None, 0)
        else:
            score = held.now.score.plus(more.score, self._rules.half_life_ms)
            held.now = Popular(more.tenant_id, more.domain, more.doc_id, score, held.now.requests + more.requests)
        self._changed.setdefault(key)

    def _base(self, key: str) -> _Counted | None:
        row = self._known(key)
        if row is None or row.half_life_ms != self._rules.half_life_ms:
            return None
        score = Score(row.score, row.as_of)
        state = Popular(row.tenant_id, row.domain, row.doc_id, score, row.requests)
        held = self._held[key] = _Counted(state, score, row.occurred_at)
        return held

    def _worth_telling(self, held: _Counted) -> bool:
        """Readers decay what they know by themselves: only what came on top of that is news."""
        if held.told is None:
            return True
        known = held.told.at(held.now.score.as_of, self._rules.half_life_ms)
        return abs(held.now.score.value - known) > self._rules.tolerance * max(known, self._rules.floor)

    def _shed(self, now: int) -> None:
        """What is dropped loses what was not published of it, at most a few requests of the least popular."""
        scored = ((held.now.score.at(now, self._rules.half_life_ms), key) for key, held in self._held.items())
        for _, key in nsmallest(max(1, len(self._held) // 4), scored):
            self.forget(key)
