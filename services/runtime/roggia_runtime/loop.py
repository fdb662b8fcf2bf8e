"""The consumer loop: what every service reads Kafka with. `docs/design/delivery.md` says why it is as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownTopicOrPartitionError

from roggia_runtime import clients, connecting, denials
from roggia_runtime.consumer import measures
from roggia_runtime.consumer.dead_letters import DlqLimiter
from roggia_runtime.consumer.delivery import AtLeastOnce, Delivery, Finisher, Transactional
from roggia_runtime.consumer.handling import Handling
from roggia_runtime.consumer.judging import Judge
from roggia_runtime.consumer.lane_topics import unreadable
from roggia_runtime.consumer.lanes import Lanes
from roggia_runtime.consumer.leaving import leave
from roggia_runtime.consumer.membership import ClientGaveUpError
from roggia_runtime.consumer.positions import Starts
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.session import OnAssigned, OnOwned, Parts, Session
from roggia_runtime.consumer.ticking import Ticking
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import AdminError, ConfigurationError, ConsumeError, UnavailableError
from roggia_runtime.records import Handler, Ticker
from roggia_runtime.settings import BatchLimits, DlqLimits, KafkaSettings, LaneSettings

__all__ = ["ConsumerLoop", "Delivery"]

log = structlog.get_logger()
_END_S = 3.0
_LOOK_FOR_LANES_S = 30.0


class ConsumerLoop:
    """Reads topics as a member of a group, hands micro-batches to a handler, and makes its verdicts final.

    Nothing is lost at a crash, a rebalance or a restart; order is kept per partition. `run` returns after `stop`, and
    raises what ended it otherwise. One loop object runs once.

    `lanes` are replay lanes of `topics`, read by the same group. A batch holds records of `topics` or of one lane, and
    everything of the one is final before the other begins; live records come first, a lane's when they rest or as its
    minimum share. A lane that fails (`docs/design/lanes.md`) is set aside while live records go on.

    `on_assigned` is told the committed position of every partition, lanes included, before anything of a new assignment
    is handled, and when a lane is set aside: what a handler remembers from there on was never committed.

    `outputs` (transactional delivery) are the topics that the handler writes: what a former owner left open there is
    ended before anything is read.

    `on_owned` (transactional delivery) is told what proves that each partition is this member's, before that. A handler
    that keeps state outside of Kafka keeps the proof beside it, and raises `LostPartitionError` where it finds a later
    one: this process was taken for dead, and another one works on the partition.

    `starts` says where an assignment begins, for a stage that keeps its offsets beside what it made of the records, in
    one transaction. What is committed to Kafka is then for those who watch lag. A partition that it does not know
    begins at its oldest record.
    """

    def __init__(  # noqa: PLR0913  # keyword-only: the loop's whole contract in one place
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
        lanes: Sequence[str] = (),
        lane: LaneSettings | None = None,
        on_assigned: OnAssigned | None = None,
        on_owned: OnOwned | None = None,
        outputs: Sequence[str] = (),
        starts: Starts | None = None,
    ) -> None:
        self._settings = settings
        self._delivery = delivery
        self._outputs = tuple(outputs)
        self._stopping = asyncio.Event()
        self._handling = Handling(handler, group, settings, self._stopping)
        self._parts = Parts(
            group=group,
            stage=stage,
            topics=tuple(topics),
            lanes=Lanes(lanes, lane or LaneSettings(), dlq or DlqLimits()),
            settings=settings,
            limits=limits or BatchLimits(),
            limiter=DlqLimiter(dlq or DlqLimits()),
            judge=Judge(group, stage),
            handling=self._handling,
            ticking=None if ticker is None else Ticking(ticker),
            on_assigned=on_assigned,
            stopping=self._stopping,
            on_owned=on_owned,
            starts=starts,
        )
        self._session: Session | None = None
        self._trouble = ""

    async def run(self) -> None:
        """Consume until `stop` or a failure. Raises the failure; nothing of the failed batch is committed."""
        work = asyncio.create_task(self._join_and_consume())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            await self._finish(work)
        finally:
            self._stopping.set()
            stop.cancel()
            await self._end(work)
            await self._leave()

    def stop(self) -> None:
        """Finish the batch in hand within `stop_deadline_s`, commit, leave the group (some seconds more at worst)."""
        self._stopping.set()

    def health(self) -> list[str]:
        """What keeps the loop from working, in words. Empty when it is ready."""
        problem = self._problem()
        return [f"{self._parts.stage}: {problem}"] if problem else []

    def notes(self) -> list[str]:
        """What is wrong but keeps no live record waiting: lanes that are missing or set aside, questions denied."""
        own = [] if self._session is None else self._session.notes()
        return [f"{self._parts.stage}: {note}" for note in (*self._parts.lanes.notes(), *own)]

    def _problem(self) -> str:
        if self._trouble:
            return self._trouble
        if self._handling.unavailable:
            return self._handling.unavailable
        if self._session is not None and self._session.trouble:
            return self._session.trouble
        busy = self._handling.busy_s
        if busy * 1000 > self._settings.max_poll_interval_ms:
            return f"the handler has been working on one batch for {busy:.0f} s"
        if self._session is None or not self._session.member.ready.is_set():
            return f"waiting for an assignment in group {self._parts.group}"
        return ""

    async def _join_and_consume(self) -> None:
        """Until stopping is asked for, or a failure: with another membership where the client gave one up."""
        while (session := await self._join()) is not None:
            self._trouble = ""
            try:
                return await self._consume(session)
            except ClientGaveUpError as error:
                self._trouble = f"the Kafka client left group {self._parts.group}: {error}"
                measures.REJOINS.labels(self._parts.group).inc()
                log.warning("client_gave_up", group=self._parts.group, error=str(error))
                await self._leave()
                await either(self._stopping, timeout_s=self._settings.retry_first_s)
        return None

    async def _consume(self, session: Session) -> None:
        watch = asyncio.create_task(self._watch_lanes(session))
        try:
            await session.run()
        finally:
            watch.cancel()

    async def _join(self) -> Session | None:
        """Join the group, as long as it takes; None when asked to stop meanwhile."""
        backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
        while not self._stopping.is_set():
            try:
                await self._find_lanes()
                self._session = session = self._new_session()
                await session.member.join()
            except UnavailableError as error:
                self._trouble = str(error)
                await either(self._stopping, timeout_s=backoff.wait_s())
            except (KafkaConnectionError, UnknownTopicOrPartitionError) as error:
                self._trouble = await self._explain(error)
                log.warning("cannot_join", group=self._parts.group, error=self._trouble, tries=backoff.tries + 1)
                await self._leave()
                await either(self._stopping, timeout_s=backoff.wait_s())
            except KafkaError as error:
                doing = f"read as group {self._parts.group} ({error})"
                raise ConsumeError(denials.explain(error, self._settings, doing)) from error
            else:
                return session
        return None

    async def _find_lanes(self) -> None:
        """Lanes that cannot be read are left out, and said so. Raises `UnavailableError`."""
        lanes = self._parts.lanes
        try:
            lanes.missing(await unreadable(self._settings, lanes.names) if lanes.names else {})
        except AdminError as error:
            lanes.missing(dict.fromkeys(lanes.names, str(error)))

    async def _watch_lanes(self, session: Session) -> None:
        """Read lanes once they are there."""
        lanes = self._parts.lanes
        while (present := lanes.present) != lanes.names:
            log.warning("lanes_missing", group=self._parts.group, notes=lanes.notes())
            await asyncio.sleep(_LOOK_FOR_LANES_S)
            with suppress(UnavailableError):
                await self._find_lanes()
            if lanes.present != present:
                await session.member.resubscribe((*self._parts.topics, *lanes.present))

    def _new_session(self) -> Session:
        group = self._parts.group
        consumer = AIOKafkaConsumer(**clients.group_consumer(self._settings, group))
        finisher: Finisher = (
            AtLeastOnce(consumer, self._settings, group)
            if self._delivery is Delivery.AT_LEAST_ONCE
            else Transactional(self._settings, group, self._outputs)
        )
        return Session(self._parts, consumer, finisher)

    async def _finish(self, work: asyncio.Task[None]) -> None:
        """Give the batch in hand its time, then give it up. Raises what the work raised."""
        joined = self._session is not None and self._session.member.joined
        if joined:
            await asyncio.wait({work}, timeout=self._settings.stop_deadline_s)
        if not work.done():
            if joined:
                log.warning("stop_deadline", group=self._parts.group, deadline_s=self._settings.stop_deadline_s)
            return
        failure = ConsumeError("the Kafka client gave up") if work.cancelled() else work.exception()
        if failure is not None:
            self._trouble = f"stopped: {str(failure) or type(failure).__name__}"
            raise failure

    async def _end(self, work: asyncio.Task[None]) -> None:
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=_END_S)

    async def _leave(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        await leave(session.close(), self._parts.group)

    async def _explain(self, error: KafkaError) -> str:
        """Why the group cannot be joined now. Raises `ConfigurationError` when a setting must be changed."""
        if isinstance(error, KafkaConnectionError):
            reason = await connecting.explain(self._settings)
            if isinstance(reason, ConfigurationError):
                raise reason from error
            return str(reason)
        return f"a topic does not exist: {', '.join(self._parts.topics)} (roggia topics apply)"
