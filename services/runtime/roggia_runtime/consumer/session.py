"""One membership from join to leave: collect, judge, finish, under one lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from roggia_runtime import denials
from roggia_runtime.consumer import gaps, measures
from roggia_runtime.consumer.batches import Batch
from roggia_runtime.consumer.collecting import Collecting, Haul
from roggia_runtime.consumer.counts import Counts, Lag
from roggia_runtime.consumer.dead_letters import DlqLimiter
from roggia_runtime.consumer.delivery import FencedError, Finisher
from roggia_runtime.consumer.freshness import Freshness, observe
from roggia_runtime.consumer.handling import AbandonedError, Handling
from roggia_runtime.consumer.judging import Judge, Judged
from roggia_runtime.consumer.lanes import Lanes
from roggia_runtime.consumer.membership import Membership
from roggia_runtime.consumer.positions import Positions, Starts
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.ticking import Ticking
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import (
    ConsumeError,
    DlqLimitError,
    LostPartitionError,
    MissingTopicError,
    ProduceError,
    RoggiaError,
    UnavailableError,
)
from roggia_runtime.records import Output, Ownership, Partition
from roggia_runtime.settings import BatchLimits, KafkaSettings

log = structlog.get_logger()
MAX_RESETS = 20
"""Resets in a row, with nothing committed between them, after which the loop gives up."""

OnAssigned = Callable[[Mapping[Partition, int]], None]
OnOwned = Callable[[Mapping[Partition, Ownership]], None]
_REFUSED = (GroupAuthorizationFailedError, TopicAuthorizationFailedError)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop puts into a session."""

    group: str
    stage: str
    topics: Sequence[str]
    """Live topics."""
    lanes: Lanes
    settings: KafkaSettings
    limits: BatchLimits
    limiter: DlqLimiter
    judge: Judge
    handling: Handling
    ticking: Ticking | None
    on_assigned: OnAssigned | None
    stopping: asyncio.Event
    on_owned: OnOwned | None = None
    starts: Starts | None = None


class Session:
    """Used by `ConsumerLoop` alone. `run` returns when stopping was asked for, and raises what ended it otherwise.

    `ClientGaveUpError` is among that: another session can go on.
    """

    def __init__(self, parts: Parts, consumer: AIOKafkaConsumer, finisher: Finisher) -> None:
        self._parts = parts
        self._finisher = finisher
        self._positions = Positions(consumer)
        self._lag = Lag(parts.group, consumer)
        self._counts = Counts(parts.group)
        self.freshness = Freshness(parts.group, parts.topics, consumer, self._positions)
        topics = (*parts.topics, *parts.lanes.present)
        self.member = Membership(consumer, topics, assigned=self._on_assigned, revoked=self._on_revoked)
        self._collecting = Collecting(self.member, self._positions, parts.lanes, parts.limits, self._gap)
        self._backoff = self._fresh_backoff()
        self.trouble = ""
        """Why records were not produced, until some are committed; for the health line."""

    async def run(self) -> None:
        """Consume. The group must have been joined."""
        while not self._parts.stopping.is_set():
            await either(self.member.ready, self.member.over, self._parts.stopping)
            self.member.raise_over()
            if not self._parts.stopping.is_set():
                await self._cycle()

    def notes(self) -> list[str]:
        """What is wrong with the way batches are made final, although they are."""
        return self._finisher.notes()

    async def close(self) -> None:
        """Stop producers and leave the group. No cycle may be under way."""
        async with self.member.lock:
            await self._finisher.stop()
        await self.member.leave()
        self._lag.forget()
        self.freshness.forget()

    async def _cycle(self) -> None:
        try:
            await self._work_locked()
        except AbandonedError as error:
            log.info("abandoned", group=self._parts.group, reason=str(error))
        except _REFUSED as error:
            doing = f"read as group {self._parts.group} ({error})"
            raise ConsumeError(denials.explain(error, self._parts.settings, doing)) from error
        except MissingTopicError as error:
            self.trouble = str(error)
            await self._reset(error)
        except (FencedError, KafkaError, LostPartitionError, UnavailableError) as error:
            await self._reset(error)

    async def _work_locked(self) -> None:
        async with self.member.lock:
            if not self.member.ready.is_set():
                return
            try:
                self._raise_failure()
                await self._work()
            except (FencedError, KafkaError, LostPartitionError, MissingTopicError):
                self.member.suspend()
                raise

    async def _reset(self, error: BaseException) -> None:
        """What this member holds is in doubt: use nothing of it until a new assignment, and ask for one if need be."""
        measures.RESETS.labels(self._parts.group).inc()
        self.member.suspend()
        wait = self._backoff.wait_s()
        log.warning("reset", group=self._parts.group, error=repr(error), tries=self._backoff.tries)
        if self._backoff.tries > MAX_RESETS:
            raise ConsumeError(f"group {self._parts.group} makes no progress: {_why(error)}") from error
        await either(self.member.ready, self.member.over, self._parts.stopping, timeout_s=wait)
        if not self.member.ready.is_set() and not self.member.underway and not self.member.over.is_set():
            self.member.rejoin()

    def _raise_failure(self) -> None:
        failure, self.member.failure = self.member.failure, None
        if failure is not None:
            raise failure

    async def _work(self) -> None:
        try:
            await self._tick()
            haul = await self._collecting.collect()
            self.member.busy(full=haul.full() and not haul.lane)
            if haul.polled:
                await self._work_on(haul)
            else:
                await self._idle()
        finally:
            await self._finisher.settle()
        if not self._parts.stopping.is_set():
            await self._finisher.mend()
        self._lag.update(self._positions.committed)
        self.freshness.look()

    async def _work_on(self, haul: Haul) -> None:
        """Make a haul final, all of it: nothing of a lane may be under way while live records are, and the reverse."""
        since = time.monotonic()
        self.freshness.hold(haul.polled)
        try:
            for batch in self._finisher.cut(haul.polled, haul.limits):
                await self._process(batch, haul.lane)
            await self._finisher.settle()
        except (DlqLimitError, UnavailableError, ProduceError) as error:
            if not haul.lane:
                raise
            await self._set_aside(haul, error)
        else:
            if haul.lane and self._parts.lanes.succeeded(haul.lane):
                measures.LANE_PAUSED.labels(self._parts.group, haul.lane).set(0)
        self._note_work(haul.lane, time.monotonic() - since)

    def _note_work(self, lane: str, seconds: float) -> None:
        self._collecting.worked(seconds)
        self._parts.lanes.worked(lane, seconds)
        self._counts.worked(lane, seconds)

    async def _set_aside(self, haul: Haul, error: RoggiaError) -> None:
        """A lane that fails rests, and what was polled of it is polled again then. Live traffic goes on.

        A producer that failed in a transaction is beyond use: it needs a new assignment, like one that was fenced.
        """
        passing = isinstance(error, UnavailableError)
        self._parts.lanes.pause(haul.lane, str(error), self._parts.settings.retry_max_s if passing else None)
        measures.LANE_PAUSED.labels(self._parts.group, haul.lane).set(1)
        log.warning("lane_paused", group=self._parts.group, lane=haul.lane, error=str(error))
        if isinstance(error, ProduceError):
            raise FencedError(next(iter(haul.polled)), error) from error
        await self._finisher.settle()
        if self.member.ready.is_set():
            self._positions.rewind(haul.polled)
            self._tell_positions()

    def _tell_positions(self) -> None:
        if self._parts.on_assigned is not None:
            self._parts.on_assigned(dict(self._positions.committed))

    async def _tick(self) -> None:
        if self._parts.ticking is None:
            return
        due = await self._parts.ticking.due(self._positions.committed)
        for partition, outputs in due:
            await self._finish(outputs, {partition: self._positions.committed[partition]})
        await self._finisher.settle()
        await self._parts.ticking.committed([partition for partition, _ in due])

    async def _idle(self) -> None:
        if self.member.ready.is_set():
            for partition, offset in (await self._positions.moved()).items():
                await self._finish((), {partition: offset})

    async def _gap(self, tp: TopicPartition, wanted: int) -> None:
        gap = await self._positions.restart(tp, wanted)
        if gap is None:
            return
        measures.GAPS.labels(self._parts.group, tp.topic).inc()
        measures.GAP_OFFSETS.labels(self._parts.group, tp.topic).inc(gap.missing)
        log.error("gap", group=self._parts.group, topic=tp.topic, partition=tp.partition, message=gap.message)
        record = gaps.record(gap, self._parts.group, self._parts.stage)
        await self._finish((record,), {gap.partition: gap.restart})

    async def _process(self, batch: Batch, lane: str) -> None:
        parts = self._parts
        judge = parts.handling.once if lane else parts.handling.verdicts
        verdicts, attempts = await judge(self.member, batch.records)
        judged = parts.judge.apply(batch.records, verdicts, attempts)
        limiter = parts.lanes.limiter(lane) if lane else parts.limiter
        limiter.admit(len(batch.records), judged.dead)
        await self._finisher.finish(
            judged.outputs, batch.positions, partial(self._done, batch, judged, lane, time.monotonic())
        )

    async def _finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int]) -> None:
        await self._finisher.finish(outputs, positions, partial(self._positions.note, positions))

    def _done(self, batch: Batch, judged: Judged, lane: str, since: float) -> None:
        self._positions.note(batch.positions)
        self._backoff = self._fresh_backoff()
        self.trouble = ""
        self._counts.add(batch, judged, time.monotonic() - since)
        if not lane:
            observe(self._parts.group, batch.records)

    async def _on_assigned(self, partitions: set[Partition]) -> None:
        log.info("assigned", group=self._parts.group, partitions=sorted(f"{p.topic}/{p.number}" for p in partitions))
        await self._finisher.assigned(partitions)
        if self._parts.on_owned is not None:
            self._parts.on_owned(self._finisher.owned())
        await self._positions.take_over(partitions, self._parts.starts)
        self._collecting.assigned(partitions)
        self.freshness.assigned(partitions)
        self._tell_positions()
        self._counts.assigned(len(partitions))
        if self._parts.ticking is not None:
            self._parts.ticking.restart()

    async def _on_revoked(self, _partitions: set[Partition]) -> None:
        await self._finisher.revoked()
        self._positions.committed = {}
        self._lag.forget()
        self.freshness.forget()

    def _fresh_backoff(self) -> Backoff:
        return Backoff(self._parts.settings.retry_first_s, self._parts.settings.retry_max_s)


def _why(error: BaseException) -> str:
    return str(error) if isinstance(error, RoggiaError) else repr(error)
