"""Documents whose time has come."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from roggia_ingest.catalogue import DocKey, Entry
from roggia_ingest.errors import CatalogueUnavailableError
from roggia_ingest.expiry import Expiry
from roggia_ingest.ports import Owned
from roggia_runtime.records import Done, Drop

from tests.support import ingesting
from tests.support.ingesting import PARTITION, MemoryCatalogue, change, decoded, outputs, record

EXPIRY = 1_700_000_500_000


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        """The time."""
        return self.now


def expiry(catalogue: MemoryCatalogue, clock: Clock) -> Expiry:
    """The ticker on a catalogue."""
    return Expiry(topic=ingesting.TOPIC, codec=ingesting.codec(), catalogue=catalogue, interval_s=1, now_ms=clock)


async def test_expiry_ends_as_a_deletion_one_epoch_later_once_committed() -> None:
    """Not before its time; at its time (revision, epoch + 1) with the expiry as its moment; not again afterwards."""
    catalogue, clock = MemoryCatalogue(), Clock()
    ticker = expiry(catalogue, clock)
    await ingesting.handler(catalogue).handle([record(change(revision=7, expires_at=EXPIRY), 0)])
    clock.now = EXPIRY - 1
    assert await ticker.tick(PARTITION, 9) == []
    clock.now = EXPIRY
    (output,) = await ticker.tick(PARTITION, 9)
    got = decoded(output)
    assert (got.revision, got.epoch, got.deleted, got.occurred_at) == (7, 1, True, EXPIRY)
    await ticker.committed(PARTITION)
    assert await ticker.tick(PARTITION, 9) == []


async def test_a_deletion_that_was_not_committed_comes_again_with_the_same_bytes() -> None:
    """A crash, a fence: nothing was noted, so the next owner emits it; the clock is not in the bytes."""
    catalogue, clock = MemoryCatalogue(), Clock()
    await ingesting.handler(catalogue).handle([record(change(expires_at=EXPIRY), 0)])
    clock.now = EXPIRY
    first = await expiry(catalogue, clock).tick(PARTITION, 9)
    clock.now = EXPIRY * 2
    again = await expiry(catalogue, clock).tick(PARTITION, 9)
    assert [output.value for output in first] == [output.value for output in again]


class FullCatalogue(MemoryCatalogue):
    """Takes nothing while its disk is full."""

    full = False

    async def save(
        self,
        entries: Mapping[DocKey, Entry],
        owned: Owned | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """Unless it is full."""
        if self.full:
            raise CatalogueUnavailableError("database or disk is full")
        await super().save(entries, owned, limits)


async def test_a_catalogue_that_cannot_be_written_makes_no_deletion_come_twice() -> None:
    """Committed once; as long as it cannot be marked, ticks fail and emit nothing; then it is marked, and over."""
    catalogue, clock = FullCatalogue(), Clock()
    ticker = expiry(catalogue, clock)
    await ingesting.handler(catalogue).handle([record(change(expires_at=EXPIRY), 0)])
    clock.now, catalogue.full = EXPIRY, True
    assert len(await ticker.tick(PARTITION, 9)) == 1
    with pytest.raises(CatalogueUnavailableError):
        await ticker.committed(PARTITION)
    for _ in range(3):
        with pytest.raises(CatalogueUnavailableError):
            await ticker.tick(PARTITION, 9)
    catalogue.full = False
    assert await ticker.tick(PARTITION, 9) == []
    assert await catalogue.due(PARTITION, EXPIRY, 10) == {}


async def test_what_another_owner_made_of_a_document_meanwhile_stays() -> None:
    """An unmarked deletion is not written over a state that came after it."""
    catalogue, clock = FullCatalogue(), Clock()
    ticker, handler = expiry(catalogue, clock), ingesting.handler(catalogue)
    await handler.handle([record(change(expires_at=EXPIRY), 0)])
    clock.now, catalogue.full = EXPIRY, True
    await ticker.tick(PARTITION, 9)
    with pytest.raises(CatalogueUnavailableError):
        await ticker.committed(PARTITION)
    catalogue.full = False
    await handler.handle([record(change(revision=2, expires_at=EXPIRY), 1)])
    (output,) = await ticker.tick(PARTITION, 9)
    assert (decoded(output).revision, decoded(output).epoch) == (2, 1)


async def test_after_expiry_older_records_are_stale_and_a_newer_revision_lives() -> None:
    """The same revision published again stays dead; the next one brings the document back."""
    catalogue, clock = MemoryCatalogue(), Clock()
    ticker, handler = expiry(catalogue, clock), ingesting.handler(catalogue)
    await handler.handle([record(change(expires_at=EXPIRY), 0)])
    clock.now = EXPIRY
    await ticker.tick(PARTITION, 9)
    await ticker.committed(PARTITION)
    stale, null, newer = await handler.handle(
        [record(change(expires_at=EXPIRY), 1), record(None, 2), record(change(revision=2), 3)]
    )
    assert (stale, null) == (Drop("stale"), Drop("deleted"))
    assert isinstance(newer, Done)
    assert decoded(outputs([newer])[0]).deleted is False


async def test_only_documents_of_the_asked_partition_expire() -> None:
    """Each partition's owner looks after its own."""
    catalogue, clock = MemoryCatalogue(), Clock()
    handler = ingesting.handler(catalogue)
    await handler.handle([record(change("b", expires_at=EXPIRY), 0, partition=1)])
    clock.now = EXPIRY
    assert await expiry(catalogue, clock).tick(PARTITION, 9) == []


async def test_a_state_that_was_never_committed_does_not_expire() -> None:
    """A batch was handled but not committed, and its document is due: its revision comes first, then its deletion."""
    catalogue, clock = MemoryCatalogue(), Clock()
    clock.now = EXPIRY
    due = record(change(revision=2, expires_at=EXPIRY), 1)
    await ingesting.handler(catalogue).handle([record(change(revision=1), 0)])
    await ingesting.handler(catalogue).handle([due])
    ticker = expiry(catalogue, clock)
    assert await ticker.tick(PARTITION, 1) == []
    await ticker.committed(PARTITION)
    emitted = outputs(await ingesting.handler(catalogue).handle([due]))
    emitted += await ticker.tick(PARTITION, 2)
    assert [(decoded(one).epoch, decoded(one).deleted) for one in emitted] == [(0, False), (1, True)]
