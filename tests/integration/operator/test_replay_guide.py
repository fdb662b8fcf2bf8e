"""docs/how-to/replay.md, as it stands: each command that it shows is run against a real operator."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia.cli.app import app
from roggia_schemas.events import JobStatus
from typer.testing import CliRunner

from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker
from tests.support.replaying import Operator, document, publish, reached, ready

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "replay.md"


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A broker with documents, which the commands find by the environment; an operator runs on it."""
    own = devstack_broker(tmp_path, **DEVSTACK_ENV)
    own.start()
    monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", own.bootstrap)
    asyncio.run(_filled(own))
    operator = Operator(own, tmp_path / "operator.log")
    operator.start()
    yield own
    operator.kill()
    own.kill()


async def _filled(broker: Broker) -> None:
    async with ready(broker) as (kafka, _):
        names = [*(f"d{n}" for n in range(4000)), "travel/expenses.md"]
        await publish(kafka, [document(name, domain="handbook") for name in names])


@pytest.mark.timeout(300)
def test_the_guides_commands_do_what_it_says(broker: Broker) -> None:
    """In the guide's order: plans that change nothing, a job that runs, and every way to steer it to its end."""
    commands = re.findall(r"^\$ roggia replay (.+)$", GUIDE.read_text(), re.MULTILINE)
    assert len(commands) == 13
    said = [_run(command, "") for command in commands if command.startswith("plan")]
    assert "4,001 (exact)" in said[0]
    assert "No jobs." in _run("list", "")

    (run,) = [command for command in commands if command.startswith("run")]
    job = _run(run, "").splitlines()[-1].strip()
    asyncio.run(_wait(broker, job, JobStatus.RUNNING, JobStatus.THROTTLED))
    for command in commands[commands.index(run) + 1 :]:
        assert _run(command, job).strip(), command
    asyncio.run(_wait(broker, job, JobStatus.CANCELLED))
    assert "CANCELLED" in _run("status JOB", job, status=1)


def _run(command: str, job: str, status: int = 0) -> str:
    words = ["replay", *shlex.split(command.replace("JOB", job))]
    ran = CliRunner().invoke(app, words)
    failed = 0 if ran.exception is None else 1
    assert failed == status, f"{words}: {ran.exception!r}\n{ran.output}"
    return ran.stdout


async def _wait(broker: Broker, job: str, *wanted: JobStatus) -> None:
    async with ready(broker) as (_, client):
        await reached(client, job, *wanted)
