"""The check of a whole ledger: a good one holds on every database, and whatever is changed in one is named."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from roggia_auditor.adapters.postgres_ledger import PostgresLedger
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.checking.fsck import Check, Means
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.judging import Read
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog.keys import Kind, SignerKey

from tests.support.auditing import BOOK, NOON, TOPIC, TOPIC_ID, attempt, inference, read, reads, record
from tests.support.correcting import KEY, ORIGIN, enter, fsck, ledger_at, price, rerate
from tests.support.replaying import codec

BETTER = BOOK.extended([price("v2", NOON)])
OTHER = Stream(TOPIC, TOPIC_ID, 1)
TENANTS = ("acme", "beta", "gamma")
COUNT = 300
ROUNDS = 15


async def fill(ledger: Ledger) -> None:
    """Two logs, one of several tiles: rated, unpriced, parked, unreadable and double records; corrections; a seal."""
    odd = [
        read(inference(9_001, attempts=(attempt(model="unheard-of"), attempt())), COUNT),
        read(inference(9_002, origin="UNKNOWN"), COUNT + 1),
        Read(record(inference(9_003), COUNT + 2), None, "schema: not Avro"),
        read(inference(1, tenant_id="acme"), COUNT + 3),
        read(inference(9_004, origin="SHADOW"), COUNT + 4),
    ]
    for start in range(0, COUNT, 100):
        await enter(ledger, reads(100, start=start, tenants=TENANTS))
    await enter(ledger, odd)
    beta = [inference(20_000 + n, tenant_id="beta") for n in range(40)]
    await enter(ledger, [Read(record(one, n, partition=1), one) for n, one in enumerate(beta)], stream=OTHER)
    await rerate(ledger, BETTER)
    await Sealer(ledger, ORIGIN, KEY).seal()


@pytest.fixture(params=["sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Every implementation of the port, filled."""
    made = ledger_at(request.param, request, tmp_path)
    await made.start()
    await fill(made)
    yield made
    await made.stop()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled ledger's file."""
    path = tmp_path_factory.mktemp("fsck") / "template.sqlite3"

    async def make() -> None:
        made = SqliteLedger(path)
        await made.start()
        await fill(made)
        await made.stop()

    asyncio.run(make())
    return path


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Path:
    """A filled ledger that nobody has open."""
    return Path(shutil.copy(template, tmp_path / "ledger.sqlite3"))


async def check(file: Path) -> list[str]:
    """What is found, place and all."""
    ledger = SqliteLedger(file)
    await ledger.start()
    try:
        return [": ".join(one) for one in (await fsck(ledger, BETTER)).findings]
    finally:
        await ledger.stop()


def change(file: Path, statement: str) -> int:
    """What whoever owns the database can do."""
    with sqlite3.connect(file) as connection:
        count = connection.execute(statement).rowcount
    connection.close()
    return count


async def test_a_good_ledger_holds(ledger: Ledger) -> None:
    """With prices and without, with the key and without, and while an auditor goes on entering."""
    whole = await fsck(ledger, BETTER)
    assert (whole.findings, whole.notes) == ([], [])
    assert (whole.records, whole.tenants) == (COUNT + 4 + 40 + COUNT + 41, 3)
    without = await fsck(ledger, None, None)
    assert (without.findings, len(without.notes)) == ([], 2)
    check = Check(ledger, Means(codec(), ORIGIN, BETTER, [KEY.verifier()]))

    async def goes_on() -> None:
        await enter(ledger, reads(50, start=700, tenants=TENANTS))

    class Busy:
        """A ledger that somebody writes to in the middle of the check."""

        def __getattr__(self, name: str) -> object:
            return getattr(ledger, name)

        async def everything(self) -> object:
            state = await ledger.everything()
            await goes_on()
            return state

        async def counted(self, tenant: str) -> object:
            held = await ledger.counted(tenant)
            await enter(ledger, reads(3, start=800 + 10 * TENANTS.index(tenant), tenants=TENANTS))
            return held

    check._ledger = Busy()  # type: ignore[assignment]
    assert (await check.run()).findings == []


CHANGES = {
    "a value": (
        "UPDATE records SET value = CAST(value || x'00' AS BLOB) WHERE leaf_index = 7 AND stream = 1",
        "/0 leaf 7: value",
    ),
    "an entry's byte": (
        "UPDATE records SET entry = CAST(x'01' || substr(entry, 3) AS BLOB) WHERE leaf_index = 7 AND stream = 1",
        "/0 leaf 7: leaf_hash",
    ),
    "a leaf's hash": (
        "UPDATE records SET leaf_hash = zeroblob(32) WHERE leaf_index = 7 AND stream = 2",
        "/1 leaf 7: leaf",
    ),
    "an amount's column": ("UPDATE records SET cost_pico = 1 WHERE leaf_index = 7 AND stream = 1", "leaf 7: cost_pico"),
    "a tenant's column": ("UPDATE records SET tenant = 'beta' WHERE leaf_index = 6 AND stream = 1", "leaf 6: tenant"),
    "a status": ("UPDATE records SET status = 2 WHERE leaf_index = 6 AND stream = 1", "leaf 6: status"),
    "a month": ("UPDATE records SET booked = '2025-02' WHERE leaf_index = 6 AND stream = 1", "leaf 6: booked"),
    "a day": ("UPDATE records SET day = '2025-02-01' WHERE leaf_index = 6 AND stream = 1", "leaf 6: day"),
    "a time": ("UPDATE records SET occurred_at = 5 WHERE leaf_index = 6 AND stream = 1", "leaf 6: occurred_at"),
    "an id": ("UPDATE records SET event_id = 'x' WHERE leaf_index = 6 AND stream = 1", "leaf 6: event_id"),
    "a record dropped": ("DELETE FROM records WHERE leaf_index = 200 AND stream = 1", "/0 leaf 200: missing"),
    "the last one dropped": ("DELETE FROM records WHERE leaf_index = 39 AND stream = 2", "/1 leaf 39: missing"),
    "all dropped": ("DELETE FROM records WHERE stream = 2", "/1 leaf 0 to 39: missing"),
    "one put behind": (
        (
            "INSERT INTO records SELECT stream, 40, 'x', tenant, tenant_seq + 1, status, booked, day, occurred_at, "
            "request_id, response_id, trace_id, model, prompt, cost_pico, entry, leaf_hash, value FROM records "
            "WHERE leaf_index = 39 AND stream = 2"
        ),
        "/1 leaf 40: it lies beyond",
    ),
    "two swapped": (
        "UPDATE records SET leaf_index = CASE leaf_index WHEN 3 THEN -1 ELSE leaf_index END WHERE stream = 1",
        "leaf 3: missing",
    ),
    "a tile": ("UPDATE tiles SET hash = zeroblob(32)", "tile 1/0: the hash is not"),
    "a tile dropped": ("DELETE FROM tiles WHERE hash_index = 0", "tile 1/0: the hash is missing"),
    "a tile too many": ("INSERT INTO tiles VALUES (1, 1, 1, zeroblob(32))", "tile 1/1: it lies beyond"),
    "a frontier": ("UPDATE streams SET peaks = zeroblob(length(peaks)) WHERE id = 1", "/0: head: the root"),
    "a tenant's last number": (
        "UPDATE sequences SET last = 3 WHERE tenant = 'acme' AND stream = 1",
        "tenant acme: the last",
    ),
    "a tenant left out": ("DELETE FROM sequences WHERE tenant = 'gamma'", "tenant gamma: the last number is 0"),
    "a sum": (
        "UPDATE usage SET pico_usd = pico_usd - 1 WHERE tenant = 'acme' AND origin = 'live'",
        "usage acme 2025-01",
    ),
    "a count": ("UPDATE usage SET cache_read = 1 WHERE tenant = 'beta'", "cache_read: 1, the records say 0"),
    "a cell dropped": ("DELETE FROM usage WHERE tenant = 'beta'", "usage beta"),
    "a cell of nobody": ("UPDATE usage SET tenant = 'nobody' WHERE tenant = 'beta'", "usage nobody 2025-01"),
    "a month's sum": ("UPDATE months SET tokens = tokens + 1 WHERE tenant = 'gamma'", "months gamma 2025-01"),
    "a day dropped": ("DELETE FROM days WHERE tenant = 'gamma'", "days gamma 2025-01-01"),
    "a head log's leaf": ("UPDATE head_log SET entry = x'00'", "head leaf 0: entry: it is of another kind"),
    "a head log dropped": ("DELETE FROM head_log", "head checkpoint: it"),
    "a checkpoint": (
        "UPDATE notes SET note = replace(note, '40', '41') WHERE origin LIKE '%/1'",
        "/1 checkpoint: the sig",
    ),
    "a checkpoint's size": ("UPDATE notes SET size = 39 WHERE origin LIKE '%/1'", "/1 checkpoint: it does not speak"),
    "an old checkpoint": ("UPDATE notes SET size = 9999 WHERE origin LIKE '%/1'", "/1 checkpoint: it speaks of 9999"),
    "what it was corrected to": ("UPDATE corrected SET pico_usd = 1", "usage.adjusted"),
    "a correction forgotten": ("DELETE FROM corrected", "the ledger does not know it"),
    "a correction's value": (
        "UPDATE records SET value = CAST(value || x'00' AS BLOB) WHERE stream = 3 AND leaf_index = 2",
        "0/0 leaf 2: value",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_whatever_is_changed_is_named(file: Path, what: str) -> None:
    """One statement of whoever owns the database: the report names the place."""
    statement, place = CHANGES[what]
    assert change(file, statement) > 0, "nothing was changed"
    found = await check(file)
    assert any(place in one for one in found), found


async def test_any_flipped_byte_is_found(file: Path, tmp_path: Path) -> None:
    """A byte at random, in any hashed column of any record, tile, leaf of the head log or edge of a tree."""
    chance, columns = random.Random(20), [
        ("records", "entry"), ("records", "leaf_hash"), ("records", "value"), ("tiles", "hash"), ("head_log", "entry"),
        ("streams", "peaks"), ("head_log", "peaks"),
    ]  # fmt: skip
    missed = []
    for round_ in range(ROUNDS):
        table, column = chance.choice(columns)
        target = Path(shutil.copy(file, tmp_path / "attacked.sqlite3"))
        said = _flip(target, table, column, chance)
        ledger = SqliteLedger(target)
        await ledger.start()
        report = await fsck(ledger, None)
        await ledger.stop()
        if not report.count:
            missed.append((round_, table, column, said))
    assert missed == []


async def test_another_operators_key_is_not_taken(ledger: Ledger) -> None:
    """Whoever made every checkpoint anew with a key of their own is found by the public key that was given out."""
    other = SignerKey(KEY.name, Kind.LOG, bytes(range(1, 33)))
    await Sealer(ledger, ORIGIN, other).seal()
    found = [one.place for one in (await fsck(ledger, BETTER)).findings]
    assert f"{ORIGIN}/head checkpoint" in found
    assert (await fsck(ledger, BETTER, other)).findings == []


async def test_rows_of_postgres_are_checked_as_well(postgres_dsn: str) -> None:
    """The same kinds of change, in the other database."""
    ledger = PostgresLedger(postgres_dsn)
    await ledger.start()
    await fill(ledger)
    connection = await asyncpg.connect(postgres_dsn)
    for table, change_ in (
        ("records", "cost_pico = 1 WHERE leaf_index = 7 AND cost_pico > 0"),
        ("tiles", "hash = '\\x00'::bytea"),
        ("usage", "pico_usd = pico_usd - 1 WHERE tenant = 'acme'"),
        ("months", "tokens = tokens + 1 WHERE tenant = 'gamma'"),
        ("corrected", "pico_usd = 1"),
    ):
        await connection.execute(f"UPDATE roggia_auditor_{table} SET {change_}")
    await connection.close()
    found = [": ".join(one) for one in (await fsck(ledger, BETTER)).findings]
    for place in ("leaf 7: cost_pico", "tile 1/0", "usage acme", "months gamma", "the ledger does not know it"):
        assert any(place in one for one in found), (place, found)
    await ledger.stop()


def _flip(file: Path, table: str, column: str, chance: random.Random) -> str:
    with sqlite3.connect(file) as connection:
        rows = connection.execute(f"SELECT rowid, {column} FROM {table}" if table not in {"tiles"} else
                                  f"SELECT hash_index, {column} FROM {table}").fetchall()  # fmt: skip
        row, raw = chance.choice([one for one in rows if len(one[1])])
        at = chance.randrange(len(raw))
        flipped = bytearray(raw)
        flipped[at] ^= 1 << chance.randrange(8)
        key = "hash_index" if table == "tiles" else "rowid"
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (bytes(flipped), row))
    connection.close()
    return f"{row} byte {at}"


async def test_hashes_alone_find_what_was_changed_in_the_tree(file: Path) -> None:
    """The quick look: an entry, a value, a leaf hash, a missing record, a changed edge; not a sum, and it says so."""
    assert (await quick(file)) == []
    for statement, place in (
        ("UPDATE usage SET pico_usd = pico_usd + 1", ""),
        ("UPDATE records SET value = x'00' WHERE stream = 1 AND leaf_index = 7", "leaf 7"),
        ("UPDATE records SET entry = CAST(entry || x'00' AS BLOB) WHERE stream = 1 AND leaf_index = 9", "leaf 9"),
        ("DELETE FROM records WHERE stream = 1 AND leaf_index = 11", "leaf 11"),
        ("UPDATE streams SET peaks = zeroblob(length(peaks)) WHERE id = 2", "head"),
    ):
        assert change(file, statement)
        found = await quick(file)
        assert any(place in one for one in found) if place else not found, (statement, found)


async def quick(file: Path) -> list[str]:
    """What the quick look finds."""
    ledger = SqliteLedger(file)
    await ledger.start()
    try:
        report = await Check(ledger, Means(codec(), ORIGIN, None, [KEY.verifier()], quick=True)).run()
        assert any("only hashes" in note for note in report.notes)
        return [": ".join(one) for one in report.findings]
    finally:
        await ledger.stop()
