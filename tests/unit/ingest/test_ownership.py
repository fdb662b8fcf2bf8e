"""What a process that was taken for dead may do to the catalogue when it wakes up: nothing."""

from __future__ import annotations

import asyncio

import pytest
from roggia_ingest.ownership import OwnedCatalogue
from roggia_ingest.prepare import Job, Prepared
from roggia_runtime.errors import LostPartitionError
from roggia_runtime.records import Ownership

from tests.support.ingesting import PARTITION, Direct, MemoryCatalogue, change, handler, record

KEY = ("acme", "a")
OLD, NEW = {PARTITION: Ownership(1, 0)}, {PARTITION: Ownership(1, 1)}


class Frozen(Direct):
    """A preparer that does not come back until it is woken."""

    def __init__(self) -> None:
        self.reached, self.woken = asyncio.Event(), asyncio.Event()

    async def prepare(self, job: Job) -> Prepared:
        """After waking."""
        self.reached.set()
        await self.woken.wait()
        return await super().prepare(job)


def owned(shared: MemoryCatalogue, proof: dict) -> OwnedCatalogue:
    """One process's view of the catalogue that processes share."""
    catalogue = OwnedCatalogue(shared)
    catalogue.owned(proof)
    return catalogue


async def test_a_batch_that_was_in_hand_while_another_process_took_over_leaves_no_trace() -> None:
    """The zombie read revision 2 and froze; revision 3 was processed elsewhere. Its row must not go back to 2."""
    shared, frozen = MemoryCatalogue(), Frozen()
    zombie = handler(owned(shared, OLD), preparer=frozen)
    batch = asyncio.create_task(zombie.handle([record(change("a", 2), 10)]))
    await frozen.reached.wait()
    await handler(owned(shared, NEW)).handle([record(change("a", 2), 10), record(change("a", 3), 11)])
    frozen.woken.set()
    with pytest.raises(LostPartitionError):
        await batch
    assert shared.entries[KEY].current.revision == 3


async def test_a_zombie_that_froze_between_poll_and_first_read_finds_the_partition_taken() -> None:
    """It has claimed nothing yet; its claim comes too late."""
    shared = MemoryCatalogue()
    zombie = handler(owned(shared, OLD))
    await handler(owned(shared, NEW)).handle([record(change("a", 3), 11)])
    with pytest.raises(LostPartitionError):
        await zombie.handle([record(change("a", 2), 10)])
    assert shared.entries[KEY].current.revision == 3


async def test_a_new_assignment_is_claimed_before_anything_is_read() -> None:
    """From then on the former owner fails, although nothing was written yet."""
    shared = MemoryCatalogue()
    catalogue = owned(shared, OLD)
    await catalogue.load([])
    assert shared.owners == OLD
    catalogue.owned(NEW)
    await catalogue.due(PARTITION, 0, 1)
    assert shared.owners == NEW
