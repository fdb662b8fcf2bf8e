"""Whatever is sealed, held, lifted and dropped, in any order: trees, sums and proofs are as if all had been kept."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_auditor.ledger.model import Duplicate, Row
from roggia_auditor.retention.checking import check
from roggia_auditor.retention.history import history

from tests.support.auditing import STREAM, root_of
from tests.support.retaining import TENANTS, Ground, hidden, in_month, month_reads, sqlite_ground

STEPS = st.one_of(
    st.tuples(st.just("enter"), st.integers(1, 300)),
    st.tuples(st.just("again"), st.integers(0, 400)),
    st.tuples(st.just("seal"), st.none()),
    st.tuples(st.just("drop"), st.integers(1, 12)),
    st.tuples(st.just("hold"), st.tuples(st.sampled_from(("", *TENANTS)), st.integers(1, 12))),
    st.tuples(st.just("lift"), st.integers(0, 3)),
)


@dataclass
class Story:
    """A ledger that things are done to, and its twin that only takes records."""

    ground: Ground
    twin: Ground
    month: int = 0
    offset: int = 0
    entered: list[Row] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """Of the inferences that were entered: what was sent again leaves gaps between them."""
    dropped: set[str] = field(default_factory=set)

    async def step(self, what: str, with_: object) -> None:
        """One thing that happens."""
        if what == "enter":
            await self._enter(int(str(with_)))
        elif what == "again":
            await self._again(int(str(with_)))
        elif what == "seal":
            await self.ground.signed()
            await self.ground.seal()
        elif what == "drop":
            self.dropped |= set(await self.ground.drop([f"2025-{with_:02}"]))
        elif what == "hold" and isinstance(with_, tuple):
            tenant, month = with_
            await self.ground.hold(tenant, since=in_month(month), until=in_month(month) + 3 * 86_400_000)
        elif active := (await history(self.ground.ledger)).active:
            await self.ground.lift(active[int(str(with_)) % len(active)].name)

    async def _enter(self, count: int) -> None:
        self.month = min(12, self.month + 1)
        batch = month_reads(self.month, count, self.offset)
        self.offset += count
        made, same = await self.ground.enter(batch), await self.twin.enter(batch)
        assert made == same
        self.entered += made.rows
        self.numbers += range(self.offset - count, self.offset)

    async def _again(self, which: int) -> None:
        if not self.entered:
            return
        old = month_reads(self.month, 1, self.numbers[which % len(self.numbers)])[0]
        read = old._replace(record=type(old.record)(**{**_fields(old.record), "offset": self.offset}))
        self.offset += 1
        made, same = await self.ground.enter([read]), await self.twin.enter([read])
        assert not made.rows
        assert [type(one) for one in made.duplicates] == [Duplicate]
        assert made.duplicates == same.duplicates

    async def holds(self) -> None:
        """What must be so after every history."""
        await self.ground.signed()
        ledger, twin, segments = self.ground.ledger, self.twin.ledger, await self.ground.ledger.segments()
        gone = [range(one.span.first, one.span.end) for one in segments if one.dropped]
        assert {one.span.name for one in segments if one.dropped} == self.dropped
        away = [row for row in self.entered if any(row.index in span for span in gone)]
        kept = [row for row in self.entered if not any(row.index in span for span in gone)]
        assert await self.ground.rows() == kept
        assert await self.ground.root() == root_of([row.leaf_hash for row in self.entered])
        for tenant in TENANTS:
            assert await ledger.usage(tenant, "") == await twin.usage(tenant, "")
        for tenant in {row.leaf.tenant for row in self.entered}:
            report, whole = await self.ground.verified(tenant), await self.twin.verified(tenant)
            missing = [row for row in away if row.leaf.tenant == tenant]
            assert hidden(report) == len(missing)
            assert int(str(report["pico_usd"])) + _pico(missing) == int(str(whole["pico_usd"]))
            assert report["complete"] == (not missing)
        for one in segments:
            if not one.dropped:
                await check(ledger, self.ground.files, one)


def _pico(rows: list[Row]) -> int:
    return sum(row.leaf.cost_pico or 0 for row in rows)


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in ("topic", "partition", "offset", "timestamp_ms", "key", "value")}


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=14))
def test_retention_changes_no_tree_no_sum_and_no_proof(steps: list[tuple[str, object]]) -> None:
    """Random histories: what is kept is read byte for byte, what is gone is told by its numbers, events stay known."""

    async def tell() -> None:
        with tempfile.TemporaryDirectory() as folder:
            story = Story(sqlite_ground(Path(folder) / "one"), sqlite_ground(Path(folder) / "twin"))
            await story.ground.ledger.start()
            await story.twin.ledger.start()
            try:
                await story.step("enter", 40)
                for what, with_ in steps:
                    await story.step(what, with_)
                await story.holds()
            finally:
                await story.ground.ledger.stop()
                await story.twin.ledger.stop()

    asyncio.run(tell())


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(TENANTS), st.integers(1, 3), st.integers(1, 3))
def test_what_is_held_is_there_whatever_is_asked_for(tenant: str, month: int, other: int) -> None:
    """Sealing and dropping again and again: a record that a hold touches is read from the tables to the end."""

    async def tell() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ground = sqlite_ground(Path(folder))
            await ground.ledger.start()
            for number in (1, 2, 3):
                await ground.month(number, 30)
            await ground.signed()
            await ground.hold(tenant, since=in_month(month), until=in_month(month) + 86_400_000)
            for _ in range(2):
                await ground.seal()
                await ground.drop([f"2025-{other:02}"])
                await ground.drop()
            left = await ground.rows()
            assert {row.leaf.tenant_seq for row in left if row.leaf.tenant == tenant} == set(
                range(10 * month - 9, 10 * month + 1)
            )
            assert [row.index for row in left] == list(range(30 * month - 30, 30 * month))
            assert await ground.ledger.tenant_rows(STREAM, tenant, 1, 100)
            await ground.ledger.stop()

    asyncio.run(tell())
