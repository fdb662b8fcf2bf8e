"""What operators want of tenants: YAML, read strictly. Every fault names its field, the value and the remedy."""

from __future__ import annotations

import reprlib
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.names import check_slug

from roggia_operator.errors import SelectionError

LIMITS = (
    "domains", "documents", "requests_per_minute", "tokens_per_minute", "tokens_per_month", "micro_usd_per_month",
)  # fmt: skip
MAX_LIMIT = 2**53 - 1
MAX_DAYS = 36_500
NOT_ENFORCED = ("requests_per_minute", "tokens_per_minute")
"""Limits that are kept for the gateway (guard): nothing asks for them yet. Take one out here when something does."""
PII_MODES = ("", "off", "mask", "refuse")
UTC = "UTC"
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to hold for one tenant. What a file leaves out has the default: the file is the whole truth."""

    time_zone: str = UTC
    retention_days: int | None = None
    pii_mode: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)

    def without_effect(self) -> tuple[str, ...]:
        """Fields that say something and are only kept: no service looks at them yet."""
        limits = [f"limits.{name}" for name in NOT_ENFORCED if name in self.limits]
        return (*limits, *(["pii_mode"] if self.pii_mode else []))


def read(text: str) -> dict[str, Wanted]:
    """Tenants by name from the text of a file. Raises `SelectionError`."""
    if len(text.encode()) > MAX_BYTES:
        raise SelectionError(
            f"FILE: larger than {MAX_BYTES} bytes; split it, tenants that it leaves out stay as they are"
        )
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader that refuses duplicate keys
    except (yaml.YAMLError, RecursionError) as wrong:
        raise SelectionError(f"FILE: is not YAML: {' '.join(str(wrong).split())[:300]}") from None
    tenants = _mapping("FILE", found, ("tenants",)).get("tenants")
    if not isinstance(tenants, dict) or not tenants:
        raise SelectionError("tenants: is empty or no mapping; write `tenants:` and below it NAME: {…}")
    return {_name(name): _tenant(f"tenants.{name}", given) for name, given in tenants.items()}


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: the second would win unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys differ."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a name is no plain text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _tenant(where: str, given: object) -> Wanted:
    values = _mapping(where, {} if given is None else given, tuple(_FIELDS))
    checked = {name: _FIELDS[name](f"{where}.{name}", value) for name, value in values.items()}
    checked.pop("placement", None)  # there is one placement only
    return Wanted(**checked)


def _mapping(where: str, given: object, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise SelectionError(f"{where}: {_said(given)} is no mapping; write names and values ({', '.join(known)})")
    for name in given:
        if name not in known:
            raise SelectionError(f"{where}.{name}: is not known; use {', '.join(known)}")
    return given


def _name(given: object) -> str:
    try:
        return check_slug("tenants", given if isinstance(given, str) else "")
    except InvalidNameError as wrong:
        raise SelectionError(f"tenants.{_said(given)}: {_said(given)} is no tenant's name; {wrong.remedy}") from None


def _said(given: object) -> str:
    """What was given, shortened: YAML's references can make a value that is far larger than the file."""
    return reprlib.repr(given)


def _zone(where: str, given: object) -> str:
    try:
        return zoneinfo.ZoneInfo(given).key if isinstance(given, str) and given else _refuse_zone(where, given)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return _refuse_zone(where, given)


def _refuse_zone(where: str, given: object) -> str:
    raise SelectionError(f"{where}: {_said(given)} is no IANA time zone; use one such as Europe/Rome or UTC")


def _days(where: str, given: object) -> int | None:
    return None if given is None else _number(where, given, 1, MAX_DAYS, "days, or null to keep documents")


def _limits(where: str, given: object) -> dict[str, int]:
    values = _mapping(where, given, LIMITS)
    return {name: _number(f"{where}.{name}", value, 0, MAX_LIMIT, name) for name, value in values.items()}


def _number(where: str, given: object, least: int, most: int, unit: str) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise SelectionError(f"{where}: {_said(given)} is not a whole number of {least} to {most} ({unit})")
    return given


def _one_of(*known: str, note: str = "") -> Callable[[str, object], str]:
    def checked(where: str, given: object) -> str:
        if given not in known:
            raise SelectionError(f"{where}: {_said(given)} is not known; use {', '.join(map(repr, known))}{note}")
        return str(given)

    return checked


_FIELDS: dict[str, Callable[[str, object], Any]] = {
    "time_zone": _zone,
    "placement": _one_of("dedicated", note=" (shared collections are not there yet)"),
    "retention_days": _days,
    "pii_mode": _one_of(*PII_MODES),
    "limits": _limits,
}
