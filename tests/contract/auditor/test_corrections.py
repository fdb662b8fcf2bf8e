"""Corrections on every ledger: originals stay, sums are originals and corrections, each of them once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor import verify_export
from roggia_auditor.correcting.choosing import Choice
from roggia_auditor.correcting.correction import Left
from roggia_auditor.correcting.planning import Total
from roggia_auditor.errors import LedgerUnavailableError
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.model import CORRECTIONS, Corrected, Crossing, Limits, Row
from roggia_auditor.ledger.records import record_of
from roggia_auditor.ports import Ledger
from roggia_auditor.pricing.entries import PriceBook, Tariff
from roggia_schemas.events import AdjustmentReason, InferenceOrigin, UsageAdjusted

from tests.support.auditing import BOOK, NOON, STREAM, attempt, inference, read, reads
from tests.support.correcting import HOUR, KEY, ORIGIN, Dying, amounts, enter, fsck, ledger_at, price, rerate, run
from tests.support.replaying import codec

HALF = BOOK.extended([price("v2", NOON)])
MINI = Tariff("openai", "mini")


@pytest.fixture(params=["sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Every implementation of the port, empty."""
    made = ledger_at(request.param, request, tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["sqlite", "postgres"])
async def several(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Ledger]]:
    """Three views of one ledger, as three commands have."""
    made = [ledger_at(request.param, request, tmp_path) for _ in range(3)]
    for one in made:
        await one.start()
    yield made
    for one in made:
        await one.stop()


async def events(ledger: Ledger) -> list[UsageAdjusted]:
    """What the correction log holds."""
    rows = await ledger.rows(CORRECTIONS, 0, 10_000)
    return [await codec().decode(UsageAdjusted, record_of(CORRECTIONS, row)) for row in rows]


async def corrections(ledger: Ledger) -> list[Row]:
    """Its rows."""
    return list(await ledger.rows(CORRECTIONS, 0, 10_000))


async def test_prices_that_come_back_are_further_steps(ledger: Ledger) -> None:
    """A version that is taken back and comes again corrects again: each time once, and the sums follow."""
    await enter(ledger, reads(1))
    first = price("v1", NOON + HOUR, input=2_500_000, output=10_000_000)
    books = [HALF, HALF.extended([first]), HALF.extended([first, price("v2", NOON + 2 * HOUR)])]
    for book, amount in zip(books, (175_000_000, 350_000_000, 175_000_000), strict=True):
        assert (await rerate(ledger, book)).corrected == 1
        assert (await rerate(ledger, book)).corrected == 0
        assert set((await amounts(ledger)).values()) == {amount}
    assert len({one.event_id for one in await events(ledger)}) == 3


async def test_a_correction_stands_beside_what_it_corrects(ledger: Ledger) -> None:
    """The original leaf and amount stay, the entry says old and new amount, reason and who; the sums are both."""
    await enter(ledger, reads(4, tenants=("acme", "beta")))
    before, head = list(await ledger.rows(STREAM, 0, 10)), await ledger.heads([STREAM])
    done = await rerate(ledger, HALF)
    assert (done.looked, done.chosen, done.corrected, done.pico_usd) == (4, 4, 4, -4 * 175_000_000)
    assert done.totals["acme", "2025-01", "2025-01"] == Total(2, -2 * 175_000_000)
    assert list(await ledger.rows(STREAM, 0, 10)) == before
    assert await ledger.heads([STREAM]) == head
    assert set((await amounts(ledger)).values()) == {2 * 175_000_000}
    first = (await events(ledger))[0]
    assert (first.ref_event_id, first.tenant_id) == (inference(1).event_id, "acme")
    assert (first.old_pico_usd, first.new_pico_usd, first.delta_pico_usd) == (350_000_000, 175_000_000, -175_000_000)
    assert (first.old_price_version, first.price_version) == ("v1", "v2")
    assert (first.reason, first.by, first.why) == (AdjustmentReason.RERATED, "ann@desk", "a wrong price list")
    numbers = [(row.leaf.tenant, row.leaf.tenant_seq, row.leaf.cost_pico) for row in await corrections(ledger)]
    assert numbers == [(name, n, -175_000_000) for n in (1, 2) for name in ("acme", "beta")]
    assert (await fsck(ledger, HALF)).findings == []


async def test_what_is_done_is_not_done_again(ledger: Ledger) -> None:
    """A second run finds nothing; a third price builds on the second, not on the first."""
    await enter(ledger, reads(3))
    await rerate(ledger, HALF)
    again = await rerate(ledger, HALF)
    assert (again.corrected, again.left) == (0, {Left.SAME: 3})
    third = HALF.extended([price("v3", NOON + HOUR, input=1_000_000, output=0)])
    assert (await rerate(ledger, third)).pico_usd == 3 * (100_000_000 - 175_000_000)
    assert list((await amounts(ledger)).values()) == [300_000_000]
    assert [one.old_pico_usd for one in await events(ledger)] == [350_000_000] * 3 + [175_000_000] * 3
    assert (await fsck(ledger, third)).findings == []


@pytest.mark.parametrize("written", [False, True])
async def test_killed_in_the_middle_and_run_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, *, written: bool
) -> None:
    """Before or after any transaction: what a later run comes to is what one undisturbed run would have come to."""
    monkeypatch.setattr("roggia_auditor.correcting.rerating.PAGE", 5)
    await enter(ledger, reads(23, tenants=("acme", "beta", "gamma")))
    for at in range(2):
        with pytest.raises(LedgerUnavailableError):
            await rerate(Dying(ledger, at, written), HALF)  # type: ignore[arg-type]
    await rerate(ledger, HALF)
    assert [row.leaf.reason for row in await corrections(ledger)] == [
        f"rerated: {inference(n + 1).event_id}" for n in range(23)
    ]
    for name, count in (("acme", 8), ("beta", 8), ("gamma", 7)):
        assert list((await amounts(ledger, name)).values()) == [count * 175_000_000]
    assert (await fsck(ledger, HALF)).findings == []


async def test_two_who_correct_at_once_correct_once(several: list[Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    """Three runs side by side, two by one book and one by a later one: every record ends at one of the two amounts,
    and the next run by the later book brings all of them there."""
    monkeypatch.setattr("roggia_auditor.correcting.rerating.PAGE", 4)
    monkeypatch.setattr("roggia_auditor.correcting.rerating._TRIES", 500)
    await enter(several[0], reads(24))
    later = HALF.extended([price("v3", NOON + HOUR, input=1_000_000, output=0)])
    runs = [await run(one, book) for one, book in zip(several, (HALF, HALF, later), strict=True)]
    await asyncio.gather(*(one.act("ann@desk", "both") for one in runs))
    assert (await fsck(several[0], later)).findings == []
    await rerate(several[0], later)
    assert list((await amounts(several[0])).values()) == [24 * 100_000_000]
    assert len({one.event_id for one in await events(several[0])}) == len(await events(several[0]))
    assert (await fsck(several[0], later)).findings == []


async def test_who_is_overtaken_judges_again(ledger: Ledger) -> None:
    """Somebody corrects by a later price after a run has seen what holds, and before it writes: the run writes nothing
    of what it had judged."""
    await enter(ledger, reads(3))
    later = HALF.extended([price("v3", NOON + HOUR, input=1_000_000, output=0)])

    class Overtaken:
        """A ledger on which the other run comes in between, once."""

        done = False

        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        async def corrected(self, event_ids: Sequence[str]) -> Mapping[str, Corrected]:
            """What holds, and then no longer does."""
            found = await ledger.corrected(event_ids)
            if not self.done:
                self.done = True
                await rerate(ledger, later)
            return found

    mine = await rerate(Overtaken(), HALF)  # type: ignore[arg-type]
    assert (mine.corrected, mine.left) == (0, {Left.UNEXPLAINED: 3})
    assert list((await amounts(ledger)).values()) == [3 * 100_000_000]


async def test_a_closed_month_does_not_move(ledger: Ledger) -> None:
    """A correction in March of what January counts is booked in March, in the cell of its day, and may be negative."""
    await enter(ledger, reads(2))
    before = await ledger.usage("acme", "2025-01")
    march = NOON + 70 * 24 * HOUR
    done = await rerate(ledger, BOOK.extended([price("v2", march)]))
    assert list(done.totals) == [("acme", "2025-01", "2025-03")]
    assert await ledger.usage("acme", "2025-01") == before
    ((key, cell),) = (await ledger.usage("acme", "2025-03")).items()
    assert (key.day, cell.pico_usd, cell.requests, cell.tokens()) == ("2025-01-01", -350_000_000, 0, 0)
    assert [(one.period, one.original_period) for one in await events(ledger)] == [("2025-03", "2025-01")] * 2
    months = {one.key.period: one.month.pico_usd for one in (await ledger.untold(10)).months}
    assert months == {"2025-01": 700_000_000, "2025-03": -350_000_000}
    assert (await fsck(ledger, BOOK.extended([price("v2", march)]))).findings == []


async def test_what_had_no_price_gets_one(ledger: Ledger) -> None:
    """Its attempts are unpriced no more in a month that is open; a closed one keeps its count, and no other goes
    below nothing for it."""
    await enter(ledger, [read(inference(1, attempts=(attempt(), attempt(model="mini"))), 0), *reads(1, start=1)])
    book = BOOK.extended([price("v2", NOON, MINI)])
    assert (await rerate(ledger, book, Choice(unpriced=True))).chosen == 1
    cells = {key.model: cell for key, cell in (await ledger.usage("acme", "")).items()}
    assert (cells["mini"].unpriced, cells["mini"].pico_usd) == (0, 175_000_000)
    assert (cells["example-4"].unpriced, cells["example-4"].pico_usd) == (0, 700_000_000)
    (event,) = await events(ledger)
    assert (event.old_pico_usd, event.new_pico_usd) == (None, 525_000_000)
    await enter(ledger, [read(inference(9, attempts=(attempt(model="nano"),)), 2)])
    march = book.extended([price("v3", NOON + 70 * 24 * HOUR, Tariff("openai", "nano"))])
    assert (await rerate(ledger, march)).corrected == 1
    unpriced = {(key.booked, key.model): cell.unpriced for key, cell in (await ledger.usage("acme", "")).items()}
    assert (unpriced["2025-01", "nano"], unpriced["2025-03", "nano"]) == (1, 0)
    assert (await fsck(ledger, march)).findings == []


async def test_an_amount_is_never_taken_away_for_want_of_a_price(ledger: Ledger) -> None:
    """A later book that forgets a class: the record is left as it is, and counted as left."""
    await enter(ledger, reads(2))
    done = await rerate(ledger, BOOK.extended([price("v2", NOON, input=1)]))
    assert (done.corrected, done.left) == (0, {Left.NO_PRICE: 2})


async def test_what_the_price_log_does_not_explain_is_left_and_named(ledger: Ledger) -> None:
    """The entries that something was booked by are gone: nobody corrects what cannot be told."""
    await enter(ledger, reads(2))
    done = await rerate(ledger, PriceBook([price("v2", NOON)]))
    assert (done.corrected, done.left) == (0, {Left.UNEXPLAINED: 2})
    assert done.unexplained[0].startswith("inference.completed/0@0")


async def test_records_are_chosen(ledger: Ledger) -> None:
    """By tenant, model of any attempt, time (the end not included) and price version; parked ones never."""
    batch = [
        read(inference(1), 0),
        read(inference(2, tenant_id="beta", occurred_at=NOON + 1, attempts=(attempt(model="mini"), attempt())), 1),
        read(inference(3, occurred_at=NOON + HOUR), 2),
        read(inference(4, origin="UNKNOWN"), 3),
    ]
    both = BOOK.extended([price("v1", 0, MINI)])
    await enter(ledger, batch, book=both)
    later = both.extended([price("v2", NOON + HOUR)])

    async def chosen(choice: Choice) -> int:
        return (await (await run(ledger, later, choice)).plan()).chosen

    assert await chosen(Choice()) == 3
    assert await chosen(Choice(tenant="acme")) == 2
    assert await chosen(Choice(tenant="nobody")) == 0
    assert await chosen(Choice(model="mini")) == await chosen(Choice(model="openai/mini")) == 1
    assert await chosen(Choice(since=NOON + 1)) == 2
    assert await chosen(Choice(since=NOON + 1, until=NOON + HOUR)) == 1
    assert await chosen(Choice(version="v1")) == 3
    assert await chosen(Choice(version="v2")) == 0
    await rerate(ledger, later, Choice(tenant="acme"))
    assert await chosen(Choice(version="v2")) == 2
    assert await chosen(Choice(version="v1")) == 1


async def test_a_plan_changes_nothing_and_says_what_is_done(ledger: Ledger) -> None:
    """The run that follows does exactly that, also where records have come in between."""
    await enter(ledger, reads(5))
    planned = await run(ledger, HALF)
    plan = await planned.plan()
    assert await ledger.heads([CORRECTIONS]) == {}
    await enter(ledger, reads(2, start=5))
    done = await planned.act("ann@desk", "why")
    assert (done.corrected, done.totals) == (plan.corrected, plan.totals) == (5, plan.totals)


async def test_budgets_follow_and_cross(ledger: Ledger) -> None:
    """A tenant's month moves with its own corrections, not with those of shadow traffic, and a limit that is reached by
    one is crossed; what is told of the ledger is how far the topic was counted, not the correction log."""
    limits = {"acme": Limits(pico_usd=1_000_000_000)}
    shadow = inference(3, origin=InferenceOrigin.SHADOW)
    await enter(ledger, [*reads(2), read(shadow, 2)], limits=limits)
    dearer = BOOK.extended([price("v2", NOON, input=4_000_000, output=10_000_000)])
    assert (await (await run(ledger, dearer, limits=limits)).act("ann@desk", "why")).corrected == 3
    (total,) = (await ledger.untold(10)).months
    assert (total.month.pico_usd, total.limits, total.seq) == (1_000_000_000, limits["acme"], 2)
    assert total.crossed == (Crossing("pico_usd", 80), Crossing("pico_usd", 100))
    (day,) = (await ledger.untold(10)).days
    assert (day.usage.pico_usd, day.usage.requests) == (1_000_000_000, 2)


async def test_a_stranger_sees_originals_and_corrections(ledger: Ledger, tmp_path: Path) -> None:
    """A tenant's export holds both and comes to what is due; one without the newest correction is found."""
    await enter(ledger, reads(6, tenants=("acme", "beta")))
    await rerate(ledger, HALF)
    folder, key = tmp_path / "export", str(KEY.verifier())
    sealed = await Sealer(ledger, ORIGIN, KEY).seal()
    streams = {stream.origin(ORIGIN): stream for stream in await ledger.streams()}
    await TenantExport(ledger, sealed, streams).write("acme", folder)
    report = verify_export.check(folder, key, [])
    assert (report["records"], report["pico_usd"]) == (6, str(3 * 175_000_000))
    file, manifest = folder / "records.jsonl", json.loads((folder / "manifest.json").read_text())
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    manifest["files"]["records.jsonl"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest |= {"records": "5", "pico_usd": str(4 * 175_000_000)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(verify_export.WrongError, match="is missing"):
        verify_export.check(folder, key, [])


async def test_totals_are_told_under_the_newest_topic(ledger: Ledger) -> None:
    """A topic that was made anew: its stream comes last, whichever of the two was written to last."""
    anew = STREAM._replace(topic_id="aaaaaaaa-77b3-4da6-a3ce-929d0e0e4736")
    await enter(ledger, reads(2))
    await enter(ledger, reads(1, start=50), stream=anew)
    await enter(ledger, reads(1, start=60))
    assert list((await ledger.untold(10)).as_of) == [STREAM, anew]
