"""Every message of every served version, generated from its shape: our bytes are the ones of an independent codec."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer
from roggia_devstack.wire import apis
from roggia_devstack.wire.cursor import Cursor
from roggia_devstack.wire.decode import reader
from roggia_devstack.wire.encode import writer
from roggia_devstack.wire.errors import MalformedError
from roggia_devstack.wire.introspect import FieldShape, shape_of

_EVERY_VERSION = [(api, version) for api in apis.APIS.values() for version in range(api.lowest, api.highest + 1)]
_TEXT = st.text(max_size=12)
_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int8": st.integers(-128, 127),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    # The other codec makes dates and durations of these, and knows no zero UUID.
    "timedelta_i32": st.integers(-(2**31), 2**31 - 1),
    "timedelta_i64": st.integers(0, 2**40),
    "datetime_i64": st.integers(0, 2**41),
    "error_code": st.sampled_from([int(code) for code in ErrorCode]),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "string": _TEXT,
    "bytes": st.binary(max_size=12),
    "records": st.binary(max_size=12),
    "uuid": st.uuids().filter(lambda value: value != uuid.UUID(int=0)),
}


def _messages(message: type) -> st.SearchStrategy[dict[str, Any]]:
    shape = shape_of(message)
    required = {field.name: _values(field) for field in shape.fields}
    optional = {field.name: _tagged(field) for field in shape.tagged.values()}
    return st.fixed_dictionaries(required, optional=optional)


def _tagged(field: FieldShape) -> st.SearchStrategy[Any]:
    """Values that a writer may not leave out: the other codec leaves out defaults."""
    return _values(field).filter(
        lambda value: value not in (None, [], (), "", field.default) and not _is_default(value)
    )


def _is_default(value: Any) -> bool:
    return isinstance(value, dict) and all(item in (-1, 0, None) for item in value.values())


def _values(field: FieldShape) -> st.SearchStrategy[Any]:
    element = _messages(field.message) if field.message is not None else _PRIMITIVES[field.primitive or ""]
    values = st.lists(element, max_size=2) if field.array else element
    may_be_null = field.nullable and (
        field.array or field.message is not None or field.primitive in {"string", "bytes", "records"}
    )
    return st.none() | values if may_be_null else values


@pytest.mark.parametrize(("api", "version"), _EVERY_VERSION, ids=lambda value: getattr(value, "name", f"v{value}"))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_messages_survive_and_equal_an_independent_codec(api: apis.Api, version: int, data: st.DataObject) -> None:
    """What our writer writes, our reader reads whole; another codec reads it too and writes the same bytes."""
    pair = apis.messages(api, version)
    for kind in (pair.request, pair.response):
        message = data.draw(_messages(kind))
        out = bytearray()
        writer(kind)(out, message)
        cursor = Cursor(bytes(out))
        assert reader(kind)(cursor) == message
        assert cursor.pos == len(out)
        assert _rewritten_elsewhere(kind, bytes(out)) == bytes(out)


def _rewritten_elsewhere(kind: Any, encoded: bytes) -> bytes:
    entity, size = entity_reader(kind)(encoded, 0)
    assert size == len(encoded)
    out = io.BytesIO()
    entity_writer(kind)(out, entity)
    return out.getvalue()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_messages_are_malformed_or_read(data: st.DataObject) -> None:
    """Cut or overwritten messages either raise `MalformedError` or read as something else; nothing else can happen."""
    api, version = data.draw(st.sampled_from(_EVERY_VERSION))
    kind = apis.messages(api, version).request
    out = bytearray()
    writer(kind)(out, data.draw(_messages(kind)))
    cursor = Cursor(_damage(data, out))
    try:
        message = reader(kind)(cursor)
    except MalformedError:
        message = {}
    assert isinstance(message, dict)
    assert 0 <= cursor.pos <= len(cursor.data)


def _damage(data: st.DataObject, out: bytearray) -> bytes:
    for _ in range(data.draw(st.integers(1, 4))):
        if out:
            out[data.draw(st.integers(0, len(out) - 1))] = data.draw(st.integers(0, 255))
    return bytes(out[: data.draw(st.integers(0, len(out)))])
