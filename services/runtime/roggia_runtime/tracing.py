"""Traces through Kafka headers. Costs nothing per record while no exporter is configured.

A batch is one span that links to the context of each of its records; an output continues the trace of the record that
it came from (OpenTelemetry's messaging conventions: a span has one parent, a batch has many).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from roggia_runtime.records import Headers, Record
from roggia_runtime.settings import TelemetrySettings

MAX_LINKS = 128
_HEADER = "traceparent"
_LENGTH = 55
_propagator = TraceContextTextMapPropagator()


class _State:
    """Whether this process records spans, and with which provider."""

    provider: TracerProvider | None = None


def configure(service: str, settings: TelemetrySettings, exporter: SpanExporter | None = None) -> None:
    """Record spans if an endpoint (or an `exporter`) is given; otherwise do nothing."""
    if settings.otlp_endpoint is None and exporter is None:
        return
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}),
        sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
    )
    provider.add_span_processor(BatchSpanProcessor(exporter or _otlp(settings)))
    _State.provider = provider


def _otlp(settings: TelemetrySettings) -> SpanExporter:
    # Imported here: a third of what a short command takes to start, for what most processes never use.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=settings.otlp_endpoint)


def shutdown() -> None:
    """Export what is buffered and stop recording."""
    provider, _State.provider = _State.provider, None
    if provider is not None:
        provider.shutdown()


@contextmanager
def batch(operation: str, group: str, records: Sequence[Record]) -> Iterator[None]:
    """One span round the processing of a batch, linked to its records. Nothing when spans are not recorded."""
    if _State.provider is None:
        yield
        return
    topic = records[0].topic
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": len(records),
    }
    tracer = _State.provider.get_tracer("roggia_runtime")
    name = f"{operation} {topic}"
    with tracer.start_as_current_span(name, kind=SpanKind.CONSUMER, links=_links(records), attributes=attributes):
        yield


def child(topic: str, parent_headers: Headers) -> str | None:
    """`traceparent` for an output that continues a record's trace: a new span if recorded, else the parent's own."""
    parent = traceparent(parent_headers)
    if _State.provider is None:
        return parent
    context = None if parent is None else _propagator.extract({_HEADER: parent}, Context())
    span = _State.provider.get_tracer("roggia_runtime").start_span(f"create {topic}", context, SpanKind.PRODUCER)
    span.end()
    return _format(span.get_span_context())


def traceparent(headers: Headers) -> str | None:
    """The well-formed `traceparent` among the headers, or None.

    What W3C lets stand around it (white space, fields of later versions) is left out: an output carries the plain form.
    """
    for name, value in headers:
        if name == _HEADER:
            text = value.decode("ascii", "replace")
            context = _context(text)
            return None if context is None else text if len(text) == _LENGTH else _format(context)
    return None


def _links(records: Sequence[Record]) -> list[Link]:
    contexts = (_context(text) for text in (traceparent(r.headers) for r in records[:MAX_LINKS]) if text is not None)
    return [Link(context) for context in contexts if context is not None]


def _context(text: str) -> SpanContext | None:
    span = trace.get_current_span(_propagator.extract({_HEADER: text}, Context()))
    context = span.get_span_context()
    return context if context.is_valid and _format(context)[3:35] == text[3:35] else None


def _format(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & TraceFlags.SAMPLED:02x}"
