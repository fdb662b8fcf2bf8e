"""Keeps jobs: follows what operators want, runs each job in a task, writes how it stands. One instance leads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.errors import AdminError, ProduceError, RoggiaError, UnavailableError
from roggia_runtime.leadership import FencedWriter, LeadershipLostError
from roggia_runtime.producer import permanent
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import JobStatus, JobWish, OpsJob

from roggia_operator.errors import JobError
from roggia_operator.jobs.running import JobCancelledError, Runner, Running
from roggia_operator.jobs.specs import LOST
from roggia_operator.jobs.table import PARTITION, Job, read
from roggia_operator.metrics import JOBS

ROLE = "roggia.operator.jobs"
_TRIES = 5
"""How often a job is run that fails in a way that nobody foresaw."""
_TOLD = 2
"""After how many tries in vain a job says what it waits for."""
log = structlog.get_logger()


class Keeper:
    """Runs every job whose kind has a runner, several at once. `lead` is the work of a `Leader`."""

    def __init__(self, settings: KafkaSettings, codec: EventCodec, runners: Sequence[Runner]) -> None:
        self._settings, self._codec = settings, codec
        self._runners = {runner.kind: runner for runner in runners}
        self._running: dict[str, Running] = {}
        self._ended: set[str] = set()

    async def lead(self, writer: FencedWriter) -> None:
        """Run jobs until cancelled. Raises what makes this instance unfit to lead."""
        self._running, self._ended = {}, set()
        try:
            await self._follow(writer)
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several
        finally:
            self._running = {}
            self._tell()

    async def _follow(self, writer: FencedWriter) -> None:
        async with asyncio.TaskGroup() as tasks:
            table, offset = await read(self._settings, self._codec)
            for job in table:
                self._consider(job, tasks, writer)
            async for record in TopicAdmin(self._settings).follow({PARTITION: offset}):
                job_now = await table.take(record, self._codec)
                if job_now is not None:
                    self._consider(job_now, tasks, writer)

    def _consider(self, job: Job, tasks: asyncio.TaskGroup, writer: FencedWriter) -> None:
        """Take up a job, or tell the one in work what is wanted.

        One that ended here is over although the log, which is read a little later, may still show it running.
        """
        if job.wanted is None or job.ended or job.job_id in self._ended or job.wanted.kind not in self._runners:
            return
        if job.job_id in self._running:
            self._running[job.job_id].refused = job.refused
            self._running[job.job_id].want(job.wanted)
            return

        async def save(state: OpsJob) -> None:
            await writer.write([self._codec.output(topics.OPS_JOB, state)])
            self._tell()

        running = self._running[job.job_id] = Running(job.wanted, job.state, save)
        running.refused = job.refused
        self._tell()
        tasks.create_task(self._run(running), name=job.job_id)

    async def _run(self, running: Running) -> None:
        """One job from where it was to its end; its last state is written."""
        status, message = JobStatus.DONE, ""
        try:
            message = await self._patiently(running)
        except LeadershipLostError:
            raise
        except JobCancelledError:
            status, message = JobStatus.CANCELLED, "cancelled by an operator"
        except (RoggiaError, SchemasError) as error:
            status, message = JobStatus.FAILED, str(error)
            log.warning("job_failed", job=running.job_id, error=message)
        except Exception as error:  # a bug, or a record that no version of ours wrote: it must not end the others
            status, message = JobStatus.FAILED, f"internal error: {error!r}"
            log.exception("job_failed", job=running.job_id)
        await running.save(status, message, ended=True)
        self._ended.add(running.job_id)
        del self._running[running.job_id]
        self._tell()

    def _tell(self) -> None:
        """Count the jobs in hand for `roggia_jobs`."""
        JOBS.clear()
        for running in self._running.values():
            JOBS.labels(running.wanted.kind.value, running.status.value).inc()

    async def _patiently(self, running: Running) -> str:
        """Run it again and again while Kafka is away, and a few times after what nobody foresaw."""
        backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
        runner = self._runners[running.wanted.kind]
        while True:
            done = dict(running.positions)
            try:
                return await _once(runner, running)
            except (UnavailableError, AdminError, ProduceError) as error:
                if isinstance(error, ProduceError) and permanent(error):
                    raise
                if running.positions != done:
                    backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
                log.warning("job_waits", job=running.job_id, error=str(error), tries=backoff.tries + 1)
                if backoff.tries >= _TOLD and not isinstance(error, UnavailableError):
                    # Kafka answers, so that the state can be written: whoever watches the job sees what it waits for.
                    await running.saved(running.status, f"waits: {error}")
            except (RoggiaError, SchemasError):
                raise
            except Exception as error:
                if backoff.tries >= _TRIES:
                    raise
                log.warning("job_waits", job=running.job_id, error=repr(error), tries=backoff.tries + 1)
            await running.wait(backoff.wait_s())


async def _once(runner: Runner, running: Running) -> str:
    if running.strange:
        raise JobError(LOST)
    if running.wish is JobWish.CANCEL:
        raise JobCancelledError(running.job_id)
    return await runner.run(running)
