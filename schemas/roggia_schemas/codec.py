"""Events to Kafka values and back. Pure: no I/O; the registry is the caller's business.

Writes the newest bundled version in the Confluent wire format. Reads both framings and every writer schema that it
was told of, resolving old and foreign ones to the newest version by Avro's rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from roggia_schemas import bundled, framing, topics
from roggia_schemas.errors import DecodeError, EncodeError, SchemaError, UnknownSchemaError
from roggia_schemas.events import EVENTS
from roggia_schemas.foreign import check_foreign
from roggia_schemas.layout import loads
from roggia_schemas.reading import Reader, reader
from roggia_schemas.wiretypes import Event, Headers
from roggia_schemas.writing import Writer, writer

E = TypeVar("E", bound=Event)
MAX_KNOWN = 10_000
"""Schemas that one codec remembers; a registry with more is refused, so that hostile ids cannot fill the memory."""


class Codec:
    """Encodes and decodes events. Not shared between threads.

    `ids` are registry ids by event name, used on write; an event without one gets its bundled id. Bundled ids can
    always be read.
    """

    def __init__(self, ids: Mapping[str, int] | None = None) -> None:
        self._ids = _bundled_ids()
        self._known: dict[int | str, str] = _bundled_schemas()
        self._readers: dict[tuple[type[Event], int | str], Reader] = {}
        self._writers: dict[type[Event], tuple[bytes, Writer]] = {}
        for event, schema_id in (ids or {}).items():
            self.learn(schema_id, bundled.schema_text(event))
            self._ids[event] = schema_id

    def learn(self, schema_id: int, schema_json: str) -> None:
        """Remember the schema that a registry gives for an id. Raises `SchemaError` when it is not a usable record."""
        framing.prefix(schema_id)
        self._remember(schema_id, schema_json)

    def learn_guid(self, guid: str, schema_json: str) -> None:
        """Remember the schema that a registry gives for a GUID. Raises `SchemaError` or `FramingError`."""
        self._remember(framing.canonical_guid(guid), schema_json)

    def encode(self, event: Event) -> bytes:
        """The Kafka value of `event`. Raises `EncodeError` naming the field that its schema does not allow."""
        plan = self._writers.get(type(event))
        if plan is None:
            plan = self._writers[type(event)] = self._plan(event)
        head, write = plan
        return write.encode(event, head)

    def decode(self, cls: type[E], value: bytes, headers: Headers = ()) -> E:
        """The event in a Kafka value.

        Raises `FramingError`, `UnknownSchemaError` (fetch, learn, call again) or `DecodeError`; nothing else, whatever
        the bytes are.
        """
        start, schema = framing.unframe(value, headers)
        read = self._readers.get((cls, schema)) or self._reader(cls, schema)
        event = read.decode(value, start)
        if not isinstance(event, cls):
            raise DecodeError(cls.__name__, "the reader made another event")
        return event

    def _remember(self, key: int | str, schema_json: str) -> None:
        check_foreign(loads(schema_json))
        if key not in self._known and len(self._known) >= MAX_KNOWN:
            raise SchemaError(f"more than {MAX_KNOWN} schemas were learnt; a registry of events has a few per topic")
        self._known[key] = schema_json
        self._readers = {pair: made for pair, made in self._readers.items() if pair[1] != key}

    def _reader(self, cls: type[E], schema: int | str) -> Reader:
        text = self._known.get(schema)
        if text is None:
            raise UnknownSchemaError(schema_id=schema) if isinstance(schema, int) else UnknownSchemaError(guid=schema)
        made = self._readers[cls, schema] = reader(cls, text)
        return made

    def _plan(self, event: Event) -> tuple[bytes, Writer]:
        if type(event) not in EVENTS:
            raise EncodeError(type(event).__name__, "not an event of roggia_schemas.events")
        return framing.prefix(self._ids[type(event).EVENT]), writer(type(event))


def _bundled_ids() -> dict[str, int]:
    return {file.event: bundled.bundled_id(file.number, bundled.versions(file.event)[-1]) for file in topics.files()}


def _bundled_schemas() -> dict[int | str, str]:
    return {
        bundled.bundled_id(file.number, version): bundled.schema_text(file.event, version)
        for file in topics.files()
        for version in bundled.versions(file.event)
    }
