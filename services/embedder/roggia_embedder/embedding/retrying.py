"""How long to wait before a server is asked again: what it says itself, else longer each time. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
"""A server's wish beyond an hour is cut to it: a wrong clock must not stop a process for days."""

_FIRST_S = 0.5
_STEEPEST = 6


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a server asks to wait, 0 to `LONGEST_S`; None when it does not say, or says nonsense.

    `headers` has names in lower case. `Retry-After` is seconds or a date (RFC 9110, 10.2.3); a date is read against the
    server's own `Date`, so that a wrong clock on either side does not matter, else against `now`. `retry-after-ms` is
    what OpenAI's and Azure's servers say beside it, and is finer.
    """
    millis = _number(headers.get("retry-after-ms", ""))
    if millis is not None:
        return _bounded(millis / 1000)
    told = headers.get("retry-after", "").strip()
    seconds = _number(told)
    if seconds is not None:
        return _bounded(seconds)
    moment = _date(told)
    if moment is None:
        return None
    return _bounded((moment - (_date(headers.get("date", "")) or now)).total_seconds())


def backoff(failures: int, chance: float) -> float:
    """Seconds after the nth failure in a row: doubled each time up to 32 x, the upper half of it by `chance` (0 to 1).

    Equal jitter, as in AWS's "Exponential Backoff And Jitter": callers that failed together do not come back together,
    and none comes back at once.
    """
    whole = _FIRST_S * 2.0 ** min(max(failures, 1), _STEEPEST)
    return whole / 2 + whole / 2 * chance


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_S)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
