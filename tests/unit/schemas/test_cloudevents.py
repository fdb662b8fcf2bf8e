"""CloudEvents binary-mode headers and trace context."""

from __future__ import annotations

import pytest
from roggia_schemas import cloudevents
from roggia_schemas.errors import InvalidNameError

from tests.support.events import example

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_headers_of_a_document_event() -> None:
    """Every required attribute is there, time in RFC 3339, the document as subject, trace context without prefix."""
    headers = cloudevents.headers(
        example("doc.changed"), event_type="roggia.doc.changed", source="/publisher", traceparent=TRACE
    )
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"01941f29-7c00-7000-8000-000000000001",
        "ce_type": b"roggia.doc.changed",
        "ce_source": b"/publisher",
        "ce_time": b"2025-01-01T00:00:00.000Z",
        "ce_subject": b"travel/expenses.md",
        "content-type": b"application/vnd.apache.avro",
        "traceparent": TRACE.encode(),
    }


def test_subject_is_the_tenant_where_there_is_no_document() -> None:
    """retrieval.served is about a tenant's search."""
    assert (
        cloudevents.parse(cloudevents.headers(example("retrieval.served"), event_type="t", source="/s"))["subject"]
        == "acme"
    )


def test_parse_gives_back_what_was_written() -> None:
    """Attributes lose their prefix, trace context and content type keep their names, other headers are left out."""
    headers = cloudevents.headers(example("doc.upserted"), event_type="t", source="/s", traceparent=TRACE)
    parsed = cloudevents.parse((*headers, ("other", b"x"), ("ce_bad", b"\xff")))
    assert parsed["traceparent"] == TRACE
    assert parsed["id"] == "9d3a7b10-55aa-5cc1-b2c3-d4e5f6071829"
    assert set(parsed) == {"specversion", "id", "type", "source", "time", "subject", "content-type", "traceparent"}


@pytest.mark.parametrize(
    "trace", ["", "x", TRACE.upper(), TRACE + "0", TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)]
)
def test_bad_trace_context(trace: str) -> None:
    """A traceparent that is not W3C's is refused on write and left out on read."""
    with pytest.raises(InvalidNameError, match="traceparent"):
        cloudevents.headers(example("doc.upserted"), event_type="t", source="/s", traceparent=trace)
    assert "traceparent" not in cloudevents.parse((("traceparent", trace.encode()),))


@pytest.mark.parametrize(("event_type", "source"), [("", "/s"), ("t", "")])
def test_type_and_source_are_required(event_type: str, source: str) -> None:
    """CloudEvents demands both non-empty."""
    with pytest.raises(InvalidNameError, match="non-empty"):
        cloudevents.headers(example("doc.upserted"), event_type=event_type, source=source)
