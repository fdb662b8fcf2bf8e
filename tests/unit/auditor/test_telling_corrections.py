"""What others are told of corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.telling.teller import Teller, Told
from roggia_runtime.leadership import FencedWriter
from roggia_runtime.records import Output, Record
from roggia_schemas import topics
from roggia_schemas.events import TenantBudget, UsageAdjusted

from tests.support.auditing import BOOK, NOON, inference, read, reads
from tests.support.correcting import enter, price, rerate
from tests.support.replaying import codec


class Written:
    """A writer that keeps what it is given."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    async def write(self, outputs: Sequence[Output]) -> None:
        """Keep."""
        self.outputs += outputs

    def of(self, topic: str) -> list[Record]:
        """What was written to a topic."""
        return [Record(topic, 0, 0, 0, one.key, one.value, one.headers) for one in self.outputs if one.topic == topic]


async def test_corrections_are_told_once_and_budgets_follow(tmp_path: Path) -> None:
    """`usage.adjusted` says what the correction log says, `tenant.budget` the new total under offsets of the topic
    alone; no place in the tree of inferences is told for a correction."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    await enter(ledger, [*reads(3), read(inference(1), 3)])
    teller, before, after = Teller(ledger, codec(), Told("audit.example.com", dict)), Written(), Written()
    await teller.once(cast("FencedWriter", before))
    assert before.of(topics.USAGE_ADJUSTED) == []
    await rerate(ledger, BOOK.extended([price("v2", NOON)]))
    await teller.once(cast("FencedWriter", after))
    adjusted = [await codec().decode(UsageAdjusted, one) for one in after.of(topics.USAGE_ADJUSTED)]
    assert [(one.delta_pico_usd, one.price_version) for one in adjusted] == [(-175_000_000, "v2")] * 3
    (record,) = after.of(topics.TENANT_BUDGET)
    budget = await codec().decode(TenantBudget, record)
    assert (budget.cost_pico_usd, [(one.partition, one.offset) for one in budget.as_of]) == (525_000_000, [(0, 4)])
    assert after.of(topics.AUDIT_RECORDED) == []
    assert await teller.once(cast("FencedWriter", after)) == 0
    await ledger.stop()
