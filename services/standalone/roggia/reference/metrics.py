"""The page of metrics, from their declarations."""

from __future__ import annotations

from importlib import import_module

from roggia_runtime import metrics

MODULES = (
    "roggia_runtime.consumer.measures",
    "roggia_ingest.metrics",
    "roggia_embedder.metrics",
    "roggia_embedder.generations.metrics",
    "roggia_embedder.popularity.metrics",
    "roggia_embedder.query.metrics",
    "roggia_embedder.verify.metrics",
    "roggia_auditor.metrics",
    "roggia_auditor.live.metrics",
    "roggia_operator.metrics",
)


def page() -> str:
    """The whole page."""
    for name in MODULES:
        import_module(name)
    return metrics.reference()
