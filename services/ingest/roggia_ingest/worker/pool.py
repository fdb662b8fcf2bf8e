"""The pool: hands jobs to worker processes, and ends the process of a document that takes too long."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TypeVar

import structlog

from roggia_ingest.errors import ContentError, InstallationError, RefusedError
from roggia_ingest.prepare import Job, Prepared
from roggia_ingest.worker import wire

log = structlog.get_logger()
TRIES = 2
"""A worker may die of something else than its document (the machine is short of memory): once more, in a new one."""

_LAST_BREATH_S = 1.0

S = TypeVar("S")
_COMMAND = (sys.executable, "-m", "roggia_ingest.worker")


class WorkerPool:
    """`roggia_ingest.ports.Preparer` with processes. They start with their first job and are kept.

    A worker that is late, dies, or whose job is given up is killed; the next job starts another.
    """

    def __init__(self, setup: wire.Setup, *, workers: int, timeout_s: float) -> None:
        self._setup = setup
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[Process] = []

    async def stop(self) -> None:
        """End the workers that wait."""
        idle, self._idle = self._idle, []
        for worker in idle:
            await _end(worker)

    async def prepare(self, job: Job) -> Prepared:
        """See the port. Raises `ContentError` also for a document that takes too long or kills its worker, and
        `InstallationError`, which stops the service, when a library is missing."""
        async with self._slots:
            for _ in range(TRIES):
                answer = await self._try(job)
                if isinstance(answer, wire.Result):
                    return answer.prepared
                if isinstance(answer, wire.Refusal):
                    raise RefusedError(answer.kind, answer.field, answer.message)
                if isinstance(answer, wire.Broken):
                    raise InstallationError(f"a library is missing: {answer.message}; install roggia[ingest] again")
        raise ContentError("content", f"ends the process that reads it (exit status {answer}); check the file")

    async def _try(self, job: Job) -> wire.Answer | int:
        """One try; the exit status when the worker died."""
        worker = self._idle.pop() if self._idle else await self._start()
        answer: wire.Answer | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await _ask(worker, job)
        except (EOFError, ConnectionError):
            status = await _status(worker)
            log.warning("worker_died", status=status, media_type=job.media_type, bytes=len(job.content))
            return status
        except TimeoutError:
            raise ContentError(
                "content",
                f"takes longer than document_timeout_s ({self._timeout_s:g} s); publish it in parts, or raise "
                "ROGGIA_INGEST_DOCUMENT_TIMEOUT_S",
            ) from None
        finally:
            if answer is None:
                await _end(worker)
        self._idle.append(worker)
        return answer

    async def _start(self) -> Process:
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
        worker = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True
        )
        await _send(worker, wire.frame(self._setup))
        return worker


async def _ask(worker: Process, job: Job) -> wire.Answer:
    await _send(worker, wire.frame(job))
    answers = _pipe(worker.stdout)
    header = await answers.readexactly(wire.HEADER_BYTES)
    return wire.answer(await answers.readexactly(int.from_bytes(header, "big")))


async def _send(worker: Process, data: bytes) -> None:
    jobs = _pipe(worker.stdin)
    jobs.write(data)
    await jobs.drain()


def _pipe(stream: S | None) -> S:
    if stream is None:
        raise TypeError("a worker is started with pipes")
    return stream


async def _status(worker: Process) -> int:
    """The exit status of a worker that closed its pipes; its own, where it ends by itself."""
    try:
        async with asyncio.timeout(_LAST_BREATH_S):
            return await worker.wait()
    except TimeoutError:
        return await _end(worker)


async def _end(worker: Process) -> int:
    if worker.returncode is None:
        worker.kill()
    return await worker.wait()
