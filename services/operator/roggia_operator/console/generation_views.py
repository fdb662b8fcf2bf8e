"""What the console shows of index generations, as plain values: templates know these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WAITING, FILLED = frozenset({"PLANNED", "FILLING"}), frozenset({"SHADOW", "ROLLED_BACK"})


@dataclass(frozen=True, slots=True)
class MoveRow:
    """One move in a generation's history: who asked for it, why, and what it rests on (the gate's report among it)."""

    at_ms: int
    before: str
    after: str
    by: str
    why: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRow:
    """One generation. `serves` names knowledge bases; `points` is None when the index did not say.

    `done` of `offsets` are filled, `rate` offsets per second, `left_s` None while nothing moves. `limit` bounds the
    filling, in chunks per second (0: not at all). `store`: empty for the one that the baseline has. `canary` is the
    share of queries that it answers, in percent. `by`, `why`, `report` and `override` are those of the wish;
    `answered`: the state is about that wish.
    """

    number: int
    state: str
    message: str
    model: str
    baseline: bool = False
    fingerprint: str = ""
    dimension: int = 0
    chunker: int = 1
    store: str = ""
    selection: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    points: int | None = None
    done: int = 0
    offsets: int = 0
    rate: float = 0.0
    left_s: float | None = None
    paused: bool = False
    limit: float = 0.0
    canary: float = 0.0
    cutover: int = 0
    wish: str = ""
    answered: bool = True
    by: str = ""
    why: str = ""
    report: str = ""
    override: str = ""
    history: tuple[MoveRow, ...] = ()

    @property
    def over(self) -> bool:
        """Nothing more will happen to it."""
        return self.state == "RETIRED"

    @property
    def filling(self) -> bool:
        """Its progress says something."""
        return self.state in WAITING

    @property
    def doable(self) -> tuple[str, ...]:
        """Actions that its state allows."""
        if self.over:
            return ()
        pausing = ("resume" if self.paused else "pause",) if self.filling else ()
        promoting = ("promote",) if self.state in FILLED and not self.baseline else ()
        going_back = ("rollback",) if self.state == "LIVE" and not self.baseline else ()
        retiring = () if self.state == "LIVE" and self.serves else ("retire",)
        return (*pausing, *promoting, *going_back, *retiring)


@dataclass(frozen=True, slots=True)
class BaseRow:
    """One knowledge base: the generation that the record lets serve, and the one that readers get by its alias (None:
    the index has no alias for it, or did not answer)."""

    name: str
    serves: int
    readers: int | None = None


@dataclass(frozen=True, slots=True)
class Generations:
    """All of them, by number, the newest first. `problem` says what could not be read."""

    rows: tuple[GenerationRow, ...]
    bases: tuple[BaseRow, ...]
    problem: str = ""
