"""Templates and the words that they share: numbers, ages, moments as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import jinja2
import msgspec

from roggia_operator.console.audit_views import dollars

_STEPS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0))
_RESTING = 0.05
"""Records per second below which nothing flows: a rate that decays would be shown as 0.0."""
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def environment() -> jinja2.Environment:
    """The console's templates: everything is escaped, an unknown name is an error."""
    folder = files("roggia_operator.console").joinpath("templates")
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "age": age, "moment": moment, "rate": rate, "number": number, "pretty": pretty, "size": size,
        "share": share, "when": when, "dollars": dollars,
    }  # fmt: skip
    return made


def age(seconds: float | None) -> str:
    """A duration: `0 s`, `4.2 s`, `3 min`, `2 h`, `5 d`; `–` when unknown."""
    if seconds is None:
        return "–"
    for unit, length in _STEPS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"


def moment(millis: int | None) -> str:
    """A moment, UTC, to the second; `–` when unknown, the number where no calendar has it."""
    if millis is None:
        return "–"
    try:
        return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OSError, OverflowError, ValueError):  # whoever writes a record chooses its timestamp
        return f"{millis} ms"


def when(millis: int | None) -> str:
    """The same moment for a machine (`datetime` attribute)."""
    try:
        return "" if millis is None else datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="seconds")
    except (OSError, OverflowError, ValueError):
        return ""


def rate(per_second: float | None) -> str:
    """Records per second with two significant digits; `–` when unknown."""
    if per_second is None:
        return "–"
    if per_second < _RESTING:
        return "0/s"
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"


def number(count: int | None) -> str:
    """A count with separators; `–` when unknown."""
    return "–" if count is None else f"{count:,}"


def size(count: int) -> str:
    """Bytes in the unit that keeps them readable."""
    value = float(count)
    for unit in _BYTES:
        if value < 1024 or unit == _BYTES[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit takes everything")


def share(done: int, total: int) -> int:
    """Per cent done, 0 to 100; all of nothing is 100."""
    return 100 if total <= 0 else max(0, min(100, done * 100 // total))


def pretty(value: Mapping[str, Any]) -> str:
    """A mapping as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
