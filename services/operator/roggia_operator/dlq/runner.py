"""Runs redrives and drops for the keeper of jobs, one after the other: two that mean the same letters never race."""

from __future__ import annotations

import asyncio
from typing import Final

from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.events import JobKind, JobStatus, JobWish

from roggia_operator.dlq.jobs import ledger_of, read_jobs, task_of
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.parts import Parts
from roggia_operator.dlq.work import Work
from roggia_operator.jobs.running import JobCancelledError, Running


class RedriveRunner:
    """A `roggia_operator.jobs.running.Runner`."""

    kind: Final = JobKind.REDRIVE

    def __init__(self, kafka: KafkaSettings, codec: EventCodec) -> None:
        self._kafka, self._codec = kafka, codec
        self._turn = asyncio.Lock()

    async def run(self, job: Running) -> str:
        """Do the whole job; what came of it, in one line."""
        await self._wait_for_turn(job)
        try:
            return await self._work(job)
        finally:
            self._turn.release()

    async def _wait_for_turn(self, job: Running) -> None:
        while self._turn.locked():
            if job.wish is JobWish.CANCEL:
                raise JobCancelledError(job.job_id)
            await job.saved(JobStatus.WAITING, "another redrive or drop runs")
            await job.wait(0.5)
        await self._turn.acquire()

    async def _work(self, job: Running) -> str:
        task = task_of(job.wanted)
        producer = Producer(self._kafka, f"roggia-{job.job_id}")
        await producer.start()
        try:
            async with KafkaLog(self._kafka) as log:
                ledger = ledger_of(await read_jobs(log, self._codec), but=job.job_id)
                return await Work(Parts(log, self._codec, producer), job, task, ledger).run()
        finally:
            await producer.stop()
