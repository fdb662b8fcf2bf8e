"""A report as JSON can hold it: the shape that `roggia status --json` and the operator's `/v1/lag` answer."""

from __future__ import annotations

import math
from typing import Any

from roggia_operator.lag.history import GroupReport, LagReport, PartitionReport, TopicReport
from roggia_operator.lag.monitor import Snapshot
from roggia_operator.lag.rates import Rates
from roggia_operator.lag.searchable import Searchable, Waits
from roggia_operator.lag.values import Aside


def snapshot(found: Snapshot) -> dict[str, Any]:
    """Everything that a monitor knows."""
    return {
        "lag": None if found.lag is None else report(found.lag),
        "searchable": searchable(found.searchable),
        "trouble": found.trouble,
    }


def report(found: LagReport) -> dict[str, Any]:
    """Groups, topics and partitions; `left_s` is null where the lag does not shrink, ages where they are not known.

    `aside` is null but for groups of an index generation that serves nothing.
    """
    fresh = found.freshness
    return {
        "at_ms": found.at_ms,
        "span_s": found.span_s,
        "status": found.status.value,
        "groups": [_group(group) for group in found.groups],
        "freshness": {
            "oldest_s": fresh.oldest_s,
            "stages": dict(fresh.stages),
            "exact": fresh.exact,
            "unconsumed": dict(fresh.unconsumed),
        },
    }


def searchable(found: Searchable) -> dict[str, Any]:
    """Live and replayed documents."""
    return {"live": _waits(found.live), "replayed": _waits(found.replayed)}


def _waits(waits: Waits) -> dict[str, Any]:
    return {
        "documents": waits.documents,
        "p50_s": waits.p50_s,
        "p95_s": waits.p95_s,
        "last_indexed_at_ms": waits.last_indexed_at,
    }


def _group(group: GroupReport) -> dict[str, Any]:
    return {
        "group": group.group,
        "status": group.status.value,
        "state": group.state,
        "members": group.members,
        "aside": None if group.aside is None else _aside(group.aside),
        "topics": [_topic(topic) for topic in group.topics],
    }


def _aside(aside: Aside) -> dict[str, Any]:
    return {
        "generation": aside.generation,
        "state": aside.state,
        "label": aside.label,
        "paused": aside.paused,
        "done": aside.done,
        "offsets": aside.offsets,
    }


def _topic(topic: TopicReport) -> dict[str, Any]:
    return {
        "topic": topic.topic,
        "status": topic.status.value,
        "lag": topic.lag,
        "lag_s": topic.lag_s,
        "live_s": topic.live_s,
        "lost": topic.lost,
        **_rates(topic.rates),
        "partitions": [_partition(part) for part in topic.partitions],
    }


def _partition(part: PartitionReport) -> dict[str, Any]:
    at = part.at
    return {
        "partition": at.where.number,
        "status": part.status.value,
        "why": part.why,
        "sure": part.sure,
        "committed": at.committed,
        "first": at.first,
        "end": at.end,
        "lag": at.lag,
        "lag_s": at.lag_s,
        "live_s": at.live_s,
        "lost": at.lost,
        "owner": at.owner,
        **_rates(part.rates),
    }


def _rates(rates: Rates) -> dict[str, Any]:
    return {
        "in_per_s": round(rates.incoming, 3),
        "out_per_s": round(rates.outgoing, 3),
        "left_s": None if math.isinf(rates.left_s) else round(rates.left_s, 1),
    }
