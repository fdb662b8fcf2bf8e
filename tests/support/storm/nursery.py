"""Service processes without the seconds of imports: forked from one process that has imported them all.

What runs is the services' own `main`, in a process, session, environment and log file of its own; it is frozen and
killed like any other. `python -m tests.support.storm.nursery SOCKET` answers one request per connection.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

_READY = "ready\n"
_LOOK_S = 0.02


class Nursery:
    """The forking process, as the test sees it. One serves a whole session."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "nursery"
        command = [sys.executable, "-m", __name__, str(self._path)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == _READY, "the nursery did not start"

    def born(self, service: str, log: Path, env: dict[str, str]) -> Born:
        """A running service ("ingest", "operator", or a role of the embedder) that writes to `log`."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self._path))
            link.sendall(json.dumps({"service": service, "log": str(log), "env": env}).encode() + b"\n")
            return Born(int(link.makefile().readline()), log.parent)

    def close(self) -> None:
        """End the forking process; what it has born goes on."""
        self._process.kill()
        self._process.wait()


class Born:
    """A process that the nursery forked, with what a test needs of `subprocess.Popen`."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.pid = pid
        self._status = folder / f"{pid}.status"
        self._returned: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self._returned is None and self._status.exists():
            self._returned = int(self._status.read_text())
        return self._returned

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = 60.0) -> int:
        """The exit status, once it has ended. Raises `subprocess.TimeoutExpired`."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("nursery", timeout)
            time.sleep(_LOOK_S)
        return status


def _serve(path: str) -> None:
    _import()
    children: dict[int, Path] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _reap(children))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        sys.stdout.write(_READY)
        sys.stdout.flush()
        while True:
            link, _ = server.accept()
            with link:
                asked = json.loads(link.makefile().readline())
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
                pid = os.fork()
                if pid == 0:
                    server.close()
                    _live(asked)
                children[pid] = Path(asked["log"]).parent / f"{pid}.status"
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
                link.sendall(f"{pid}\n".encode())


def _import() -> None:
    """Everything that services import at the start or on first use."""
    from roggia_embedder import app as _embedder  # noqa: F401
    from roggia_embedder.adapters import edge as _edge  # noqa: F401
    from roggia_embedder.adapters import pgvector as _pgvector  # noqa: F401
    from roggia_embedder.adapters.models import stub as _stub  # noqa: F401
    from roggia_ingest import app as _ingest  # noqa: F401
    from roggia_operator import app as _operator  # noqa: F401

    gc.collect()
    gc.freeze()


def _reap(children: dict[int, Path]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        path = children.pop(pid)
        fresh = path.with_suffix(".new")
        try:
            fresh.write_text(str(os.waitstatus_to_exitcode(status)))
            fresh.replace(path)
        except FileNotFoundError:  # the test is over and its folder is gone
            continue


def _live(asked: dict[str, Any]) -> None:
    """Become the service. Never returns."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.setsid()
        log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.clear()
        os.environ.update(asked["env"])
        random.seed()
        status = _main(asked["service"])
    except BaseException:  # noqa: BLE001  # the process's last frame
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _main(service: str) -> int:
    from roggia_embedder import __main__ as embedder
    from roggia_ingest import __main__ as ingest
    from roggia_operator import __main__ as operator

    from tests.support.storm import index_process, slow_model

    slow_model.install()
    if service in ("ingest", "operator"):
        return {"ingest": ingest, "operator": operator}[service].main()
    return index_process.main() if service == "index" else embedder.main([service])


if __name__ == "__main__":
    _serve(sys.argv[1])
