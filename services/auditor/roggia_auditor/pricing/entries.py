"""Entries of the price book: what a provider's model costs from when until when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from roggia_auditor.pricing.classes import TokenClass

MARGIN_MS = 60_000
"""An entry holds for records that reach the log so long after it did: brokers' clocks may differ by that."""


class Tariff(NamedTuple):
    """What is bought."""

    provider: str
    model: str
    tier: str = ""
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """Prices of one tariff from `effective_from` until `effective_to`, milliseconds since 1970.

    They hold for calls with at least `band_from` input tokens. `pico_usd` are 10^-12 US dollars per token, and per call
    for `request`. `known_from` is when the log had the entry: a record that was there before is not judged by it, so
    that whoever rebuilds the ledger from the log finds the same amounts.
    """

    tariff: Tariff
    effective_from: int
    effective_to: int | None
    band_from: int
    pico_usd: Mapping[TokenClass, int]
    version: str
    source: str = ""
    sha256: str = ""
    known_from: int = 0

    def holds(self, at: int, appended_at: int, context: int) -> bool:
        """Whether it is one of the prices of an event at `at`, appended at `appended_at`, with that much input."""
        return (
            self.effective_from <= at
            and (self.effective_to is None or at < self.effective_to)
            and self.band_from <= context
            and self.known_from + MARGIN_MS <= appended_at
        )


class PriceBook:
    """Every entry that the log holds. Never changed: `extended` makes another one."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        found: dict[Tariff, list[Entry]] = defaultdict(list)
        for entry in entries:
            found[entry.tariff].append(entry)
        self._entries = MappingProxyType({tariff: tuple(held) for tariff, held in found.items()})

    def __iter__(self) -> Iterator[Entry]:
        return (entry for held in self._entries.values() for entry in held)

    def extended(self, more: Iterable[Entry]) -> PriceBook:
        """With more entries."""
        return PriceBook([*self, *more])

    def price(self, tariff: Tariff, at: int, appended_at: int, context: int) -> Entry | None:
        """The entry that holds, or None.

        Of several, the one that was entered last, by its record's place in time; of one version the widest band that
        is reached.
        """
        held = [entry for entry in self._entries.get(tariff, ()) if entry.holds(at, appended_at, context)]
        return max(held, key=lambda one: (one.known_from, one.version, one.band_from), default=None)
