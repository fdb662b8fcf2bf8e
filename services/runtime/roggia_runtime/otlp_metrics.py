"""The declared metrics over OTLP, where an endpoint is given: the same numbers that `/metrics` shows.

OpenTelemetry has no way to hand over a finished histogram, so a histogram is exported as its sum and its count; who
needs quantiles reads `/metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import REGISTRY

from roggia_runtime.metrics import Declared, declared
from roggia_runtime.settings import TelemetrySettings

Callback = Callable[[CallbackOptions], Iterable[Observation]]
_MS = 1_000


class _State:
    """The provider that exports, if one does."""

    provider: MeterProvider | None = None


def configure(
    service: str,
    settings: TelemetrySettings,
    reader: MetricReader | None = None,
    exported: Sequence[Declared] | None = None,
) -> None:
    """Export metrics, by default every one declared so far, if an endpoint (or a `reader`) is given."""
    if settings.otlp_metrics_endpoint is None and reader is None:
        return
    provider = MeterProvider([reader or _otlp(settings)], Resource.create({"service.name": service}))
    meter = provider.get_meter("roggia_runtime")
    for metric in declared() if exported is None else exported:
        _observe(meter, metric)
    _State.provider = provider


def shutdown() -> None:
    """Export once more and stop."""
    provider, _State.provider = _State.provider, None
    if provider is not None:
        provider.shutdown()


def _observe(meter: Meter, metric: Declared) -> None:
    if metric.kind == "gauge":
        meter.create_observable_gauge(metric.name, [_samples(metric.name)], description=metric.help)
    elif metric.kind == "counter":
        meter.create_observable_counter(metric.name, [_samples(metric.name)], description=metric.help)
    else:
        for part in ("sum", "count"):
            name = f"{metric.name}_{part}"
            meter.create_observable_counter(name, [_samples(name)], description=f"{metric.help} ({part})")


def _samples(name: str) -> Callback:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        for family in REGISTRY.restricted_registry([name]).collect():
            for sample in family.samples:
                yield Observation(sample.value, dict(sample.labels))

    return observe


def _otlp(settings: TelemetrySettings) -> MetricReader:
    # Imported here, as for traces: most processes never use it.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    exporter = OTLPMetricExporter(endpoint=settings.otlp_metrics_endpoint)
    return PeriodicExportingMetricReader(exporter, export_interval_millis=settings.otlp_metrics_interval_s * _MS)
