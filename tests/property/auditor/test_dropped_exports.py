"""Exports with dropped records under attack: what is not shown is what an act in the tree says, and nothing else."""

from __future__ import annotations

import base64
import json
import random
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor import verify_export
from roggia_auditor.errors import ExportError
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.model import ACTS
from roggia_auditor.retention.acts import Act, Kind
from roggia_auditor.retention.history import history, next_acts

from tests.property.auditor.test_attacks import forge, holds
from tests.support.auditing import STREAM
from tests.support.export_attacks import attacked, rewritten
from tests.support.retaining import KEY, ORIGIN, Ground, hidden, sqlite_ground

ACTS_LOG = ACTS.origin(ORIGIN)
ATTACKS = 200


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """Three months of three tenants, of which the second is dropped."""
    made = sqlite_ground(tmp_path / "ledger")
    await made.ledger.start()
    for month in (1, 2, 3):
        await made.month(month, 60)
    await made.signed()
    await made.seal()
    await made.drop(["2025-02"])
    yield made
    await made.ledger.stop()


def mended(folder: Path, change: Callable[[list[Any]], None]) -> str:
    """Change records, mend the manifest as an attacker would, also its count of what is not shown; what is found."""
    rewritten(folder, change)
    forge(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    last = sum(1 for line in (folder / "records.jsonl").read_text().splitlines() if line)
    manifest["not_shown"] = str(60 + 1 - last)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return holds(folder)


def is_act(row: Any) -> bool:
    """Whether it stands in the log of acts."""
    return bool(row["log"] == ACTS_LOG)


async def claimed(ground: Ground, **about: str) -> None:
    """Append an act of dropping that says something else than what was done: the operator's own hand."""
    judged = await history(ground.ledger)
    told = next(act for act in judged.acts if act.kind is Kind.RECORDS_DROPPED and act.tenant == "acme")
    act = Act(Kind.RECORDS_DROPPED, told.at, "x", "y", "acme", {**told.about, **about})
    await ground.ledger.append([await next_acts(ground.ledger, judged, [act])])


async def test_dropped_records_are_reported_and_nothing_else_is(ground: Ground, tmp_path: Path) -> None:
    """It holds, is not complete, and names the numbers; with --complete it does not hold."""
    folder = await ground.export("acme", tmp_path / "acme")
    report = verify_export.check(folder, str(KEY.verifier()), [])
    assert (report["complete"], hidden(report), report["records"]) == (False, 20, 41)
    assert json.loads((folder / "manifest.json").read_text())["not_shown"] == "20"


async def test_a_hidden_record_is_no_dropped_one(ground: Ground, tmp_path: Path) -> None:
    """Any one record that is left out beside the dropped ones: it is missing, whatever the manifest says."""
    folder = await ground.export("acme", tmp_path / "good")
    rows = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    for at, row in enumerate(rows):
        bad = tmp_path / f"bad-{at}"
        shutil.copytree(folder, bad)
        why = mended(bad, lambda held, at=at: held.pop(at))  # type: ignore[misc]
        assert "is missing" in why, f"{row['log']} {row['tenant_seq']} was hidden: {why}"


async def test_an_act_that_was_changed_covers_nothing(ground: Ground, tmp_path: Path) -> None:
    """Its value with other numbers, or another log's record with an act's words: the hash in the leaf is not theirs."""
    folder = await ground.export("acme", tmp_path / "good")

    def stretch(rows: list[Any]) -> None:
        for row in rows:
            if is_act(row):
                said = json.loads(base64.b64decode(row["value"])) | {"first": "1", "records": "40"}
                row["value"] = base64.b64encode(json.dumps(said).encode()).decode()
        del rows[1]  # acts come first

    assert "its value is not the one" in mended(folder, stretch)


async def test_an_act_that_contradicts_what_is_shown_is_refused(ground: Ground, tmp_path: Path) -> None:
    """Numbers beyond the tenant's last, more records than leaves, leaves that a shown record lies in: each is found."""
    for number, about in enumerate(
        (
            {"last": "61", "records": "41"},
            {"first": "0", "records": "41"},
            {"records": "7"},
            {"first_leaf": "50"},
            {"end_leaf": "500"},
            {"first": "22", "last": "40", "records": "19", "end_leaf": "70"},
        )
    ):
        await claimed(ground, **about)
        folder = await ground.export("acme", tmp_path / str(number))
        assert "the act that drops records" in holds(folder), about
        shutil.rmtree(tmp_path / "ledger")
        await ground.ledger.stop()
        again = sqlite_ground(tmp_path / "ledger")
        await again.ledger.start()
        ground.ledger, ground.files, ground.offsets = again.ledger, again.files, {}
        for month in (1, 2, 3):
            await ground.month(month, 60)
        await ground.signed()
        await ground.seal()
        await ground.drop(["2025-02"])


async def test_the_operator_itself_can_hide_only_by_saying_so_for_ever(ground: Ground, tmp_path: Path) -> None:
    """An act over records that were never dropped: the verifier takes them for not shown, aloud, and with the act."""
    await claimed(ground, log=STREAM.origin(ORIGIN), first="1", last="20", first_leaf="0", end_leaf="60", records="20")
    folder = await ground.export("acme", tmp_path / "acme")
    assert holds(folder) == ""
    report = verify_export.check(folder, str(KEY.verifier()), [])
    assert hidden(report) == 40
    assert {part["by"] for part in report["not_shown"]} == {"x", "tester"}  # type: ignore[attr-defined]


async def test_an_export_is_not_written_over_a_hole(ground: Ground, tmp_path: Path) -> None:
    """A record that is neither in the tables nor in a segment nor dropped: the export says which, and ends."""
    sealed = await Sealer(ground.ledger, ORIGIN, KEY).seal()
    await ground.drop(["2025-03"])  # after the seal: no act under it says so
    from roggia_auditor.export.tenant import TenantExport

    streams = {stream.origin(ORIGIN): stream for stream in await ground.ledger.streams()}
    with pytest.raises(ExportError, match="record 41 of tenant acme"):
        await TenantExport(ground.ledger, sealed, streams).write("acme", tmp_path / "acme")


async def test_every_attack_on_what_is_shown_is_still_found(ground: Ground, tmp_path: Path) -> None:
    """The random attacks of whole exports, on one with dropped records: none passes."""
    await ground.export("acme", tmp_path / "good")
    chance = random.Random(11)
    for number in range(ATTACKS):
        folder = tmp_path / "bad"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "good", folder)
        kind = attacked(folder, chance)
        forge(folder)
        assert holds(folder), f"attack {number}, {kind}, was not found"
