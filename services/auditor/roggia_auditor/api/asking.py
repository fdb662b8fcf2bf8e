"""Parameters of a request → what is asked of the ledger. All of it is checked here, against the token too."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from roggia_schemas.errors import InvalidNameError
from roggia_schemas.names import check_slug

from roggia_auditor.api.errors import BadRequestError, ForbiddenError
from roggia_auditor.api.messages import MAX_LIMIT
from roggia_auditor.api.tokens import Grant
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.model import OWN, UsageKey
from roggia_auditor.periods import HOUR_MS
from roggia_auditor.reports import LOOKED_UP, Selection

Parameters = Mapping[str, str]
_MONTH = re.compile(r"\A\d{4}-(0[1-9]|1[0-2])\Z")
_DAY = re.compile(r"\A\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\Z")
_STATUSES = {one.name.lower(): one for one in Status if one is not Status.ACCESS}
RECORD_PARAMETERS = (
    "tenant", *LOOKED_UP, "from", "to", "day", "model", "prompt", "status", "late", "limit", "cursor",
)  # fmt: skip
GROUPS = tuple(name for name in UsageKey._fields if name not in ("tenant", "booked"))
"""What usage can be grouped by, beside the month."""
ORIGINS = ("live", "canary", "shadow", "replay")
MAX_MONTHS = 36
_MAX_VALUE = 300
_DAY_REACH_MS = 28 * HOUR_MS
"""From noon UTC: half a day, and more than any zone's offset (at most 14 hours)."""
_FREE = (*LOOKED_UP, "model", "prompt", "cursor")
"""Parameters whose values are anybody's words."""


def parameters(pairs: Sequence[tuple[str, str]], known: Sequence[str]) -> Parameters:
    """The parameters, each known and there once. Raises `BadRequestError`."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise BadRequestError(f"{name[:60]}: no parameter here; there are {', '.join(known)}", name[:60])
        if name in found:
            raise BadRequestError(f"{name}: given twice; give it once", name)
        if "\0" in value:
            raise BadRequestError(f"{name}: a NUL character; leave it out", name)
        if len(value) > _MAX_VALUE:
            raise BadRequestError(f"{name}: {len(value)} characters; at most {_MAX_VALUE}", name)
        found[name] = value
    return found


def told(given: Parameters) -> dict[str, str]:
    """The parameters as the access log keeps them: free words as a hash."""
    return {name: _hash(value) if name in _FREE else value for name, value in given.items()}


def tenant(given: Parameters, grant: Grant) -> str:
    """The one tenant that is asked for: the parameter, or the token's only one. Raises `ApiError`s."""
    named = given.get("tenant", "")
    if not named and grant.tenants is not None and len(grant.tenants) == 1:
        return next(iter(grant.tenants))
    if not named:
        raise BadRequestError("tenant: missing; name one", "tenant")
    return allowed(named, grant)


def allowed(named: str, grant: Grant) -> str:
    """The tenant. Raises `BadRequestError` for no name, `ForbiddenError` for one that is not the token's."""
    try:
        check_slug("tenant", named)
    except InvalidNameError as error:
        raise BadRequestError(str(error), "tenant") from error
    if not grant.sees(named):
        raise ForbiddenError(f"tenant: the token {grant.name!r} is not good for {named!r}", "tenant")
    return named


def tenants(given: Parameters, grant: Grant) -> frozenset[str] | None:
    """The tenants that are asked for: the parameter, or all of the token's."""
    return frozenset({allowed(given["tenant"], grant)}) if given.get("tenant") else grant.tenants


def selection(given: Parameters, grant: Grant) -> Selection:
    """Which records. Raises `ApiError`s."""
    ids = [name for name in LOOKED_UP if given.get(name)]
    if len(ids) > 1:
        raise BadRequestError(f"{ids[1]}: {ids[0]} is given too; look up by one", ids[1])
    name = ids[0] if ids else ""
    value = given.get(name, "")
    day = _matching(given, "day", _DAY, "YYYY-MM-DD")
    start, end = _around(day)
    return Selection(
        tenants=tenants(given, grant),
        id_name=name,
        id_value=value.lower() if name == "event_id" else value,
        start=_latest(start, _moment(given, "from")),
        end=_earliest(end, _moment(given, "to")),
        day=day,
        model=given.get("model", ""),
        prompt=given.get("prompt", ""),
        statuses=_statuses(given),
        late=_flag(given, "late"),
    )


def limit(given: Parameters) -> int:
    """Records of a page, 1 to `MAX_LIMIT`; 100 where it is not said."""
    text = given.get("limit", "100")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise BadRequestError(f"limit: {text!r}: a number from 1 to {MAX_LIMIT}", "limit")
    return int(text)


def months(given: Parameters) -> tuple[str, ...]:
    """The months asked for: `month`, or all from `from` to `to`, at most `MAX_MONTHS`."""
    month = _matching(given, "month", _MONTH, "YYYY-MM")
    start, end = _matching(given, "from", _MONTH, "YYYY-MM"), _matching(given, "to", _MONTH, "YYYY-MM")
    if month and not start and not end:
        return (month,)
    if month or not start or not end:
        raise BadRequestError("month: give month, or from and to, all as YYYY-MM", "month")
    first, last = _number(start), _number(end)
    if not 0 <= last - first < MAX_MONTHS:
        raise BadRequestError(f"to: {end}: not before from, and at most {MAX_MONTHS} months", "to")
    return tuple(f"{n // 12:04}-{n % 12 + 1:02}" for n in range(first, last + 1))


def groups(given: Parameters) -> tuple[str, ...]:
    """What usage is grouped by; `month` stands for the one that counts it."""
    names = tuple(one for one in given.get("group_by", "month,model").split(",") if one)
    known = ("month", *GROUPS)
    for one in names:
        if one not in known:
            raise BadRequestError(f"group_by: {one!r}: there are {', '.join(known)}", "group_by")
    if len(set(names)) != len(names):
        raise BadRequestError("group_by: a name is there twice", "group_by")
    return names


def origins(given: Parameters) -> frozenset[str]:
    """Whose use: a tenant's own (live, canary) unless an origin, or `all`, is given."""
    one = given.get("origin", "")
    if one not in ("", "all", *ORIGINS):
        raise BadRequestError(f"origin: {one!r}: there are all, {', '.join(ORIGINS)}", "origin")
    return OWN if not one else frozenset(ORIGINS if one == "all" else [one])


def cursor(place: tuple[int, ...]) -> str:
    """A place as a cursor."""
    return base64.urlsafe_b64encode(".".join(map(str, place)).encode()).decode().rstrip("=")


def place(given: Parameters, width: int) -> tuple[int, ...] | None:
    """The place in a cursor of `width` numbers; None without one. Raises `BadRequestError`."""
    text = given.get("cursor", "")
    if not text:
        return None
    try:
        parts = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").split(".")
        found = tuple(map(int, parts))
    except (binascii.Error, ValueError):
        found = ()
    if len(found) != width or any(not -(2**63) <= one < 2**63 for one in found):
        raise BadRequestError("cursor: it is none of this list; take `next` of the page before, unchanged", "cursor")
    return found


def _around(day: str) -> tuple[int | None, int | None]:
    """Moments between which a day lies in every zone: by time, records are found through an index."""
    if not day:
        return None, None
    try:
        noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    except ValueError:
        raise BadRequestError(f"day: {day!r}: there is no such day", "day") from None
    middle = int(noon.timestamp() * 1000)
    return middle - _DAY_REACH_MS, middle + _DAY_REACH_MS


def _latest(one: int | None, other: int | None) -> int | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _earliest(one: int | None, other: int | None) -> int | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _statuses(given: Parameters) -> frozenset[Status]:
    text = given.get("status", "")
    if not text:
        return frozenset(_STATUSES.values())
    if text not in _STATUSES:
        raise BadRequestError(f"status: {text!r}: there are {', '.join(_STATUSES)}", "status")
    return frozenset({_STATUSES[text]})


def _flag(given: Parameters, name: str) -> bool:
    text = given.get(name, "")
    if text not in ("", "true", "false"):
        raise BadRequestError(f"{name}: {text!r}: true or false", name)
    return text == "true"


def _matching(given: Parameters, name: str, pattern: re.Pattern[str], shape: str) -> str:
    text = given.get(name, "")
    if text and not pattern.match(text):
        raise BadRequestError(f"{name}: {text!r}: write {shape}", name)
    return text


def _moment(given: Parameters, name: str) -> int | None:
    text = given.get(name, "")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return int(found.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadRequestError(
            f"{name}: {text!r}: write a day or a moment, 2026-01-31 or 2026-01-31T12:00:00Z", name
        ) from None


def _hash(value: str) -> str:
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]
