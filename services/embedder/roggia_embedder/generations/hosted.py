"""What `index.generation` says of the generations that this service follows and reads, with the baseline filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from roggia_runtime import generations
from roggia_schemas.events import GenerationModel, GenerationSide, GenerationState, IndexGeneration

from roggia_embedder.stores import OWN

READABLE = frozenset({GenerationState.SHADOW, GenerationState.LIVE, GenerationState.ROLLED_BACK})
"""States in which a generation may be asked: those that have been filled."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """One generation as its host needs it."""

    number: int
    model: GenerationModel
    chunker_generation: int = 1
    selection: tuple[str, ...] = ()
    store: str = OWN
    state: GenerationState = GenerationState.LIVE
    paused: bool = False
    rate: float = 0.0

    @property
    def filling(self) -> bool:
        """Whether it gives way to those that serve, waits when paused, and keeps its rate."""
        return self.state is GenerationState.FILLING

    @property
    def label(self) -> str:
        """How logs and notes call it."""
        return f"generation {self.number}"

    def same_work(self, other: Hosted) -> bool:
        """Whether workers made for one do for the other: state, pause and rate are read as they go."""
        return _work(self) == _work(other) and other.takes(self.model.fingerprint)

    def takes(self, fingerprint: str) -> bool:
        """Whether a model may be this generation's. What is not known yet, on either side, says nothing against it."""
        return not fingerprint or not self.model.fingerprint or fingerprint == self.model.fingerprint


def _work(hosted: Hosted) -> tuple[object, ...]:
    model = hosted.model
    named = (model.uri, model.name, model.version, model.window, model.passage_prefix, model.query_prefix)
    return (*named, sorted(model.options.items()), hosted.chunker_generation, hosted.selection, hosted.store)


class View:
    """The table's rows, read at each call, beside the baseline that the settings name. From one event loop.

    With `shadow_filling` a generation is asked in the shadow while it is being filled, too.
    """

    def __init__(
        self, rows: Callable[[], Iterable[IndexGeneration]], baseline: Hosted, *, shadow_filling: bool = False
    ) -> None:
        self._rows = rows
        self._baseline = baseline
        self._shadow_filling = shadow_filling

    @property
    def baseline(self) -> int:
        """Number of the generation that the settings name."""
        return self._baseline.number

    def followed(self) -> dict[int, Hosted]:
        """Generations that embed and upsert keep in step with the log, by number."""
        found = self._known()
        return {number: found[number] for number in sorted(generations.following(self._rows(), self.baseline))}

    def readable(self) -> dict[int, Hosted]:
        """Generations that the query role may be asked for."""
        own = self.baseline
        return {n: one for n, one in self.followed().items() if n == own or one.state in READABLE}

    def queried(self) -> dict[int, Hosted]:
        """Generations whose models the query role needs: those that it may be asked for, and those in the shadow."""
        found = self.readable()
        if self._shadow_filling:
            found |= {n: one for n, one in self.followed().items() if one.filling}
        return found

    def shadow(self, tenant_id: str, domain: str) -> int | None:
        """See `roggia_runtime.generations.shadow`."""
        found = generations.shadow(self._rows(), tenant_id, domain, filling=self._shadow_filling)
        return None if found is None else found.generation

    def get(self, number: int) -> Hosted | None:
        """One generation in whatever state; None where nobody has heard of it."""
        return self._known().get(number)

    def serving(self, tenant_id: str, domain: str) -> int:
        """See `roggia_runtime.generations.serving`."""
        return generations.serving(self._rows(), tenant_id, domain, self.baseline)

    def store(self, number: int) -> str | None:
        """Name of the store that holds a generation's collections; None for one of which nobody has heard."""
        told = {row.generation: row.store for row in generations.states(self._rows())}
        return told.get(number, OWN if number == self.baseline else None)

    def answering(self, tenant_id: str, domain: str, pointed: Iterable[int]) -> int | None:
        """Of the generations that aliases of a knowledge base point at, one alias in each store, the one that readers
        get: the one that serves; until an alias points there, the one that served last."""
        serving, rows = self.serving(tenant_id, domain), generations.states(self._rows())
        last = {self.baseline: 0} | {row.generation: row.cutover for row in rows if row.state is GenerationState.LIVE}
        return max(pointed, key=lambda number: (number == serving, last.get(number, -1), number), default=None)

    def may_serve(self) -> set[int]:
        """Every generation that serves some knowledge base, or would if there were one."""
        live = {n for n, one in self.followed().items() if one.state is GenerationState.LIVE}
        rows = generations.states(self._rows())
        whole = [row for row in rows if row.state is GenerationState.LIVE and not row.selection]
        if not whole:
            return live | {self.baseline}
        first = max(whole, key=lambda row: (row.cutover, row.generation)).cutover
        return {row.generation for row in rows if row.state is GenerationState.LIVE and row.cutover >= first}

    def canary(self, tenant_id: str, domain: str, query: str) -> int | None:
        """See `roggia_runtime.generations.canary`."""
        return generations.canary(self._rows(), tenant_id, domain, query)

    def state(self, number: int) -> str:
        """State of a generation in words; empty where it has no record."""
        found = {row.generation: row.state.value for row in generations.states(self._rows())}
        return found.get(number, "")

    def retired(self) -> dict[int, Hosted]:
        """Generations whose collections and cached vectors may go."""
        found = self._known()
        return {number: found[number] for number in sorted(generations.retired(self._rows()))}

    def _known(self) -> dict[int, Hosted]:
        rows = list(self._rows())
        wanted = {row.generation: row for row in rows if row.side is GenerationSide.WANTED}
        told = {row.generation: _hosted(row, wanted) for row in generations.states(rows)}
        return {self.baseline: self._baseline} | told


def _hosted(row: IndexGeneration, wanted: Mapping[int, IndexGeneration]) -> Hosted:
    """Operators pause and throttle by the WANTED side; what the controller repeats of it counts where there is none."""
    asked = wanted.get(row.generation, row)
    return Hosted(
        number=row.generation,
        model=row.model,
        chunker_generation=row.chunker_generation,
        selection=row.selection,
        store=row.store,
        state=row.state,
        paused=asked.paused,
        rate=asked.rate,
    )


def holds_some(selection: Sequence[str], tenant_id: str) -> bool:
    """Whether a selection holds any knowledge base of a tenant."""
    return not selection or any(entry.partition("/")[0] == tenant_id for entry in selection)
