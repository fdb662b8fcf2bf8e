"""A compacted topic as a table in memory: the newest event of every key, read to the end, then kept current."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Generic, TypeVar

import structlog
from roggia_schemas.errors import SchemasError
from roggia_schemas.wiretypes import Event

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.ranges import RangeReader
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings

AGAIN_S = 3.0
"""Wait before the next try when Kafka does not answer, or the topic does not exist yet."""
E = TypeVar("E", bound=Event)
log = structlog.get_logger()


class Table(Generic[E]):
    """A worker of a service, and its `start` a start hook: once that returns, the table holds everything that was
    written before. It belongs to no group, so every process has the whole table. From one event loop.

    A topic that does not exist is an empty table, until it does. A record that cannot be read leaves its key as it
    was, and is logged: a table of settings must not lose a setting to a newer writer.
    """

    def __init__(self, kafka: KafkaSettings, codec: EventCodec, topic: str, event: type[E]) -> None:
        self._kafka, self._codec, self._topic, self._event = kafka, codec, topic, event
        self._rows: dict[str, E] = {}
        self._next: dict[Partition, int] = {}
        self._told: list[Callable[[str, E | None], None]] = []
        self._stopping = asyncio.Event()
        self._trouble = "not read yet"

    def get(self, key: str) -> E | None:
        """The newest event of a key; None where there is none, or a Kafka null."""
        return self._rows.get(key)

    @property
    def rows(self) -> Mapping[str, E]:
        """Everything, live."""
        return MappingProxyType(self._rows)

    def tell(self, changed: Callable[[str, E | None], None]) -> None:
        """Call `changed` with key and event (None: gone) for every change from now on, those of `start` included."""
        self._told.append(changed)

    async def start(self) -> None:
        """Read to the end, and only then show what was found: a row must not go back to what it said before. Raises
        `UnavailableError` when Kafka does not answer, or not as it should."""
        try:
            await self._load()
        except AdminError as error:
            raise UnavailableError(str(error)) from error

    async def _load(self) -> None:
        partitions = await TopicAdmin(self._kafka).partitions(self._topic)
        if not partitions:
            self._trouble = ""
            return
        found: dict[str, E] = {}
        async with RangeReader(self._kafka, f"roggia-table-{self._topic}") as reader:
            spans = await reader.spans(partitions)
            async for piece in reader.read(spans):
                for record in piece.records:
                    await self._apply(record, found)
        self._adopt(found)
        self._next = {partition: span.end for partition, span in spans.items()}
        self._trouble = ""

    async def run(self) -> None:
        """Keep it current until stopped."""
        while not self._stopping.is_set():
            work = asyncio.create_task(self._follow())
            stop = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            for task in (work, stop):
                task.cancel()
            await asyncio.wait({work, stop})
            if not work.cancelled() and (failure := work.exception()) is not None:
                self._note(failure)
            await either(self._stopping, timeout_s=AGAIN_S)

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Why the table may be old."""
        return [f"{self._topic}: {self._trouble}"] if self._trouble else []

    async def _follow(self) -> None:
        if not self._next or self._trouble:  # what went wrong is over once everything could be read again
            await self.start()
        if not self._next:
            return
        async with aclosing(TopicAdmin(self._kafka).follow(self._next)) as coming:
            async for record in coming:
                self._trouble = ""
                await self._take(record)
                self._next[Partition(record.topic, record.partition)] = record.offset + 1

    async def _take(self, record: Record) -> None:
        name = await self._apply(record, self._rows)
        if name is not None:
            self._tell(name)

    async def _apply(self, record: Record, rows: dict[str, E]) -> str | None:
        """Put a record into rows; return its key, or None when it cannot be read."""
        name = (record.key or b"").decode(errors="replace")
        event: E | None = None
        if record.value is not None:
            try:
                event = await self._codec.decode(self._event, record)
            except SchemasError as wrong:
                log.warning("unreadable_row", topic=record.topic, key=name, offset=record.offset, error=str(wrong))
                return None
        if event is None:
            rows.pop(name, None)
        else:
            rows[name] = event
        return name

    def _adopt(self, found: Mapping[str, E]) -> None:
        """The table as it is now. It may have been read before; in place, since callers hold `rows`."""
        changed = {name for name in self._rows.keys() | found.keys() if self._rows.get(name) != found.get(name)}
        for name in self._rows.keys() - found.keys():
            del self._rows[name]
        self._rows.update(found)
        for name in sorted(changed):
            self._tell(name)

    def _tell(self, name: str) -> None:
        for changed in self._told:
            changed(name, self._rows.get(name))

    def _note(self, failure: BaseException) -> None:
        if not isinstance(failure, UnavailableError | AdminError):
            raise failure
        self._trouble = str(failure)
        log.warning("table_not_followed", topic=self._topic, error=self._trouble)
