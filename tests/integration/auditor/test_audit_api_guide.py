"""The guide to the audit log, as it stands: tokens, questions, proofs, an export, against the service as a process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.parts import signer_of
from roggia_auditor.settings import AuditorOptions
from roggia_runtime.settings import load

from tests.support.audit_api import enter
from tests.support.auditing import inference, reads
from tests.support.guides import Guide, call
from tests.support.processes import ServerProcess, free_port

pytestmark = pytest.mark.timeout(180)
GUIDE = Guide("audit-api.md")


@dataclass
class Running:
    """The API as a process, a token of acme, and the log's public key."""

    port: int
    token: str
    key: str
    folder: Path

    def curl(self, shown: str) -> bytes:
        """A command of the guide, at this port."""
        script = shown.replace("127.0.0.1:7091", f"127.0.0.1:{self.port}").replace(
            "curl ", "curl -sS --fail-with-body ", 1
        )
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, timeout=30, check=False, cwd=self.folder,
            env={**os.environ, "TOKEN": self.token, "KEY": self.key},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A ledger with records of two tenants, sealed; key and token made as the guide says."""
    monkeypatch.chdir(tmp_path)
    make_key, make_token, *services = GUIDE.commands()[:4]
    assert services == ["service auditor", "service audit-api"]
    key, token, port = call(make_key).strip(), call(make_token).strip(), free_port()
    settings = {
        "ROGGIA_AUDITOR_LEDGER": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
        "ROGGIA_AUDITOR_ORIGIN": "audit.example.com",
        "ROGGIA_AUDITOR_SIGNING_KEY": str(tmp_path / "head.key"),
        "ROGGIA_AUDITOR_API_TOKENS": str(tmp_path / "tokens.yaml"),
        "ROGGIA_AUDITOR_API_EXPORTS": str(tmp_path / "exports"),
        "ROGGIA_AUDITOR_API_PORT": str(port),
        "ROGGIA_HTTP_PORT": str(free_port()),
    }
    assert [name for name in GUIDE.text.split("`") if name.startswith("ROGGIA_AUDITOR_") and name in settings]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    options = load(AuditorOptions)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    await enter(ledger, reads(6, tenants=("acme", "beta")))
    await Sealer(ledger, options.origin, signer_of(options)).seal()
    await ledger.stop()
    server = ServerProcess(
        [sys.executable, "-m", "roggia", "service", "audit-api"], port, tmp_path / "api.log", settings
    )
    server.start()
    yield Running(port, token, key, tmp_path)
    assert server.stop() == 0


async def test_questions(running: Running) -> None:
    """Every question of the guide is answered, with what it says."""
    asked = [line.removeprefix("$ ") for line in GUIDE.blocks("console")[1].splitlines()]
    records, unpriced, usage, budget, duplicates, readings = (json.loads(running.curl(one)) for one in asked)
    assert [one["request_id"] for one in records["records"]] == ["req-1"]
    assert unpriced["records"] == duplicates["duplicates"] == []
    assert usage["rows"][0]["by"] == {"day": "2025-01-01", "model": "example-4"}
    assert budget["months"][0]["tokens"] == "330"
    assert {one["actor"] for one in readings["readings"]} == {"billing"}


async def test_an_export_from_begin_to_verdict(running: Running) -> None:
    """Begun, listed, downloaded, unpacked, verified: with the guide's own lines."""
    begin, listed, download, unpack, verify = [
        line.removeprefix("$ ") for line in GUIDE.blocks("console")[2].splitlines()
    ]
    job: dict[str, Any] = json.loads(running.curl(begin))
    until = time.monotonic() + 30
    while job["status"] not in ("done", "failed") and time.monotonic() < until:
        (job,) = json.loads(running.curl(listed))["exports"]
        await asyncio.sleep(0.05)
    assert job["status"] == "done", job
    running.curl(download.replace("ID", job["id"]))
    assert unpack == "tar -xf acme.tar"
    with tarfile.open("acme.tar") as packed:
        packed.extractall(filter="data")
    assert "It holds" in call(verify.removeprefix("roggia ").replace('"$KEY"', running.key))
    assert (await _proof(running)).startswith("c2sp.org/tlog-proof@v1\n")


async def _proof(running: Running) -> str:
    event = inference(1).event_id
    return running.curl(
        f'curl -H "Authorization: Bearer $TOKEN" "http://127.0.0.1:7091/v1/records/{event}/proof"'
    ).decode()


async def test_a_token_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    """Without tenants, twice the same name: a line with the remedy, and the file is as it was."""
    file = tmp_path / "tokens.yaml"
    assert "--all-tenants" in call(f"audit token billing --file {file}", 2)
    assert not file.exists()
    call(f"audit token billing --file {file} --all-tenants")
    before = file.read_text()
    assert "twice" in call(f"audit token billing --file {file} --tenant acme", 2)
    assert file.read_text() == before
    assert file.stat().st_mode & 0o077 == 0
