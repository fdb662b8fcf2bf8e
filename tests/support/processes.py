"""A server process that a test owns: started, stopped, killed and started again on the same port and data."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
_PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections (from 32768 on Linux, from 49152 by RFC 6335): a server that is
killed finds its port free again, whatever else connects meanwhile."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    """Say whether something accepts connections on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """One server under a test's control. Output goes to `log`, whose end is shown when a start fails."""

    start_timeout_s = START_TIMEOUT_S

    def __init__(self, command: list[str], port: int, log: Path, env: dict[str, str] | None = None) -> None:
        self.command, self.port, self.log = command, port, log
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; fails when the server has not been started."""
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs and before it was started."""
        return None if self._process is None else self._process.poll()

    def running(self) -> bool:
        """Say whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until the port answers; does nothing when it runs already."""
        if self.running():
            return
        self._process = self._begin()
        deadline = time.monotonic() + self.start_timeout_s
        while not listens(self.port):
            if not self.running() or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command[:4]} did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def _begin(self) -> subprocess.Popen[bytes]:
        """The process, just started."""
        with self.log.open("ab") as out:
            return subprocess.Popen(
                self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=self._env, start_new_session=True
            )

    def stop(self) -> int:
        """Send SIGTERM, wait, return the exit status (0 when it was not running)."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL and wait."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: it neither answers nor dies."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT, where it still lives."""
        if self.running():
            os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop cleanly and start again on the same port and data."""
        self.stop()
        self.start()

    def _end(self, number: signal.Signals) -> int:
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.send_signal(number)
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
