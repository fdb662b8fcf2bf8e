"""A private `roggia up` for tests, and calls of the command line against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from roggia.stack.data import DataDirectory, StackState

PROCESSES = {
    *("broker", "registry", "ingest", "embed", "index", "operator", "popularity"),
    *("auditor", "audit-api", "live"),
}
START_S = 110.0
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"}


class Up:
    """`roggia up` as a process of its own on `root`, on ports that are free, with settings of its own."""

    def __init__(self, root: Path, **environment: str) -> None:
        self.data = DataDirectory(root)
        self._log = (root.parent / f"{root.name}.log").open("wb")
        ports = ("--kafka-port", "0", "--registry-port", "0", "--query-port", "0")
        command = [sys.executable, "-m", "roggia", "up", "--data", str(root), *ports]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=ENVIRONMENT | environment)

    def ready(self, restarts: int = 0) -> StackState:
        """The state once every process is ready, after `restarts` of them in all. Fails with the log's end."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            state = self.data.state()
            if state and _all_ready(state) and sum(one.restarts for one in state.processes.values()) >= restarts:
                return state
            time.sleep(0.1)
        raise AssertionError(f"the stack is not ready: {self.log()[-2000:]}")

    def call(self, *arguments: str, status: int = 0) -> Any:
        """Run a command against this stack; its JSON output where it printed some, else its text."""
        command = [sys.executable, "-m", "roggia", *arguments, "--data", str(self.data.root)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=110, env=ENVIRONMENT, check=False)
        assert ran.returncode == status, f"{arguments}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        try:
            return json.loads(ran.stdout)
        except ValueError:
            return ran.stdout + ran.stderr

    def stop(self, number: int = signal.SIGINT, within_s: float = 60.0) -> int:
        """Send a signal and wait for the end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(within_s)
        finally:
            self.process.kill()
            self._log.close()

    def log(self) -> str:
        """What the supervisor said so far."""
        return Path(self._log.name).read_text(errors="replace")


@contextmanager
def up_on(root: Path, **environment: str) -> Iterator[tuple[Up, StackState]]:
    """A stack that is ready, with its state; stopped at the end, also when it never became ready."""
    up = Up(root, **environment)
    try:
        yield up, up.ready()
    finally:
        up.stop()


def _all_ready(state: StackState) -> bool:
    ready = {name for name, one in state.processes.items() if one.status == "ready"}
    return ready == PROCESSES
