"""Both framings of the Confluent wire format, and ids."""

from __future__ import annotations

import uuid

import pytest
from roggia_schemas import bundled, framing
from roggia_schemas.codec import Codec
from roggia_schemas.errors import DecodeError, FramingError, SchemaError, UnknownSchemaError
from roggia_schemas.events import DocChanged, DocUpserted

from tests.support.events import example

EVENT = example("doc.upserted")
GUID = "0f5bd9ab-1c5d-4f0e-8f11-5a3c0c9d7b21"


def test_bundled_ids_are_fixed() -> None:
    """Without a registry the id is 0x52 00, the event's number and the version: data on disk depends on it."""
    assert Codec().encode(EVENT)[:5] == bytes.fromhex("0052000401")


def test_registry_ids_are_written_and_bundled_ids_still_read() -> None:
    """A codec with registry ids writes them, and reads what was written before there was a registry."""
    codec = Codec({"doc.upserted": 17})
    assert codec.encode(EVENT)[:5] == bytes.fromhex("0000000011")
    assert codec.decode(DocUpserted, codec.encode(EVENT)) == EVENT
    assert codec.decode(DocUpserted, Codec().encode(EVENT)) == EVENT


def test_header_with_guid() -> None:
    """A value without prefix is read by the GUID in its header, once the GUID was learnt."""
    codec = Codec()
    body, headers = codec.encode(EVENT)[5:], (("other", b"x"), framing.guid_header(GUID))
    with pytest.raises(UnknownSchemaError) as caught:
        codec.decode(DocUpserted, body, headers)
    assert (caught.value.guid, caught.value.schema_id) == (GUID, None)
    codec.learn_guid(GUID.upper(), bundled.schema_text("doc.upserted"))
    assert codec.decode(DocUpserted, body, headers) == EVENT
    assert headers[1] == ("__value_schema_id", b"\x01" + uuid.UUID(GUID).bytes)


def test_header_with_id() -> None:
    """The header may hold 0x00 and the id instead; the value then has no prefix."""
    codec = Codec({"doc.upserted": 17})
    assert codec.decode(DocUpserted, codec.encode(EVENT)[5:], (("__value_schema_id", b"\0\0\0\0\x11"),)) == EVENT


@pytest.mark.parametrize("header", [b"", b"\x01short", b"\x00\x00", b"\x02" + b"x" * 16, b"\x01" + b"x" * 17])
def test_bad_header_is_refused(header: bytes) -> None:
    """A header of another shape is a framing error that says what to send."""
    with pytest.raises(FramingError, match="0x01 and a 16-byte GUID"):
        Codec().decode(DocUpserted, b"body", (("__value_schema_id", header),))


@pytest.mark.parametrize("value", [b"", b"\x00\x00\x00", b"\x01\x00\x00\x00\x01abc", b'{"json": 1}'])
def test_bad_prefix_is_refused(value: bytes) -> None:
    """No magic byte, no room for an id: a framing error, whatever follows."""
    with pytest.raises(FramingError, match="Confluent wire format"):
        Codec().decode(DocUpserted, value)


@pytest.mark.parametrize("schema_id", [-1, 2**31])
def test_an_id_outside_int32_is_refused(schema_id: int) -> None:
    """Ids are int32 on the wire."""
    with pytest.raises(FramingError, match="does not fit"):
        Codec().learn(schema_id, bundled.schema_text("doc.upserted"))


def test_another_events_schema_is_refused() -> None:
    """A good event of another kind on the topic is refused by name, not misread."""
    with pytest.raises(DecodeError, match="publish DocChanged"):
        Codec().decode(DocChanged, Codec().encode(EVENT))


def test_learning_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec does not remember schemas without bound."""
    monkeypatch.setattr("roggia_schemas.codec.MAX_KNOWN", 5)
    with pytest.raises(SchemaError, match="more than 5"):
        Codec().learn(99, bundled.schema_text("doc.upserted"))
