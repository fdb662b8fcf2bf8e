"""Properties of the codec over every event that a schema allows, and over bytes that no schema allows."""

from __future__ import annotations

import io

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_schemas import bundled, topics, vectors
from roggia_schemas.codec import Codec
from roggia_schemas.errors import DecodeError, EncodeError, FramingError, SchemasError, UnknownSchemaError
from roggia_schemas.layout import without_logical_types

from tests.support.events import CLASSES, NAMES, any_event, event_of, events, example, plain

CODEC = Codec()
PATCHES = [b"\xff" * 9 + b"\x01", b"\xfe" * 9 + b"\x7f", b"\x01", b"\x80\x80\x80\x80\x10"]
"""The least and a huge count, minus one, and 2^31: what lengths and indexes break on."""
SCHEMAS = {name: fastavro.parse_schema(without_logical_types(bundled.schema(name))) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_event_survives_the_wire(name: str, data: st.DataObject) -> None:
    """Decoding what was encoded gives an equal event."""
    event = data.draw(events(name))
    assert CODEC.decode(CLASSES[name], CODEC.encode(event)) == event


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_bytes_are_those_of_fastavro(name: str, data: st.DataObject) -> None:
    """What we write is byte for byte what fastavro writes, vectors included; what fastavro writes we read."""
    event = data.draw(events(name))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, SCHEMAS[name], plain(event))
    value = CODEC.encode(event)
    assert value[5:] == out.getvalue()
    assert fastavro.schemaless_reader(io.BytesIO(value[5:]), SCHEMAS[name], None) == plain(event)
    assert CODEC.decode(CLASSES[name], value[:5] + out.getvalue()) == event


@given(st.lists(st.lists(st.floats(width=32), min_size=1, max_size=5), max_size=5), st.data())
@settings(max_examples=200, deadline=None)
def test_vectors_in_any_blocks(blocks: list[list[float]], data: st.DataObject) -> None:
    """An array in several blocks, with or without their sizes, reads as the one array it is."""
    raw = b"".join(_block(block, sized=data.draw(st.booleans())) for block in blocks) + b"\x00"
    found, end = vectors.read(b"before" + raw + b"after", 6)
    expected = np.array([number for block in blocks for number in block], np.float32)
    assert end == 6 + len(raw)
    assert found.tobytes() == expected.tobytes()
    assert not found.flags.writeable


@given(st.lists(st.floats(width=32), max_size=300))
def test_a_vector_block_is_that_of_fastavro(numbers: list[float]) -> None:
    """The hand-written block equals the library's, NaN and infinities included."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, {"type": "array", "items": "float"}, numbers)
    assert vectors.block(np.array(numbers, np.float32)) == out.getvalue()


@given(any_event(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_cut_value_is_refused(event: object, data: st.DataObject) -> None:
    """Every proper prefix of a value is a framing or decode error: nothing is read from half a record."""
    value = CODEC.encode(event)
    cut = data.draw(st.integers(0, len(value) - 1))
    with pytest.raises((FramingError, DecodeError)):
        CODEC.decode(type(event), value[:cut])


@given(any_event(), st.binary(min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_trailing_bytes_are_refused(event: object, rest: bytes) -> None:
    """A value holds one record and nothing after it."""
    with pytest.raises(DecodeError, match="follow the record"):
        CODEC.decode(type(event), CODEC.encode(event) + rest)


@pytest.mark.parametrize("name", NAMES)
@given(garbage=st.binary(max_size=400))
@settings(max_examples=150, deadline=2000)
def test_garbage_never_escapes(name: str, garbage: bytes) -> None:
    """Random bytes behind a good prefix decode or raise the package's own error, quickly."""
    prefix = CODEC.encode(example(name))[:5]
    _check_decoded_or_refused(name, prefix + garbage)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=150, deadline=2000)
def test_damage_never_escapes(name: str, data: st.DataObject) -> None:
    """A good value with some bytes overwritten decodes or raises the package's own error, quickly."""
    value = bytearray(CODEC.encode(example(name)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(5, len(value) - 1))
        patch = data.draw(st.sampled_from(PATCHES))
        value[place : place + len(patch)] = patch
    _check_decoded_or_refused(name, bytes(value))


@given(st.binary(max_size=60), st.lists(st.tuples(st.just("__value_schema_id"), st.binary(max_size=20)), max_size=2))
@settings(max_examples=300)
def test_framing_never_escapes(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Whatever value and headers hold, the codec decodes, asks for a schema, or refuses."""
    with pytest.raises(SchemasError):
        CODEC.decode(CLASSES["doc.upserted"], value, tuple(headers))


@given(any_event(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_wrong_type_is_refused_by_name(event: object, data: st.DataObject) -> None:
    """An event with a value of a wrong type in any field is not written, and the error names the field."""
    field = data.draw(st.sampled_from(type(event).__struct_fields__))
    wrong = type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {field: object()})
    with pytest.raises(EncodeError) as caught:
        CODEC.encode(wrong)
    assert caught.value.field.startswith(field)


@given(st.integers(1, 2**31 - 1).filter(lambda number: number >> 24 != 0x52))
def test_an_unknown_id_is_named(schema_id: int) -> None:
    """A schema id that nobody taught is asked for by its number."""
    with pytest.raises(UnknownSchemaError) as caught:
        CODEC.decode(CLASSES["doc.changed"], b"\x00" + schema_id.to_bytes(4, "big") + b"x")
    assert (caught.value.schema_id, caught.value.guid) == (schema_id, None)


@pytest.mark.parametrize("file", topics.files(), ids=lambda file: file.event)
def test_the_catalogue_example_encodes(file: topics.TopicFile) -> None:
    """The example that documentation shows is a valid event and survives the wire."""
    event = event_of(file.event, file.example)
    assert CODEC.decode(CLASSES[file.event], CODEC.encode(event)) == event


def _block(numbers: list[float], *, sized: bool) -> bytes:
    raw = np.array(numbers, "<f4").tobytes()
    if not sized:
        return _varint(len(numbers)) + raw
    return _varint(-len(numbers)) + _varint(len(raw)) + raw


def _varint(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


def _check_decoded_or_refused(name: str, value: bytes) -> None:
    try:
        event = CODEC.decode(CLASSES[name], value)
    except DecodeError as error:
        assert error.event == name
    else:
        again = CODEC.encode(event)  # bytes are compared: a number may be NaN, which equals nothing
        assert CODEC.encode(CODEC.decode(CLASSES[name], again)) == again
