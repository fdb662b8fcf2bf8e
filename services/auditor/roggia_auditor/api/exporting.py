"""Exports as jobs: one after the other, each a folder of its own, whose state is a file in it.

Folders that this module did not make are never touched: each of its own holds `job.json`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tarfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.consumer.waiting import either
from roggia_runtime.ids import uuid7

from roggia_auditor.api import messages
from roggia_auditor.api.errors import BusyError, NotFoundError
from roggia_auditor.api.tokens import Grant
from roggia_auditor.errors import AuditorError

Progress = Callable[[int, int], None]
Write = Callable[[str, Path, Progress], Awaitable[None]]
"""Writes the export of a tenant into a folder."""
JOB, DATA, ARCHIVE = "job.json", "export", "export.tar"
MAX_WAITING = 8
_ID = re.compile(r"\A[0-9a-f-]{36}\Z")
_EVERY = 1000
"""Records between two notes of progress."""
_LOOK_S = 60.0
"""Seconds between two looks for what has expired."""
log = structlog.get_logger()


class Exporting:
    """A worker. Exports that were not finished when the process ended are made anew at the next start."""

    def __init__(self, folder: Path, write: Write, keep_s: float, now: Callable[[], int] = now_ms) -> None:
        self._folder, self._write, self._keep_s, self._now = folder, write, keep_s, now
        self._jobs: dict[str, messages.Export] = {}
        self._new = asyncio.Event()
        self._stopping = False
        self._writing: asyncio.Task[None] | None = None
        self._withdrawn: set[str] = set()

    async def start(self) -> None:
        """Make the folder, and find what an earlier process left. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob(f"*/{JOB}")):
            try:
                job = msgspec.json.decode(path.read_bytes(), type=messages.Export)
            except msgspec.DecodeError as error:
                log.warning("export_unreadable", path=str(path), error=str(error))
                continue
            unfinished = job.status in ("waiting", "running")
            self._jobs[job.id] = msgspec.structs.replace(job, status="waiting", written="0") if unfinished else job

    def begin(self, tenant: str) -> messages.Export:
        """Take an export on. Raises `BusyError`."""
        waiting = [one for one in self._jobs.values() if one.status in ("waiting", "running")]
        if len(waiting) >= MAX_WAITING:
            raise BusyError(f"tenant: {len(waiting)} exports wait already; ask again when one is done", "tenant")
        job = messages.Export(id=uuid7(), tenant=tenant, status="waiting", made_at=self._now())
        self._keep(job)
        self._new.set()
        return job

    def listed(self, grant: Grant) -> Sequence[messages.Export]:
        """Exports of the grant's tenants, newest first."""
        return [one for one in sorted(self._jobs.values(), key=_age, reverse=True) if grant.sees(one.tenant)]

    def one(self, job_id: str, grant: Grant) -> messages.Export:
        """One export. Raises `NotFoundError`, also for one of another tenant."""
        found = self._jobs.get(job_id)
        if found is None or not grant.sees(found.tenant):
            raise NotFoundError(f"id: {job_id[:60]!r} is no export that this token may see", "id")
        return found

    def archive(self, job_id: str, grant: Grant) -> Path:
        """The finished export as one tar file. Raises `NotFoundError`."""
        found = self.one(job_id, grant)
        if found.status != "done":
            raise NotFoundError(f"id: the export is {found.status}; ask for it when it is done", "id")
        path = self._folder / found.id / ARCHIVE
        if not path.is_file():
            raise NotFoundError("id: the export's file is not there any more; begin another one", "id")
        return path

    def take_back(self, job_id: str) -> None:
        """Forget an export that was only just begun, also where the worker has taken it up meanwhile."""
        job = self._jobs.pop(job_id, None)
        if job is not None and job.status == "running" and self._writing is not None:
            self._withdrawn.add(job_id)
            self._writing.cancel()
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    async def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            self._expire()
            job = next((one for one in sorted(self._jobs.values(), key=_age) if one.status == "waiting"), None)
            if job is None:
                self._new.clear()
                await either(self._new, timeout_s=_LOOK_S)
            else:
                await self._make(job)

    def stop(self) -> None:
        """Return from `run`; an export that is under way is made anew by the next process."""
        self._stopping = True
        self._new.set()
        if self._writing is not None:
            self._writing.cancel()

    def health(self) -> list[str]:
        """Nothing waits for exports."""
        return []

    async def _make(self, job: messages.Export) -> None:
        job = msgspec.structs.replace(job, status="running")
        self._keep(job)
        target = self._folder / job.id / DATA
        await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)

        def progress(done: int, of: int) -> None:
            if done % _EVERY == 0 or done == of:
                self._note(msgspec.structs.replace(job, written=str(done), records=str(of)))

        self._writing = asyncio.create_task(self._written(job.tenant, target, progress))
        await asyncio.wait({self._writing})
        writing, self._writing = self._writing, None
        if job.id in self._withdrawn:
            self._withdrawn.discard(job.id)
            await asyncio.to_thread(shutil.rmtree, self._folder / job.id, ignore_errors=True)
            return
        if writing.cancelled():
            return
        error = writing.exception()
        if error is None:
            self._keep(msgspec.structs.replace(self._jobs[job.id], status="done"))
            return
        expected = isinstance(error, AuditorError | OSError)
        log.warning(
            "export_failed", id=job.id, tenant=job.tenant, error=str(error), exc_info=None if expected else error
        )
        why = str(error) if expected else "a fault of the server; its log says which"
        self._keep(msgspec.structs.replace(self._jobs[job.id], status="failed", error=why))

    def _note(self, job: messages.Export) -> None:
        if job.id not in self._withdrawn:
            self._jobs[job.id] = job

    async def _written(self, tenant: str, target: Path, progress: Progress) -> None:
        await self._write(tenant, target, progress)
        await asyncio.to_thread(_pack, target)

    def _keep(self, job: messages.Export) -> None:
        folder = self._folder / job.id
        folder.mkdir(exist_ok=True)
        written = folder / (JOB + ".new")
        written.write_bytes(msgspec.json.encode(job))
        written.replace(folder / JOB)
        self._jobs[job.id] = job

    def _expire(self) -> None:
        before = self._now() - round(self._keep_s * 1000)
        for job in [one for one in self._jobs.values() if one.status in ("done", "failed") and one.made_at < before]:
            if _ID.match(job.id) and (self._folder / job.id / JOB).is_file():
                shutil.rmtree(self._folder / job.id)
            del self._jobs[job.id]


def _pack(folder: Path) -> None:
    with tarfile.open(folder.parent / ARCHIVE, "w") as packed:
        packed.add(folder, arcname=DATA)
    shutil.rmtree(folder)


def _age(job: messages.Export) -> tuple[int, str]:
    return job.made_at, job.id
