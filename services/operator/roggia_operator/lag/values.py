"""What an observation of lag holds. Ages are seconds by the observer's clock and the records' own timestamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roggia_runtime.records import Partition


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Where one group stands in one partition."""

    group: str
    where: Partition
    committed: int | None
    """Next offset that the group will read; None where it has committed nothing: then all of the log is lag."""
    first: int
    """Oldest offset kept."""
    end: int
    """Next offset that a read-committed reader will see."""
    lag: int
    """Offsets from the first unread record to the end: 0 when only transaction markers follow. Markers and compacted
    offsets between records count, since nobody can tell them apart without reading."""
    lag_s: float | None
    """Age of the first unread record; 0 when caught up, also on an idle topic; None when it could not be read in time.
    """
    live_s: float | None
    """Age of the first unread record that is live (not in a lane, not replayed); 0 where there is none. None as above.
    """
    live_exact: bool = True
    """False: so many replayed records come first that the search stopped; `live_s` is then an upper bound."""
    lost: int = 0
    """Offsets that retention removed before the group read them."""
    owner: str = ""
    """Member that owns the partition now, `client@host`; empty when nobody does."""


@dataclass(frozen=True, slots=True)
class Aside:
    """What a group is there for, when no reader waits for it: an index generation that serves nothing.

    `filling`: its backlog is the corpus, and its work. `ended`: nobody reads for it. Neither: it has to keep in step
    like any other, and makes no document late. `done` of `offsets` are filled.
    """

    generation: int
    state: str
    filling: bool = False
    ended: bool = False
    paused: bool = False
    done: int = 0
    offsets: int = 0

    @property
    def label(self) -> str:
        """Why its backlog troubles nobody, in a word or two: `FILLING 43 %`; empty where it would."""
        if self.ended:
            return self.state
        if not self.filling:
            return ""
        done = f" {self.done * 100 // self.offsets} %" if self.offsets else ""
        return f"{'PAUSED' if self.paused else self.state}{done}"


@dataclass(frozen=True, slots=True)
class GroupState:
    """A group as its coordinator sees it."""

    state: str
    members: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One observation of several groups."""

    at_ms: int
    """When it was made, milliseconds since the epoch, UTC."""
    partitions: tuple[PartitionLag, ...]
    """By group, topic and partition."""
    groups: Mapping[str, GroupState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long live events wait, and how much lies unconsumed: what a backfill throttles itself by."""

    oldest_s: float | None
    """Age of the oldest unprocessed live event over all groups, seconds; 0 when every group has caught up. None when
    some group's could not be read: treat it as past the objective."""
    stages: Mapping[str, float | None]
    """The same per group."""
    exact: bool
    """False: some age is an upper bound."""
    unconsumed: Mapping[str, int]
    """Unread records per topic of documents, lanes included; the slowest of a topic's groups counts."""
