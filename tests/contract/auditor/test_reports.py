"""One suite for the reports of every ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_auditor.adapters.postgres_ledger import PostgresLedger, PostgresReports
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger, SqliteReports
from roggia_auditor.errors import LedgerError
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.judging import Rules
from roggia_auditor.ledger.model import Crossing, Limits, Month, Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.reports import Reports, Selection

from tests.support.audit_api import KEY, ORIGIN, enter
from tests.support.auditing import BOOK, NOON, STREAM, TOPIC, TOPIC_ID, inference, read, reads

ACME = frozenset({"acme"})
OTHER = Stream(TOPIC, TOPIC_ID, 1)


@pytest.fixture(params=["sqlite", "postgres"])
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Ledger, Reports]]:
    """Every ledger, empty, with its reports."""
    made: tuple[Ledger, Reports]
    if request.param == "sqlite":
        lite = SqliteLedger(tmp_path / "ledger.sqlite3")
        made = lite, SqliteReports(lite)
    else:
        postgres = PostgresLedger(request.getfixturevalue("postgres_dsn"))
        made = postgres, PostgresReports(postgres)
    await made[0].start()
    yield made
    await made[0].stop()


async def test_pages_hold_every_record_once_newest_first(both: tuple[Ledger, Reports]) -> None:
    """Over two streams and equal moments, whatever a page's size."""
    ledger, reports = both
    await enter(ledger, [read(inference(n, occurred_at=NOON + n // 2), n) for n in range(7)])
    await enter(ledger, [read(inference(10 + n, occurred_at=NOON + n // 2), n) for n in range(7)], OTHER)
    wanted = Selection(tenants=ACME)
    whole = await reports.records(wanted, None, 100)
    assert len(whole) == 14
    assert [one.place for one in whole] == sorted((one.place for one in whole), reverse=True)
    for size in (1, 3, 5):
        seen, after = [], None
        while page := await reports.records(wanted, after, size):
            seen += page
            after = page[-1].place
        assert seen == list(whole)


async def test_a_question_holds_for_its_tenants_alone(both: tuple[Ledger, Reports]) -> None:
    """None is everybody, an empty set nobody."""
    ledger, reports = both
    await enter(ledger, reads(6, tenants=("acme", "beta")))
    assert {one.row.leaf.tenant for one in await reports.records(Selection(tenants=ACME), None, 10)} == {"acme"}
    assert len(await reports.records(Selection(tenants=None), None, 10)) == 6
    assert not await reports.records(Selection(tenants=frozenset()), None, 10)


async def test_every_condition_holds(both: tuple[Ledger, Reports]) -> None:
    """Ids, times, day, status, late; together they narrow. An id that has no index is refused."""
    ledger, reports = both
    late = read(inference(2, occurred_at=NOON - 2 * 86_400_000), 1, at=NOON + 20 * 86_400_000)
    await enter(ledger, [read(inference(1, trace_id="ab" * 16), 0), late, read(inference(3, response_id="r"), 2)])

    async def offsets(**conditions: object) -> list[int]:
        found = await reports.records(Selection(tenants=ACME, **conditions), None, 10)  # type: ignore[arg-type]
        return sorted(one.row.leaf.offset for one in found)

    assert await offsets(id_name="trace_id", id_value="ab" * 16) == [0]
    assert await offsets(id_name="response_id", id_value="r") == [2]
    assert await offsets(id_name="event_id", id_value=inference(1).event_id) == [0]
    assert await offsets(start=NOON) == [0, 2]
    assert await offsets(end=NOON) == await offsets(late=True) == [1]
    assert await offsets(day="2025-01-01", model="openai/example-4") == [0, 2]
    assert await offsets(statuses=frozenset({Status.PARKED})) == []
    assert await offsets(prompt="none@1") == []
    assert await reports.count(Selection(tenants=ACME, start=NOON)) == 2
    assert await reports.count(Selection(tenants=frozenset({"beta"}))) == 0
    with pytest.raises(LedgerError, match="looked up"):
        await offsets(id_name="reason", id_value="x")


async def test_duplicates_are_of_the_tenant_of_their_event(both: tuple[Ledger, Reports]) -> None:
    """By place, for the tenants that are asked for."""
    ledger, reports = both
    await enter(ledger, [*reads(2, tenants=("acme", "beta")), read(inference(1), 2), read(inference(1), 3)])
    first = await reports.duplicates(ACME, None, 1)
    assert [(one.duplicate.tenant, one.duplicate.offset, one.duplicate.same) for one in first] == [("acme", 2, True)]
    assert [one.duplicate.offset for one in await reports.duplicates(ACME, first[-1].place, 5)] == [3]
    assert not await reports.duplicates(frozenset({"beta"}), None, 5)


async def test_months_have_their_limits_and_crossings(both: tuple[Ledger, Reports]) -> None:
    """Oldest first."""
    ledger, reports = both
    rules = Rules(BOOK, {}, {"acme": Limits(tokens=130)})
    await enter(ledger, [read(inference(1, occurred_at=NOON - 86_400_000), 0), *reads(2, start=1)], rules=rules)
    december, january = await reports.months("acme")
    assert (december.key.period, december.month.tokens, december.crossed) == ("2024-12", 110, (Crossing("tokens", 80),))
    assert january.month == Month(220, 2 * 350_000_000)
    assert (january.limits.tokens, len(january.crossed)) == (130, 2)
    assert not await reports.months("beta")


async def test_notes_are_those_of_the_last_seal(both: tuple[Ledger, Reports]) -> None:
    """Of every log and the head log; none before."""
    ledger, reports = both
    await enter(ledger, reads(3))
    assert not await reports.notes()
    await Sealer(ledger, ORIGIN, KEY).seal()
    found = {origin: (size, text) for origin, size, text in await reports.notes()}
    assert found[STREAM.origin(ORIGIN)][0] == 3
    assert found[f"{ORIGIN}/head"][0] == 1
    assert await reports.note(STREAM.origin(ORIGIN)) == found[STREAM.origin(ORIGIN)]
    assert await reports.note("nowhere") is None
