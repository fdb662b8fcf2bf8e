"""Looking at and setting up Kafka: topics, groups, offsets, records. For the command line and operators' jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    for_code,
)
from roggia_schemas.topics.spec import TopicSpec

from roggia_runtime import clients, connecting, denials, removal, topic_apply
from roggia_runtime.errors import AdminError
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.topic_apply import refuse
from roggia_runtime.topic_changes import Change, Existing, changes

_POLL_MS = 500
_BOUNDED_POLL_MS = 50
"""Of a read that ends. Markers of transactions are no records: a poll that meets nothing else lasts its whole time."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """One topic, without the broker's internal ones."""

    name: str
    partitions: int


class TopicAdmin:
    """Use it as a context manager for several calls; a single call connects by itself.

    Every call raises `UnavailableError` when no broker answers and `AdminError` when Kafka refuses.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._shared: AIOKafkaAdminClient | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Connect for several calls."""
        self._shared = await connecting.start_admin(self._settings)

    async def stop(self) -> None:
        """Disconnect."""
        client, self._shared = self._shared, None
        if client is not None:
            await client.close()

    async def existing(self, names: Collection[str]) -> dict[str, Existing]:
        """Those of the named topics that exist, with partitions and settings."""
        async with self._client() as client:
            return await topic_apply.existing(client, names)

    async def apply(self, specs: Sequence[TopicSpec], *, confirmed: Collection[str] = ()) -> list[Change]:
        """Make topics as `specs` say, and return every difference that there was, also those that were left.

        Conflicts are never forced; what could lose data is done for topics in `confirmed` alone (`Change.allowed`).
        """
        async with self._client() as client:
            existing = await topic_apply.existing(client, {spec.name for spec in specs})
            found = list(changes(specs, existing))
            await topic_apply.carry_out(client, [change for change in found if change.allowed(confirmed)])
            return found

    async def remove(self, *, groups: Sequence[str] = (), topics: Sequence[str] = ()) -> None:
        """Delete groups, then topics, with all that they hold; what is gone already is no error.

        A group with members is refused by Kafka, and no topic is deleted then.
        """
        async with self._client() as client:
            if groups:
                await removal.delete_groups(client, groups)
            if topics:
                await removal.delete_topics(client, topics)

    async def list(self) -> tuple[TopicInfo, ...]:
        """Every topic, by name."""
        async with self._client() as client:
            described = [topic for topic in await client.describe_topics() if not topic.get("is_internal")]
        return tuple(sorted((TopicInfo(t["topic"], len(t["partitions"])) for t in described), key=lambda t: t.name))

    async def topics(self) -> tuple[str, ...]:
        """Names of every topic."""
        return tuple(topic.name for topic in await self.list())

    async def partitions(self, topic: str) -> tuple[Partition, ...]:
        """Every partition of a topic; none where there is no such topic."""
        found = next((known.partitions for known in await self.list() if known.name == topic), 0)
        return tuple(Partition(topic, number) for number in range(found))

    async def groups(self) -> tuple[str, ...]:
        """Names of every consumer group."""
        async with self._client() as client:
            return tuple(sorted(str(group[0]) for group in await client.list_consumer_groups()))

    async def end_offsets(self, topic: str) -> dict[int, int]:
        """Next offset that a read-committed reader will see, by partition."""
        return await self._offsets(topic, "end_offsets")

    async def beginning_offsets(self, topic: str) -> dict[int, int]:
        """Oldest offset kept, by partition."""
        return await self._offsets(topic, "beginning_offsets")

    async def read(
        self, topic: str, partition: int, start: int, *, end: int | None = None, follow: bool = False
    ) -> AsyncIterator[Record]:
        """Committed records of one partition from offset `start` (an older one: from the oldest kept).

        Ends before offset `end`, by default at the end of the log as it is now; with `follow` it never ends.
        """
        tp, poll_ms = TopicPartition(topic, partition), _POLL_MS if follow else _BOUNDED_POLL_MS
        async with self._reader() as reader:
            first, last = (await reader.beginning_offsets([tp]))[tp], (await reader.end_offsets([tp]))[tp]
            until = None if follow else min(last, last if end is None else end)
            reader.assign([tp])
            reader.seek(tp, max(start, first))
            while until is None or await reader.position(tp) < until:
                for r in (await reader.getmany(tp, timeout_ms=poll_ms)).get(tp, ()):
                    if until is not None and r.offset >= until:
                        return
                    yield clients.record(r)

    async def follow(self, starts: Mapping[Partition, int]) -> AsyncGenerator[Record]:
        """Committed records of several partitions as they come, each from its offset on. Never ends by itself."""
        tps = {TopicPartition(*partition): offset for partition, offset in starts.items()}
        async with self._reader() as reader:
            first = await reader.beginning_offsets(list(tps))
            reader.assign(list(tps))
            for tp, offset in tps.items():
                reader.seek(tp, max(offset, first[tp]))
            while True:
                for records in (await reader.getmany(timeout_ms=_POLL_MS)).values():
                    for r in records:
                        yield clients.record(r)

    async def _offsets(self, topic: str, which: str) -> dict[int, int]:
        async with self._client() as client:
            (described,) = await client.describe_topics([topic])
            if (error := for_code(described["error_code"])) in denials.DENIED:
                raise error(topic)
        refuse(described["error_code"], f"topic {topic}")
        tps = [TopicPartition(topic, part["partition"]) for part in described["partitions"]]
        async with self._reader() as reader:
            found = await getattr(reader, which)(tps)
        return {tp.partition: int(offset) for tp, offset in found.items()}

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AIOKafkaAdminClient]:
        client = self._shared or await connecting.start_admin(self._settings)
        try:
            yield client
        except (KafkaError, TimeoutError) as error:
            raise AdminError(denials.explain(error, self._settings)) from error
        finally:
            if client is not self._shared:
                await client.close()

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        reader = AIOKafkaConsumer(**clients.reader(self._settings))
        try:
            await reader.start()
            yield reader
        except KafkaConnectionError as error:
            raise await connecting.explain(self._settings) from error
        except KafkaError as error:
            raise AdminError(denials.explain(error, self._settings)) from error
        finally:
            await clients.stop(reader)
