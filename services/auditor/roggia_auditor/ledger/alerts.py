"""What somebody should know of now, as the ledger keeps it until it was told. Pure.

An alert is entered with the batch that causes it, in the same transaction, and its id says what it is about: so it is
there exactly once, whoever dies, and whoever tells it more often tells the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import NamedTuple

from roggia_runtime.ids import derived

from roggia_auditor.ledger.model import Draft, Limits, Month, MonthKey, crossings


class AlertKind(StrEnum):
    """What an alert is about."""

    BUDGET = "budget"
    """A share of a monthly limit was reached."""
    UNPRICED = "unpriced"
    """A model was used that has no price; once a month for each tenant and model."""


class Channel(StrEnum):
    """By which way alerts are told. The names are those of the ledger's columns."""

    TOPIC = "topic"
    WEBHOOK = "webhook"


class Told(IntEnum):
    """What has become of an alert on one channel; the numbers are written."""

    PENDING = 0
    DONE = 1
    GIVEN_UP = 2


class Alert(NamedTuple):
    """One alert. `at` is the append time of the newest record that it rests on, milliseconds since 1970.

    Of a budget: `limit` (tokens or pico_usd), `percent`, what was `used` and what was `allowed`. Of an unpriced model:
    `provider` and `model`.
    """

    kind: AlertKind
    tenant: str
    period: str
    at: int
    limit: str = ""
    percent: int = 0
    used: int = 0
    allowed: int = 0
    provider: str = ""
    model: str = ""

    @property
    def id(self) -> str:
        """The UUIDv5 of what it is about: not of when it was noticed, nor of how far things were by then."""
        about = (self.tenant, self.period, self.limit, str(self.percent), self.provider, self.model)
        return derived("\0".join(about), "alert", self.kind)


def reached(key: MonthKey, month: Month, limits: Limits, at: int) -> list[Alert]:
    """Alerts for every share of a limit that a month has reached, those that are known already included."""
    values = {"tokens": (month.tokens, limits.tokens), "pico_usd": (month.pico_usd, limits.pico_usd)}
    found = []
    for crossing in crossings(month, limits):
        used, allowed = values[crossing.limit]
        budget = Alert(AlertKind.BUDGET, *key, at, crossing.limit, crossing.percent, used, allowed or 0)
        found.append(budget)
    return found


def unpriced(draft: Draft) -> Iterator[Alert]:
    """Alerts for every model of a draft that was used without a price, those that are known already included."""
    for key, usage in sorted(draft.usage.items()):
        if usage.unpriced > 0:
            yield Alert(
                AlertKind.UNPRICED, key.tenant, key.booked, log_time(draft), provider=key.provider, model=key.model
            )


def log_time(draft: Draft) -> int:
    """Append time of a draft's newest record, milliseconds since 1970; 0 where nothing was entered."""
    return max((row.leaf.appended_at for row in draft.rows), default=0)
