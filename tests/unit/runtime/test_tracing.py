"""Traces through headers, with and without an exporter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from roggia_runtime import tracing
from roggia_runtime.records import Record
from roggia_runtime.settings import TelemetrySettings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
HEADERS = (("traceparent", PARENT.encode()),)


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Spans recorded in memory; recording ends with the test."""
    made = InMemorySpanExporter()
    tracing.configure("test", TelemetrySettings(), made)
    yield made
    tracing.shutdown()


def test_without_an_exporter_the_trace_passes_through() -> None:
    """Nothing is recorded, and an output carries its source's context unchanged, or none."""
    tracing.shutdown()
    assert tracing.child("t", HEADERS) == PARENT
    assert tracing.child("t", ()) is None
    with tracing.batch("process", "g", [Record("t", 0, 0, 0, None, None, HEADERS)]):
        pass


@pytest.mark.parametrize("bad", [b"", b"00-zz", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", b"\xff"])
def test_malformed_context_is_ignored(bad: bytes) -> None:
    """A header that is not W3C's is as good as none."""
    assert tracing.traceparent((("traceparent", bad),)) is None


@pytest.mark.parametrize("lax", [PARENT + " ", PARENT + "\n", "01" + PARENT[2:] + "-later"])
def test_lax_context_is_passed_on_in_the_plain_form(lax: str) -> None:
    """W3C lets white space and later versions' fields stand around a context; an output's header is always plain."""
    assert tracing.child("t", (("traceparent", lax.encode()),)) == PARENT


def test_outputs_continue_and_batches_link(exporter: InMemorySpanExporter) -> None:
    """An output's span is a child in its record's trace; the batch's span links to every record's context."""
    record = Record("t", 0, 5, 0, None, None, HEADERS)
    with tracing.batch("process", "g", [record, record]):
        made = tracing.child("out", record.headers)
    assert made is not None
    assert made[3:35] == TRACE
    assert made != PARENT
    tracing._State.provider.force_flush()  # type: ignore[union-attr]
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert [f"{link.context.trace_id:032x}" for link in spans["process t"].links] == [TRACE, TRACE]
    assert spans["process t"].attributes is not None
    assert spans["process t"].attributes["messaging.batch.message_count"] == 2
    assert spans["create out"].parent is not None
    assert f"{spans['create out'].parent.span_id:016x}" == PARENT[36:52]
