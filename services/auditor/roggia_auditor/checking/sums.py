"""A tenant's sums in the ledger against those made again from its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from roggia_auditor.checking.recount import Recount
from roggia_auditor.checking.report import Report
from roggia_auditor.ledger.model import OWN, DayKey, Month, Usage, UsageKey
from roggia_auditor.ports import Counted


def compare(tenant: str, held: Counted, found: Recount, report: Report, *, priced: bool) -> None:
    """Every cell of `usage`, every month. Without `priced`, money by month alone."""
    if not found.whole:
        return
    _money(tenant, held.usage, found, report)
    for key in sorted(held.usage.keys() | found.usage.keys()):
        said, due = (_plain(one.get(key, Usage()), priced=priced) for one in (held.usage, found.usage))
        if said != due:
            report.add(f"usage {' '.join(part or '-' for part in key)}", _differing(said, due))
    _months(held, found, report, priced=priced)


def compare_days(held: Counted, found: Recount, report: Report) -> None:
    """Which days have totals that are told."""
    if not found.whole:
        return
    days = {DayKey(key.tenant, key.day, key.provider, key.model) for key in found.usage if key.origin in OWN}
    for day in sorted(held.days ^ days):
        what = "no record of it" if day in held.days else "records of it, and no total"
        report.add(f"days {' '.join(part or '-' for part in day)}", what)


def _money(tenant: str, usage: Mapping[UsageKey, Usage], found: Recount, report: Report) -> None:
    """Sums by month against the leaves' own amounts: this needs no prices."""
    held: dict[str, int] = {}
    for key, one in usage.items():
        held[key.booked] = held.get(key.booked, 0) + one.pico_usd
    for booked in sorted(held.keys() | found.pico.keys()):
        said, due = held.get(booked, 0), found.pico.get(booked, 0)
        if said != due:
            report.add(f"usage {tenant} {booked}", f"pico_usd: {said} in all, the leaves say {due}")


def _months(held: Counted, found: Recount, report: Report, *, priced: bool) -> None:
    due = found.months()
    for key in sorted(held.months.keys() | due.keys()):
        said, made = held.months.get(key, Month()), due.get(key, Month())
        if not priced:
            own = [one.pico_usd for cell, one in held.usage.items() if cell[:2] == key and cell.origin in OWN]
            made = Month(made.tokens, sum(own), said.unpriced)
        if said != made:
            report.add(f"months {key.tenant} {key.period}", f"{said}, not {made}")


def _plain(usage: Usage, *, priced: bool) -> Usage:
    return usage if priced else replace(usage, pico_usd=0, unpriced=0)


def _differing(said: Usage, due: Usage) -> str:
    return "; ".join(_each(said, due))


def _each(said: Usage, due: Usage) -> Iterable[str]:
    for name in Usage.__slots__:
        one, other = getattr(said, name), getattr(due, name)
        if one != other:
            yield f"{name}: {one}, the records say {other}"
