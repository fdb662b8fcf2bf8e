"""One generation among the others, at one moment: what a decision is about. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import structs
from roggia_runtime import generations
from roggia_schemas.events import GenerationState, IndexGeneration

from roggia_operator.generations import bases, marks
from roggia_operator.generations.bases import Base
from roggia_operator.generations.values import Evidence, Rules


@dataclass(frozen=True, slots=True)
class Case:
    """`rows` are all STATE sides, this one and the baseline's among them; `state` is None for one not yet planned."""

    wanted: IndexGeneration
    state: IndexGeneration | None
    rows: tuple[IndexGeneration, ...]
    evidence: Evidence
    rules: Rules
    now_ms: int

    @property
    def number(self) -> int:
        """Number of the generation."""
        return self.wanted.generation

    @property
    def row(self) -> IndexGeneration:
        """Its STATE; before it has one, as if it were PLANNED."""
        return self.state or structs.replace(self.wanted, state=GenerationState.PLANNED)

    @property
    def baseline(self) -> bool:
        """Whether it is what the embedder's own settings say."""
        return self.number == self.rules.baseline

    @property
    def followers(self) -> list[int]:
        """The generations that follow the log now."""
        return sorted(generations.following(self.rows, self.rules.baseline))

    @property
    def serves(self) -> list[Base]:
        """What it serves now."""
        return bases.served_by(self.number, self.rows, self.rules.baseline)

    @property
    def beneath(self) -> list[int]:
        """The others that serve what it holds."""
        return bases.beneath(self.row, self.rows, self.rules.baseline)

    def instead(self, tenant: str, domain: str) -> int | None:
        """Who would answer a knowledge base in its place; None for one that it does not hold."""
        if not generations.holds(self.row.selection, tenant, domain):
            return None
        others = [row for row in self.rows if row.generation != self.number]
        return generations.serving(others, tenant, domain, self.rules.baseline)

    @property
    def next_cutover(self) -> int:
        """Higher than that of every cutover so far."""
        return max(row.cutover for row in self.rows) + 1

    @property
    def last_cutover_ms(self) -> int:
        """When it was made LIVE last; 0 if never."""
        return max((move.at for move in self.row.history if marks.is_cutover(move)), default=0)

    @property
    def last_switch_ms(self) -> int:
        """When the answer to who serves changed last, for whatever knowledge base; 0 if never."""
        live = GenerationState.LIVE.value
        moves = [move for row in self.rows if row.cutover for move in row.history]
        return max((move.at for move in moves if live in (move.before, move.after)), default=0)

    def unserved_if(self, after: GenerationState) -> list[Base]:
        """What would lose its server that follows the log, were it in that state."""
        moved = structs.replace(self.row, state=after)
        rows = [row for row in self.rows if row.generation != self.number] + [moved]
        lost = set(bases.unserved(rows, self.rules.baseline))
        return sorted(lost - set(bases.unserved(self.rows, self.rules.baseline)))
