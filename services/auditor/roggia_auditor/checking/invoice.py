"""What a provider says that it delivered: an invoice in CSV, and where it differs from a statement. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from roggia_auditor.errors import AmountError
from roggia_auditor.money import pico_of
from roggia_auditor.pricing.classes import TokenClass

COLUMNS = ("provider", "model", "class", "tokens", "amount")


class Line(NamedTuple):
    """What is billed together."""

    provider: str
    model: str
    token_class: str


class Billed(NamedTuple):
    """Tokens (calls, for `request`) and what they come to, 10^-12 US dollars."""

    tokens: int = 0
    pico_usd: int = 0


Statement: TypeAlias = Mapping[Line, Billed]


class Difference(NamedTuple):
    """A line on which the records and the invoice do not agree; what is on one side alone is nothing on the other."""

    line: Line
    records: Billed
    invoice: Billed


def parse(text: str) -> Statement:
    """The invoice in a CSV file with the columns of `COLUMNS`, amounts in US dollars; rows of one line are summed.

    Raises `AmountError`, which names the line, for a missing column, an unknown class, a count or amount that is none.
    """
    reader = csv.DictReader(io.StringIO(text))
    if missing := sorted(set(COLUMNS) - set(reader.fieldnames or ())):
        raise AmountError(f"invoice:1: {', '.join(missing)} is no column; the first line names {', '.join(COLUMNS)}")
    found: dict[Line, Billed] = {}
    for row in reader:
        line, billed = _row(f"invoice:{reader.line_num}", {name: (row[name] or "").strip() for name in COLUMNS})
        held = found.get(line, Billed())
        found[line] = Billed(held.tokens + billed.tokens, held.pico_usd + billed.pico_usd)
    return found


def _row(place: str, row: Mapping[str, str]) -> tuple[Line, Billed]:
    if row["class"] not in {one.value for one in TokenClass}:
        known = ", ".join(one.value for one in TokenClass)
        raise AmountError(f"{place}: class {row['class']!r} is none; there are {known}")
    if not (row["tokens"].isascii() and row["tokens"].isdigit()):
        raise AmountError(f"{place}: tokens {row['tokens']!r} is no count; write digits alone")
    line = Line(row["provider"], row["model"], row["class"])
    return line, Billed(int(row["tokens"]), pico_of(f"{place}: amount", row["amount"]))


def differences(records: Statement, invoice: Statement, tolerance_pico: int = 0) -> Iterator[Difference]:
    """Lines whose tokens differ, or whose amounts differ by more than the tolerance, in order."""
    for line in sorted(records.keys() | invoice.keys()):
        one, other = records.get(line, Billed()), invoice.get(line, Billed())
        if one.tokens != other.tokens or abs(one.pico_usd - other.pico_usd) > tolerance_pico:
            yield Difference(line, one, other)
