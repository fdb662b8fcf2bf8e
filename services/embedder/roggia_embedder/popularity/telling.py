"""Tells readers what is popular: records of `doc.popularity`, seldom per document and only of what is news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from roggia_runtime import ids
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import ProduceError, UnavailableError
from roggia_runtime.records import Output
from roggia_schemas.events import DocPopularity
from roggia_schemas.topics import DOC_POPULARITY

from roggia_embedder.popularity import metrics
from roggia_embedder.popularity.counts import Counts, Popular, Rules
from roggia_embedder.popularity.decay import Score
from roggia_embedder.ports.codec import EventCodec

log = structlog.get_logger()
_AT_ONCE = 1_000
_FADED_EVERY_S = 300.0


class Delivers(Protocol):
    """What is asked of a producer; the runtime's `Producer` is one."""

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """Return once the brokers have them. Raises `ProduceError`."""
        ...


class Telling:
    """A worker. What could not be written stays due; `flush` is for a rebalance and for the end."""

    def __init__(
        self,
        counts: Counts,
        rules: Rules,
        rows: Mapping[str, DocPopularity],
        codec: EventCodec,
        producer: Delivers,
        now: Callable[[], int],
        every_s: float,
    ) -> None:
        self._counts, self._rules, self._rows, self._now = counts, rules, rows, now
        self._codec, self._producer, self._every_s = codec, producer, every_s
        self._stopping, self._lock = asyncio.Event(), asyncio.Lock()
        self._faded_at = now()
        self._trouble = ""

    async def run(self) -> None:
        """Tell until `stop`, and once more at the end."""
        while not self._stopping.is_set():
            await self.flush(closing=False)
            await self._fade()
            await either(self._stopping, timeout_s=self._every_s)
        await self.flush()

    def stop(self) -> None:
        """Return from `run` after a last round."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Why nothing is written."""
        return [f"{DOC_POPULARITY}: {self._trouble}"] if self._trouble else []

    async def flush(self, *, closing: bool = True) -> int:
        """Write what is due; `closing`: also what was told a moment ago. Returns how many records were written."""
        written = 0
        async with self._lock:
            while due := self._counts.due(self._now(), _AT_ONCE, closing=closing):
                if not await self._deliver([self._output(state) for _, state in due], "score"):
                    break
                for key, state in due:
                    self._counts.told(key, state.score, self._now())
                written += len(due)
        return written

    async def remove(self, tenant_id: str) -> int:
        """Write a Kafka null for every document of a tenant. Raises `UnavailableError`: try again."""
        keys = [key for key in self._rows if key.startswith(f"{tenant_id}/")]
        self._counts.leave({tenant_id})
        if keys and not await self._deliver([Output(DOC_POPULARITY, key.encode(), None) for key in keys], "forgotten"):
            raise UnavailableError(self._trouble)
        return len(keys)

    async def _fade(self) -> None:
        """Forget what has sunk below the floor: what this worker counted, and rows that nobody counts any more."""
        now = self._now()
        if (now - self._faded_at) / 1000 < _FADED_EVERY_S:
            return
        self._faded_at = now
        mine = set(self._counts.faded(now))
        old = {key for key, row in self._rows.items() if self._worth(row, now) < self._rules.floor}
        nulls = [Output(DOC_POPULARITY, key.encode(), None) for key in sorted(mine & set(self._rows) | old)]
        for start in range(0, len(nulls), _AT_ONCE):
            await self._deliver(nulls[start : start + _AT_ONCE], "forgotten")

    def _worth(self, row: DocPopularity, now: int) -> float:
        # A newer score may be on its way: a row counts as old only where twice its value would be.
        return 2 * Score(row.score, row.as_of).at(now, row.half_life_ms)

    def _output(self, state: Popular) -> Output:
        event = DocPopularity(
            event_id=ids.uuid7(),
            occurred_at=self._now(),
            tenant_id=state.tenant_id,
            domain=state.domain,
            doc_id=state.doc_id,
            score=state.score.value,
            as_of=state.score.as_of,
            half_life_ms=self._rules.half_life_ms,
            requests=state.requests,
        )
        return self._codec.output(DOC_POPULARITY, event)

    async def _deliver(self, outputs: list[Output], kind: str) -> bool:
        try:
            await self._producer.deliver(outputs)
        except ProduceError as error:
            self._trouble = str(error)
            log.warning("popularity_not_written", error=self._trouble)
            return False
        self._trouble = ""
        metrics.PUBLISHED.labels(kind).inc(len(outputs))
        return True
