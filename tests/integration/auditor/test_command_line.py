"""`roggia audit` and `roggia prices` as people use them, and the verifier without Roggia."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from roggia_auditor import verify_export
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.ledger.judging import Rules, judge
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.keys import SignerKey
from roggia_runtime.settings import KafkaSettings

from tests.support.audit_commands import alone, roggia
from tests.support.auditing import BOOK, STREAM, reads
from tests.support.auditor_fleet import prepare
from tests.support.kafka import Broker

ORIGIN = "audit.example.com"
BOOK_FILE = """
version: "2025-01"
prices:
  - provider: openai
    model: example-4
    from: 2025-01-01T00:00:00Z
    usd_per_million: {input: 2.50, output: 10, reasoning: output}
"""


def falsify(file: Path) -> None:
    """Another amount in the first record."""
    file.write_text(file.read_text().replace('"pico_usd": "350000000"', '"pico_usd": "340000000"', 1))


def others_may_not_read(file: Path) -> bool:
    """Neither the group nor the world."""
    return not file.stat().st_mode & 0o077


@pytest.fixture
async def settings(tmp_path: Path) -> dict[str, str]:
    """A ledger with records of two tenants, and a key, by the environment variables that name them."""
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path)
    await ledger.start()
    found = await ledger.before({STREAM: ["acme", "beta"]}, [])
    batch = reads(40, tenants=("acme", "beta"))
    await ledger.append([judge(STREAM, batch, found.streams[STREAM], {}, Rules(BOOK, {}))])
    await ledger.stop()
    return {
        "ROGGIA_AUDITOR_LEDGER": f"sqlite:///{path}",
        "ROGGIA_AUDITOR_ORIGIN": ORIGIN,
        "ROGGIA_AUDITOR_SIGNING_KEY": str(tmp_path / "head.key"),
    }


async def test_a_stranger_verifies_what_a_tenant_was_given(settings: dict[str, str], tmp_path: Path) -> None:
    """Key, export, verification by the command line and by the one file alone; a changed amount is found by both."""
    made = roggia("audit", "key", settings["ROGGIA_AUDITOR_SIGNING_KEY"], "--origin", ORIGIN)
    assert made.returncode == 0, made.stderr
    public, folder = made.stdout.strip(), tmp_path / "export"
    assert others_may_not_read(Path(settings["ROGGIA_AUDITOR_SIGNING_KEY"]))
    exported = roggia("audit", "export", str(folder), "--tenant", "acme", "--json", **settings)
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["records"] == "20"
    verified = roggia("audit", "verify", str(folder), "--key", public, "--json")
    assert (verified.returncode, json.loads(verified.stdout)["holds"]) == (0, True), verified.stderr
    assert alone(folder, public, tmp_path)["holds"]
    falsify(folder / "records.jsonl")
    assert roggia("audit", "verify", str(folder), "--key", public).returncode == 1
    assert not alone(folder, public, tmp_path)["holds"]


def test_a_ledger_is_held_against_a_checkpoint_from_elsewhere(settings: dict[str, str], tmp_path: Path) -> None:
    """It holds against its own, not against one that the same key signed over other leaves."""
    made = roggia("audit", "key", settings["ROGGIA_AUDITOR_SIGNING_KEY"], "--origin", ORIGIN)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "export"
    assert roggia("audit", "export", str(folder), "--tenant", "acme", **settings).returncode == 0
    held, other = folder / "head.checkpoint", tmp_path / "other.checkpoint"
    key = SignerKey.parse(Path(settings["ROGGIA_AUDITOR_SIGNING_KEY"]).read_text().strip())
    other.write_text(str(Checkpoint(f"{ORIGIN}/head", 1, bytes(32)).signed(key)))
    ended = [
        roggia("audit", "fsck", "--offline", "--checkpoint", str(file), **settings)
        for file in (held, other, tmp_path / "none")
    ]
    assert [one.returncode for one in ended] == [0, 1, 2], [one.stdout + one.stderr for one in ended]
    assert "they do not lead to the published root" in ended[1].stdout
    assert "--checkpoint" in ended[2].stderr


def test_the_verifier_needs_nothing_of_ours() -> None:
    """It imports the standard library and `cryptography`, and is short enough to be read."""
    source = Path(verify_export.__file__).read_text()
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert names - sys.stdlib_module_names == {"cryptography"}
    assert len(source.splitlines()) < 400


async def test_what_cannot_be_done_is_said(settings: dict[str, str], tmp_path: Path) -> None:
    """A key that is there, an export without a key, of nobody, into a folder that holds something: one line each."""
    key = settings["ROGGIA_AUDITOR_SIGNING_KEY"]
    without = roggia("audit", "export", str(tmp_path / "a"), "--tenant", "acme", **settings)
    assert (without.returncode, "cannot be read" in without.stderr) == (2, True), without.stderr
    assert roggia("audit", "key", key, "--origin", ORIGIN).returncode == 0
    again = roggia("audit", "key", key, "--origin", ORIGIN)
    assert (again.returncode, "never overwritten" in again.stderr) == (2, True)
    nobody = roggia("audit", "export", str(tmp_path / "b"), "--tenant", "nobody", **settings)
    assert (nobody.returncode, "no record" in nobody.stderr) == (1, True), nobody.stderr
    full = roggia("audit", "export", str(tmp_path), "--tenant", "acme", **settings)
    assert (full.returncode, "holds something" in full.stderr) == (1, True), full.stderr


async def test_a_price_book_is_entered_once_and_never_changed(devstack_alone: Broker, tmp_path: Path) -> None:
    """Check, apply, apply again, list; the same version with other prices is refused, a new version is not."""
    kafka = KafkaSettings(bootstrap=devstack_alone.bootstrap)
    await prepare(kafka, [])
    book = tmp_path / "prices.yaml"
    book.write_text(BOOK_FILE)
    at = ("--bootstrap", devstack_alone.bootstrap)
    assert roggia("prices", "check", str(book)).returncode == 0
    first = roggia("prices", "apply", str(book), "--yes", "--json", *at)
    assert (first.returncode, len(json.loads(first.stdout))) == (0, 1), first.stderr
    second = roggia("prices", "apply", str(book), "--yes", "--json", *at)
    assert json.loads(second.stdout) == []
    (row,) = json.loads(roggia("prices", "list", "--json", *at).stdout)
    assert row["usd_per_million"] == {"input": "2.5", "output": "10", "reasoning": "10"}
    book.write_text(BOOK_FILE.replace("2.50", "2.00"))
    refused = roggia("prices", "apply", str(book), "--yes", *at)
    assert refused.returncode == 2
    assert "give the book a new version" in refused.stderr
    book.write_text(BOOK_FILE.replace("2.50", "2.00").replace('"2025-01"', '"2025-02"'))
    assert roggia("prices", "apply", str(book), "--yes", *at).returncode == 0
    assert len(json.loads(roggia("prices", "list", "--json", *at).stdout)) == 2
