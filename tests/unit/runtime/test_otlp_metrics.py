"""Metrics over OTLP: the same numbers as on /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import Counter, Gauge, Histogram
from roggia_runtime import otlp_metrics
from roggia_runtime.metrics import Declared
from roggia_runtime.settings import TelemetrySettings

COUNTED = Counter("roggia_test_counted_total", "Counted.", ["kind"])
LEVEL = Gauge("roggia_test_level", "Level.")
TOOK = Histogram("roggia_test_took_seconds", "Took.")
DECLARED = [
    Declared("roggia_test_counted_total", "counter", ("kind",), "Counted."),
    Declared("roggia_test_level", "gauge", (), "Level."),
    Declared("roggia_test_took_seconds", "histogram", (), "Took."),
]


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    """A reader that takes the numbers when asked."""
    made = InMemoryMetricReader()
    otlp_metrics.configure("test", TelemetrySettings(), made, DECLARED)
    yield made
    otlp_metrics.shutdown()


def points(reader: InMemoryMetricReader) -> dict[tuple[str, str], Any]:
    """Values by metric and labels."""
    data = reader.get_metrics_data()
    assert data is not None
    found = [
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]
    return {(m.name, str(dict(p.attributes or {}))): p.value for m in found for p in m.data.data_points}


def test_counters_gauges_and_histograms_arrive(reader: InMemoryMetricReader) -> None:
    """Each declared metric has its value and labels; a histogram has its sum and its count."""
    COUNTED.labels("a").inc(3)
    LEVEL.set(7)
    TOOK.observe(0.5)
    TOOK.observe(1.5)
    found = points(reader)
    assert found["roggia_test_counted_total", "{'kind': 'a'}"] == 3
    assert found["roggia_test_level", "{}"] == 7
    assert found["roggia_test_took_seconds_sum", "{}"] == 2.0
    assert found["roggia_test_took_seconds_count", "{}"] == 2


def test_nothing_is_exported_without_an_endpoint() -> None:
    """Export is optional: without an endpoint there is no provider and no thread."""
    otlp_metrics.configure("test", TelemetrySettings())
    assert otlp_metrics._State.provider is None
