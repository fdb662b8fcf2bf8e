"""Reading the log of acts, and adding to it. Every decision about keeping is made here or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from roggia_auditor.errors import LedgerConflictError
from roggia_auditor.ledger.model import ACTS, Draft
from roggia_auditor.ports import Ledger
from roggia_auditor.retention import acts
from roggia_auditor.retention.acts import Act, Kind
from roggia_auditor.retention.holds import Hold, holds

_PAGE = 500


@dataclass(frozen=True)
class History:
    """All acts, in order: what a decision is judged from."""

    acts: Sequence[Act]

    @cached_property
    def holds(self) -> Sequence[Hold]:
        """Every hold that was ever placed."""
        return holds(self.acts)

    @property
    def active(self) -> Sequence[Hold]:
        """Those that are not lifted."""
        return [one for one in self.holds if one.lifted is None]


NOTHING = History(())


async def history(ledger: Ledger, known: History = NOTHING) -> History:
    """Every act up to now; those that are known are not read again."""
    found = list(known.acts)
    while rows := await ledger.rows(ACTS, len(found), _PAGE):
        found += [acts.decoded(row) for row in rows]
    return History(found)


async def next_acts(ledger: Ledger, judged: History, new: Sequence[Act]) -> Draft:
    """New acts as a draft for one transaction of the ledger.

    Raises `LedgerConflictError` where something was decided since `judged` was read, such as a hold: judge again.
    """
    before = (await ledger.before({ACTS: {act.tenant for act in new}}, [])).streams[ACTS]
    if before.head.frontier.size != len(judged.acts):
        raise LedgerConflictError("something else was decided meanwhile; look at the plan again")
    return acts.drafted(before, new)


async def record(ledger: Ledger, judged: History, act: Act) -> int:
    """Append one act; its index. Raises `LedgerConflictError`, and appends nothing, as `next_acts` does."""
    draft = await next_acts(ledger, judged, [act])
    await ledger.append([draft])
    return draft.rows[0].index


async def dropped_of(ledger: Ledger, tenant: str, until: int) -> Mapping[str, Sequence[tuple[int, int]]]:
    """By log, first and last numbers of a tenant's records that were dropped, in order.

    As the tenant's own acts say, of which those up to number `until` count.
    """
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    at = 1
    while at <= until and (rows := await ledger.tenant_rows(ACTS, tenant, at, min(_PAGE, until - at + 1))):
        for act in map(acts.decoded, rows):
            if act.kind is Kind.RECORDS_DROPPED:
                found[act.about["log"]].append((int(act.about["first"]), int(act.about["last"])))
        at = rows[-1].leaf.tenant_seq + 1
    return {log: sorted(held) for log, held in found.items()}
