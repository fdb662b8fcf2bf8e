"""Days and months of tenants, and when a month is closed. Pure: zones in, names of days and months out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
GRACE_MS = 12 * HOUR_MS
"""How long after its end a month takes what is late, by default (as Orb does)."""
_STEP_MS = 900_000
"""All offsets from UTC that are in use since 1972 change at multiples of a quarter of an hour."""
_DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Booking:
    """Where an event is booked: its day, the month of that day, and the month that counts it.

    The two months differ for an event that reached the log after its month was closed: `late`.
    """

    day: str
    period: str
    booked: str

    @property
    def late(self) -> bool:
        """Whether it counts as an adjustment."""
        return self.booked != self.period


def book(occurred_at: int, appended_at: int, zone: str, grace_ms: int = GRACE_MS) -> Booking:
    """The booking of an event; times in milliseconds since 1970, `appended_at` by the broker's clock.

    Late events are booked in the month that is open when they arrive: the one of the time of arrival less the grace.
    """
    found = day(occurred_at, zone)
    period = month(found)
    return Booking(found, period, open_month(period, appended_at, zone, grace_ms))


def open_month(period: str, at: int, zone: str, grace_ms: int = GRACE_MS) -> str:
    """The month that counts what is of `period` and comes at `at`: itself, or the one that is open then."""
    if at < closes_at(period, zone, grace_ms):
        return period
    return max(period, month(day(at - grace_ms, zone)))


def day(at: int, zone: str) -> str:
    """The day in a zone, YYYY-MM-DD."""
    return _day(at // _STEP_MS, zone)


def month(of_day: str) -> str:
    """The month of a day, YYYY-MM."""
    return of_day[:7]


@lru_cache(maxsize=4096)
def closes_at(period: str, zone: str, grace_ms: int = GRACE_MS) -> int:
    """When a month is closed: its end in the zone, plus the grace."""
    year, number = int(period[:4]), int(period[5:7])
    after = datetime(year + number // _DECEMBER, number % _DECEMBER + 1, 1, tzinfo=ZoneInfo(zone))
    return int(after.timestamp() * 1000) + grace_ms


@lru_cache(maxsize=65_536)
def _day(step: int, zone: str) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=step * _STEP_MS)
    return moment.astimezone(ZoneInfo(zone)).date().isoformat()
