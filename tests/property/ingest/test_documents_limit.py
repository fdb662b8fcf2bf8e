"""The limit on documents: whatever the batches, the log's order decides; whatever runs at once or dies, it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_ingest.admission import Admission
from roggia_ingest.handlers import IngestHandler
from roggia_runtime.records import DeadLetter, Partition, Record, Verdict
from roggia_runtime.tenancy import Tenancy
from roggia_schemas import topics

from tests.support.ingesting import Direct, MemoryCatalogue, change, delete, handler, record
from tests.support.tenants import config

DOCS = "abcdef"
CHANGES = st.lists(st.tuples(st.sampled_from(DOCS), st.sampled_from("uuudn")), min_size=1, max_size=25)
SIZES = st.lists(st.integers(1, 6), max_size=25)


class Slow(Direct):
    """Documents that start with a, c, e take longer, so that the others come first."""

    async def prepare(self, job: Any) -> Any:
        """After some turns of the loop."""
        for _ in range(1 + 3 * (job.content[2] % 2)):
            await asyncio.sleep(0)
        return await super().prepare(job)


class Slower(MemoryCatalogue):
    """Lets others go first between reading and writing."""

    async def living(self, tenant_id: str) -> int:
        """What it was a moment ago."""
        found = await super().living(tenant_id)
        await asyncio.sleep(0)
        return found


def limited(catalogue: MemoryCatalogue, limit: int) -> IngestHandler:
    """An instance that knows what acme may have."""
    return handler(
        catalogue,
        admission=Admission(Tenancy({"acme": config("acme", limits={"documents": limit})}), catalogue),
        preparer=Slow(),
    )


def log_of(changes: Sequence[tuple[str, str]], partition: int = 0) -> list[Record]:
    """Records of changes: u an update, d a deletion, n a null. Revisions rise."""
    made = {"u": change, "d": delete, "n": lambda *_: None}
    return [
        record(made[what](doc, at + 1), at, doc_id=doc, partition=partition)  # type: ignore[operator]
        for at, (doc, what) in enumerate(changes)
    ]


def refused(verdict: Verdict) -> bool:
    """By the limit."""
    return isinstance(verdict, DeadLetter) and verdict.kind == "limit"


def follow(there: set[str], changes: Sequence[tuple[str, str]], verdicts: Sequence[Verdict], full: int) -> set[str]:
    """Documents after these changes. Only a new one is refused, and only while at least `full` of them are there."""
    there = set(there)
    for (doc, what), verdict in zip(changes, verdicts, strict=True):
        if refused(verdict):
            assert what == "u"
            assert doc not in there
            assert len(there) >= full
        else:
            (there.add if what == "u" else there.discard)(doc)
    return there


@settings(max_examples=200, deadline=None)
@given(CHANGES, SIZES, st.integers(0, 5))
async def test_who_comes_first_is_let_in(changes: list[tuple[str, str]], sizes: list[int], limit: int) -> None:
    """However the log is cut and whatever is chunked first: after every batch there are no more than the limit, and a
    document is refused only where the records before it leave no room.
    """
    one, there = limited(MemoryCatalogue(), limit), set[str]()
    log, start = log_of(changes), 0
    for size in [*sizes, *[3] * len(log)]:
        if start < len(log):
            verdicts = await one.handle(log[start : start + size])
            there = follow(there, changes[start : start + size], verdicts, limit)
            start += size
        assert len(there) <= limit


@settings(max_examples=200, deadline=None)
@given(CHANGES, CHANGES, st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=25), st.integers(0, 5))
async def test_instances_at_once_and_deaths_do_not_pass_it(
    ours: list[tuple[str, str]], theirs: list[tuple[str, str]], steps: list[tuple[int, bool]], limit: int
) -> None:
    """Two instances with a partition each. One of them dies before its commit and begins again: there are never more
    documents than the limit, and nothing but a new document is ever refused.
    """
    catalogue = Slower()
    changes = [ours, [(doc.upper(), what) for doc, what in theirs]]
    logs = [log_of(changes[0]), log_of(changes[1], 1)]
    instances, starts, there = [limited(catalogue, limit) for _ in logs], [0, 0], [set[str](), set[str]()]
    for size, dies in [*steps, *[(3, False)] * 50]:
        going = [number for number in (0, 1) if starts[number] < len(logs[number])]
        spans = {number: slice(starts[number], starts[number] + size) for number in going}
        found = await asyncio.gather(*(instances[number].handle(logs[number][spans[number]]) for number in going))
        assert await catalogue.living("acme") <= limit
        for number, verdicts in zip(going, found, strict=True):
            after = follow(there[number], changes[number][spans[number]], verdicts, 0)
            if number == 0 and dies:
                instances[0] = limited(catalogue, limit)
                instances[0].assigned({Partition(topics.DOC_CHANGED, 0): starts[0]})
            else:
                there[number], starts[number] = after, starts[number] + size
    assert sum(map(len, there)) <= limit
