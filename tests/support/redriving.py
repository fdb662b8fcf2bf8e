"""A redrive over a log in memory: its job, and the stage that takes the lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from roggia_operator.dlq.jobs import Task, ledger_of, read_jobs
from roggia_operator.dlq.ledger import Ledger
from roggia_operator.dlq.parts import Parts
from roggia_operator.dlq.reading import spans
from roggia_operator.dlq.selection import Selection
from roggia_operator.dlq.work import Work
from roggia_operator.jobs.running import Running
from roggia_runtime.ids import uuid7
from roggia_runtime.records import Output, Partition, Record
from roggia_schemas import topics
from roggia_schemas.events import JobKind, JobSide, JobStatus, JobWish, OpsJob

from tests.support.dead_letters import GROUP, MemoryLog, codec

LANE = topics.replay(topics.DOC_CHANGED)


class Killed(BaseException):
    """kill -9, in the middle of something."""


@dataclass(slots=True)
class Stage:
    """The group that reads the lane of doc.changed, whenever somebody asks how far it is."""

    log: MemoryLog
    refuses: Callable[[Record], bool] = lambda _: False
    taken: dict[Partition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log.turn = self.turn

    def turn(self) -> None:
        """Judge what is new on the lane, and commit."""
        for record in self.log.records(LANE):
            here = Partition(LANE, record.partition)
            if record.offset >= self.taken.get(here, 0):
                if self.refuses(record):
                    self.log.refuse(record)
                self.taken[here] = record.offset + 1
                self.log.commit(GROUP, here, record.offset + 1)


@dataclass(slots=True)
class Dying:
    """Sends, and dies at the n-th send: before it, or after it with nobody told."""

    log: MemoryLog
    at: int = -1
    after: bool = False
    sends: int = 0

    async def send_all(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        """Produce, unless killed."""
        self.sends += 1
        if self.sends == self.at and not self.after:
            raise Killed
        sent = await self.log.send_all(outputs)
        if self.sends == self.at:
            raise Killed
        return sent


async def task(log: MemoryLog, selection: Selection | None = None, **more: object) -> Task:
    """A redrive of a selection, by default of everything, as the DLQs are now."""
    chosen = selection or Selection()
    ends = {f"{part.topic}/{part.number}": at.end for part, at in (await spans(log, chosen)).items()}
    return msgspec.structs.replace(Task(action="redrive", selection=chosen, ends=ends), **more)


def wanted(of: Task, job_id: str = "redrive-1", **more: object) -> OpsJob:
    """The WANTED of a task."""
    return msgspec.structs.replace(
        OpsJob(
            event_id=uuid7(),
            occurred_at=1,
            job_id=job_id,
            side=JobSide.WANTED,
            kind=JobKind.REDRIVE,
            spec=msgspec.json.encode(of).decode(),
            wish=JobWish.RUN,
            status=JobStatus.WAITING,
        ),
        **more,
    )


@dataclass(slots=True)
class Keeping:
    """What a keeper does with one job: runs it, and keeps the last state that was saved."""

    log: MemoryLog
    ask: OpsJob
    state: OpsJob | None = None
    statuses: list[JobStatus] = field(default_factory=list)
    running: Running | None = None
    on_save: Callable[[Running], None] = lambda _: None

    async def run(self, sending: Dying | None = None, ledger: Ledger | None = None) -> str:
        """One try."""

        async def save(state: OpsJob) -> None:
            self.state = state
            self.statuses.append(state.status)
            assert self.running is not None
            self.on_save(self.running)

        self.running = running = Running(self.ask, self.state, save)
        parts = Parts(self.log, codec(), sending or Dying(self.log), look_s=0.001, save_s=0)
        of = msgspec.json.decode(self.ask.spec, type=Task)
        known = ledger or ledger_of(await read_jobs(self.log, codec()), but=self.ask.job_id)
        said = await Work(parts, running, of, known).run()
        await running.save(JobStatus.DONE, said, ended=True)
        return said

    def publish(self) -> None:
        """Put both sides on ops.job, as the real keeper does."""
        for side in (self.ask, self.state):
            if side is not None:
                self.log.append(codec().output(topics.OPS_JOB, side))
