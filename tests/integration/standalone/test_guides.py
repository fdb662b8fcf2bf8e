"""The operators' guides, as they stand: each command that they show is run against one `roggia up`."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from roggia.stack.data import StackState
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from tests.support.guides import Guide, call, first_line, roggia
from tests.support.processes import ServerProcess, free_port
from tests.support.standalone import Up, up_on

pytestmark = pytest.mark.timeout(240)
JUDGED = (0, 7, 8)  # a busy machine may well be behind


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, StackState]]:
    """`roggia up`, with a stub in the model's place: these guides are about operation, not about answers."""
    with up_on(tmp_path_factory.mktemp("guides") / "data", ROGGIA_EMBEDDER_MODEL="stub") as started:
        yield started


@pytest.fixture
def running(stack: tuple[Up, StackState], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackState:
    """The stack, which commands find by the environment; a handbook in the working directory, which is published."""
    up, state = stack
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROGGIA_DATA", str(up.data.root))
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "expenses.md").write_text("# Expenses\n\nKeep the receipts.\n")
    (publish,) = Guide("publish.md").commands("publish")
    assert '"searchable": 1' in call(f"{publish} --json")
    return state


def test_operate(running: StackState, stack: tuple[Up, StackState], monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` with its data directory, `status`, what the directory holds, then the same by addresses as in production."""
    guide, root = Guide("operate.md"), stack[0].data.root
    up, status, register, apply, service = guide.commands()
    assert shlex.split(up)[:2] == ["up", "--data"]
    assert call(status, JUDGED)
    held = {one.name for one in root.iterdir() if not one.name.endswith((".new", "-wal", "-shm", "-journal"))}
    assert not [name for name in held if f"`{name}" not in guide.text]

    monkeypatch.delenv("ROGGIA_DATA")
    monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", running.kafka)
    monkeypatch.setenv("ROGGIA_REGISTRY_URL", running.registry)
    call(register)
    assert "nothing to do" in call(apply)
    assert service == "service ingest"
    port = free_port()
    second = ServerProcess(
        roggia(service), port, root.parent / "ingest.log",
        {"ROGGIA_HTTP_PORT": str(port), "ROGGIA_INGEST_CATALOGUE": f"sqlite:///{root / 'catalogue.sqlite'}"},
    )  # fmt: skip
    second.start()
    assert _get(f"http://127.0.0.1:{port}/health/live")
    assert second.stop() == 0


def test_lag(running: StackState, tmp_path: Path) -> None:
    """Every way to look, and the alarm's names: those that the operator exports."""
    guide = Guide("lag.md")
    looks, (watch,) = (
        [one for one in guide.commands("status") if "--watch" not in one],
        guide.commands("status --watch"),
    )
    said = [call(command, JUDGED) for command in looks]
    assert len(said) == 3
    assert "roggia.ingest" in said[0]
    assert json.loads(said[-1])["lag"]["groups"]
    assert json.loads(first_line(roggia(f"{watch} --json"), {}))["lag"]
    (script,) = guide.blocks("bash")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", script], env={**os.environ, "PATH": path}, check=True, timeout=60)
    assert json.loads((tmp_path / "lag.json").read_text())["lag"]

    health = (running.processes["operator"].health or "").partition("/health")[0]
    assert json.loads(_get(f"{health}/v1/lag"))["lag"]["groups"]
    exported = _get(f"{health}/metrics")
    for name in ("roggia_lag_records", "roggia_lag_seconds", "roggia_group_status", "roggia_freshness_seconds"):
        assert f"# TYPE {name} " in exported, name
        assert name in guide.text


def test_topics(running: StackState) -> None:
    """A plan of a stack that `up` made is empty. Once somebody keeps a topic longer, the plan says so; `apply` leaves
    out what could lose records, and does it when the topic's name is typed."""
    plan, apply, confirmed = Guide("topics.md").commands("topics")
    assert "nothing to do" in call(plan)
    assert "nothing to do" in call(apply)
    (spec,) = [spec for spec in topics.catalogue() if spec.name == topics.DOC_UPSERTED]
    longer = replace(spec, config={**spec.config, "retention.ms": "7776000000"})
    asyncio.run(TopicAdmin(KafkaSettings(bootstrap=running.kafka)).apply([longer]))
    assert "retention.ms" in call(plan, status=6)
    assert confirmed.removeprefix(apply).strip() in call(f"{apply} --yes", status=1)
    call(f"{confirmed} --yes")
    assert "nothing to do" in call(plan)


def test_verify(running: StackState) -> None:
    """What was published is in the index; there is nothing to mend."""
    guide = Guide("verify.md")
    for command in guide.commands("verify"):
        said = _searchable(command)
        assert "The index is what the log says." in said
        assert "The index is what the log says." in guide.text


def test_tenants(running: StackState, tmp_path: Path) -> None:
    """In the guide's order: the file applied, listed, a tenant that leaves after its name was typed, and comes back."""
    guide = Guide("tenants.md")
    (tmp_path / "tenants.yaml").write_text(guide.blocks("yaml")[0])
    apply, looked, at_once, listed, plan, leave, back = guide.commands("tenants")
    assert "Europe/Rome" in call(apply, status=2), "it asks, and nobody is there"
    assert "Europe/Rome" in call(looked)
    assert "Europe/Rome" in call(looked), "looking changed nothing"
    call(at_once)
    assert "acme" in call(listed)
    assert "acme" in call(plan)
    assert "DONE" in call(f"{leave} --confirm acme")
    call(at_once, status=2)
    call(f"{back} --yes")
    assert "OFFBOARD" not in call(listed)


def test_publish_from_a_program(running: StackState) -> None:
    """The guide's producer sends the guide's event, and it becomes searchable."""
    producer, event = Guide("publish.md").blocks("python")
    (sent,) = [line for line in Guide("publish.md").text.splitlines() if "`producer.produce(" in line]
    send = sent.split("`")[1]
    program = "\n".join(
        [producer.replace("127.0.0.1:19092", running.kafka), event, send, "assert not producer.flush(30)"]
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    _until(lambda: "travel/expenses.md" in call(f"topics tail {topics.DOC_UPSERTED} --decode --json --no-follow"))


def test_audit(running: StackState) -> None:
    """The command and the consumer show what was indexed."""
    guide = Guide("audit.md")
    (tail,) = guide.commands("topics tail")
    assert json.loads(first_line(roggia(tail), {}))["value"]["tenant_id"]
    (consumer,) = guide.blocks("python")
    addressed = consumer.replace("127.0.0.1:19092", running.kafka).replace("http://127.0.0.1:18081", running.registry)
    assert running.kafka in addressed
    assert running.registry in addressed
    assert "doc.upserted acme" in first_line([sys.executable, "-uc", addressed], {}, "doc.upserted")


def test_console(running: StackState, stack: tuple[Up, StackState], tmp_path: Path) -> None:
    """The stack's own console shows its five pages to anybody and unlocks with the file's token; the guide's lines
    start one for others to reach, which asks for its token and refuses names that it was not told."""
    for page in ("/", "/topics", "/dead-letters", "/jobs", "/collections"):
        assert "Unlock actions" in _get(running.console + page)
    token = stack[0].data.root / "console.token"
    assert token.stat().st_mode & 0o077 == 0
    form = f"token={token.read_text().strip()}".encode()
    assert "End session" in _opened(f"{running.console}/session", form)

    guide, port = Guide("console.md"), free_port()
    own, service = guide.script("roggia service operator").splitlines()
    script = "\n".join([guide.script("0.0.0.0"), own.replace("7090", str(port)), f"exec {service}"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    other = ServerProcess(
        ["bash", "-euc", script], port, tmp_path / "operator.log",
        {"PATH": path, "ROGGIA_KAFKA_BOOTSTRAP": running.kafka, "ROGGIA_HTTP_PORT": str(free_port())},
    )  # fmt: skip
    other.start()
    try:
        assert "Unlock" in _get(f"http://127.0.0.1:{port}/", host="roggia.internal")
        with pytest.raises(urllib.error.HTTPError):
            _get(f"http://127.0.0.1:{port}/", host="elsewhere.example")
    finally:
        assert other.stop() == 0


def _searchable(command: str) -> str:
    """The command's words once what was published is there: until then it says 1, documents are on their way."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return call(command)
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _get(url: str, host: str = "") -> str:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return str(reply.read().decode())


def _opened(url: str, form: bytes) -> str:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(url, form, timeout=30) as reply:
        return str(reply.read().decode())


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)
