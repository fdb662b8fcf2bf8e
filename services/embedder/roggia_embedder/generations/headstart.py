"""A head start for what is asked for most: read out of order, embedded into the vector cache, before the log pass
comes by.

It decides nothing. The log pass reads every record in its order, and writes every vector; of what had a head start it
finds the vectors in the cache. So a lane that is late, wrong or dead costs time, and nothing else. What it would bring
to write the vectors into the index as well (`doc.embedded.g<N>`'s replay lane, guarded as every write is): the index
itself would hold popular documents early, and shadow evaluation of head traffic could begin with them. The cache alone
already lets the log pass run through them without encoding.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import AdminError, LaterError, UnavailableError
from roggia_runtime.generations import holds
from roggia_runtime.ranges import Span
from roggia_runtime.records import Done, Handler, Record, Verdict
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.events import DocPopularity

from roggia_embedder.generations import metrics
from roggia_embedder.generations.chunk_log import ChunkLog, Committed, KafkaChunkLog, Progress
from roggia_embedder.generations.key_index import KeyIndex, Place
from roggia_embedder.generations.order import RULES, Candidate, OrderRules, ahead, batches, ranked
from roggia_embedder.generations.share import EncoderShare
from roggia_embedder.popularity.decay import Score

log = structlog.get_logger()
_RETRY_S = (0.2, 15.0)


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """`batch_bytes`: of chunk sets, in one batch. `round_s`: seconds after which popularity and progress are looked at
    again. `most_keys`: keys of the log whose place is kept, 22 bytes each."""

    batch_bytes: int = 64 << 10
    round_s: float = 15.0
    most_keys: int = 5_000_000


LIMITS = LaneLimits()


@dataclass(frozen=True, slots=True)
class Filling:
    """The generation whose log pass is helped. `handler` judges records as the log pass does, over its own count of
    the same model; what it answers is dropped."""

    number: int
    selection: Sequence[str]
    handler: Handler
    popular: Mapping[str, DocPopularity]


class HeadStart:
    """A worker, one per filling generation and process. It keeps nothing: after a restart it reads the keys again, and
    what it had embedded is in the cache, where it costs a look. While the log pass is past where the log ended at the
    first scan, it rests."""

    def __init__(
        self,
        filling: Filling,
        chunks: ChunkLog,
        progress: Progress,
        share: EncoderShare,
        rules: OrderRules = RULES,
        limits: LaneLimits = LIMITS,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self._filling, self._chunks, self._progress, self._share = filling, chunks, progress, share
        self._rules, self._limits, self._now = rules, limits, now
        self._index = KeyIndex(limits.most_keys)
        self._goal: dict[int, int] = {}
        self._scanned: dict[int, int] = {}
        self._done: dict[str, int] = {}
        self._since: dict[str, int] = {}
        self._stopping = asyncio.Event()
        self.through = False
        """The log pass of this process needs no help, as it was looked at last."""
        self._trouble = ""

    async def run(self) -> None:
        """Work until `stop`."""
        try:
            await self._rounds()
        finally:
            metrics.forget(self._filling.number)

    async def _rounds(self) -> None:
        backoff = Backoff(*_RETRY_S)
        while not self._stopping.is_set():
            try:
                async with self._chunks as chunks:
                    while not self._stopping.is_set():
                        await self._round(chunks)
                        self._trouble, backoff = "", Backoff(*_RETRY_S)
            except (UnavailableError, AdminError) as error:
                self._trouble = str(error)
                await either(self._stopping, timeout_s=backoff.wait_s())

    def stop(self) -> None:
        """End `run` after the batch in hand."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for a head start."""
        return []

    def notes(self) -> list[str]:
        """Why it does not help."""
        return [f"head start of generation {self._filling.number}: {self._trouble}"] if self._trouble else []

    async def _round(self, chunks: ChunkLog) -> None:
        """Look at the log, the log pass and what is popular; then embed in that order for a while."""
        until = time.monotonic() + self._limits.round_s
        await self._scan(chunks)
        positions = await self._progress()
        self._note_through(positions)
        if positions and not self.through:
            waiting, order = await asyncio.to_thread(self._waiting, positions, dict(self._filling.popular))
            for batch in batches(order, self._limits.batch_bytes):
                if not await self._share.admitted(self._stopping):
                    return
                await self._embed(chunks, {one.name: waiting[one.name] for one in batch})
                if time.monotonic() >= until:
                    return
        await either(self._stopping, timeout_s=max(0.0, until - time.monotonic()))

    async def _scan(self, chunks: ChunkLog) -> None:
        """Learn the places of keys: all at first, then what was written since. Values are read too, and let go: Kafka
        has no way to ask for keys alone."""
        spans = await chunks.spans()
        new = {n: Span(max(span.first, self._scanned.get(n, 0)), span.end) for n, span in spans.items()}
        async with aclosing(chunks.scan({n: span for n, span in new.items() if span.offsets})) as records:
            async for record in records:
                if record.key is not None:
                    place = Place(record.partition, record.offset, len(record.value or b""))
                    self._index.add(record.key, place)
                if self._stopping.is_set():
                    return
        self._scanned = {n: span.end for n, span in spans.items()}
        self._goal = self._goal or self._scanned
        metrics.KEYS.labels(self._filling.number).set(len(self._index))

    def _note_through(self, positions: Mapping[int, int]) -> None:
        through = bool(positions) and all(at >= self._goal.get(n, 0) for n, at in positions.items())
        if through and not self.through:
            log.info("head_start_through", generation=self._filling.number, documents=len(self._done))
        self.through = through

    def _waiting(
        self, positions: Mapping[int, int], popular: Mapping[str, DocPopularity]
    ) -> tuple[dict[str, Place], list[Candidate]]:
        """Popular documents of this generation that the log pass has still before it and the lane has not done: their
        places, and their order. A second for 200,000 of them: in a thread, while the worker waits for it."""
        now, selection = self._now(), self._filling.selection
        rows = {name: row for name, row in popular.items() if holds(selection, row.tenant_id, row.domain)}
        places: dict[str, Place] = {}
        found: list[Candidate] = []
        total = covered = 0.0
        for (name, row), place in zip(rows.items(), self._index.find([n.encode() for n in rows]), strict=True):
            traffic = Score(row.score, row.as_of).at(now, row.half_life_ms)
            total += traffic
            if place is None or place.partition not in positions:
                continue
            position, end = positions[place.partition], self._scanned[place.partition]
            if place.offset < position or self._done.get(name) == place.offset:
                covered += traffic
                continue
            waited_s = (now - self._since.setdefault(name, now)) / 1000
            found.append(Candidate(name, traffic, place.size, ahead(place.offset, position, end), waited_s))
            places[name] = place
        metrics.TRAFFIC.labels(self._filling.number).set(covered / total if total else 0.0)
        return places, ranked(found, self._rules)

    async def _embed(self, chunks: ChunkLog, places: Mapping[str, Place]) -> None:
        names = {(place.partition, place.offset): name for name, place in places.items()}
        records = [
            record
            for record in await chunks.read(list(places.values()))
            if record.key == names[record.partition, record.offset].encode()
        ]
        verdicts = await self._judged(records) if records else []
        if verdicts is None:
            return
        for name, place in places.items():
            self._done[name] = place.offset
            self._since.pop(name, None)
        metrics.DOCUMENTS.labels("embedded").inc(sum(isinstance(verdict, Done) for verdict in verdicts))
        metrics.DOCUMENTS.labels("left").inc(len(places) - sum(isinstance(verdict, Done) for verdict in verdicts))

    async def _judged(self, records: Sequence[Record]) -> Sequence[Verdict] | None:
        """What the handler says; asked again while it is held back or something is down. None when asked to stop."""
        backoff = Backoff(*_RETRY_S)
        while not self._stopping.is_set():
            try:
                verdicts = await self._filling.handler.handle(records)
            except LaterError as held:
                self._trouble = ""
                await either(self._stopping, timeout_s=held.after_s)
            except UnavailableError as error:
                self._trouble = str(error)
                await either(self._stopping, timeout_s=backoff.wait_s())
            else:
                self._trouble = ""
                return verdicts
        return None


def head_start(
    *,
    settings: KafkaSettings,
    topic: str,
    group: str,
    filling: Filling,
    share: EncoderShare,
    progress: Progress | None = None,
    limits: LaneLimits = LIMITS,
) -> HeadStart:
    """The worker for a filling generation; `topic` and `group` are those of its log pass.

    `filling.handler`: an `EmbedHandler` over `VectorSupply(CountedModel(model, share.lane), cache)`; that of the log
    pass over `CountedModel(model, share.log)`, the same model and the same cache. `progress`: `OwnPartitions`, where
    several processes share the group; by default this one has all partitions.
    """
    chunks = KafkaChunkLog(settings, topic)
    return HeadStart(filling, chunks, progress or Committed(settings, group, topic), share, limits=limits)
