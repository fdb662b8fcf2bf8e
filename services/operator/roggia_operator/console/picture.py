"""From the monitor's report to the pipeline as it is drawn. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from roggia_schemas import topics

from roggia_operator.console.views import Freshness, Hop, PartitionRow, Pipeline
from roggia_operator.lag.history import GroupReport, LagReport, TopicReport
from roggia_operator.lag.monitor import Snapshot

_STAGES = ("ingest", "embed", "upsert")
_GROUP = re.compile(r"roggia\.(\w+)(?:\.\w+)?\Z")


def pipeline(seen: Snapshot, dead_letters: Mapping[str, int], objective_s: float) -> Pipeline:
    """The picture. `dead_letters` counts open ones by stage. Stages that were never seen are left out."""
    live = seen.searchable.live
    problems = [seen.trouble] if seen.trouble else []
    if seen.lag is None:
        problems.append("lag has not been measured yet")
    hops = tuple(_hops(seen.lag, dead_letters)) if seen.lag else ()
    problems += [
        f"{hop.group} has committed nothing: is the service running?" for hop in hops if hop.status == "UNKNOWN"
    ]
    waits = seen.lag.freshness if seen.lag else None
    oldest = (waits.oldest_s, waits.exact) if waits else (None, True)
    fresh = Freshness(live.documents, live.p50_s, live.p95_s, live.last_indexed_at, objective_s, *oldest)
    return Pipeline(hops, fresh, tuple(problems), sum(dead_letters.values()))


def partitions(report: LagReport | None) -> list[PartitionRow]:
    """Every partition of every group."""
    return [
        PartitionRow(
            group.group, topic.topic, part.at.where.number, part.status.value, part.at.committed, part.at.end,
            part.at.lag, part.at.lag_s,
        )
        for group in (report.groups if report else ())
        for topic in group.topics
        for part in topic.partitions
    ]  # fmt: skip


def _hops(report: LagReport, dead_letters: Mapping[str, int]) -> Iterator[Hop]:
    ours = [(stage_of(group.group), group) for group in report.groups]
    for stage, group in sorted(((s, g) for s, g in ours if s in _STAGES), key=_order):
        lanes = {topic.topic: topic for topic in group.topics if topics.base(topic.topic) != topic.topic}
        for topic in group.topics:
            if topic.topic not in lanes:
                yield _hop(stage, group, topic, lanes.get(topics.replay(topic.topic)), dead_letters.get(stage, 0))


def _order(one: tuple[str, GroupReport]) -> tuple[int, str]:
    return _STAGES.index(one[0]), one[1].group


def stage_of(group: str) -> str:
    """`ingest` of `roggia.ingest`, `embed` of `roggia.embed.g1`; empty for others' groups."""
    match = _GROUP.match(group)
    return match[1] if match else ""


def _hop(stage: str, group: GroupReport, topic: TopicReport, lane: TopicReport | None, dead: int) -> Hop:
    left = topic.rates.left_s
    return Hop(
        stage=stage,
        group=group.group,
        topic=topic.topic,
        status=topic.status.value,
        lag=topic.lag,
        oldest_s=topic.live_s,
        rate_in=topic.rates.incoming,
        rate_out=topic.rates.outgoing,
        left_s=left if math.isfinite(left) else None,
        lane_lag=lane.lag if lane else 0,
        dead_letters=dead,
        aside=(group.aside.label or group.aside.state) if group.aside else "",
    )
