"""A registry, generations and a controller in miniature, for tests of what aliases come to.

The controller does what wishes say under the guards of `docs/design`: a generation is filled step by step, serves only
once filled, and goes back only from LIVE. It never looks at the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from roggia_operator.models import tags
from roggia_operator.models.evidence import missing
from roggia_operator.models.generations import BY, Standing, State, Wish, WishKind, live
from roggia_operator.models.looking import look
from roggia_operator.models.reconciling import Outcome, reconcile
from roggia_operator.models.values import CHAMPION, Draft, Evidence, ModelVersion, Report, Verdict
from roggia_runtime.errors import ModelRegistryError, UnknownModelError

from tests.support.models import FakeModelRegistry, embedder

BASELINE = "baseline@0000000000000000"


@dataclass
class World:
    """Everything that takes part. `held_up`: cutovers wait, as they do while an index cannot be compared with the log.
    `served` notes each cutover, and what it lacked: of its evidence, or of a champion at the last look."""

    registry: FakeModelRegistry = field(default_factory=FakeModelRegistry)
    rows: dict[int, Standing] = field(default_factory=dict)
    served: list[tuple[int, list[str]]] = field(default_factory=list)
    logged: int = 0
    answered: set[tuple[int, str, str]] = field(default_factory=set)
    held_up: bool = False
    champions: set[tuple[str, int]] = field(default_factory=set)
    lacking: Callable[[Wish], list[str]] = field(init=False)
    _pending: dict[int, Wish] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lacking = lambda wish: missing(self.version(wish.name, wish.version), self._report(wish))
        self.rows[1] = Standing(generation=1, state=State.LIVE, fingerprint=BASELINE)

    @property
    def standings(self) -> Sequence[Standing]:
        return list(self.rows.values())

    def serving(self, *selection: str) -> int:
        return live(selection, self.standings)[0].generation

    def log(self, name: str, fingerprint: str = "", *selection: str) -> ModelVersion:
        """A new version; its fingerprint is its own unless given."""
        self.logged += 1
        ref = embedder(fingerprint or f"{name}@{self.logged:016x}")
        return self.registry.register(Draft(name=name, ref=ref, selection=selection))

    def version(self, name: str, version: int) -> ModelVersion:
        found = [one for one in self.registry.versions(name) if one.version == version]
        if not found:
            raise UnknownModelError(f"{name}/{version}: no such version")
        return found[0]

    def judge(self, name: str, version: int, verdict: Verdict = Verdict.PASS) -> Report:
        """What evaluation does: file a report, then tag the version."""
        held = self.version(name, version)
        report = Report(name=name, version=version, verdict=verdict, manifest="m1", fingerprint=held.ref.fingerprint)
        filed = self.registry.file_report(report, Evidence())
        self.registry.set_tags(name, version, tags.of_gate(filed))
        return filed

    def look(self) -> Outcome:
        """One look of the reconciler, carried out."""
        seen = look(self.registry)
        self.champions = {(one.name, one.aliases[CHAMPION]) for one in seen if CHAMPION in one.aliases}
        outcome = reconcile(seen, self.standings)
        for wish in outcome.wishes:
            self.take(wish)
        for alias in outcome.aliases:
            if alias.version is None:
                self.registry.delete_alias(alias.name, alias.alias)
            else:
                self.registry.set_alias(alias.name, alias.alias, alias.version)
        return outcome

    def take(self, wish: Wish) -> None:
        """What the controller does with a wish."""
        if wish.kind is WishKind.FILL and not wish.generation:
            self._plan(wish)
            return
        row = self.rows[wish.generation]
        row = self.rows[wish.generation] = replace(row, wish=wish.kind, wished_by=wish.by, report=wish.report)
        self._pending.pop(wish.generation, None)
        if wish.kind is WishKind.SERVE:
            assert row.state in (State.SHADOW, State.LIVE, State.ROLLED_BACK), f"SERVE of one in {row.state}"
            self._pending[wish.generation] = wish
        elif wish.kind is WishKind.ROLL_BACK:
            assert row.state is State.LIVE, f"ROLL_BACK of one in {row.state}"
            self._move(row, State.ROLLED_BACK)
        self._cut_over()

    def _cut_over(self) -> None:
        while self._pending and not self.held_up:
            number, wish = self._pending.popitem()
            mark = (number, wish.why, wish.report)
            # The very wish that was carried out and undone is not carried out again.
            if mark not in self.answered:
                self.answered.add(mark)
                asked = wish.by != BY or (wish.name, wish.version) in self.champions
                self.served.append((number, self.lacking(wish) + ([] if asked else ["nobody asks for it any more"])))
                self._move(self.rows[number], State.LIVE, cutover=max(one.cutover for one in self.standings) + 1)

    def advance(self) -> None:
        """Every generation under way comes one state further, and cutovers that waited are made, unless held up."""
        self._cut_over()
        for row in self.standings:
            further = {State.PLANNED: State.FILLING, State.FILLING: State.SHADOW}.get(row.state)
            if further:
                self._move(row, further, by="controller")

    def roll_back(self, by: str = "canary") -> None:
        """Somebody else takes back what serves, unless it is the baseline."""
        top = live((), self.standings)[0]
        if top.generation != 1:
            self._move(top, State.ROLLED_BACK, by=by)

    def settle(self, most: int = 12) -> Outcome:
        """Look and advance until nothing changes; fails when it goes on for ever."""
        for _ in range(most):
            before = dict(self.rows), [m.aliases for m in self.registry.models()]
            outcome = self.look()
            self.advance()
            if before == (self.rows, [m.aliases for m in self.registry.models()]):
                return outcome
        raise AssertionError(f"does not settle: {self.rows}")

    def until(self, state: State, generation: int) -> None:
        for _ in range(5):
            if self.rows.get(generation) and self.rows[generation].state is state:
                return
            self.look()
            self.advance()
        raise AssertionError(f"generation {generation} is not {state}: {self.rows}")

    def _plan(self, wish: Wish) -> None:
        held = [one for one in self.standings if one.state is not State.RETIRED]
        if any(one.fingerprint == wish.ref.fingerprint for one in held):
            return
        number = max(self.rows) + 1
        self.rows[number] = Standing(
            generation=number, state=State.PLANNED, model=wish.name, version=wish.version,
            fingerprint=wish.ref.fingerprint, selection=wish.selection, wish=wish.kind, wished_by=wish.by,
            moved_by=wish.by,
        )  # fmt: skip

    def _move(self, row: Standing, state: State, by: str = BY, **more: object) -> None:
        # The registry's clock, so that "newer than the rollback" means the same on both sides.
        at = next(self.registry._clock)
        self.rows[row.generation] = replace(row, state=state, moved_by=by, moved_ms=at, **more)  # type: ignore[arg-type]

    def _report(self, wish: Wish) -> Report | None:
        return self.registry.report(wish.report)


def quietly(work: Callable[[], object]) -> None:
    """Do it if the registry lets one: a person's hand that misses changes nothing."""
    try:
        work()
    except ModelRegistryError:
        return
