"""CloudEvents 1.0 headers in Kafka's binary mode, and W3C trace context beside them.

https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from roggia_schemas.errors import InvalidNameError
from roggia_schemas.wiretypes import Event, Headers

CONTENT_TYPE = "application/vnd.apache.avro"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX = "ce_"
_PLAIN = frozenset({"content-type", "traceparent", "tracestate"})
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


def headers(event: Event, *, event_type: str, source: str, traceparent: str | None = None) -> Headers:
    """Headers of one event: id, time and subject come from the event itself.

    `event_type` is the CloudEvents type (`roggia.doc.changed`), `source` the URI reference of what publishes. Raises
    `InvalidNameError` for an empty type or source and for a `traceparent` that is not W3C's.
    """
    for field, given in (("ce_type", event_type), ("ce_source", source)):
        if not given:
            raise InvalidNameError(field, given, "give a non-empty text")
    attributes = {
        "specversion": "1.0",
        "id": event.event_id,
        "type": event_type,
        "source": source,
        "time": _rfc3339(event.occurred_at),
        "subject": _subject(event),
    }
    pairs = [(_PREFIX + name, text.encode()) for name, text in attributes.items()]
    pairs.append(("content-type", CONTENT_TYPE.encode()))
    if traceparent is not None:
        pairs.append(("traceparent", _checked(traceparent).encode()))
    return tuple(pairs)


def _subject(event: Event) -> str:
    names = ("doc_id", "job_id", "tenant_id")
    return next((str(getattr(event, name)) for name in names if hasattr(event, name)), event.event_id)


def parse(headers: Headers) -> dict[str, str]:
    """What the headers say: CloudEvents attributes without their prefix, `content-type`, `traceparent`, `tracestate`.

    Headers of other kinds, headers that are not UTF-8 and a malformed `traceparent` are left out: headers are
    advice, the event itself holds everything that matters. The last of several equal names wins.
    """
    found: dict[str, str] = {}
    for name, content in headers:
        if name.startswith(_PREFIX) or name in _PLAIN:
            try:
                found[name.removeprefix(_PREFIX)] = content.decode()
            except UnicodeDecodeError:
                continue
    if not _TRACEPARENT.match(found.get("traceparent", "")):
        found.pop("traceparent", None)
    return found


def _checked(traceparent: str) -> str:
    if not _TRACEPARENT.match(traceparent):
        raise InvalidNameError("traceparent", traceparent, "use W3C trace context: version-traceid-spanid-flags")
    return traceparent


def _rfc3339(millis: int) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        raise InvalidNameError(
            "occurred_at", str(millis), "use milliseconds since the epoch, within years 1-9999"
        ) from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
