"""A job as its runner sees it: what is wanted now, what was done so far, and where both are written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec
from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_schemas.events import JobKind, JobSide, JobStatus, JobWish, OpsJob

from roggia_operator.errors import JobError
from roggia_operator.jobs.specs import REFUSED, mark, mark_in, marked

SAVE_EVERY_S = 1.0
Save = Callable[[OpsJob], Awaitable[None]]


class JobCancelledError(JobError):
    """Operators cancelled the job. The keeper writes its last state."""


class Running:
    """One job in work. The keeper changes what is wanted; the runner changes positions and counts and calls `saved`."""

    def __init__(self, wanted: OpsJob, state: OpsJob | None, save: Save) -> None:
        self.wanted = wanted
        self.changed = asyncio.Event()
        self.positions = dict(state.positions) if state else {}
        self.ends = dict(state.ends) if state else {}
        self.counts = dict(state.counts) if state else {}
        self.note = ""
        self.refused = False
        """The keeper: another specification was sent under this id. Every state says so."""
        self._of = mark_in(state) or mark(wanted)
        self.outcome = state.spec if state else "{}"
        """JSON that a runner keeps in the state's `spec` beside positions and counts."""
        self._started_at = state.started_at if state and state.started_at else now_ms()
        self._save = save
        self._saved = (time.monotonic(), JobStatus.WAITING, "", JobWish.RUN)

    @property
    def job_id(self) -> str:
        """Its id."""
        return self.wanted.job_id

    @property
    def status(self) -> JobStatus:
        """How it stood when its state was written last; WAITING before this instance wrote one."""
        return self._saved[1]

    @property
    def wish(self) -> JobWish:
        """What is wanted of it now."""
        return self.wanted.wish

    @property
    def strange(self) -> bool:
        """Whether the state that it goes on from is of another specification than the one that the log holds now."""
        return self._of != mark(self.wanted)

    @property
    def rates(self) -> Mapping[str, float]:
        """Limits per second as they are now."""
        return self.wanted.rates

    def want(self, wanted: OpsJob) -> None:
        """The keeper: operators have changed their mind."""
        self.wanted = wanted
        self.changed.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when what is wanted changes, or after `timeout_s` seconds."""
        self.changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self.changed.wait()
        except TimeoutError:
            pass  # the caller looks again

    def count(self, **more: int) -> None:
        """Add to counts."""
        for name, number in more.items():
            self.counts[name] = self.counts.get(name, 0) + number

    async def saved(self, status: JobStatus, message: str = "") -> None:
        """Write the state at once if it answers a new wish, soon if it says something new, else once a second."""
        at, *before = self._saved
        new = before != [status, message, self.wish]
        if before[-1] is self.wish and time.monotonic() - at < (SAVE_EVERY_S / 2 if new else SAVE_EVERY_S):
            return
        await self.save(status, message)

    async def save(self, status: JobStatus, message: str = "", *, ended: bool = False) -> None:
        """Write the state now."""
        self._saved = (time.monotonic(), status, message, self.wish)
        await self._save(self._state(status, message, ended=ended))

    def _state(self, status: JobStatus, message: str, *, ended: bool) -> OpsJob:
        return msgspec.structs.replace(
            self.wanted,
            event_id=uuid7(),
            occurred_at=now_ms(),
            side=JobSide.STATE,
            spec=marked(self.outcome, self._of),
            status=status,
            message="; ".join(filter(None, (message, REFUSED if self.refused else ""))),
            started_at=self._started_at,
            ended_at=now_ms() if ended else None,
            positions=dict(self.positions),
            ends=dict(self.ends),
            counts=dict(self.counts),
        )


class Runner(Protocol):
    """Does jobs of one kind."""

    @property
    def kind(self) -> JobKind:
        """The kind."""
        ...

    async def run(self, job: Running) -> str:
        """Do the whole job, from `job.positions` on; what to say at the end, in one line.

        Raises `JobCancelledError` once `job.wish` is CANCEL, another `RoggiaError` when the job has failed. It may be
        cancelled at any await, and is run again from the last state that was saved.
        """
        ...
