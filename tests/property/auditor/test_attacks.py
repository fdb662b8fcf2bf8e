"""Exports under attack: whatever is changed, dropped, swapped or shown from another time is found, and named."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_auditor import verify_export
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.sealing import Sealed, Sealer
from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import Stream
from roggia_auditor.tlog.keys import Kind, SignerKey

from tests.support.attacked import attack_exports
from tests.support.auditing import BOOK, TOPIC, TOPIC_ID, inference, read

ORIGIN = "audit.example.com"
KEY = SignerKey(f"{ORIGIN}/head", Kind.LOG, bytes(range(32)))
STREAMS = [Stream(TOPIC, TOPIC_ID, n) for n in range(2)]
TENANTS = ("acme", "beta", "gamma")
ATTACKS = 500


async def enter(ledger: SqliteLedger, stream: Stream, batch: list[Read]) -> None:
    """Judge and append."""
    names = {one.event.tenant_id for one in batch if one.event}
    found = await ledger.before({stream: names}, [one.event.event_id for one in batch if one.event])
    await ledger.append([judge(stream, batch, found.streams[stream], dict(found.known), Rules(BOOK, {}))])


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """Two partitions with records of three tenants each, more than one tile in the first."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    for n, stream in enumerate(STREAMS):
        for start in range(0, 300 if n == 0 else 40, 100):
            batch = [
                read(inference(n * 10_000 + at + 1, tenant_id=TENANTS[at % 3]), at) for at in range(start, start + 100)
            ]
            await enter(made, stream, batch)
    yield made
    await made.stop()


async def export(ledger: SqliteLedger, tenant: str, folder: Path, sealed: Sealed | None = None) -> Sealed:
    """Seal, and write a tenant's export."""
    found = sealed or await Sealer(ledger, ORIGIN, KEY).seal()
    streams = {stream.origin(ORIGIN): stream for stream in STREAMS}
    await TenantExport(ledger, found, streams).write(tenant, folder)
    return found


def holds(folder: Path, key: SignerKey = KEY) -> str:
    """Why the export does not hold; empty where it does."""
    try:
        verify_export.check(folder, str(key.verifier()), [])
    except (verify_export.WrongError, ValueError, KeyError, TypeError) as wrong:
        return str(wrong) or repr(wrong)
    return ""


def forge(folder: Path) -> None:
    """What an attacker can do who has the folder: hashes, count and sum in the manifest fit what lies there."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    rows = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    manifest["records"] = str(len(rows))
    manifest["pico_usd"] = str(sum(int(row["pico_usd"] or 0) for row in rows))
    (folder / "manifest.json").write_text(json.dumps(manifest))


async def test_an_untouched_export_holds(ledger: SqliteLedger, tmp_path: Path) -> None:
    """Every tenant's, under one seal; under another key it does not."""
    sealed = None
    for tenant in TENANTS:
        sealed = await export(ledger, tenant, tmp_path / tenant, sealed)
        assert holds(tmp_path / tenant) == ""
    stranger = SignerKey(KEY.name, Kind.LOG, bytes(32))
    assert "not signed by the key" in holds(tmp_path / "acme", stranger)


async def test_every_attack_is_found(tmp_path: Path) -> None:
    """Random attacks by somebody who also mends the manifest: none passes, and the report names a place.

    Ten thousand of them: `chaos/auditor`.
    """
    await attack_exports(tmp_path, ATTACKS, seed=5)


async def test_an_older_state_cannot_be_shown_as_the_newest(ledger: SqliteLedger, tmp_path: Path) -> None:
    """The tenant's numbers of before its newest record, under today's checkpoint: the head is not the newest one."""
    old = await export(ledger, "acme", tmp_path / "old")
    await enter(ledger, STREAMS[0], [read(inference(77_777, tenant_id="acme"), 300)])
    new = await Sealer(ledger, ORIGIN, KEY).seal()
    (tmp_path / "old" / "head.checkpoint").write_text(str(new.checkpoint))
    forge(tmp_path / "old")
    assert "newest" in holds(tmp_path / "old")
    await export(ledger, "acme", tmp_path / "new", new)
    assert holds(tmp_path / "new") == ""
    assert new.head_log.size == old.head_log.size + 1


async def test_an_export_shows_nothing_of_others(ledger: SqliteLedger, tmp_path: Path) -> None:
    """No other tenant's name, event or value is in any file of it."""
    await export(ledger, "acme", tmp_path / "acme")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "acme").iterdir())
    decoded = everything + b"".join(
        base64.b64decode(part)
        for line in (tmp_path / "acme" / "records.jsonl").read_text().splitlines()
        for part in (json.loads(line)["entry"], json.loads(line)["value"])
    )
    for stream in STREAMS:
        for row in await ledger.rows(stream, 0, 1000):
            if row.leaf.tenant != "acme":
                assert row.leaf.event_id.encode() not in decoded
                assert base64.b64encode(row.value) not in everything
    assert b"beta" not in decoded
    assert b"gamma" not in decoded


async def test_what_is_written_in_another_way_does_not_hold(ledger: SqliteLedger, tmp_path: Path) -> None:
    """A name twice in JSON, a file outside the folder: not the export that was made, whatever it reads like."""
    folder = tmp_path / "acme"
    await export(ledger, "acme", folder)
    good = (folder / "records.jsonl").read_text()
    (folder / "records.jsonl").write_text(good.replace('{"log"', '{"reason": "", "log"', 1))
    forge(folder)
    assert "twice" in holds(folder)
    (folder / "records.jsonl").write_text(good)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../acme/proof.json"] = manifest["files"]["proof.json"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    forge(folder)
    assert "not in the folder" in holds(folder)
