"""Times as operators write them: `90s`, `30m`, `2h`, `7d` ago, or an ISO date and time."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from roggia_operator.errors import SelectionError

_AGO = re.compile(r"(\d{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def millis(text: str, now_ms: int) -> int:
    """UTC epoch milliseconds. A time without a zone is UTC. Raises `ValueError` for what is no time."""
    if ago := _AGO.fullmatch(text):
        return now_ms - int(ago[1]) * _SECONDS[ago[2]] * 1000
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def moment(field: str, text: str, now_ms: int) -> int:
    """The same. Raises `SelectionError` naming `field`."""
    try:
        return millis(text, now_ms)
    except ValueError:
        raise SelectionError(f"{field}: {text!r} is no time; write 30m, 2h, 7d or 2026-01-31T12:00") from None
