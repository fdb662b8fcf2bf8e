"""A catalogue that knows whose the partitions are: a process that was taken for dead and wakes up writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roggia_runtime.errors import LostPartitionError
from roggia_runtime.records import Ownership, Partition

from roggia_ingest.catalogue.state import DocKey, Entry
from roggia_ingest.ports import Catalogue, Owned


class OwnedCatalogue:
    """A `Catalogue` in front of a `Catalogue`, for the handler and the ticker of one consumer loop.

    What the loop owns is claimed before the first read of an assignment, and asked for again by every write. So from
    the moment that another process has claimed a partition, writes of its former owner fail with
    `LostPartitionError`, whatever that one held when it was stopped. Every partition is claimed, not the batch's
    alone: a document's records lie in a live topic and in its replay lane.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._owned: Owned = {}
        self._claimed = True

    def owned(self, owned: Owned) -> None:
        """The loop has a new assignment."""
        self._owned = dict(owned)
        self._claimed = not owned

    async def start(self) -> None:
        """See `Catalogue`."""
        await self._catalogue.start()

    async def stop(self) -> None:
        """See `Catalogue`."""
        await self._catalogue.stop()

    async def load(self, keys: Sequence[DocKey]) -> Mapping[DocKey, Entry]:
        """See `Catalogue`. Raises `LostPartitionError` too."""
        await self._claim()
        return await self._catalogue.load(keys)

    async def save(
        self,
        entries: Mapping[DocKey, Entry],
        owned: Owned | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """See `Catalogue`."""
        if entries:
            await self._catalogue.save(entries, self._owned if owned is None else owned, limits)

    async def living(self, tenant_id: str) -> int:
        """See `Catalogue`."""
        return await self._catalogue.living(tenant_id)

    async def domains(self, tenant_id: str) -> set[str]:
        """See `Catalogue`."""
        return await self._catalogue.domains(tenant_id)

    async def forget(self, tenant_id: str) -> int:
        """See `Catalogue`. Nobody's partitions are asked for: rows of a tenant that is gone are nobody's."""
        return await self._catalogue.forget(tenant_id)

    async def due(self, source: Partition, before_ms: int, limit: int) -> Mapping[DocKey, Entry]:
        """See `Catalogue`. Raises `LostPartitionError` too."""
        await self._claim()
        return await self._catalogue.due(source, before_ms, limit)

    async def _claim(self) -> None:
        if not self._claimed:
            await self._catalogue.save({}, self._owned)
            self._claimed = True


def lost(partition: Partition, ours: Ownership) -> LostPartitionError:
    """The error for a partition of which the catalogue knows a later owner than `ours`."""
    return LostPartitionError(
        f"{partition.topic}/{partition.number}: the catalogue knows a later owner than producer {ours.producer_id}, "
        f"epoch {ours.epoch}; this process was away for too long, or the catalogue belongs to another Kafka cluster: "
        "then remove it and replay"
    )
