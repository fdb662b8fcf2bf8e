"""Jobs as commands wait for them: until an operator service takes one, and to its end. One patience for all of them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from roggia_operator.jobs.client import JobClient
from roggia_operator.jobs.table import Job
from roggia_schemas.events import JobStatus

from roggia.cli.output import counted
from roggia.errors import NotRunningError, StandaloneError

TAKEN_S = 20.0
"""Seconds after which a job that nobody took is left to whoever starts an operator."""
LOOK_S = 0.3


class Patience:
    """Call it with a job at every look. Raises `NotRunningError` once no operator has taken it for `TAKEN_S`."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self, job: Job) -> None:
        """Look at a job."""
        if job.state is None and time.monotonic() - self._since > TAKEN_S:
            raise NotRunningError(
                f"no operator service took {job.job_id} within {TAKEN_S:g} s: start one (roggia service operator), "
                "it will run the job then"
            )


async def followed(client: JobClient, job_id: str, look_s: float = LOOK_S) -> AsyncGenerator[Job]:
    """A job at every look, to its end. Raises as `Patience` does; close it when you stop listening earlier."""
    patience = Patience()
    async with aclosing(client.follow(job_id, look_s)) as looks:
        async for job in looks:
            patience(job)
            yield job


async def taken(client: JobClient, job_id: str) -> Job:
    """A job once an operator has taken it. Raises as `Patience` does."""
    async with aclosing(followed(client, job_id)) as looks:
        async for job in looks:
            if job.state is not None:
                break
    return job


def judged(job: Job) -> None:
    """Raises `StandaloneError` for a job that ended without having done what it was for: a script must not read 0 as
    all done. One that is open is no failure."""
    if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
        message = job.state.message if job.state else ""
        raise StandaloneError(f"{job.job_id}: {job.status.value.lower()}: {message}")
    if job.ended and (back := job.state.counts.get("came_back", 0) if job.state else 0):
        raise StandaloneError(
            f"{job.job_id}: {counted(back, 'letter')} failed again and came back; see why: roggia dlq list"
        )
