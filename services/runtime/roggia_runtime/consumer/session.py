"""One membership from join to leave: collect, judge, finish, under one lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)

from roggia_runtime import clients
from roggia_runtime.consumer import gaps, measures
from roggia_runtime.consumer.batches import Batch, Polled, size
from roggia_runtime.consumer.counts import Counts, Lag
from roggia_runtime.consumer.dead_letters import DlqLimiter
from roggia_runtime.consumer.delivery import FencedError, Finisher
from roggia_runtime.consumer.handling import AbandonedError, Handling
from roggia_runtime.consumer.judging import Judge, Judged
from roggia_runtime.consumer.membership import Membership
from roggia_runtime.consumer.positions import Positions
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.ticking import Ticking
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import ConsumeError, UnavailableError
from roggia_runtime.records import Output, Partition
from roggia_runtime.settings import BatchLimits, KafkaSettings

log = structlog.get_logger()
POLL_MS = 200
"""Longest poll. Short, because the rebalance callbacks wait for the lock that a poll holds."""

MAX_RESETS = 20
"""Resets in a row, with nothing committed between them, after which the loop gives up."""

_REFUSED = (GroupAuthorizationFailedError, TopicAuthorizationFailedError)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop puts into a session."""

    group: str
    stage: str
    topics: Sequence[str]
    settings: KafkaSettings
    limits: BatchLimits
    limiter: DlqLimiter
    judge: Judge
    handling: Handling
    ticking: Ticking | None
    stopping: asyncio.Event


class Session:
    """Used by `ConsumerLoop` alone. `run` returns when stopping was asked for, and raises what ended it otherwise."""

    def __init__(self, parts: Parts, consumer: AIOKafkaConsumer, finisher: Finisher) -> None:
        self._parts = parts
        self._finisher = finisher
        self._positions = Positions(consumer)
        self._lag = Lag(parts.group, consumer)
        self._counts = Counts(parts.group)
        self.member = Membership(consumer, parts.topics, assigned=self._on_assigned, revoked=self._on_revoked)
        self._backoff = self._fresh_backoff()

    async def run(self) -> None:
        """Consume. The group must have been joined."""
        while not self._parts.stopping.is_set():
            await either(self.member.ready, self._parts.stopping)
            if not self._parts.stopping.is_set():
                await self._cycle()

    async def close(self) -> None:
        """Stop producers and leave the group. No cycle may be under way."""
        async with self.member.lock:
            await self._finisher.stop()
        await self.member.leave()
        self._lag.forget()

    async def _cycle(self) -> None:
        try:
            await self._work_locked()
        except AbandonedError as error:
            log.info("abandoned", group=self._parts.group, reason=str(error))
        except _REFUSED as error:
            raise ConsumeError(f"Kafka refuses group {self._parts.group}: {error!r}") from error
        except (FencedError, KafkaError, UnavailableError) as error:
            await self._reset(error)

    async def _work_locked(self) -> None:
        async with self.member.lock:
            if not self.member.ready.is_set():
                return
            try:
                self._raise_failure()
                await self._work()
            except (FencedError, KafkaError):
                self.member.suspend()
                raise

    async def _reset(self, error: BaseException) -> None:
        """What this member holds is in doubt: use nothing of it until a new assignment, and ask for one if need be."""
        measures.RESETS.labels(self._parts.group).inc()
        self.member.suspend()
        wait = self._backoff.wait_s()
        log.warning("reset", group=self._parts.group, error=repr(error), tries=self._backoff.tries)
        if self._backoff.tries > MAX_RESETS:
            raise ConsumeError(f"group {self._parts.group} makes no progress: {error!r}") from error
        await either(self.member.ready, self._parts.stopping, timeout_s=wait)
        if not self.member.ready.is_set() and not self.member.underway:
            self.member.rejoin()

    def _raise_failure(self) -> None:
        failure, self.member.failure = self.member.failure, None
        if failure is not None:
            raise failure

    async def _work(self) -> None:
        try:
            await self._tick()
            polled = await self._collect()
            for batch in self._finisher.cut(polled, self._parts.limits):
                await self._process(batch)
            if not polled:
                await self._idle()
        finally:
            await self._finisher.settle()
        self._lag.update(self._positions.committed)

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

    async def _collect(self) -> dict[Partition, Polled]:
        """Poll until a batch is complete: at the first of count, bytes, and time since the first record."""
        limits = self._parts.limits
        polled: dict[Partition, Polled] = {}
        count = held = 0
        until = 0.0
        timeout = POLL_MS
        while True:
            for tp, raw in (await self._poll(timeout, limits.max_records - count)).items():
                held += await self._take(polled, tp, raw)
                count += len(raw)
            if not self.member.ready.is_set():
                return {}
            now = time.monotonic()
            until = until or now + limits.max_wait_ms / 1000
            if not polled or count >= limits.max_records or held >= limits.max_bytes or now >= until:
                return polled
            timeout = max(1, min(POLL_MS, round((until - now) * 1000)))

    async def _take(self, polled: dict[Partition, Polled], tp: TopicPartition, raw: list[Any]) -> int:
        """Add what was polled from one partition; return its bytes."""
        records = [clients.record(consumed) for consumed in raw]
        held = sum(map(size, records))
        partition = Partition(tp.topic, tp.partition)
        part = polled.setdefault(partition, Polled([], 0))
        part.records += records
        part.position = await self._positions.now(partition)
        part.held += held
        return held

    async def _poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        try:
            return await self.member.poll(timeout_ms, max_records)
        except OffsetOutOfRangeError as error:
            for tp, wanted in error.args[0].items():
                await self._gap(tp, wanted)
            return {}

    async def _gap(self, tp: TopicPartition, wanted: int) -> None:
        gap = await self._positions.restart(tp, wanted)
        if gap is None:
            return
        measures.GAPS.labels(self._parts.group, tp.topic).inc()
        measures.GAP_OFFSETS.labels(self._parts.group, tp.topic).inc(gap.missing)
        log.error("gap", group=self._parts.group, topic=tp.topic, partition=tp.partition, message=gap.message)
        record = gaps.record(gap, self._parts.group, self._parts.stage)
        await self._finish((record,), {gap.partition: gap.restart})

    async def _process(self, batch: Batch) -> None:
        parts = self._parts
        verdicts, attempts = await parts.handling.verdicts(self.member, batch.records)
        judged = parts.judge.apply(batch.records, verdicts, attempts)
        parts.limiter.admit(len(batch.records), judged.dead)
        await self._finisher.finish(
            judged.outputs, batch.positions, partial(self._done, batch, judged, time.monotonic())
        )

    async def _finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int]) -> None:
        await self._finisher.finish(outputs, positions, partial(self._positions.note, positions))

    def _done(self, batch: Batch, judged: Judged, since: float) -> None:
        self._positions.note(batch.positions)
        self._backoff = self._fresh_backoff()
        self._counts.add(batch, judged, time.monotonic() - since)

    async def _on_assigned(self, partitions: set[Partition]) -> None:
        log.info("assigned", group=self._parts.group, partitions=sorted(f"{p.topic}/{p.number}" for p in partitions))
        await self._finisher.assigned(partitions)
        await self._positions.take_over(partitions)
        self._counts.assigned(len(partitions))
        if self._parts.ticking is not None:
            self._parts.ticking.restart()

    async def _on_revoked(self, _partitions: set[Partition]) -> None:
        await self._finisher.revoked()
        self._positions.committed = {}
        self._lag.forget()

    def _fresh_backoff(self) -> Backoff:
        return Backoff(self._parts.settings.retry_first_s, self._parts.settings.retry_max_s)
