"""The sliding window of observations, and the report that it gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from roggia_runtime.records import Partition

from roggia_operator.lag.measure import freshness, oldest
from roggia_operator.lag.rates import Rates, rates, total
from roggia_operator.lag.rules import MIN_SPAN_S, Sight, Status, excuse, judge, worst
from roggia_operator.lag.values import Aside, Freshness, GroupState, Measurement, PartitionLag

WINDOW_S = 120.0
NOBODY: Mapping[str, Aside] = MappingProxyType({})
"""Every group has readers who wait for it."""
_SHARING_OUT = ("PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling")


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """One partition of one group: where it stands, how it does and why, and its pace."""

    at: PartitionLag
    status: Status
    why: str
    sure: bool
    """False: observed for too short a time to tell WARN and STALL."""
    rates: Rates


@dataclass(frozen=True, slots=True)
class TopicReport:
    """One topic of one group: its partitions together."""

    topic: str
    status: Status
    lag: int
    lag_s: float | None
    """Age of the oldest unread record; None when some partition's is not known."""
    live_s: float | None
    """Age of the oldest unread live record, likewise."""
    lost: int
    rates: Rates
    partitions: tuple[PartitionReport, ...]


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One group: as bad as its worst partition. `aside`: no reader waits for it, and why."""

    group: str
    status: Status
    state: str
    members: int
    topics: tuple[TopicReport, ...]
    aside: Aside | None = None


@dataclass(frozen=True, slots=True)
class LagReport:
    """Every group over the window."""

    at_ms: int
    """Time of the last observation, milliseconds since the epoch, UTC."""
    span_s: float
    """Seconds between the first observation in the window and the last."""
    groups: tuple[GroupReport, ...]
    freshness: Freshness

    @property
    def status(self) -> Status:
        """The worst group's."""
        return worst(group.status for group in self.groups)


class History:
    """Observations of the last `window_s` seconds, per group and partition."""

    def __init__(self, window_s: float = WINDOW_S, min_span_s: float = MIN_SPAN_S) -> None:
        self._window_s, self._min_span_s = window_s, min_span_s
        self._sights: dict[tuple[str, Partition], deque[Sight]] = {}
        self._times: deque[float] = deque()
        self._last: Measurement | None = None

    def add(self, measured: Measurement) -> None:
        """Take in an observation, which is later than all before, and forget what the window has left behind."""
        at_s = measured.at_ms / 1000
        seen = {(part.group, part.where): self._sight(measured, part) for part in measured.partitions}
        self._sights = {key: self._sights.get(key, deque()) for key in seen}
        for key, sight in seen.items():
            window = self._sights[key]
            window.append(sight)
            while window[0].at_s < at_s - self._window_s:
                window.popleft()
        self._times.append(at_s)
        while self._times[0] < at_s - self._window_s:
            self._times.popleft()
        self._last = measured

    def report(self, aside: Mapping[str, Aside] = NOBODY) -> LagReport | None:
        """How every group does as of the last observation; None before the first.

        `aside`: groups that no reader waits for. They are judged more leniently, and make no document late.
        """
        last = self._last
        if last is None:
            return None
        by_group = {
            name: self._judged([*found], aside.get(name))
            for name, found in groupby(last.partitions, key=lambda part: part.group)
        }
        groups = [
            _group(name, state, by_group.get(name, []), aside.get(name)) for name, state in sorted(last.groups.items())
        ]
        fresh = freshness(last, without=aside.keys())
        return LagReport(last.at_ms, self._times[-1] - self._times[0], tuple(groups), fresh)

    def _judged(self, parts: Sequence[PartitionLag], aside: Aside | None) -> list[PartitionReport]:
        windows = [list(self._sights[part.group, part.where]) for part in parts]
        verdicts = [judge(window, self._min_span_s) for window in windows]
        if aside is not None:
            verdicts = excuse(verdicts, windows, aside, self._min_span_s)
        return [
            PartitionReport(part, verdict.status, verdict.why, verdict.sure, rates(window))
            for part, verdict, window in zip(parts, verdicts, windows, strict=True)
        ]

    @staticmethod
    def _sight(measured: Measurement, part: PartitionLag) -> Sight:
        state = measured.groups.get(part.group)
        owned = bool(part.owner) or (state is not None and state.state in _SHARING_OUT)
        return Sight(measured.at_ms / 1000, part.committed, part.end, part.lag, part.lag_s, owned)


def _group(name: str, state: GroupState, parts: list[PartitionReport], aside: Aside | None) -> GroupReport:
    topics = tuple(_topic(topic, [*found]) for topic, found in groupby(parts, key=lambda part: part.at.where.topic))
    return GroupReport(name, worst(topic.status for topic in topics), state.state, state.members, topics, aside)


def _topic(topic: str, parts: list[PartitionReport]) -> TopicReport:
    return TopicReport(
        topic=topic,
        status=worst(part.status for part in parts),
        lag=sum(part.at.lag for part in parts),
        lag_s=oldest([part.at.lag_s for part in parts]),
        live_s=oldest([part.at.live_s for part in parts]),
        lost=sum(part.at.lost for part in parts),
        rates=total([(part.at.lag, part.rates) for part in parts]),
        partitions=tuple(parts),
    )
