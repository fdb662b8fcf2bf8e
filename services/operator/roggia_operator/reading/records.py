"""Show records: decoded where the topic's event is known, as bytes where not. A bad record is shown, never a crash."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import numpy as np
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import EVENTS
from roggia_schemas.wiretypes import Event

MAX_BYTES_SHOWN = 4096


def plain(record: Record) -> dict[str, Any]:
    """A record's place, key and headers, without its value."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": None if record.key is None else record.key.decode(errors="replace"),
        "headers": {name: value.decode(errors="replace") for name, value in record.headers},
    }


async def decoded(record: Record, codec: EventCodec) -> dict[str, Any]:
    """A record with its value as an event; with `error` and the bytes (base64) when it cannot be read."""
    shown = plain(record)
    if record.value is None:
        return shown | {"value": None}
    try:
        event = await codec.decode(event_class(record.topic), record)
    except SchemasError as wrong:
        return shown | {"error": str(wrong), "bytes": raw(record.value)}
    return shown | {"value": as_builtins(event)}


def event_class(topic: str) -> type[Event]:
    """The event of a topic (of the source topic, for a DLQ or a lane). Raises `SchemasError`."""
    name = topics.spec(topics.base(topic)).event
    return next(cls for cls in EVENTS if name == cls.EVENT)


def as_builtins(event: Event) -> Any:
    """An event as JSON can hold it: bytes as text where they are text, vectors as their first numbers and length."""
    return msgspec.to_builtins(event, enc_hook=_hook, builtin_types=(bytes,)) | _texts(event)


def _texts(event: Event) -> dict[str, Any]:
    content = getattr(event, "content", None)
    if not isinstance(content, bytes):
        return {}
    return {"content": content[:MAX_BYTES_SHOWN].decode(errors="replace")}


def _hook(value: object) -> object:
    if isinstance(value, np.ndarray):
        return {"length": int(value.size), "first": [round(float(number), 6) for number in value[:4]]}
    raise TypeError(f"cannot show {type(value).__name__}")


def raw(value: bytes) -> str:
    """The beginning of a value in base64."""
    return base64.b64encode(value[:MAX_BYTES_SHOWN]).decode()
