"""Where groups and partitions stand: commits, members, ends and the first unread records, many partitions at a time.

For those who watch: lag, throttling, offboarding. One `Offsets` keeps its two connections open between observations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaConnectionError,
    NotCoordinatorForGroupError,
)
from aiokafka.protocol.commit import OffsetFetchRequest

from roggia_runtime import clients, committed
from roggia_runtime.consumer.scanning import Scan, Seen
from roggia_runtime.denials import translated
from roggia_runtime.ranges import Span, held
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings

_ABSENT = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
_TRIES = 20
_WAIT_S = 0.25
_FETCH_BYTES = 128 << 10
"""Bytes asked per partition: a first record is all that is wanted; a larger one comes whole all the same."""
_TOTAL_BYTES = 8 << 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a group and what it owns now."""

    client_id: str
    host: str
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group as its coordinator describes it: `Stable`, `Empty`, `PreparingRebalance`, …, and its members."""

    state: str
    members: tuple[Member, ...]


class Offsets:
    """Use it as a context manager, from one task at a time.

    Every call raises `UnavailableError` when no broker answers and `AdminError` when Kafka refuses.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        options = clients.reader(settings) | {
            "max_partition_fetch_bytes": _FETCH_BYTES,
            "fetch_max_bytes": _TOTAL_BYTES,
            "fetch_max_wait_ms": 100,
        }
        self._admin = AIOKafkaAdminClient(**clients.connection(settings))
        self._reader = AIOKafkaConsumer(**options)
        self._coordinators: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        try:
            async with translated(self._settings):
                await self._admin.start()
                await self._reader.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Disconnect."""
        await clients.stop(self._reader)
        await self._admin.close()

    async def groups(self) -> tuple[str, ...]:
        """Names of every consumer group."""
        async with translated(self._settings):
            return tuple(sorted(str(group[0]) for group in await self._admin.list_consumer_groups()))

    async def partitions(self) -> dict[str, tuple[Partition, ...]]:
        """Every topic that is not the broker's own, with its partitions."""
        async with translated(self._settings):
            described = [topic for topic in await self._admin.describe_topics() if not topic.get("is_internal")]
        return {
            topic["topic"]: tuple(sorted(Partition(topic["topic"], part["partition"]) for part in topic["partitions"]))
            for topic in described
        }

    async def committed(self, groups: Iterable[str]) -> dict[str, dict[Partition, int]]:
        """What each group has committed: the next offset that it will read, by partition."""
        names = list(groups)
        async with translated(self._settings):
            found = await asyncio.gather(*(self._of_group(name, self._committed) for name in names))
        return dict(zip(names, found, strict=True))

    async def describe(self, groups: Iterable[str]) -> dict[str, GroupInfo]:
        """State and members of each group."""
        names = list(groups)
        async with translated(self._settings):
            found = await asyncio.gather(*(self._of_group(name, self._described) for name in names))
        return dict(zip(names, found, strict=True))

    async def bounds(self, partitions: Iterable[Partition]) -> dict[Partition, Span]:
        """Beginning and end of each partition, in two requests per broker."""
        tps = [TopicPartition(*partition) for partition in partitions]
        if not tps:
            return {}
        async with translated(self._settings):
            return await held(self._reader, tps)

    async def scan(
        self, ranges: Mapping[Partition, Span], wanted: Callable[[Record], bool], *, limit: int, timeout_s: float
    ) -> dict[Partition, Seen]:
        """Read each range until its first record that is `wanted`, at most `limit` records of each partition.

        After `timeout_s` seconds what is known by then is returned; `Seen.scanned_to` says how far that is.
        """
        scan = Scan(self._reader, ranges, wanted, limit)
        async with translated(self._settings):
            return await scan.run(timeout_s)

    async def _of_group(self, group: str, ask: Callable[[str, int], Awaitable[T]]) -> T:
        for tries in range(_TRIES):
            try:
                if group not in self._coordinators:
                    self._coordinators[group] = await self._admin.find_coordinator(group)
                return await ask(group, self._coordinators[group])
            except (*_ABSENT, KafkaConnectionError):  # it has just started, or the group has moved
                self._coordinators.pop(group, None)
                if tries == _TRIES - 1:
                    raise
                await asyncio.sleep(_WAIT_S)
        raise AssertionError("unreachable")

    async def _committed(self, group: str, coordinator: int) -> dict[Partition, int]:
        response = await self._admin._send_request(OffsetFetchRequest(group, None), coordinator)  # noqa: SLF001  # see `committed`
        return {Partition(tp.topic, tp.partition): offset for tp, offset in committed.told(response).items()}

    async def _described(self, group: str, coordinator: int) -> GroupInfo:
        # One group per request: the client reads a newer answer with an older layout, which fits the first group only.
        (response,) = await self._admin.describe_consumer_groups([group], coordinator)
        described = response.groups[0]
        return GroupInfo(str(described[2]), tuple(_member(member) for member in described[5]))


def _member(described: Any) -> Member:
    _, client_id, host, _, assignment = described[:5]
    owned: tuple[Partition, ...] = ()
    if assignment:
        decoded = ConsumerProtocolMemberAssignment.decode(assignment)
        owned = tuple(Partition(tp.topic, tp.partition) for tp in decoded.partitions())
    return Member(str(client_id), str(host), owned)
