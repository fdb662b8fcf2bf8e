"""Which day and month an amount is counted in: changes of price, late events, corrections, leap days, summer time.

Prices of `auditing.BOOK`: an inference of 100 input and 10 output tokens comes to 100 × 2,500,000 + 10 × 10,000,000
= 350,000,000 pico-USD.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.ledger.judging import Before, Read, Rules, judge
from roggia_auditor.ledger.model import Head
from roggia_auditor.pricing.classes import TokenClass
from roggia_auditor.pricing.entries import Entry, PriceBook

from tests.support.auditing import BOOK, STREAM, TARIFF, inference, read
from tests.support.correcting import enter, price, rerate

ONE = 350_000_000


def ms(text: str) -> int:
    """Milliseconds of an ISO time."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def at(number: int, occurred: str, arrived: str = "") -> Read:
    """An inference that ended at one time and reached the log at another."""
    return read(inference(number, occurred_at=ms(occurred)), number, at=ms(arrived or occurred))


def booked(batch: list[Read], zone: str = "UTC", book: PriceBook = BOOK) -> dict[tuple[str, str], int]:
    """Amounts by month that counts them and day."""
    draft = judge(STREAM, batch, Before(Head(), {}), {}, Rules(book, {"acme": zone}))
    assert sum(row.leaf.cost_pico or 0 for row in draft.rows) == sum(cell.pico_usd for cell in draft.usage.values())
    return {(key.booked, key.day): cell.pico_usd for key, cell in sorted(draft.usage.items())}


def test_a_change_of_price_at_an_instant() -> None:
    """100 × 2,500,000 + 10 × 10,000,000 until the last millisecond of January; 100 × 2,000,000 + 10 × 8,000,000
    = 280,000,000 from the first of February on."""
    change = ms("2025-02-01T00:00:00+00:00")
    new = {TokenClass.INPUT: 2_000_000, TokenClass.OUTPUT: 8_000_000}
    old = Entry(TARIFF, 0, change, 0, {TokenClass.INPUT: 2_500_000, TokenClass.OUTPUT: 10_000_000}, "v1")
    book = PriceBook([old, Entry(TARIFF, change, None, 0, new, "v2")])
    batch = [at(1, "2025-01-31T23:59:59.999+00:00"), at(2, "2025-02-01T00:00:00+00:00")]
    assert booked(batch, book=book) == {("2025-01", "2025-01-31"): 350_000_000, ("2025-02", "2025-02-01"): 280_000_000}


def test_a_late_event() -> None:
    """Within twelve hours of its month's end it is of its month; a millisecond later it is February's, at its own
    time's price, with January's day. 350,000,000 each."""
    batch = [
        at(1, "2025-01-31T20:00:00+00:00", "2025-02-01T11:59:59.999+00:00"),
        at(2, "2025-01-31T20:00:00+00:00", "2025-02-01T12:00:00+00:00"),
    ]
    assert booked(batch) == {("2025-01", "2025-01-31"): ONE, ("2025-02", "2025-01-31"): ONE}


async def test_a_correction(tmp_path: Path) -> None:
    """Booked at 350,000,000; by the corrected price 100 × 1,250,000 + 10 × 5,000,000 = 175,000,000. Made in January it
    lowers January to 175,000,000; made in February it leaves January and takes 175,000,000 from February."""
    for name, known, due in (
        ("open", "2025-01-20T00:00:00+00:00", {"2025-01": 175_000_000}),
        ("closed", "2025-02-20T00:00:00+00:00", {"2025-01": 350_000_000, "2025-02": -175_000_000}),
    ):
        ledger = SqliteLedger(tmp_path / f"{name}.sqlite3")
        await ledger.start()
        await enter(ledger, [at(1, "2025-01-15T12:00:00+00:00")])
        await rerate(ledger, BOOK.extended([price("v2", ms(known))]))
        assert {key.booked: cell.pico_usd for key, cell in (await ledger.usage("acme", "")).items()} == due
        await ledger.stop()


def test_the_leap_day() -> None:
    """February of 2024 has 29 days: three days, three amounts, two months."""
    batch = [at(n, f"{day}T12:00:00+00:00") for n, day in enumerate(("2024-02-28", "2024-02-29", "2024-03-01"), 1)]
    assert booked(batch) == {
        ("2024-02", "2024-02-28"): ONE,
        ("2024-02", "2024-02-29"): ONE,
        ("2024-03", "2024-03-01"): ONE,
    }


@pytest.mark.parametrize(
    ("first", "last", "day", "hours"),
    [
        ("2025-03-30T00:00:00+01:00", "2025-03-30T23:59:59.999+02:00", "2025-03-30", 23),
        ("2025-10-26T00:00:00+02:00", "2025-10-26T23:59:59.999+01:00", "2025-10-26", 25),
    ],
)
def test_days_of_23_and_25_hours(first: str, last: str, day: str, hours: int) -> None:
    """In Rome the night of summer time is short, that of winter time long: both ends are of that day, 2 × 350,000,000;
    a millisecond before and after are not."""
    assert round((ms(last) - ms(first)) / 3_600_000) == hours
    inside = [read(inference(n, occurred_at=t), n) for n, t in enumerate((ms(first), ms(last)), 1)]
    outside = [read(inference(n, occurred_at=t), n) for n, t in enumerate((ms(first) - 1, ms(last) + 1), 3)]
    found = booked(inside + outside, "Europe/Rome")
    assert found[day[:7], day] == 2 * ONE
    assert sorted(found.values()) == [ONE, ONE, 2 * ONE]


def test_the_hour_that_comes_twice() -> None:
    """02:30 in Rome on the last Sunday of October is there twice, an hour apart: two amounts of one day."""
    batch = [at(1, "2025-10-26T02:30:00+02:00"), at(2, "2025-10-26T02:30:00+01:00")]
    assert booked(batch, "Europe/Rome") == {("2025-10", "2025-10-26"): 2 * ONE}


def test_a_month_begins_in_the_tenants_zone() -> None:
    """The same instant is June's last in New York and July's first in UTC; its end of the month lies in summer time."""
    instant = "2025-07-01T03:59:59.999+00:00"
    assert booked([at(1, instant)], "America/New_York") == {("2025-06", "2025-06-30"): ONE}
    assert booked([at(1, instant)], "UTC") == {("2025-07", "2025-07-01"): ONE}
    assert booked([at(1, "2025-07-01T04:00:00+00:00")], "America/New_York") == {("2025-07", "2025-07-01"): ONE}
