"""What the console shows of costs and of single inferences, as plain values. Amounts are pico-USD, integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PICO = 10**12


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit and how much of it is used; `limit` None: there is none."""

    name: str
    used: int
    limit: int | None
    crossed: tuple[int, ...] = ()

    @property
    def percent(self) -> int:
        """Of the limit, rounded down; 0 without one."""
        return 0 if not self.limit else self.used * 100 // self.limit


@dataclass(frozen=True, slots=True)
class TenantMonth:
    """One tenant's own use in one month."""

    tenant: str
    month: str
    tokens: Bar
    money: Bar
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class UsageLine:
    """Sums of one group: a day, or a model with its prompt."""

    by: Mapping[str, str]
    requests: int
    input: int
    cached: int
    output: int
    unpriced: int
    pico_usd: int

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the list of records behind it."""
        by = self.by
        return {"day": by["day"]} if "day" in by else {"model": f"{by.get('provider', '')}/{by.get('model', '')}"}


@dataclass(frozen=True, slots=True)
class LiveRow:
    """One window of a tenant, in minutes: approximate, by the live views. Latencies in milliseconds."""

    minutes: int
    requests: int
    tokens: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class Live:
    """What goes by now, beside what the ledger holds of the longest window. `problem` says why there is nothing.

    `exact` is the ledger's number of records of that window, None where it was not to be had. Shadow traffic and
    replays are among those, and what was sent twice is counted once: the two differ by that, and by what is under way.
    """

    rows: tuple[LiveRow, ...] = ()
    exact: int | None = None
    problem: str = ""

    @property
    def difference(self) -> int | None:
        """By how many requests the live views are above the ledger."""
        return None if self.exact is None or not self.rows else self.rows[-1].requests - self.exact


@dataclass(frozen=True, slots=True)
class Costs:
    """One tenant's month in full. `months` are those that it has, newest first."""

    month: TenantMonth
    months: tuple[str, ...]
    days: tuple[UsageLine, ...]
    models: tuple[UsageLine, ...]
    live: Live | None = None
    """None where no live views are connected."""

    @property
    def dearest(self) -> int:
        """Amount of the dearest day."""
        return max((one.pico_usd for one in self.days), default=0)


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One record in a list."""

    event_id: str
    occurred_at: int
    status: str
    model: str
    prompt: str
    pico_usd: int | None
    late: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of records; `cursor` is empty on the last."""

    tenant: str
    rows: tuple[RecordLine, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Inference:
    """One record with its event and its proof (empty until it is sealed), both as the audit API tells them."""

    record: Mapping[str, Any]
    event: Mapping[str, Any]
    proof: Mapping[str, Any]


def dollars(pico: int | None) -> str:
    """An amount in US dollars, as many digits as it needs and at least two; `–` where there is none."""
    if pico is None:
        return "–"
    whole, rest = divmod(abs(pico), PICO)
    digits = f"{rest:012d}".rstrip("0").ljust(2, "0")
    return f"{'-' if pico < 0 else ''}${whole:,}.{digits}"
