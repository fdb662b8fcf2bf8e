"""What the controller needs of others to know what holds. Each may raise `RoggiaError`: then it asks again later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from roggia_schemas.events import IndexGeneration

from roggia_operator.generations.alarms import Counts
from roggia_operator.generations.values import GateReport, Ground, Parity, Progress, Remains


class Grounds(Protocol):
    """Makes what a filling needs."""

    async def prepare(self, row: IndexGeneration) -> Ground:
        """Make the topics of a generation, and note where its filling ends. Safe to repeat."""
        ...


class Lag(Protocol):
    """Knows where the groups of a generation are."""

    async def look(self, row: IndexGeneration, ends: Mapping[int, int]) -> Progress:
        """How far they are, given the noted ends by partition. Without rate."""
        ...

    async def close(self) -> None:
        """Let go of what is open; `look` opens it again."""
        ...


class Coverage(Protocol):
    """Compares an index with the log."""

    async def compare(self, row: IndexGeneration, selection: Sequence[str]) -> Parity:
        """Compare a generation's collections of a selection with the log; may take minutes."""
        ...


class Gate(Protocol):
    """Keeps the gate's reports."""

    async def report(self, report_id: str) -> GateReport:
        """A report; without a verdict when there is none of that id: `reason` says so."""
        ...


class Served(Protocol):
    """Knows how generations answer queries."""

    async def counts(self) -> Mapping[int, Counts]:
        """Counts by generation, as they have grown since some beginning."""
        ...


class Probe(Protocol):
    """Knows questions and their right answers."""

    async def lost(self, number: int, instead: Callable[[str, str], int | None]) -> str:
        """Why a generation must not go on answering: by how much its precision is below that of the generations that
        would answer in its place, by tenant and domain (None: leave that knowledge base out). Empty: it may."""
        ...


class Leftovers(Protocol):
    """Knows what a retired generation leaves behind, and deletes it."""

    async def remains(self, row: IndexGeneration) -> Remains:
        """What is left. Nothing that somebody reads, and no dead letter whose topic was not typed, may be deleted."""
        ...

    async def free(self, row: IndexGeneration, remains: Remains) -> None:
        """Look again, and delete what may still be deleted of what was seen. Safe to repeat, after a crash as well."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All of them."""

    grounds: Grounds
    lag: Lag
    coverage: Coverage
    gate: Gate
    served: Served
    probe: Probe
    leftovers: Leftovers
