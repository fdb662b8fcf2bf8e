"""What the codec refuses to write, and what events promise as values."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from roggia_schemas.codec import Codec
from roggia_schemas.errors import DecodeError, EncodeError
from roggia_schemas.events import DocEmbedded
from roggia_schemas.wiretypes import Event

from tests.support.events import CLASSES, example

CHANGED, CHUNKED, EMBEDDED = example("doc.changed"), example("doc.chunked"), example("doc.embedded")


def altered(event: Event, **changes: object) -> Event:
    """`event` with some fields replaced, unchecked."""
    return msgspec.structs.replace(event, **changes)


@pytest.mark.parametrize(
    ("event", "field", "reason"),
    [
        (altered(CHANGED, tenant_id=5), "tenant_id", "Expected `str`, got `int`"),
        (altered(CHANGED, revision=True), "revision", "Expected `int`, got `bool`"),
        (altered(CHANGED, revision=1.5), "revision", "Expected `int`, got `float`"),
        (altered(CHANGED, revision=2**63), "revision", "Expected `int` <="),
        (altered(CHANGED, revision=10**30), "revision", "int"),
        (altered(CHANGED, revision=np.int64(3)), "revision", "numpy.int64"),
        (altered(CHANGED, occurred_at=datetime.now(UTC)), "occurred_at", "Expected `int`, got `datetime"),
        (altered(CHANGED, event_id=uuid.UUID(int=7)), "event_id", "Expected `str`, got `uuid"),
        (altered(CHANGED, event_id="abc"), "event_id", "matching regex"),
        (altered(CHANGED, operation="RENAME"), "operation", "Invalid enum value 'RENAME'"),
        (altered(CHANGED, content="text"), "content", "Expected `bytes | null`, got `str`"),
        (altered(CHANGED, metadata={"a": 1}), "metadata[...]", "Expected `str`, got `int`"),
        (altered(CHANGED, title="\ud800"), "title", "lone surrogate"),
        (altered(CHANGED, acl=("a", "b\udfff")), "acl[1]", "lone surrogate"),
        (altered(CHUNKED, epoch=2**31), "epoch", "Expected `int` <= 2147483647"),
        (altered(CHUNKED, chunks=(altered(CHUNKED.chunks[0], ordinal="0"),)), "chunks[0].ordinal", "Expected `int`"),
        (altered(EMBEDDED, vectors=[0.5] * 4), "vectors", "Expected `numpy.ndarray`"),
        (altered(EMBEDDED, vectors=np.zeros(4)), "vectors", "use one dimension of float32"),
        (altered(EMBEDDED, vectors=np.zeros((1, 4), np.float32)), "vectors", "use one dimension of float32"),
        (altered(EMBEDDED, vectors=np.zeros(3, np.float32)), "vectors", "need 4"),
        (altered(EMBEDDED, dimension=-4), "vectors", "need -4"),
    ],
)
def test_a_wrong_value_is_refused_by_name(event: Event, field: str, reason: str) -> None:
    """The error names the field's path and what its schema wants; nothing is converted in silence."""
    with pytest.raises(EncodeError) as caught:
        Codec().encode(event)
    assert caught.value.field == field
    assert reason in str(caught.value)
    assert caught.value.event == event.EVENT


def test_only_events_are_encoded() -> None:
    """A nested record, or anything else, is no event."""
    with pytest.raises(EncodeError, match="not an event"):
        Codec().encode(CHUNKED.chunks[0])


def test_equal_events_have_equal_bytes() -> None:
    """The order in which labels were put in does not reach the wire."""
    one, two = altered(CHANGED, metadata={"a": "1", "b": "2"}), altered(CHANGED, metadata={"b": "2", "a": "1"})
    assert Codec().encode(one) == Codec().encode(two)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_events_are_frozen(name: str) -> None:
    """No field of an event can be set."""
    with pytest.raises(AttributeError):
        example(name).tenant_id = "other"


def test_events_with_vectors_compare_by_value() -> None:
    """Two events with equal vectors are equal, with other vectors they are not, and other types never."""
    assert altered(EMBEDDED, vectors=EMBEDDED.vectors.copy()) == EMBEDDED
    assert altered(EMBEDDED, vectors=EMBEDDED.vectors * 2) != EMBEDDED
    assert EMBEDDED != CHUNKED


def test_a_strided_vector_is_written_in_order() -> None:
    """A view with steps is written as the numbers it shows."""
    wide = np.arange(8, dtype=np.float32)[::2]
    event = altered(EMBEDDED, vectors=wide)
    assert Codec().decode(DocEmbedded, Codec().encode(event)).vectors.tolist() == [0, 2, 4, 6]


def test_decoded_vectors_do_not_hold_the_value() -> None:
    """Vectors are copied out, aligned: keeping them does not keep an 8 MiB record in memory."""
    vectors = Codec().decode(DocEmbedded, Codec().encode(EMBEDDED)).vectors
    assert vectors.base is None
    assert vectors.flags.aligned


def test_an_enum_index_outside_the_symbols_is_refused() -> None:
    """A negative index must not count from the end: it would turn damage into DELETE."""
    codec, event = Codec(), altered(CHANGED, content_type=None, content=None)
    value = codec.encode(event)
    place = next(n for n in range(5, len(value)) if _changed(codec, value, n, 2) and _changed(codec, value, n, 4))
    for index in (b"\x01", b"\x06"):
        with pytest.raises(DecodeError, match="not the index of a symbol"):
            codec.decode(CLASSES["doc.changed"], value[:place] + index + value[place + 1 :])


def _changed(codec: Codec, value: bytes, place: int, byte: int) -> bool:
    """True when `byte` at `place` decides the operation."""
    try:
        event = codec.decode(CLASSES["doc.changed"], value[:place] + bytes([byte]) + value[place + 1 :])
    except DecodeError:
        return False
    return altered(event, operation=CHANGED.operation) == codec.decode(CLASSES["doc.changed"], value) and (
        event.operation.value == ("UPSERT" if byte == 2 else "DELETE")
    )
