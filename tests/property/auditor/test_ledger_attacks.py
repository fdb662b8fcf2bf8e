"""A ledger under a published checkpoint: whatever is done to its records, tiles, heads or checkpoints is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.checking.fsck import Check
from roggia_auditor.errors import NoteError
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.model import Stream
from roggia_auditor.tlog.note import Note
from roggia_schemas.events import InferenceCompleted

from tests.support.anchoring import KEY, NEXT_KEY, ORIGIN, grow
from tests.support.attacked import against, as_it_was, attack_ledger, check, filled
from tests.support.auditing import TOPIC, TOPIC_ID, inference

ATTACKS = 300


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """See `filled`."""
    made, _ = await filled(tmp_path / "ledger.sqlite3")
    yield made
    await made.stop()


async def published(ledger: SqliteLedger) -> Note:
    """A checkpoint that somebody else keeps."""
    return (await Sealer(ledger, ORIGIN, KEY).seal()).checkpoint


async def test_a_ledger_as_it_was_published_holds(ledger: SqliteLedger) -> None:
    """Under its newest checkpoint, and under it again when more was entered, sealed, and the key was changed."""
    kept = await published(ledger)
    assert await check(ledger, against(kept)) == []
    await grow(ledger, 5, Stream(TOPIC, TOPIC_ID, 2))
    assert await check(ledger, against(kept)) == []
    await Sealer(ledger, ORIGIN, NEXT_KEY, KEY).seal()
    assert await check(ledger, against(kept)) == []


async def test_a_checkpoint_of_somebody_else_says_nothing(ledger: SqliteLedger) -> None:
    """One that no trusted key has signed is refused before anything is read."""
    kept = await published(ledger)
    with pytest.raises(NoteError, match="not trusted"):
        Check(ledger, replace(against(kept), keys=[NEXT_KEY.verifier()]))
    with pytest.raises(NoteError, match="the ledger's head log is other"):
        Check(ledger, replace(against(kept), origin="other"))


async def test_every_attack_on_the_ledger_is_found_and_named(tmp_path: Path) -> None:
    """Flipped, cut, dropped, swapped, inserted, truncated: records, tiles, head leaves, numbers and checkpoints.

    Ten thousand of them: `chaos/auditor`.
    """
    await attack_ledger(tmp_path / "ledger.sqlite3", ATTACKS, seed=6)


@pytest.mark.parametrize("victim", [0, 255, 269])
async def test_an_operator_who_makes_the_ledger_anew_is_found(tmp_path: Path, victim: int) -> None:
    """With the real key, every table consistent, one record another: the head log does not lead to what was published.
    With the head log's leaves as they were published too, the record's log does not lead to the root signed then."""

    def forged(partition: int, at: int) -> InferenceCompleted:
        if (partition, at) != (0, victim):
            return as_it_was(partition, at)
        true = as_it_was(0, at)
        return inference(at + 1, tenant_id=true.tenant_id, request_id="forged")

    truth, sealed = await filled(tmp_path / "true.sqlite3")
    lie, _ = await filled(tmp_path / "lie.sqlite3", forged)
    found = await check(lie, against(sealed.checkpoint))
    assert [one for one in found if "published" in one] == [
        f"{ORIGIN}/head leaves before 3: they do not lead to the published root"
    ]
    _as_published(truth, lie)
    await Sealer(lie, ORIGIN, KEY).seal()
    found = await check(lie, against(sealed.checkpoint))
    assert any("/0 records before 270:" in one for one in found), found
    await truth.stop()
    await lie.stop()


def _as_published(truth: SqliteLedger, lie: SqliteLedger) -> None:
    """The head log's leaves, and the logs as they were sealed, are those of the true ledger."""
    true, false = truth._connection, lie._connection
    assert true is not None
    assert false is not None
    for table in ("head_log", "sealed_logs"):
        false.execute(f"DELETE FROM {table}")
        for row in true.execute(f"SELECT * FROM {table}").fetchall():
            false.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
