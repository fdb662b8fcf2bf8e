"""One supervised child process: start, wait until ready, stop within a deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import aiohttp

from roggia.errors import StackFailedError
from roggia.stack.ports import LOOPBACK
from roggia.stack.spec import ProcessSpec

_POLL_S = 0.1


class Child:
    """A running (or ended) process of `spec`, writing to `log`. Made by the supervisor alone."""

    def __init__(self, spec: ProcessSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.born = 0.0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Process id, 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.born

    async def start(self) -> None:
        """Start the process in a session of its own (Ctrl-C reaches the supervisor alone) and on a leash."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "roggia.leash",
                *self.spec.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.spec.environment},
                start_new_session=True,
            )
        self.born = time.monotonic()

    async def ended(self) -> int:
        """Wait for the end; the exit status (negative: the signal that killed it)."""
        assert self._process is not None  # noqa: S101 - start() comes first, by construction
        return await self._process.wait()

    async def ready(self, http: aiohttp.ClientSession) -> None:
        """Return when the process answers. Raises `StackFailedError` when it ends first or takes too long."""
        deadline = time.monotonic() + self.spec.ready_s
        while not await self._answers(http):
            if self._process is None or self._process.returncode is not None:
                raise StackFailedError(f"{self.spec.name} ended before it was ready: {self.last_words()}")
            if time.monotonic() > deadline:
                raise StackFailedError(
                    f"{self.spec.name} was not ready after {self.spec.ready_s:.0f} s: see {self.log}"
                )
            await asyncio.sleep(_POLL_S)

    async def _answers(self, http: aiohttp.ClientSession) -> bool:
        if self.spec.ready_url:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(self.spec.ready_url) as reply:
                    return reply.status == 200
            return False
        with suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, self.spec.ready_port)
            writer.close()
            return True
        return False

    async def stop(self) -> bool:
        """SIGTERM, then SIGKILL after `spec.stop_s`. True when the process ended by itself in time."""
        if self._process is None or self._process.returncode is not None:
            return True
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), self.spec.stop_s)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            return False
        return True

    def last_words(self) -> str:
        """The last line of the log, for a message that says why; the log's path when there is none."""
        with suppress(OSError):
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 4096))
                lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
            if lines:
                return f"{lines[-1][:300]} (log: {self.log})"
        return f"see {self.log}"
