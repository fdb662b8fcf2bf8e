"""Sets the metrics of lag and freshness from a report; what is no longer observed is no longer shown."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Gauge

from roggia_operator import metrics
from roggia_operator.lag.history import LagReport


class Measures:
    """Remembers which labels it set. An age that is not known is not shown."""

    def __init__(self) -> None:
        self._shown: dict[Gauge, set[tuple[str, ...]]] = {}

    def show(self, report: LagReport) -> None:
        """Set everything that a report holds."""
        parts = [part for group in report.groups for topic in group.topics for part in topic.partitions]
        keys = [(part.at.group, part.at.where.topic, str(part.at.where.number)) for part in parts]
        pairs = list(zip(keys, parts, strict=True))
        self._set(metrics.LAG_RECORDS, ((key, part.at.lag) for key, part in pairs))
        self._set(metrics.LAG_SECONDS, ((key, part.at.lag_s) for key, part in pairs))
        self._set(metrics.LAG_LOST, ((key, part.at.lost) for key, part in pairs))
        rates = [((group.group, topic.topic), topic.rates) for group in report.groups for topic in group.topics]
        self._set(metrics.LAG_INCOMING, ((key, rate.incoming) for key, rate in rates))
        self._set(metrics.LAG_OUTGOING, ((key, rate.outgoing) for key, rate in rates))
        self._set(metrics.LAG_LEFT, ((key, rate.left_s) for key, rate in rates))
        self._set(metrics.GROUP_STATUS, (((group.group,), group.status.severity) for group in report.groups))
        self._set(metrics.GROUP_MEMBERS, (((group.group,), group.members) for group in report.groups))
        self._set(metrics.FRESHNESS, (((group,), age) for group, age in report.freshness.stages.items()))

    def _set(self, gauge: Gauge, values: Iterable[tuple[tuple[str, ...], float | None]]) -> None:
        now = {labels: value for labels, value in values if value is not None}
        for labels in self._shown.get(gauge, set()) - now.keys():
            gauge.remove(*labels)
        for labels, value in now.items():
            gauge.labels(*labels).set(value)
        self._shown[gauge] = set(now)


def searchable(waited_s: float, *, replayed: bool) -> None:
    """Count one document that has become searchable."""
    metrics.SEARCHABLE.labels("replayed" if replayed else "live").observe(waited_s)
