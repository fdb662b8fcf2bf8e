"""The first pass: both sides, each read once from end to end, become slices on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator

from roggia_runtime.findings import Progress

from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.ports import CollectionSpec
from roggia_embedder.verify.ground import Ground
from roggia_embedder.verify.log import Offsets
from roggia_embedder.verify.rows import Expected, Fact, fact
from roggia_embedder.verify.spill import Spill, slice_of

_BATCH = 500
"""Rows between two looks at the throttle."""


async def read_log(ground: Ground, into: Spill[Expected], starts: Offsets, ends: Offsets) -> AsyncIterator[Progress]:
    """Put the records between two places of the log into slices, by document."""
    total = sum(end - starts.get(partition, 0) for partition, end in ends.items())
    done = owed = 0
    async for row in ground.log.read(starts, ends, ground.scope.wants):
        into.add(slice_of(row.tenant, row.doc_id, ground.slices), row)
        done, owed = done + 1, owed + 1 + row.total
        if owed >= _BATCH:
            await ground.throttle.spend(owed)
            owed = 0
            yield Progress(phase="log", done=done, total=total)


async def read_index(ground: Ground, into: Spill[Fact]) -> AsyncIterator[Progress]:
    """Put every point of every collection in question into slices, by the document that its payload names."""
    total = 0
    for _, place in ground.existing():
        total += await ground.size(place.name)
    for number, place in ground.existing():
        if place.spec is not None:
            async for _ in _read_collection(ground, into, number, place.spec):
                yield Progress(phase="index", done=ground.counts.points, total=max(total, ground.counts.points))


async def _read_collection(ground: Ground, into: Spill[Fact], number: int, spec: CollectionSpec) -> AsyncIterator[None]:
    owed = 0
    try:
        async for held in ground.store.examine(spec.name):
            row = fact(held, number, spec)
            into.add(slice_of(row.tenant, row.doc_id, ground.slices), row)
            ground.counts.points += 1
            owed += 1
            if owed == _BATCH:
                await ground.throttle.spend(owed)
                owed = 0
                yield
    except UnknownCollectionError:
        return  # dropped meanwhile: what the log needs of it is found missing
