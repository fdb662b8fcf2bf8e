"""The guide to lines for a SIEM and to tables, as it stands: each command that it shows, on a ledger."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.ledger.judging import Rules, judge
from roggia_auditor.siem import ocsf

from tests.support import ocsf as schema
from tests.support.auditing import BOOK, STREAM, reads
from tests.support.cef import parsed
from tests.support.guides import Guide, call

GUIDE = Guide("siem.md")
ORIGIN = "audit.example.com"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a key; the environment names a ledger."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"LEDGER": "sqlite:///ledger.sqlite3", "ORIGIN": ORIGIN, "SIGNING_KEY": "head.key"}.items():
        monkeypatch.setenv(f"ROGGIA_AUDITOR_{name}", value)
    call(f"audit key head.key --origin {ORIGIN}")
    return tmp_path


async def enter(folder: Path, count: int, start: int = 0) -> None:
    """Records of two tenants."""
    ledger = SqliteLedger(folder / "ledger.sqlite3")
    await ledger.start()
    found = await ledger.before({STREAM: ["acme", "beta"]}, [])
    batch = reads(count, start=start, tenants=("acme", "beta"))
    await ledger.append([judge(STREAM, batch, found.streams[STREAM], {}, Rules(BOOK, {}))])
    await ledger.stop()


def test_lines_go_on_where_they_stopped(folder: Path) -> None:
    """OCSF to a file over two runs, each record once and by the schema; CEF of one tenant to standard output."""
    asyncio.run(enter(folder, 1_010))
    to_file, of_tenant, from_start = GUIDE.commands("audit siem")
    call(to_file)
    asyncio.run(enter(folder, 5, 1_010))
    call(to_file)
    call(to_file)
    events = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    assert [one["unmapped"]["roggia"]["log_index"] for one in events] == [str(n) for n in range(1_015)]
    assert [broken for one in events for broken in schema.broken(one)] == []
    assert json.loads((folder / "audit.state").read_text())["next"] == {STREAM.origin(ORIGIN): "1015"}
    lines = [parsed(line) for line in call(of_tenant).splitlines() if line.startswith("CEF:")]
    assert (len(lines), {line.pairs["cs1"] for line in lines}) == (508, {"acme"})
    assert len([line for line in call(from_start).splitlines() if line.startswith("CEF:")]) == 15


def test_tables_lie_beside_the_proof(folder: Path) -> None:
    """The files that the guide names, one row each, and an export that still verifies."""
    asyncio.run(enter(folder, 40))
    (export,) = GUIDE.commands("audit export")
    call(export)
    held = {one.name for one in (folder / "acme-export").iterdir()}
    assert {name for name in held if name.startswith("readable")} == set(re.findall(r"`(readable\.\w+)`", GUIDE.text))
    assert len((folder / "acme-export" / "readable.jsonl").read_text().splitlines()) == 20
    assert json.loads((folder / "acme-export" / "readable.json").read_text())["records"] == "20"


def test_the_guide_names_the_pinned_version() -> None:
    """A SIEM's mapping rests on it."""
    assert f"**{ocsf.VERSION}**" in GUIDE.text
