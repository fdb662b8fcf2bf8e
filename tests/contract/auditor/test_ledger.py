"""One suite for every ledger: what the auditor relies on, whatever the database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest
from roggia_auditor.adapters.postgres_ledger import PostgresLedger
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.errors import (
    LedgerConflictError,
    LedgerError,
    LedgerUnavailableError,
    OverflowingError,
    TreeError,
)
from roggia_auditor.heads.seal import LogHead
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.alerts import Alert, AlertKind, Channel, Told
from roggia_auditor.ledger.judging import Before, Read, Rules, judge
from roggia_auditor.ledger.model import (
    MAX_INT,
    Crossing,
    DayKey,
    Draft,
    Head,
    Limits,
    Month,
    MonthKey,
    Stream,
    Usage,
)
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import hashes, proofs
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.tiles import Tile, nodes, of

from tests.support.auditing import BOOK, NOON, STREAM, TOPIC, TOPIC_ID, attempt, inference, read, reads

RULES = Rules(BOOK, {})
OTHER = Stream(TOPIC, TOPIC_ID, 1)


@pytest.fixture(params=["sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Every implementation of the port, empty."""
    made: Ledger
    if request.param == "sqlite":
        made = SqliteLedger(tmp_path / "folder" / "ledger.sqlite3")
    else:
        made = PostgresLedger(request.getfixturevalue("postgres_dsn"))
    await made.start()
    yield made
    await made.stop()


async def draft(ledger: Ledger, batch: Sequence[Read], stream: Stream = STREAM, rules: Rules = RULES) -> Draft:
    """What a batch comes to for this ledger as it is."""
    tenants = {one.event.tenant_id for one in batch if one.event}
    found = await ledger.before({stream: tenants}, [one.event.event_id for one in batch if one.event])
    return judge(stream, batch, found.streams[stream], dict(found.known), rules)


async def enter(ledger: Ledger, batch: Sequence[Read], stream: Stream = STREAM, rules: Rules = RULES) -> Draft:
    """Judge and append."""
    made = await draft(ledger, batch, stream, rules)
    await ledger.append([made])
    return made


async def test_an_empty_ledger_begins_at_nothing(ledger: Ledger) -> None:
    """No head, no sums, no events: a stream begins at its oldest record."""
    assert await ledger.heads([STREAM]) == {}
    found = await ledger.before({STREAM: ["acme"]}, [inference().event_id])
    assert found.streams == {STREAM: Before(Head(), {})}
    assert not found.known


async def test_what_is_appended_is_there_and_the_head_has_moved(ledger: Ledger) -> None:
    """Rows byte for byte, sums, sequences, duplicates and the next offset, after several batches."""
    batches = [reads(5, tenants=("acme", "beta")), reads(4, start=5, tenants=("acme", "beta"))]
    drafts = [await enter(ledger, batch) for batch in batches]
    twin = await enter(ledger, [read(inference(2, tenant_id="beta"), 9)])
    assert await ledger.heads([STREAM, OTHER]) == await ledger.streams() == {STREAM: twin.after}
    assert list(await ledger.rows(STREAM, 0, 100)) == [row for one in drafts for row in one.rows]
    assert [row.index for row in await ledger.rows(STREAM, 3, 2)] == [3, 4]
    assert [one.offset for one in await ledger.duplicates(STREAM, 0, 10)] == [9]
    assert [one.same for one in await ledger.duplicates(STREAM, 0, 10)] == [True]
    assert (await ledger.before({STREAM: ["acme", "beta"]}, [])).streams[STREAM].sequences == {"acme": 5, "beta": 4}
    ((key, cell),) = (await ledger.usage("acme", "2025-01")).items()
    assert (key.day, cell.requests, cell.input, cell.pico_usd) == ("2025-01-01", 5, 500, 5 * 350_000_000)
    assert await ledger.usage("acme", "2025-02") == {}
    assert await ledger.usage("acme", "") == {key: cell}


async def test_events_are_known_across_batches_and_partitions(ledger: Ledger) -> None:
    """The unique index is the window of duplicates: the whole ledger, not the last hours."""
    await enter(ledger, reads(3))
    made = await enter(ledger, [read(inference(2), 0)], OTHER)
    assert [one.event_id for one in made.duplicates] == [inference(2).event_id]
    assert made.after.frontier.size == 0
    assert (await ledger.heads([OTHER]))[OTHER].next_offset == 1


async def test_a_second_owner_writes_nothing(ledger: Ledger) -> None:
    """Whoever judged from an older head is refused whole: rows, sums and head stay those of the first."""
    stale = await draft(ledger, reads(3))
    await enter(ledger, reads(2))
    before = await ledger.usage("acme", "")
    with pytest.raises(LedgerConflictError):
        await ledger.append([stale])
    assert await ledger.usage("acme", "") == before
    assert len(await ledger.rows(STREAM, 0, 10)) == 2


async def test_an_event_that_was_entered_meanwhile_is_refused(ledger: Ledger) -> None:
    """Two partitions with the same event at once: the second to write judges again, and then knows it."""
    one, other = await draft(ledger, reads(2)), await draft(ledger, reads(2), OTHER)
    await ledger.append([one])
    with pytest.raises(LedgerConflictError):
        await ledger.append([other])
    assert await ledger.heads([OTHER]) == {}
    again = await enter(ledger, reads(2), OTHER)
    assert len(again.duplicates) == 2


async def test_a_batch_is_entered_whole_or_not_at_all(ledger: Ledger) -> None:
    """Drafts of two streams, of which one is refused: nothing of the other is there either."""
    good, bad = await draft(ledger, reads(2), OTHER), await draft(ledger, reads(3, start=10))
    await enter(ledger, reads(1, start=20))
    with pytest.raises(LedgerConflictError):
        await ledger.append([good, bad])
    assert await ledger.heads([OTHER]) == {}
    assert await ledger.rows(OTHER, 0, 10) == []


async def test_a_sum_that_leaves_63_bits_is_an_error_and_nothing_is_written(ledger: Ledger) -> None:
    """It never becomes a float, wraps or saturates."""
    made = await enter(ledger, reads(1))
    ((key, _),) = made.usage.items()
    more = await draft(ledger, reads(1, start=1))
    more.usage = {key: Usage(pico_usd=MAX_INT)}
    with pytest.raises(OverflowingError):
        await ledger.append([more])
    assert (await ledger.usage("acme", ""))[key].pico_usd == 350_000_000
    assert (await ledger.heads([STREAM]))[STREAM] == made.after


async def test_tiles_make_the_root_of_the_head(ledger: Ledger) -> None:
    """A tree of more than one tile, grown in uneven batches: its tiles lead to the frontier's root."""
    for start in range(0, 600, 97):
        await enter(ledger, reads(min(97, 600 - start), start=start))
    head = (await ledger.heads([STREAM]))[STREAM]
    held = {tile: list(await ledger.tile(STREAM, tile)) for tile in of(600)}
    assert proofs.root(600, nodes(600, held.__getitem__)) == head.frontier.root()
    assert head.frontier == Frontier().grown([row.leaf_hash for row in await ledger.rows(STREAM, 0, 600)])[0]
    with pytest.raises(TreeError):
        await ledger.tile(STREAM, Tile(0, 3))


async def test_records_are_found_by_their_ids(ledger: Ledger) -> None:
    """By event, request, response and trace; an empty id finds nothing, a field that is not looked up by is refused."""
    await enter(ledger, [read(inference(1, response_id="resp", trace_id="4bf9"), 0), *reads(3, start=1)])
    for field, value in (("event_id", inference(1).event_id), ("request_id", "req-1"), ("response_id", "resp")):
        ((stream, leaf, index),) = await ledger.find(field, value, 10)
        assert (stream, leaf.offset, index) == (STREAM, 0, 0)
    assert await ledger.find("trace_id", "none", 10) == []
    shared = [inference(n, tenant_id=("acme", "beta")[n == 22], trace_id="shared") for n in (20, 21, 22)]
    await enter(ledger, [read(one, 10 + n) for n, one in enumerate(shared)])
    assert [leaf.tenant for _, leaf, _ in await ledger.find("trace_id", "shared", 1, ["beta"])] == ["beta"]
    assert len(await ledger.find("trace_id", "shared", 10)) == 3
    assert await ledger.find("trace_id", "shared", 10, []) == []
    with pytest.raises(LedgerError):
        await ledger.find("tenant; DROP TABLE records", "", 10)


async def test_an_idle_advance_moves_the_head_alone(ledger: Ledger) -> None:
    """A batch of duplicates moves the next offset and adds no leaf."""
    first = await enter(ledger, reads(2))
    second = await enter(ledger, [read(inference(1), 2)])
    assert second.after == Head(3, first.after.frontier)


async def test_a_ledger_that_is_closed_says_so(ledger: Ledger) -> None:
    """What is asked of it is to be tried again, not a crash."""
    await ledger.stop()
    await ledger.stop()
    with pytest.raises(LedgerUnavailableError):
        await ledger.heads([STREAM])


async def test_auditors_that_start_at_once_share_the_tables(postgres_dsn: str) -> None:
    """Several instances may create them."""
    several = [PostgresLedger(postgres_dsn) for _ in range(4)]
    await asyncio.gather(*(one.start() for one in several))
    await enter(several[0], reads(2))
    assert len(await several[3].rows(STREAM, 0, 10)) == 2
    for one in several:
        await one.stop()


async def test_data_of_a_newer_version_is_left_alone(tmp_path: Path, postgres_dsn: str) -> None:
    """An older program refuses to start on it."""
    path = tmp_path / "ledger.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="99"):
        await SqliteLedger(path).start()
    made = PostgresLedger(postgres_dsn)
    await made.start()
    await made.stop()
    connection_ = await asyncpg.connect(postgres_dsn)
    await connection_.execute("INSERT INTO roggia_auditor_schema VALUES (99)")
    await connection_.close()
    with pytest.raises(LedgerError, match="99"):
        await PostgresLedger(postgres_dsn).start()


async def test_data_of_the_version_before_is_brought_up(tmp_path: Path, postgres_dsn: str) -> None:
    """A ledger that did not keep whose event a duplicate repeats knows it after the start, once and for all."""
    path = tmp_path / "ledger.sqlite3"
    older = [f"ALTER TABLE {{P}}{table} DROP COLUMN tenant" for table in ("duplicates", "moved_events")]
    for made in (SqliteLedger(path), PostgresLedger(postgres_dsn)):
        await made.start()
        await enter(made, [*reads(2), read(inference(1), 2)])
        await made.stop()
    with sqlite3.connect(path) as connection:
        for one in (*older, "PRAGMA user_version = 1"):
            connection.execute(one.format(P=""))
    connection.close()
    server = await asyncpg.connect(postgres_dsn)
    for one in (*older, "DELETE FROM {P}schema", "INSERT INTO {P}schema VALUES (1)"):
        await server.execute(one.format(P="roggia_auditor_"))
    await server.close()
    for again in (SqliteLedger(path), PostgresLedger(postgres_dsn), SqliteLedger(path), PostgresLedger(postgres_dsn)):
        await again.start()
        assert [one.tenant for one in await again.duplicates(STREAM, 0, 9)] == ["acme"]
        await again.stop()


async def test_months_count_a_tenants_own_use_and_cross_each_share_once(ledger: Ledger) -> None:
    """Live and canary count, shadow does not; 80 and 100 per cent of each limit are crossed in the batch that gets
    there, and stay crossed when the limit is raised."""
    limits = {"acme": Limits(tokens=1000, pico_usd=10 * 350_000_000)}
    batch = [
        *reads(6),
        read(inference(7, origin="SHADOW"), 6),
        read(inference(8, origin="CANARY"), 7),
    ]
    await enter(ledger, batch, rules=Rules(BOOK, {}, limits))
    (total,) = (await ledger.untold(10)).months
    assert total.key == MonthKey("acme", "2025-01")
    assert total.month == Month(tokens=7 * 110, pico_usd=7 * 350_000_000)
    assert total.crossed == ()
    await enter(ledger, reads(1, start=8), rules=Rules(BOOK, {}, limits))
    (total,) = (await ledger.untold(10)).months
    assert total.crossed == (Crossing("pico_usd", 80), Crossing("tokens", 80))
    raised = {"acme": Limits(tokens=100_000)}
    await enter(ledger, reads(1, start=9), rules=Rules(BOOK, {}, raised))
    (total,) = (await ledger.untold(10)).months
    assert (total.crossed, total.limits) == ((Crossing("pico_usd", 80), Crossing("tokens", 80)), raised["acme"])
    assert total.seq == 3


async def test_what_was_told_is_not_told_again_until_it_changes(ledger: Ledger) -> None:
    """Totals of months and days, and records by their index; a change between reading and telling is told too."""
    await enter(ledger, reads(4, tenants=("acme", "beta")))
    found = await ledger.untold(10)
    assert [one.key.tenant for one in found.months] == ["acme", "beta"]
    assert [(one.key, one.usage.requests) for one in found.days] == [
        (DayKey(name, "2025-01-01", "openai", "example-4"), 2) for name in ("acme", "beta")
    ]
    assert found.as_of == {STREAM: 4}
    await enter(ledger, reads(1, start=4))
    await ledger.told({one.key: one.seq for one in found.months}, {one.key: one.seq for one in found.days})
    again = await ledger.untold(10)
    assert [one.key.tenant for one in again.months] == ["acme"]
    assert [(one.key.tenant, one.usage.requests) for one in again.days] == [("acme", 3)]
    assert await ledger.told_rows(STREAM) == 0
    await ledger.tell_rows(STREAM, 5)
    await ledger.tell_rows(STREAM, 5)
    assert await ledger.told_rows(STREAM) == 5


async def test_the_head_log_grows_leaf_by_leaf(ledger: Ledger) -> None:
    """Entries in order, the newest checkpoints by origin, and everything that a seal needs in one state; whoever
    appends to an older head log writes nothing."""
    await enter(ledger, reads(3, tenants=("acme", "beta")))
    first = Frontier()
    await ledger.append_head(first, b"one", {"head": (1, "note one"), "log": (3, "note of the log")})
    held = await ledger.everything()
    assert held.heads[STREAM].frontier.size == 3
    assert held.last == {"acme": {STREAM: 2}, "beta": {STREAM: 1}}
    assert held.head_log == first.grown([hashes.leaf(b"one")])[0]
    with pytest.raises(LedgerConflictError):
        await ledger.append_head(first, b"another", {"head": (1, "note another")})
    await ledger.append_head(held.head_log, b"two", {"head": (2, "note two")})
    assert [(one.index, one.entry) for one in await ledger.head_entries(0, 10)] == [(0, b"one"), (1, b"two")]
    assert [one.entry for one in await ledger.head_entries(1, 10)] == [b"two"]
    assert (await ledger.everything()).notes == {"head": (2, "note two"), "log": (3, "note of the log")}


async def test_every_leaf_of_the_head_log_has_its_edge_and_its_logs(ledger: Ledger) -> None:
    """What any consistency proof begins with, and the logs as each leaf left them: those that did not change too."""
    one, other = LogHead("a", 1, bytes(32), 1), LogHead("b", 5, bytes(range(32)), 9)
    grown = LogHead("b", 6, bytes(32), 9)
    seals, edge = [(one, other), (one, other), (one, grown), ()], Frontier()
    for number, logs in enumerate(seals):
        await ledger.append_head(edge, str(number).encode(), {}, logs)
        edge, _ = edge.grown([hashes.leaf(str(number).encode())])
    assert (await ledger.head_entries(3, 1))[0].after == edge
    assert [found.after.size for found in await ledger.head_entries(0, 9)] == [1, 2, 3, 4]
    assert [list(await ledger.sealed_logs(size)) for size in range(5)] == [
        [],
        [one, other],
        [one, other],
        [one, grown],
        [one, grown],
    ]


async def test_a_checkpoint_takes_more_signatures_while_it_is_the_newest(ledger: Ledger) -> None:
    """A witness that answers late changes nothing; a log without a checkpoint has none."""
    assert await ledger.kept("head") is None
    await ledger.append_head(Frontier(), b"one", {"head": (1, "note one"), "log": (3, "note of the log")})
    await ledger.keep("head", 1, "note one, witnessed")
    assert await ledger.kept("head") == (1, "note one, witnessed")
    await ledger.keep("head", 2, "from nowhere")
    await ledger.keep("other", 1, "of another")
    assert await ledger.kept("head") == (1, "note one, witnessed")
    assert await ledger.kept("log") == (3, "note of the log")
    assert await ledger.kept("other") is None


async def test_a_tenants_records_come_in_its_own_order(ledger: Ledger) -> None:
    """By its numbers, from any of them on."""
    await enter(ledger, reads(9, tenants=("acme", "beta", "gamma")))
    rows = await ledger.tenant_rows(STREAM, "beta", 2, 10)
    assert [(row.leaf.tenant, row.leaf.tenant_seq) for row in rows] == [("beta", 2), ("beta", 3)]
    assert await ledger.tenant_rows(OTHER, "beta", 1, 10) == []


async def test_alerts_come_with_what_causes_them_and_wait_for_each_channel(ledger: Ledger) -> None:
    """A share of a limit and a model without a price: each once, as it was first seen, whatever comes later; told on
    one channel, it still waits on the other. A batch that is refused leaves none."""
    rules = Rules(BOOK, {}, {"acme": Limits(tokens=1000)})
    stale = await draft(ledger, reads(10), rules=rules)
    batch = [*reads(8), read(inference(9, attempts=(attempt(model="unheard-of"),)), 8)]
    await enter(ledger, batch, rules=rules)
    with pytest.raises(LedgerConflictError):
        await ledger.append([stale])
    budget = Alert(AlertKind.BUDGET, "acme", "2025-01", NOON, "tokens", 80, 990, 1000)
    unpriced = Alert(AlertKind.UNPRICED, "acme", "2025-01", NOON, provider="openai", model="unheard-of")
    assert sorted(await ledger.alerts(Channel.TOPIC, 10)) == [budget, unpriced]
    again = read(inference(10, occurred_at=NOON + 5, attempts=(attempt(model="unheard-of"),)), 9)
    await enter(ledger, [again], rules=rules)
    full = budget._replace(at=NOON + 5, percent=100, used=1100)
    assert sorted(await ledger.alerts(Channel.TOPIC, 10)) == [budget, full, unpriced]
    assert (await ledger.alerts(Channel.TOPIC, 10))[-1] == full, "the newest comes last"
    assert len(await ledger.alerts(Channel.TOPIC, 2)) == 2
    await ledger.alerted(Channel.TOPIC, [budget.id, unpriced.id], Told.DONE)
    await ledger.alerted(Channel.WEBHOOK, [full.id], Told.GIVEN_UP)
    assert list(await ledger.alerts(Channel.TOPIC, 10)) == [full]
    assert sorted(await ledger.alerts(Channel.WEBHOOK, 10)) == [budget, unpriced]
    await ledger.alerted(Channel.WEBHOOK, [], Told.DONE)


async def test_a_text_that_no_database_keeps_stops_nothing(ledger: Ledger) -> None:
    """A NUL in an id or a model: its record is parked, found by its event, and those beside it are rated."""
    odd = [
        read(inference(1, request_id="a\0"), 0),
        read(inference(2, attempts=(attempt(model="m\0"),)), 1),
        read(inference(3), 2),
    ]
    await enter(ledger, odd)
    assert [row.leaf.status for row in await ledger.rows(STREAM, 0, 5)] == [Status.PARKED, Status.PARKED, Status.RATED]
