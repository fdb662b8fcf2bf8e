"""Whether a record belongs to a selection, and what it costs to process again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roggia_runtime import replay
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Headers, Output, Record
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChanged, DocChunked
from roggia_schemas.wiretypes import Event

from roggia_operator.reading.records import event_class
from roggia_operator.replay.selection import Selection

BYTES_PER_TOKEN = 4
"""What a token of text takes, about, where only bytes are known."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What processing records again takes. `tokens`: at most to embed, estimated for `doc.changed`."""

    records: int = 0
    bytes: int = 0
    tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.records + other.records, self.bytes + other.bytes, self.tokens + other.tokens)


class Matcher:
    """Judges records of one selection. Kafka nulls never match: a lane has no use for them."""

    def __init__(self, selection: Selection, codec: EventCodec) -> None:
        self._selection, self._codec = selection, codec
        self._class = event_class(selection.topic)
        self._documents = frozenset(key.encode() for key in selection.documents)
        self._prefix = f"{selection.tenant}/".encode() if selection.tenant else b""
        self._ranges = {part.partition: part for part in selection.offsets}

    def placed(self, record: Record) -> bool:
        """Whether a record lies in the selection by offset and time."""
        if self._ranges:
            part = self._ranges.get(record.partition)
            if part is None or not part.first <= record.offset < part.end:
                return False
        first, end, at = self._selection.from_ms, self._selection.to_ms, record.timestamp_ms
        return (first is None or at >= first) and (end is None or at < end)

    def named(self, record: Record) -> bool:
        """Whether a record is of the documents and the tenant that are wanted, by its key."""
        key = record.key or b""
        if self._documents and key not in self._documents:
            return False
        return key.startswith(self._prefix)

    async def matches(self, record: Record) -> bool:
        """Whether a record is to be sent again. Raises `UnavailableError` while a registry that it needs is down."""
        if record.value is None or not (self.placed(record) and self.named(record)):
            return False
        if not self._selection.domain:
            return True
        event = await self.event(record)
        return event is not None and _domain(event) == self._selection.domain

    async def event(self, record: Record) -> Any:
        """The event in a record; None where it cannot be read: ingest would send it to the dead letters again."""
        if record.value is None:
            return None
        try:
            return await self._codec.decode(self._class, record)
        except SchemasError:
            return None

    def output(self, record: Record, job_id: str) -> Output:
        """The record for the lane: its bytes and headers, and where it comes from."""
        headers = sent_again(record, job_id, self._selection.mode, self._selection.collection)
        return Output(topics.replay(record.topic), record.key, record.value, headers)


def sent_again(record: Record, job_id: str, mode: str, collection: str = "") -> Headers:
    """A record's own headers, with those of a replay in the place of older ones."""
    own = tuple(header for header in record.headers if not header[0].startswith(replay.PREFIX))
    marks = {
        replay.JOB: job_id,
        replay.TOPIC: record.topic,
        replay.PARTITION: str(record.partition),
        replay.OFFSET: str(record.offset),
        replay.MODE: mode,
    } | ({replay.COLLECTION: collection} if collection else {})
    return (*own, *((name, value.encode()) for name, value in marks.items()))


def size(record: Record) -> int:
    """Bytes of key and value."""
    return len(record.key or b"") + len(record.value or b"")


def tokens(event: Event | None) -> int:
    """Tokens to embed for an event if nothing were cached: exact for a chunk set, estimated from bytes before that."""
    if isinstance(event, DocChunked):
        return event.total_tokens
    if isinstance(event, DocChanged):
        length = len(event.content or b"") if event.content_ref is None else event.content_ref.size
        return length // BYTES_PER_TOKEN
    return 0


def _domain(event: Event) -> str:
    return str(getattr(event, "domain", ""))
