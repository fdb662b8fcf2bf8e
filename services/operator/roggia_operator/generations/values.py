"""What a move of a generation rests on, and what is decided. Values without behaviour beyond reading themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from roggia_schemas.events import GenerationState


class Need(StrEnum):
    """Evidence that a decision asks for."""

    GROUND = "ground"
    """Topics for a new generation, and where its filling ends."""
    PROGRESS = "progress"
    """How far filling is."""
    PARITY = "parity"
    """Whether an index is exactly what the log says."""
    REPORT = "report"
    """What the gate said."""
    SERVED = "served"
    """How a generation answers queries."""
    PROBE = "probe"
    """Whether it finds what is known to be right as often as the generation before it."""
    REMAINS = "remains"
    """What a retired generation leaves behind."""
    FREE = "free"
    """No evidence, but a deed: deletes what remains. The controller asks for it itself, its fence just proved."""


Ask = tuple[Need, int]
"""A need, and the generation that it is about."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every generation. `limit` bounds the generations that follow the log at a time.

    `lag`: records that a group may be behind when filling ends. `grace_ms`: how long a generation that stopped serving
    is kept. `fresh_ms`: how long a proof of parity holds. `again_ms`: wait before evidence that was not good enough is
    gathered again. `watch_ms`: how long a cutover is watched; `tick_ms`: between two looks at progress or queries;
    `probe_ms`: between two probes of precision, 0 for none.
    """

    baseline: int = 1
    limit: int = 2
    lag: int = 500
    grace_ms: int = 3_600_000
    fresh_ms: int = 600_000
    again_ms: int = 15_000
    watch_ms: int = 3_600_000
    tick_ms: int = 1_000
    probe_ms: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """What a filling begins with: ends of the corpus's partitions, offsets up to there, the chunker's largest passage
    in tokens (0: not known). `trouble`: why it cannot begin."""

    at_ms: int
    ends: Mapping[int, int] = field(default_factory=dict)
    offsets: int = 0
    chunk_tokens: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far filling is: `left` offsets before the noted ends, `embed_lag` and `upsert_lag` records behind now.

    `rate` is in offsets per second, `left_s` None while nothing moves.
    """

    at_ms: int
    left: int
    embed_lag: int
    upsert_lag: int
    rate: float = 0.0
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Parity:
    """What a comparison of an index with the log found. `clean`: versions and visible set are exactly the log's.

    `fingerprint`: the model whose vectors the collections hold; empty where there are none. `fault`: why the
    generation can never be right.
    """

    at_ms: int
    clean: bool
    detail: str
    fingerprint: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gate said of a model or a generation. `verdict` is empty when there is no such report."""

    at_ms: int
    report_id: str
    verdict: str = ""
    reason: str = ""
    fingerprint: str = ""
    generation: int = 0

    @property
    def passed(self) -> bool:
        """Whether it let the generation through."""
        return self.verdict == "pass"


@dataclass(frozen=True, slots=True)
class Alarm:
    """How a generation answers queries: `reason` is empty when nothing is wrong."""

    at_ms: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Remains:
    """What a retired generation leaves behind: groups and topics that may be deleted now, and what may not, by name,
    with the reason. `typed`: what a person had typed by then that may go although it holds letters."""

    at_ms: int
    groups: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    typed: str = ""

    @property
    def free(self) -> tuple[str, ...]:
        """Everything that may be deleted now."""
        return (*self.groups, *self.topics)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known now; None and absent: not known. `parity` is by generation, of the selection at hand. `alarm` is
    by the queries of users, `probe` by questions whose answers are known."""

    ground: Ground | None = None
    progress: Progress | None = None
    parity: Mapping[int, Parity] = field(default_factory=dict)
    report: GateReport | None = None
    alarm: Alarm | None = None
    probe: Alarm | None = None
    remains: Remains | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """Whether a guard lets a move through: it does when `shut` is empty and nothing is needed."""

    shut: str = ""
    needs: frozenset[Ask] = frozenset()
    rests_on: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def open(self) -> bool:
        """Whether the move may be made."""
        return not self.shut and not self.needs


@dataclass(frozen=True, slots=True)
class Move:
    """A move to make: where to, by whom, why, on what evidence."""

    after: GenerationState
    by: str
    why: str
    rests_on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a generation: a move, or None and the reason. `needs`: evidence to gather meanwhile.

    `canary`, `cutover`, `counts` and `fingerprint` are what the state holds from now on; None leaves them. `frees`:
    what is to be deleted, once the state that says so is written.
    """

    message: str = ""
    move: Move | None = None
    needs: frozenset[Ask] = frozenset()
    canary: float = 0.0
    cutover: int | None = None
    counts: Mapping[str, int] | None = None
    fingerprint: str = ""
    frees: Remains | None = None
