"""Is a group keeping up with a partition? Judged by what a sliding window shows, without thresholds to tune.

The statuses are those of LinkedIn's Burrow. Where Burrow looks at the times of commits, this looks at members: a
partition that nobody owns stopped, one whose owner commits nothing stalled. So a topic with little traffic, where
nothing needs to be committed for hours, is never taken for a stopped one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from roggia_operator.lag.values import Aside

MIN_SPAN_S = 20.0
"""A window that is shorter says nothing about pace: a batch may take that long."""
KEEPING_UP_S = 1.0
"""A first unread record younger than this is in flight, not behind."""


class Status(Enum):
    """How a group does in a partition, from good to bad."""

    OK = "OK"
    WARN = "WARN"
    """It works, but has not got nearer to the end over the whole window."""
    STALL = "STALL"
    """It has an owner who committed nothing over the whole window, with records to read."""
    STOP = "STOP"
    """There are records to read, and nobody reads: no owner, and no commit for longer than there were commits."""
    REWIND = "REWIND"
    """Its offset went back and has not come back to where it was."""

    @property
    def severity(self) -> int:
        """0 for OK, growing."""
        return _ORDER.index(self)

    @property
    def bad(self) -> bool:
        """Whether somebody must act: STALL, STOP, REWIND."""
        return self.severity >= _ORDER.index(Status.STALL)


_ORDER = [Status.OK, Status.WARN, Status.STALL, Status.STOP, Status.REWIND]


@dataclass(frozen=True, slots=True)
class Sight:
    """One observation of one group in one partition. `lag_s` None: not known. `owned`: a member has the partition, or
    the group is just sharing partitions out.
    """

    at_s: float
    committed: int | None
    end: int
    lag: int
    lag_s: float | None
    owned: bool

    @property
    def near(self) -> bool:
        """Whether the group is at the end, or so near to it that only what is in flight is unread."""
        return self.lag == 0 or (self.lag_s is not None and self.lag_s < KEEPING_UP_S)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sure` is False while the window is too short for WARN and STALL, which then pass for OK."""

    status: Status
    why: str
    sure: bool


def judge(window: Sequence[Sight], min_span_s: float = MIN_SPAN_S) -> Verdict:
    """How the group does, from observations of one partition, oldest first, at least one."""
    last = window[-1]
    sure = last.at_s - window[0].at_s >= min_span_s
    if last.lag == 0:
        return Verdict(Status.OK, "caught up", sure=True)
    if back := _back(window):
        return Verdict(Status.REWIND, f"its offset went back by {back:,} and has not come back", sure=True)
    if any(sight.near for sight in window):
        return Verdict(Status.OK, "was at the end a moment ago", sure)
    if not last.owned and _silent(window):
        return Verdict(Status.STOP, "records wait and no member owns the partition", sure=True)
    return _pace(window, sure=sure)


def excuse(
    verdicts: Sequence[Verdict], windows: Sequence[Sequence[Sight]], aside: Aside, min_span_s: float = MIN_SPAN_S
) -> list[Verdict]:
    """The verdicts over all partitions of a group that no reader waits for, in the order of `windows`.

    A filling reads its partitions in whatever order it likes, and may rest: it is in trouble only when none of those
    that it has still to read moved, over windows that are long enough to tell.
    """
    if aside.ended:
        why = f"generation {aside.generation} is {aside.state}: nobody reads for it"
        return [_excused(one, why, sure=True) for one in verdicts]
    if not aside.filling:
        return list(verdicts)
    behind = [window for window in windows if window[-1].lag]
    moved = any(_places(window)[0] != _places(window)[-1] for window in behind)
    told = all(window[-1].at_s - window[0].at_s >= min_span_s for window in behind)
    if told and not moved and not aside.paused:
        return list(verdicts)
    why = f"generation {aside.generation} is {'paused' if aside.paused else 'filling'}: the backlog is its work"
    return [_excused(one, why, sure=told or moved or aside.paused) for one in verdicts]


def _excused(verdict: Verdict, why: str, *, sure: bool) -> Verdict:
    return verdict if verdict.status is Status.OK else Verdict(Status.OK, why, sure)


def worst(statuses: Iterable[Status]) -> Status:
    """A group does as badly as its worst partition; OK without any."""
    return max(statuses, key=lambda status: status.severity, default=Status.OK)


def _pace(window: Sequence[Sight], *, sure: bool) -> Verdict:
    """WARN or STALL, which only a window that is long enough can tell."""
    if not sure:
        return Verdict(Status.OK, "observed for too short a time to tell its pace", sure=False)
    if _places(window)[0] == _places(window)[-1]:
        return Verdict(Status.STALL, "a member owns the partition and commits nothing", sure=True)
    if all(later.lag >= earlier.lag for earlier, later in itertools.pairwise(window)):
        return Verdict(Status.WARN, "it works, but the lag does not shrink", sure=True)
    return Verdict(Status.OK, "the lag shrinks", sure=True)


def _back(window: Sequence[Sight]) -> int:
    """Offsets by which the group stands behind where it was in the window."""
    places = _places(window)
    return max(places) - places[-1]


def _silent(window: Sequence[Sight]) -> bool:
    """Whether nothing was committed for longer than something was."""
    places = _places(window)
    moved = [now.at_s for before, now in itertools.pairwise(window) if before.committed != now.committed]
    last_commit = moved[-1] if moved else window[0].at_s
    return places[0] == places[-1] or window[-1].at_s - last_commit > last_commit - window[0].at_s


def _places(window: Sequence[Sight]) -> list[int]:
    return [sight.committed or 0 for sight in window]
