"""Price books: YAML files that people write. Read here, checked whole, turned into entries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, TypeVar

import yaml

from roggia_auditor.errors import PriceError
from roggia_auditor.pricing.classes import TokenClass
from roggia_auditor.pricing.entries import Entry, Tariff

PICO_PER_MILLION = 10**6
"""US dollars per million tokens times this are 10^-12 US dollars per token."""
PICO = 10**12
_FIELDS = frozenset(
    {"provider", "model", "aliases", "tier", "batch", "band_from", "from", "to", "usd_per_million", "usd_per_request"}
)
_REQUIRED = frozenset({"provider", "model", "from", "usd_per_million"})
T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """Numbers with a point stay the text that they are: a float would already be another number."""


_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: str(node.value))


def parse(text: str) -> tuple[Entry, ...]:
    """The entries of a price book. Raises `PriceError`, which names entry, field, value and remedy."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        raise PriceError(f"price book: {error}") from error
    if not isinstance(found, dict) or set(found) - {"version", "source", "prices"}:
        raise PriceError("price book: expected version, source and prices, nothing else")
    version, prices = found.get("version"), found.get("prices")
    if not isinstance(version, str) or not version or "+" in version:
        raise PriceError(f"price book: version {version!r} must be a text in quotes, without +")
    if not isinstance(prices, list) or not prices:
        raise PriceError("price book: prices must be a list of at least one entry")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    source = str(found.get("source") or "")
    entries = tuple(entry for n, raw in enumerate(prices) for entry in _entries(raw, n, (version, source, sha256)))
    _check_apart(entries)
    return entries


def _entries(raw: object, number: int, stamp: tuple[str, str, str]) -> Iterable[Entry]:
    """One entry for the model and one for each alias."""
    where = f"prices[{number}]"
    if not isinstance(raw, dict):
        raise PriceError(f"{where}: expected fields such as provider and model, not {raw!r}")
    if unknown := sorted(map(str, set(raw) - _FIELDS)):
        raise PriceError(f"{where}: {', '.join(unknown)} is no field; there are {', '.join(sorted(_FIELDS))}")
    if missing := sorted(_REQUIRED - set(raw)):
        raise PriceError(f"{where}: {', '.join(missing)} is missing")
    start, end = _moment(raw["from"], f"{where}.from"), _end(raw, where)
    if end is not None and end <= start:
        raise PriceError(f"{where}.to: {raw['to']} is not later than from")
    names = [raw["model"], *(_typed(raw, "aliases", list, where) or [])]
    version, source, sha256 = stamp
    for name in names:
        tariff = Tariff(
            _name(raw["provider"], f"{where}.provider"),
            _name(name, f"{where}.model"),
            _typed(raw, "tier", str, where) or "",
            bool(_typed(raw, "batch", bool, where)),
        )
        band = _typed(raw, "band_from", int, where) or 0
        if band < 0:
            raise PriceError(f"{where}.band_from: {band} is negative; tokens count from 0")
        yield Entry(tariff, start, end, band, _prices(raw, where), version, source, sha256)


def _prices(raw: Mapping[str, Any], where: str) -> Mapping[TokenClass, int]:
    given = raw["usd_per_million"]
    if not isinstance(given, dict) or not given:
        raise PriceError(f"{where}.usd_per_million: expected prices by class, such as input and output")
    found: dict[TokenClass, int] = {}
    for name, value in given.items():
        place = f"{where}.usd_per_million.{name}"
        found[_class(name, place)] = _price(_resolved(given, value, place), PICO_PER_MILLION, place)
    if (request := raw.get("usd_per_request")) is not None:
        found[TokenClass.REQUEST] = _price(request, PICO, f"{where}.usd_per_request")
    return found


def _resolved(given: Mapping[str, Any], value: object, place: str) -> object:
    """A class may name another one whose price it shares: `reasoning: output`."""
    if not isinstance(value, str) or value not in {one.value for one in TokenClass}:
        return value
    shared = given.get(value)
    if shared is None or (isinstance(shared, str) and shared in {one.value for one in TokenClass}):
        raise PriceError(f"{place}: it takes the price of {value}, which has none here")
    return shared


def _class(name: object, place: str) -> TokenClass:
    known = [one.value for one in TokenClass if one is not TokenClass.REQUEST]
    if name not in known:
        raise PriceError(f"{place}: no such class of tokens; there are {', '.join(known)}")
    return TokenClass(name)


def _price(value: object, factor: int, place: str) -> int:
    if isinstance(value, bool):
        raise PriceError(f"{place}: {value!r} is no price in US dollars")
    pico = _decimal(value, place) * factor
    if not pico.is_finite() or pico < 0 or pico != pico.to_integral_value() or pico >= 2**63:
        smallest = Decimal(1) / factor
        raise PriceError(f"{place}: {value} is negative, absurd, or finer than {smallest:f} US dollars")
    return int(pico)


def _decimal(value: object, place: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise PriceError(f"{place}: {value!r} is no price in US dollars") from None


def _moment(value: object, place: str) -> int:
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            found = None
    if not isinstance(found, datetime):
        raise PriceError(f"{place}: {value!r} is no time; write it with its zone, 2026-01-01T00:00:00Z")
    if found.tzinfo is None:
        raise PriceError(f"{place}: {value} has no zone; write 2026-01-01T00:00:00Z")
    return round(found.astimezone(UTC).timestamp() * 1000)


def _end(raw: Mapping[str, Any], where: str) -> int | None:
    return None if raw.get("to") is None else _moment(raw["to"], f"{where}.to")


def _name(value: object, place: str) -> str:
    if not isinstance(value, str) or not value or value != value.strip():
        raise PriceError(f"{place}: {value!r} is no name")
    return value


def _typed(raw: Mapping[str, Any], field: str, kind: type[T], where: str) -> T | None:
    value = raw.get(field)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise PriceError(f"{where}.{field}: {value!r} is no {kind.__name__}")
    return value


def _check_apart(entries: Sequence[Entry]) -> None:
    """No two entries of a book may hold at the same time for the same thing."""
    ordered = sorted(entries, key=lambda one: (one.tariff, one.band_from, one.effective_from))
    for one, next_one in pairwise(ordered):
        if (one.tariff, one.band_from) != (next_one.tariff, next_one.band_from):
            continue
        if one.effective_to is None or one.effective_to > next_one.effective_from:
            name = f"{one.tariff.provider}/{one.tariff.model}"
            raise PriceError(f"price book: {name} has two prices at the same time; end the first with `to`")
