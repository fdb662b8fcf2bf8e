"""Which records a run looks at. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from roggia_schemas.events import InferenceCompleted

from roggia_auditor.leaf import Status
from roggia_auditor.ledger.model import Corrected, Row


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records: what is empty or None chooses all.

    `model` is a name, or provider/name; of several attempts one is enough. `since` and `until` are milliseconds since
    1970 by the event's time, the end not included. `version` is what the amount rests on now; `unpriced` those without.
    """

    tenant: str = ""
    model: str = ""
    since: int | None = None
    until: int | None = None
    version: str = ""
    unpriced: bool = False

    def may_want(self, row: Row) -> bool:
        """Whether the record can be chosen, as far as its row says. Parked and unreadable ones were never counted."""
        leaf = row.leaf
        return (
            leaf.status in {Status.RATED, Status.UNPRICED}
            and self.tenant in {"", leaf.tenant}
            and (self.since is None or row.occurred_at >= self.since)
            and (self.until is None or row.occurred_at < self.until)
        )

    def wants(self, row: Row, event: InferenceCompleted, now: Corrected | None) -> bool:
        """Whether it is chosen, given its event and its newest correction."""
        version = row.leaf.price_version if now is None else now.price_version
        return (
            (not self.model or any(self.model in {a.model, f"{a.provider}/{a.model}"} for a in event.attempts))
            and (not self.version or self.version in version.split("+"))
            and (not self.unpriced or (now is None and row.leaf.cost_pico is None))
        )
