"""Made-up costs for the console, and a record with a proof that holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from roggia_auditor.api import messages
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.judging import Before, Rules, judge
from roggia_auditor.ledger.model import Head
from roggia_auditor.tlog import proofs
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.keys import SignerKey
from roggia_operator.console.audit_views import (
    Bar,
    Costs,
    Inference,
    Live,
    LiveRow,
    RecordLine,
    RecordPage,
    TenantMonth,
    UsageLine,
)
from roggia_operator.errors import SelectionError
from roggia_runtime.errors import UnavailableError

from tests.support.auditing import BOOK, NOON, STREAM, reads, root_of

HOSTILE = "<script>alert('x')</script>"
ORIGIN = "audit.example.com"
KEY = SignerKey.generate(f"{ORIGIN}/head")
SIZE, INDEX = 11, 6
MONTH = TenantMonth(
    "acme", "2026-11", Bar("Tokens", 910_000, 1_000_000, (80,)),
    Bar("Money", 12_345_600_000_000, 12_000_000_000_000, (80, 100)), 3,
)  # fmt: skip
OPEN = TenantMonth("globex", "2026-11", Bar("Tokens", 0, None), Bar("Money", 0, None))
LIVE = Live((LiveRow(1, 3, 900, 0, 812.5, 1403.1), LiveRow(60, 120, 61_000, 2, 790.0, 2211.0)), 118)
DAY = UsageLine({"day": "2026-11-30"}, 120, 400_000, 100_000, 9_000, 0, 2_000_000_000_000)
MODEL = UsageLine(
    {"provider": "openai", "model": HOSTILE, "prompt": "answer", "prompt_version": "7"}, 120, 1, 2, 3, 1, 12_000_000_000
)


def proven() -> Inference:
    """Record 6 of 11 of acme, as the audit API tells it, under a checkpoint of `KEY`."""
    draft = judge(STREAM, reads(SIZE), Before(Head(), {}), {}, Rules(BOOK, {}))
    row, frontier = draft.rows[INDEX], draft.after.frontier
    leaves = [one.leaf_hash for one in draft.rows]
    path = proofs.inclusion(INDEX, SIZE, lambda height, at: root_of(leaves[at << height : (at + 1) << height]))
    log = STREAM.origin(ORIGIN)
    leaf = row.leaf
    record = messages.Record(
        log=log, index=str(INDEX), event_id=leaf.event_id, tenant=leaf.tenant, tenant_seq=str(leaf.tenant_seq),
        offset=str(leaf.offset), appended_at=leaf.appended_at, occurred_at=NOON, day=row.day, status=leaf.status.name,
        reason=leaf.reason, period=leaf.period, booked=leaf.booked, late=False, pico_usd=str(leaf.cost_pico),
        price_version=leaf.price_version, leaf_hash=row.leaf_hash.hex(),
    )  # fmt: skip
    proof = messages.Proof(
        index=str(INDEX), size=str(SIZE), entry=_b64(leaf.encoded()), path=tuple(map(_b64, path)),
        value=_b64(row.value), checkpoint=str(Checkpoint(log, SIZE, frontier.root()).signed(KEY)),
    )  # fmt: skip
    assert leaf.status is Status.RATED
    return Inference(_plain(record), {"request_id": HOSTILE}, _plain(proof))


@dataclass
class FakeAuditing:
    """Two tenants; `down` makes everything fail."""

    down: bool = False
    shown: Inference | None = None
    live: Live | None = LIVE

    async def months(self) -> Sequence[TenantMonth]:
        """Both."""
        self._up()
        return (MONTH, OPEN)

    async def costs(self, tenant: str, month: str) -> Costs:
        """Of acme."""
        self._up()
        if tenant != "acme":
            raise SelectionError(f"MONTH: {tenant} has no use of its own in {month or 'any month'}")
        return Costs(MONTH, ("2026-11", "2026-10"), (DAY,), (MODEL,), self.live)

    async def records(self, tenant: str, filters: Mapping[str, str]) -> RecordPage:
        """A priced one and a parked one."""
        self._up()
        event = "01941f2a-0000-7000-8000-000000000001"
        rows = (
            RecordLine(event, NOON, "RATED", "openai/example-4", "answer@7", 350_000_000, True, ""),
            RecordLine(event, NOON, "PARKED", HOSTILE, "", None, False, HOSTILE),
        )
        return RecordPage(tenant, rows, "" if "cursor" in filters else "abc")

    async def inference(self, event_id: str) -> Inference:
        """The proven one, unless another is given."""
        self._up()
        if "nothing" in event_id:
            raise SelectionError(f"event_id: {event_id!r} is no event that this token may see")
        return self.shown or proven()

    def _up(self) -> None:
        if self.down:
            raise UnavailableError("the audit API does not answer")


def _plain(value: Any) -> dict[str, Any]:
    return dict(msgspec.to_builtins(value))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
