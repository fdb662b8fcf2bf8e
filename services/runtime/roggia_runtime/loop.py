"""The consumer loop: what every service reads Kafka with. `docs/design/delivery.md` says why it is as it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from roggia_runtime import clients
from roggia_runtime.consumer import measures
from roggia_runtime.consumer.batches import Batch, Polled, size
from roggia_runtime.consumer.dead_letters import DlqLimiter
from roggia_runtime.consumer.delivery import AtLeastOnce, Delivery, FencedError, Finisher, Transactional
from roggia_runtime.consumer.judging import Judge
from roggia_runtime.consumer.membership import Membership
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.errors import ConsumeError, UnavailableError
from roggia_runtime.records import Handler, Partition, Record, Ticker, Verdict
from roggia_runtime.settings import BatchLimits, DlqLimits, KafkaSettings

__all__ = ["ConsumerLoop", "Delivery"]

log = structlog.get_logger()
POLL_MS = 200
"""Longest poll. Short, because the rebalance callbacks wait for the lock that a poll holds."""


class _Abandoned(Exception):  # noqa: N818  # not an error: the batch will be fetched again
    """The batch in hand is given up before anything of it was committed."""


class ConsumerLoop:
    """Reads topics as a member of a group, hands micro-batches to a handler, and makes its verdicts final.

    Nothing is lost at a crash, a rebalance or a restart; order is kept per partition. `run` returns after `stop`, and
    raises what stopped it otherwise. One loop object runs once.
    """

    def __init__(
        self,
        *,
        settings: KafkaSettings,
        group: str,
        topics: Sequence[str],
        handler: Handler,
        stage: str,
        delivery: Delivery = Delivery.AT_LEAST_ONCE,
        limits: BatchLimits | None = None,
        dlq: DlqLimits | None = None,
        ticker: Ticker | None = None,
    ) -> None:
        self._settings = settings
        self._group = group
        self._topics = tuple(topics)
        self._handler = handler
        self._stage = stage
        self._mode = delivery
        self._limits = limits or BatchLimits()
        self._ticker = ticker
        self._limiter = DlqLimiter(dlq or DlqLimits())
        self._judge = Judge(group, stage)
        self._stopping = asyncio.Event()
        self._unavailable = ""
        self._failed = ""
        self._member: Membership | None = None
        self._finisher: Finisher | None = None

    async def run(self) -> None:
        """Consume until `stop` or a failure. Raises the failure; nothing of the failed batch is committed."""
        consumer = AIOKafkaConsumer(**clients.group_consumer(self._settings, self._group))
        self._finisher = (
            AtLeastOnce(consumer, self._settings, self._group)
            if self._mode is Delivery.AT_LEAST_ONCE
            else Transactional(self._settings, self._group)
        )
        self._member = Membership(consumer, self._topics, self._on_assigned, self._on_revoked)
        try:
            await self._run(self._member)
        except BaseException as error:
            self._failed = str(error) or type(error).__name__
            raise
        finally:
            await self._finisher.stop()
            await self._member.leave()

    def stop(self) -> None:
        """Finish the batch in hand, commit, leave the group: within `stop_deadline_s`."""
        self._stopping.set()

    def health(self) -> list[str]:
        """What keeps the loop from working, in words. Empty when it is ready."""
        if self._failed:
            return [f"{self._stage}: stopped: {self._failed}"]
        if self._member is None or not self._member.ready.is_set():
            return [f"{self._stage}: waiting for an assignment in group {self._group}"]
        return [f"{self._stage}: {self._unavailable}"] if self._unavailable else []

    async def _run(self, member: Membership) -> None:
        await member.join()
        while not self._stopping.is_set():
            await self._until(member.ready)
            if not self._stopping.is_set():
                await self._cycle(member)

    async def _until(self, event: asyncio.Event) -> None:
        if event.is_set():
            return
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _cycle(self, member: Membership) -> None:
        async with member.lock:
            if member.failure is not None:
                raise ConsumeError(f"cannot take partitions over: {member.failure!r}") from member.failure
            if not member.ready.is_set():
                return
            try:
                await self._work(member)
            except _Abandoned:
                pass
            except CommitFailedError as error:
                log.warning("lost_partitions", group=self._group, error=repr(error))
                member.rejoin()
            except FencedError as error:
                measures.FENCED.labels(self._group, error.partition.topic).inc()
                log.warning("fenced", group=self._group, error=str(error))
                member.rejoin()

    async def _work(self, member: Membership) -> None:
        assert self._finisher is not None
        polled = await self._collect(member)
        for batch in self._finisher.cut(polled, self._limits):
            await self._process(member, batch)

    async def _collect(self, member: Membership) -> dict[Partition, Polled]:
        polled: dict[Partition, Polled] = {}
        limits, count, held, deadline = self._limits, 0, 0, 0.0
        timeout = POLL_MS
        while True:
            for tp, raw in (await member.poll(timeout, limits.max_records - count)).items():
                records = [Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in raw]
                part = polled.setdefault(Partition(tp.topic, tp.partition), Polled([], 0))
                part.records += records
                part.position = await member.consumer.position(tp)
                count += len(records)
                held += sum(map(size, records))
            if not polled or member.rebalancing.is_set():
                return {}
            now = time.monotonic()
            deadline = deadline or now + limits.max_wait_ms / 1000
            if count >= limits.max_records or held >= limits.max_bytes or now >= deadline:
                return polled
            timeout = min(POLL_MS, max(1, int((deadline - now) * 1000)))

    async def _process(self, member: Membership, batch: Batch) -> None:
        assert self._finisher is not None
        verdicts, attempts = await self._verdicts(member, batch.records)
        judged = self._judge.apply(batch.records, verdicts, attempts)
        self._limiter.admit(len(batch.records), judged.dead)
        with measures.COMMIT.labels(self._group).time():
            await self._finisher.finish(judged.outputs, batch.positions)
        self._judge.count(judged)

    async def _verdicts(self, member: Membership, records: Sequence[Record]) -> tuple[Sequence[Verdict], int]:
        backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
        while True:
            try:
                with measures.HANDLER.labels(self._group).time():
                    verdicts = await self._handler.handle(records)
            except UnavailableError as error:
                measures.UNAVAILABLE.labels(self._group).inc()
                self._unavailable = str(error)
                log.warning("unavailable", stage=self._stage, error=str(error), tries=backoff.tries)
                await self._pause(member, backoff.wait_s())
            else:
                self._unavailable = ""
                return verdicts, backoff.tries + 1

    async def _pause(self, member: Membership, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._until(member.rebalancing)
        except TimeoutError:
            return
        raise _Abandoned

    async def _on_assigned(self, partitions: set[Partition]) -> None:
        assert self._member is not None
        assert self._finisher is not None
        consumer = self._member.consumer
        await self._finisher.assigned(partitions)
        tps = [TopicPartition(*partition) for partition in partitions]
        committed = dict(zip(tps, await asyncio.gather(*map(consumer.committed, tps)), strict=True))
        new = [tp for tp, offset in committed.items() if offset is None]
        first = await consumer.beginning_offsets(new) if new else {}
        for tp, offset in committed.items():
            consumer.seek(tp, first[tp] if offset is None else offset)

    async def _on_revoked(self, partitions: set[Partition]) -> None:
        assert self._finisher is not None
        await self._finisher.revoked()


def kafka_error(error: KafkaError) -> ConsumeError:
    """A client's error in our own tree."""
    return ConsumeError(f"Kafka refuses to let the consumer go on: {error!r}")
