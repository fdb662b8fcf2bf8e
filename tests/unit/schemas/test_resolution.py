"""Reading what was written with another schema than the newest bundled one, and refusing hostile schemas."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import numpy as np
import pytest
from roggia_schemas import bundled
from roggia_schemas.codec import Codec
from roggia_schemas.errors import DecodeError, SchemaError
from roggia_schemas.events import DocChanged, DocEmbedded, DocUpserted, Operation
from roggia_schemas.layout import layout, without_logical_types
from roggia_schemas.reading import DirectReader
from roggia_schemas.writing import Writer

from tests.support.events import example, plain


def written(schema: dict[str, Any], fields: dict[str, Any]) -> tuple[Codec, bytes]:
    """A codec that learnt `schema` as id 7, and `fields` as a publisher with that schema sends them."""
    codec, out = Codec(), io.BytesIO(b"\0\0\0\0\x07")
    codec.learn(7, json.dumps(schema))
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), fields)
    return codec, out.getvalue()


def test_a_newer_publisher() -> None:
    """A field that we do not know is skipped, a symbol that we do not know becomes UNKNOWN."""
    schema = bundled.schema("doc.changed")
    schema["fields"].insert(0, {"name": "novel", "type": {"type": "array", "items": "string"}, "default": []})
    operation = next(field for field in schema["fields"] if field["name"] == "operation")
    operation["type"]["symbols"].append("ARCHIVE")
    codec, value = written(schema, plain(example("doc.changed")) | {"novel": ["a"], "operation": "ARCHIVE"})
    event = codec.decode(DocChanged, value)
    assert event.operation is Operation.UNKNOWN
    assert event.doc_id == example("doc.changed").doc_id


def test_an_older_publisher() -> None:
    """A field that the writer did not have yet takes its default."""
    schema = bundled.schema("doc.changed")
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in ("metadata", "title")]
    codec, value = written(schema, plain(example("doc.changed")))
    event = codec.decode(DocChanged, value)
    assert (event.metadata, event.title) == ({}, None)
    assert event.content == example("doc.changed").content


def test_vectors_of_another_writer() -> None:
    """Vectors come as read-only float32 also through schema resolution, and from a writer with fields after them."""
    schema = bundled.schema("doc.embedded")
    schema["fields"].append({"name": "later", "type": "string", "default": ""})
    codec, value = written(schema, plain(example("doc.embedded")) | {"later": "x"})
    event = codec.decode(DocEmbedded, value)
    assert event == example("doc.embedded")
    assert event.vectors.dtype == np.float32
    assert not event.vectors.flags.writeable


def test_a_schema_that_differs_in_words_only() -> None:
    """Documentation and spelled-out namespaces change no bytes: the writer counts as ours."""
    schema = bundled.schema("doc.upserted")
    schema |= {"name": "roggia.DocUpserted", "doc": "another"}
    del schema["namespace"]
    codec, value = written(schema, plain(example("doc.upserted")))
    assert codec.decode(DocUpserted, value) == example("doc.upserted")


def test_other_units_are_refused() -> None:
    """Microseconds where we mean milliseconds would be read a thousandfold: refused, naming the field."""
    schema = bundled.schema("doc.upserted")
    field = next(field for field in schema["fields"] if field["name"] == "indexed_at")
    field["type"]["logicalType"] = "timestamp-micros"
    codec, value = written(schema, plain(example("doc.upserted")))
    with pytest.raises(DecodeError, match="is written as timestamp-micros; use timestamp-millis") as caught:
        codec.decode(DocUpserted, value)
    assert caught.value.field == "indexed_at"


def test_a_missing_field_is_named() -> None:
    """A writer without a field that has no default cannot be read; the error names the field."""
    schema = bundled.schema("doc.upserted")
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "collection"]
    codec, value = written(schema, plain(example("doc.upserted")))
    with pytest.raises(DecodeError, match="collection"):
        codec.decode(DocUpserted, value)


def test_fields_after_the_vectors() -> None:
    """The split around the vectors gives fastavro's bytes wherever in the record they stand."""
    schema = bundled.schema("doc.embedded")
    schema["fields"].insert(8, schema["fields"].pop())
    parts, out, event = layout(schema), io.BytesIO(), example("doc.embedded")
    fastavro.schemaless_writer(out, fastavro.parse_schema(without_logical_types(schema)), plain(event))
    assert parts.after is not None
    assert Writer(DocEmbedded, parts).encode(event, b"") == out.getvalue()
    assert DirectReader(DocEmbedded, parts, ()).decode(out.getvalue(), 0) == event


RECORD = {"type": "record", "name": "DocUpserted", "namespace": "roggia", "fields": []}


def holding(inner: object) -> str:
    """A record schema with one field of this type."""
    return json.dumps(RECORD | {"fields": [{"name": "a", "type": inner}]})


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("not json", "not a JSON object"),
        ("[" * 5000, "not a JSON object"),
        ('"string"', "not a JSON object"),
        ('{"type": "string"}', "not a record"),
        (json.dumps(RECORD | {"fields": [{"name": "a"}]}), "not a valid Avro schema"),
        (holding("Nowhere"), "not a valid Avro schema"),
        (holding(["null", "roggia.DocUpserted"]), "contains itself"),
        (holding({"type": "array", "items": "null"}), "take no bytes"),
        (holding({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}), "take no bytes"),
        (holding({"type": "array", "items": {"type": "record", "name": "E", "fields": []}}), "take no bytes"),
    ],
)
def test_hostile_schemas_are_refused(schema: str, reason: str) -> None:
    """What is not Avro, or lets a few bytes stand for endless work or recursion, is refused when it is learnt."""
    with pytest.raises(SchemaError, match=reason):
        Codec().learn(7, schema)


def test_deep_nesting_is_refused() -> None:
    """A schema nested beyond reason is refused instead of exhausting the stack."""
    inner: object = "string"
    for _ in range(100):
        inner = {"type": "array", "items": inner}
    with pytest.raises(SchemaError, match="nests more than"):
        Codec().learn(7, holding(inner))


def test_learning_again_replaces() -> None:
    """A second schema for the same id is used from then on, also when the first was in use."""
    codec, value = written(bundled.schema("doc.upserted"), plain(example("doc.upserted")))
    assert codec.decode(DocUpserted, value)
    codec.learn(7, bundled.schema_text("doc.changed"))
    with pytest.raises(DecodeError, match="written as 'DocChanged'"):
        codec.decode(DocUpserted, value)
