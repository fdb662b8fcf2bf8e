"""Declarations of metrics: each once, with its help and labels, so that the reference page is generated from them.

Every package declares its metrics in one module of its own, through `counter`, `gauge` and `histogram`. Names start
with `roggia_` and end in their unit (`_total`, `_seconds`, `_bytes`). Labels must have few values: never a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Buckets for durations, seconds."""


class Declared(NamedTuple):
    """One metric as the reference page shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


_declared: dict[str, Declared] = {}


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """Declare a number that only grows. `name` ends in `_total`."""
    _declare(name, "counter", labels, text)
    return Counter(name, text, labels)


def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare a number that goes up and down."""
    _declare(name, "gauge", labels, text)
    return Gauge(name, text, labels)


def histogram(name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS) -> Histogram:
    """Declare a distribution, by default of seconds."""
    _declare(name, "histogram", labels, text)
    return Histogram(name, text, labels, buckets=tuple(buckets))


def declared() -> list[Declared]:
    """Every metric declared by the modules imported so far, by name."""
    return sorted(_declared.values())


def reference() -> str:
    """Markdown of `docs/reference/metrics.md`: import every package's metrics module first."""
    rows = [f"| `{m.name}` | {m.kind} | {', '.join(m.labels) or '–'} | {m.help} |" for m in declared()]
    head = ["# Metrics", "", "Generated from the declarations; every service serves its own at `/metrics`.", ""]
    return "\n".join([*head, "| name | kind | labels | meaning |", "|---|---|---|---|", *rows, ""])


def _declare(name: str, kind: str, labels: Sequence[str], text: str) -> None:
    _declared[name] = Declared(name, kind, tuple(labels), text)
