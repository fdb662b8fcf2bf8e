"""One suite for every store of payloads and keys: what is kept, what an erasure leaves, and that nothing decrypts."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from roggia_auditor.adapters.postgres_payloads import PostgresCiphertexts, PostgresKeys
from roggia_auditor.adapters.sqlite_payloads import SqliteCiphertexts, SqliteKeys
from roggia_auditor.errors import HeldError, KeyFileError, LedgerConflictError, LedgerUnavailableError, PayloadError
from roggia_auditor.payloads.envelope import MasterKey
from roggia_auditor.payloads.erasing import Eraser
from roggia_auditor.payloads.ports import Extent, Place
from roggia_auditor.payloads.vault import Vault
from roggia_auditor.retention.acts import Kind
from roggia_auditor.retention.history import history

from tests.support.retaining import LATER, Ground, sqlite_ground

MASTER = MasterKey(bytes(range(32)))
PROMPT = Place("acme", "subject-7", "event-1", "prompt")
ANSWER = PROMPT._replace(kind="answer")
TEXT = b"What does my contract say about leaving?"


@dataclass
class Kept:
    """A vault, a ledger, and who erases."""

    vault: Vault
    ground: Ground

    @property
    def eraser(self) -> Eraser:
        """Somebody at the command line."""
        return Eraser(self.ground.ledger, self.vault, "tester", lambda: LATER)

    async def erase(self, subject: str = "subject-7") -> int:
        """Plan and erase."""
        return await self.eraser.erase(await self.eraser.plan("acme", subject), "asked for")


@pytest.fixture(params=["sqlite", "postgres"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """Every implementation of both ports, with a prompt and an answer of a subject and a prompt of another."""
    if request.param == "sqlite":
        vault = Vault(MASTER, SqliteKeys(tmp_path / "keys.sqlite3"), SqliteCiphertexts(tmp_path / "payloads.sqlite3"))
    else:
        dsn = request.getfixturevalue("postgres_dsn")
        vault = Vault(MASTER, PostgresKeys(dsn), PostgresCiphertexts(dsn))
    ground = sqlite_ground(tmp_path)
    await ground.ledger.start()
    await vault.start()
    await vault.put(PROMPT, TEXT, 1_000)
    await vault.put(ANSWER, b"Four weeks.", 2_000)
    await vault.put(PROMPT._replace(subject="subject-8"), b"another", 3_000)
    yield Kept(vault, ground)
    await vault.stop()
    await ground.ledger.stop()


async def test_what_is_kept_is_read_again_and_lies_encrypted(kept: Kept) -> None:
    """Each by its place; the last one of a place counts; what is nobody's is None."""
    vault = kept.vault
    assert await vault.get(PROMPT) == TEXT
    assert await vault.get(ANSWER) == b"Four weeks."
    assert await vault.get(PROMPT._replace(event_id="event-2")) is None
    assert await vault.get(PROMPT._replace(subject="nobody")) is None
    await vault.put(PROMPT, b"again", 4_000)
    assert await vault.get(PROMPT) == b"again"
    held = await vault.held("acme", "subject-7")
    assert held is not None
    assert held[1] == Extent(2, 2_000, 4_000)
    body = await vault.ciphertexts.get(held[0].key_id, "event-1", "prompt")
    assert body is not None
    assert b"again" not in body


async def test_a_subject_has_one_key_however_many_ask_at_once(kept: Kept) -> None:
    """Of two that come at once the first counts: a payload under a key that is not kept would be lost."""
    places = [Place("acme", "subject-9", f"event-{n}", "prompt") for n in range(8)]
    await asyncio.gather(*(kept.vault.put(place, place.event_id.encode(), 1) for place in places))
    assert [await kept.vault.get(place) for place in places] == [place.event_id.encode() for place in places]


async def test_a_ciphertext_in_another_place_does_not_decrypt(kept: Kept) -> None:
    """Moved to another event or kind, or changed by a bit, or under another master key: refused, never passed on."""
    vault, held = kept.vault, await kept.vault.held("acme", "subject-7")
    assert held is not None
    body = await vault.ciphertexts.get(held[0].key_id, "event-1", "prompt")
    assert body is not None
    for event_id, kind in (("event-2", "prompt"), ("event-1", "answer")):
        await vault.ciphertexts.put(held[0].key_id, event_id, kind, body, 1)
        with pytest.raises(PayloadError):
            await vault.get(PROMPT._replace(event_id=event_id, kind=kind))
    await vault.ciphertexts.put(held[0].key_id, "event-1", "prompt", body[:-1] + bytes([body[-1] ^ 1]), 1)
    with pytest.raises(PayloadError):
        await vault.get(PROMPT)
    with pytest.raises(PayloadError):
        await replace(vault, master=MasterKey(bytes(32))).get(ANSWER)


async def test_after_an_erasure_nothing_decrypts(kept: Kept) -> None:
    """Not by the vault, and not with the master key and a copy of the ciphertext from before; others' payloads stay."""
    vault, held = kept.vault, await kept.vault.held("acme", "subject-7")
    assert held is not None
    key = held[0]
    copies = {kind: await vault.ciphertexts.get(key.key_id, "event-1", kind) for kind in ("prompt", "answer")}
    index = await kept.erase()
    assert [await vault.get(place) for place in (PROMPT, ANSWER)] == [None, None]
    assert await vault.held("acme", "subject-7") is None
    assert await vault.ciphertexts.extent(key.key_id) == Extent(0, 0, 0)
    for kind, body in copies.items():
        assert body is not None
        await vault.ciphertexts.put(key.key_id, "event-1", kind, body, 1)
    assert [await vault.get(place) for place in (PROMPT, ANSWER)] == [None, None]
    await vault.put(PROMPT, b"new", 5_000)
    assert [await vault.get(place) for place in (PROMPT, ANSWER)] == [b"new", None]
    assert await vault.get(PROMPT._replace(subject="subject-8")) == b"another"
    act = (await history(kept.ground.ledger)).acts[index]
    assert (act.kind, act.tenant, act.about) == (
        Kind.SUBJECT_ERASED,
        "acme",
        {"key_id": key.key_id, "payloads": "2"},
    )
    assert "subject-7" not in act.encoded().decode()


async def test_an_erasure_leaves_every_proof(kept: Kept) -> None:
    """Promise 6: records in the tables, in segments and dropped; export, tree and acts verify as before."""
    ground = kept.ground
    await ground.month(1, 20)
    await ground.month(2, 20)
    await ground.signed()
    await ground.seal()
    await ground.month(3, 20)
    await ground.drop(["2025-01"])
    root, before = await ground.root(), await ground.verified("acme")
    await kept.erase()
    assert await ground.root() == root
    after = await ground.verified("acme")
    assert (after["records"], after["pico_usd"], after["not_shown"]) == (
        int(str(before["records"])) + 1,
        before["pico_usd"],
        before["not_shown"],
    )


async def test_a_hold_stops_an_erasure(kept: Kept) -> None:
    """One of the tenant, or of everybody, that touches the time of any payload; also one that comes after the plan."""
    ground, plan = kept.ground, await kept.eraser.plan("acme", "subject-7")
    name = await ground.hold("acme", since=2_000, until=2_001)
    with pytest.raises(LedgerConflictError):
        await kept.eraser.erase(plan, "asked for")
    with pytest.raises(HeldError, match=name):
        await kept.erase()
    assert await kept.vault.get(PROMPT) == TEXT
    await ground.lift(name)
    await ground.hold("acme", until=1_000)
    await ground.hold("beta")
    await kept.erase()
    assert await kept.vault.get(PROMPT) is None


async def test_an_erasure_that_broke_off_is_finished_once(kept: Kept) -> None:
    """The act is there and the key too: the next run, or the next erasure, ends it under the same act."""
    ground, whole = kept.ground, kept.vault.forget

    class Dying(Vault):
        async def forget(self, key_id: str) -> bool:
            raise ConnectionError(key_id)

    dying = Dying(kept.vault.master, kept.vault.keys, kept.vault.ciphertexts)
    broken = Eraser(ground.ledger, dying, "tester", lambda: LATER)
    with pytest.raises(ConnectionError):
        await broken.erase(await broken.plan("acme", "subject-7"), "asked for")
    assert await kept.vault.get(PROMPT) == TEXT
    assert await kept.erase() == 0
    assert await kept.vault.get(PROMPT) is None
    assert len((await history(ground.ledger)).acts) == 1
    with pytest.raises(ConnectionError):
        await broken.erase(await broken.plan("acme", "subject-8"), "asked for")
    assert await kept.eraser.finish() == 1
    assert await kept.eraser.finish() == 0
    assert await kept.vault.held("acme", "subject-8") is None
    assert not await whole("no such key")


async def test_a_name_that_was_mistyped_erases_nothing(kept: Kept) -> None:
    """Another subject, another tenant: refused, and no act is written."""
    for tenant, subject in (("acme", "subject-77"), ("beta", "subject-7")):
        with pytest.raises(PayloadError, match="nothing was done"):
            await kept.eraser.plan(tenant, subject)
    assert not (await history(kept.ground.ledger)).acts


async def test_a_store_that_is_closed_says_so(kept: Kept) -> None:
    """To be tried again, not a crash."""
    await kept.vault.stop()
    await kept.vault.stop()
    with pytest.raises(LedgerUnavailableError):
        await kept.vault.get(PROMPT)


async def test_a_destroyed_key_is_in_no_file(tmp_path: Path) -> None:
    """SQLite: neither in the database nor in its journal, though both held it before."""
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    await keys.start()
    key = await keys.add("acme", "subject-7", MASTER.new("acme", "subject-7"))
    await keys.add("acme", "subject-8", MASTER.new("acme", "subject-8"))
    assert key.wrapped in files(tmp_path)
    assert await keys.destroy(key.key_id)
    assert not await keys.destroy(key.key_id)
    left = files(tmp_path)
    assert key.wrapped not in left
    assert b"subject-7" not in left
    assert b"subject-8" in left
    await keys.stop()
    assert sqlite3.connect(tmp_path / "keys.sqlite3").execute("SELECT count(*) FROM subject_keys").fetchone() == (1,)


def files(folder: Path) -> bytes:
    """Everything that lies in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_a_master_key_that_is_none_is_refused_without_being_shown(tmp_path: Path) -> None:
    """Missing, no base64, too short: one line with the setting and the remedy, and nothing of the key."""
    path = tmp_path / "master.key"
    secret = base64.b64encode(b"a short secret").decode()
    for content in (None, "no base64!", secret):
        if content is not None:
            path.write_text(content)
        with pytest.raises(KeyFileError, match="ROGGIA_AUDITOR_PAYLOAD_MASTER_KEY") as refused:
            MasterKey.read(path)
        assert "/dev/urandom" in str(refused.value)
        assert secret not in str(refused.value)
    path.write_text(base64.b64encode(bytes(range(32))).decode() + "\n")
    assert MasterKey.read(path).unwrapped("acme", "s", MASTER.new("acme", "s"))
    assert "0001" not in repr(MASTER)
