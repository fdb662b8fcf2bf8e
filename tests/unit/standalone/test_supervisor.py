"""The supervisor and its leash, with small processes of their own in place of services."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from roggia.errors import StackFailedError
from roggia.stack.data import DataDirectory
from roggia.stack.ports import choose
from roggia.stack.spec import ProcessSpec, RestartPolicy
from roggia.stack.supervisor import Addresses, Notice, Supervisor

SERVER = """
import signal, socket, sys, time
stopped = open(sys.argv[2], "a")
def stop(*_):
    stopped.write(f"{time.monotonic()}\\n"); stopped.close(); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""
DYING = "import sys; print('cannot open the index: it is locked'); sys.exit(3)"
STUBBORN = SERVER.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
QUICK = RestartPolicy(first_s=0.01, most_s=0.05, quick_s=30.0, give_up_after=3)


class _Stage:
    """Modules to run, the directory they run on, and what the supervisor told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = DataDirectory(folder / "data")
        self.notices: list[Notice] = []
        for name, code in (("fake_server", SERVER), ("fake_dying", DYING), ("fake_stubborn", STUBBORN)):
            (folder / f"{name}.py").write_text(code)

    def supervisor(self) -> Supervisor:
        self.data.logs.mkdir(parents=True, exist_ok=True)
        return Supervisor(self.data, Addresses("k", "r", "q"), self.notices.append, QUICK)

    def spec(self, name: str, module: str = "fake_server", stop_s: float = 5.0) -> ProcessSpec:
        port = choose(0, set())
        arguments = (module, str(port), str(self.folder / f"{name}.stopped"))
        environment = {"PYTHONPATH": str(self.folder)}
        return ProcessSpec(name, arguments, environment, ready_port=port, ready_s=10.0, stop_s=stop_s)

    def stopped_at(self, name: str) -> float:
        return float((self.folder / f"{name}.stopped").read_text().split()[-1])

    async def told(self, process: str, status: str, count: int = 1) -> None:
        for _ in range(1000):
            if [(one.process, one.status) for one in self.notices].count((process, status)) >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{process} was not {status} {count} times: {self.notices}")


@pytest.fixture
def stage(tmp_path: Path) -> _Stage:
    """Fake services in a directory of their own."""
    return _Stage(tmp_path)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """What the supervisor probes readiness with."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_killed_process_is_started_again_and_the_state_file_says_so(
    stage: _Stage, http: aiohttp.ClientSession
) -> None:
    """kill -9 of a child ends in a new child under the same name, ready, with one restart counted."""
    supervisor = stage.supervisor()
    try:
        await supervisor.bring_up([stage.spec("broker")], http)
        first = supervisor.state().processes["broker"].pid
        os.kill(first, signal.SIGKILL)
        await stage.told("broker", "ready", 2)

        state = stage.data.state()
        assert state is not None
        assert state.processes["broker"].restarts == 1
        assert state.processes["broker"].pid not in (0, first)
    finally:
        await supervisor.close()


async def test_stopping_ends_services_before_what_they_talk_to_and_clears_the_state(
    stage: _Stage, http: aiohttp.ClientSession
) -> None:
    """A service must still reach the broker while it stops: otherwise it could not commit what it holds."""
    supervisor = stage.supervisor()
    await supervisor.bring_up([stage.spec("broker")], http)
    await supervisor.bring_up([stage.spec("ingest"), stage.spec("embed")], http)
    pids = [one.pid for one in supervisor.state().processes.values()]

    await supervisor.close()

    assert stage.stopped_at("broker") > max(stage.stopped_at("ingest"), stage.stopped_at("embed"))
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert stage.data.state() is None


async def test_a_process_that_keeps_dying_fails_the_stack_with_its_last_words(
    stage: _Stage, http: aiohttp.ClientSession
) -> None:
    """Restarting does not mend a fault that comes back at once: the user is told what the process said."""
    supervisor = stage.supervisor()
    server, dying = stage.spec("embed"), stage.spec("embed", "fake_dying")
    try:
        await supervisor.bring_up([server], http)
        (stage.folder / "fake_server.py").write_text(DYING)
        os.kill(supervisor.state().processes["embed"].pid, signal.SIGKILL)
        with pytest.raises(StackFailedError, match=r"embed died 3 times in a row: cannot open the index"):
            await asyncio.wait_for(supervisor.run(), 20)
        with pytest.raises(StackFailedError, match=r"ended before it was ready: cannot open the index"):
            await stage.supervisor().bring_up([dying], http)
    finally:
        await supervisor.close()


async def test_a_companion_is_kept_alive_and_its_end_is_not_the_stack_s(
    stage: _Stage, http: aiohttp.ClientSession
) -> None:
    """It is not waited for; killed, it is started again; when it keeps dying it is left, and stopping ends it too."""
    supervisor = stage.supervisor()
    running = asyncio.create_task(supervisor.run())
    await supervisor.bring_up([stage.spec("embed")], http)
    supervisor.accompany([stage.spec("popularity"), stage.spec("hopeless", "fake_dying")], http)
    await stage.told("popularity", "ready")
    os.kill(supervisor.state().processes["popularity"].pid, signal.SIGKILL)
    await stage.told("popularity", "ready", 2)
    await stage.told("hopeless", "failed")
    assert not running.done()
    assert supervisor.state().processes["embed"].restarts == 0
    pid = supervisor.state().processes["popularity"].pid

    await supervisor.close()

    await running
    assert not psutil.pid_exists(pid)
    assert stage.stopped_at("embed") > 0


async def test_a_process_that_ignores_sigterm_is_killed_after_its_deadline(
    stage: _Stage, http: aiohttp.ClientSession
) -> None:
    """Stopping takes a bounded time, whatever a child does, and says that it had to kill."""
    supervisor = stage.supervisor()
    await supervisor.bring_up([stage.spec("index", "fake_stubborn", stop_s=0.3)], http)
    pid, began = supervisor.state().processes["index"].pid, time.monotonic()

    await supervisor.close()

    assert time.monotonic() - began < 60
    assert not psutil.pid_exists(pid)
    assert stage.notices[-1] == Notice("index", "stopped", "killed: it did not stop in time")


async def test_children_stop_when_the_supervisor_is_killed(stage: _Stage) -> None:
    """kill -9 of the supervisor leaves no orphan that holds the ports and the index."""
    spec = stage.spec("child")
    starter = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'roggia.leash', *sys.argv[1:]], stdin=subprocess.PIPE,"
        " start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", starter, *spec.arguments, stdout=subprocess.PIPE, env={**os.environ, **spec.environment}
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    await _listening(spec.ready_port)

    parent.kill()
    await parent.wait()

    assert await asyncio.to_thread(_ends, child)
    assert stage.stopped_at("child") > 0


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def _ends(process: psutil.Process) -> bool:
    """An orphan is reaped by init or not at all (in a container): a zombie has ended too."""
    for _ in range(500):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("deaths", "delay"), [(1, 0.5), (2, 1.0), (3, 2.0), (10, 15.0)])
def test_pauses_between_restarts_double_up_to_a_limit(deaths: int, delay: float) -> None:
    """A process that cannot start does not keep a core busy."""
    assert RestartPolicy().delay(deaths) == delay
