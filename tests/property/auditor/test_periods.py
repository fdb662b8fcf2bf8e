"""Days and months of tenants: leaps of daylight saving and of months, and what is late."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roggia_auditor import periods

ZONES = ["UTC", "Europe/Rome", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"]
TIMES = st.integers(1_577_836_800_000, 1_893_456_000_000)  # 2020 to 2030


def ms(text: str) -> int:
    """Milliseconds of an ISO time."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@given(TIMES, st.sampled_from(ZONES))
def test_a_day_is_that_of_the_zone(at: int, zone: str) -> None:
    """For every instant, also between the hours at which zones of odd offsets change."""
    expected = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date().isoformat()
    assert periods.day(at, zone) == expected


@given(TIMES, st.integers(0, periods.HOUR_MS * 24 * 40), st.sampled_from(ZONES))
def test_what_is_late_is_booked_in_an_open_month(at: int, delay: int, zone: str) -> None:
    """A month counts what arrives until it is closed; later arrivals are counted by a month that is open then."""
    arrived = at + delay
    booking = periods.book(at, arrived, zone)
    assert booking.period == periods.month(periods.day(at, zone))
    assert booking.late == (arrived >= periods.closes_at(booking.period, zone))
    assert arrived < periods.closes_at(booking.booked, zone)
    assert booking.booked >= booking.period


@pytest.mark.parametrize(
    ("occurred", "arrived", "zone", "day", "booked"),
    [
        ("2025-01-31T23:30:00+01:00", "2025-01-31T23:31:00+01:00", "Europe/Rome", "2025-01-31", "2025-01"),
        ("2025-01-31T23:30:00Z", "2025-01-31T23:31:00Z", "Europe/Rome", "2025-02-01", "2025-02"),
        ("2025-03-30T01:59:59+01:00", "2025-03-30T02:00:00+01:00", "Europe/Rome", "2025-03-30", "2025-03"),
        ("2025-10-26T02:30:00+01:00", "2025-10-26T02:30:01+01:00", "Europe/Rome", "2025-10-26", "2025-10"),
        ("2024-02-29T23:59:59Z", "2024-03-01T11:59:59Z", "UTC", "2024-02-29", "2024-02"),
        ("2024-02-29T23:59:59Z", "2024-03-01T12:00:00Z", "UTC", "2024-02-29", "2024-03"),
        ("2024-12-31T23:59:59Z", "2025-01-15T00:00:00Z", "UTC", "2024-12-31", "2025-01"),
    ],
)
def test_leaps(occurred: str, arrived: str, zone: str, day: str, booked: str) -> None:
    """Ends of months, both nights of daylight saving, a leap day, a turn of the year; twelve hours of grace."""
    found = periods.book(ms(occurred), ms(arrived), zone)
    assert (found.day, found.booked) == (day, booked)
