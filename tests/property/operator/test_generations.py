"""Generations under any sequence of wishes, evidence and crashes: somebody always serves, and only who may."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs
from roggia_operator.generations import marks, states
from roggia_operator.generations.case import Case
from roggia_operator.generations.moves import decide
from roggia_operator.generations.values import Alarm, Evidence, GateReport, Ground, Parity, Progress, Rules
from roggia_runtime import generations
from roggia_schemas.events import GenerationSide, GenerationState, GenerationWish, IndexGeneration

from tests.support.generation_cases import MODEL, NOW, wanted

RULES = Rules(grace_ms=60_000, fresh_ms=30_000, again_ms=1_000, watch_ms=120_000)
KNOWLEDGE_BASES = [
    ("acme", "docs"), ("acme", "notes"), ("acme", "unnamed"), ("other", "docs"), ("other", "unnamed"), ("new", "any")
]  # fmt: skip
SELECTIONS = st.sampled_from([(), ("acme/docs",), ("acme/*",), ("acme/notes", "other/docs")])
NUMBERS = st.integers(0, 5)
PEOPLE = st.sampled_from(["ops@example", "ana@example", "reconciler", ""])
REASONS = st.sampled_from(["better", "cheaper", ""])
FINDINGS = st.sampled_from([
    ("ground", "", 510), ("ground", "", 0), ("ground", "topics differ", 0),
    ("progress", 0, 0), ("progress", 7, 0), ("progress", 0, 10_000),
    ("parity", True, ""), ("parity", False, ""), ("parity", False, "mixed"),
    ("report", "r1", "pass"), ("report", "r2", "pass"), ("report", "r1", "fail"), ("report", "r1", "inconclusive"),
    ("report", "r2", ""), ("alarm", ""), ("alarm", "errors: 9 of 50"),
])  # fmt: skip
FLAWS = ["own index", "other index", "old proof", "verdict", "other's report", "older report", "machine", "nobody"]
REPORTS = st.sampled_from(["", "r1", "r2"])


class Life(RuleBasedStateMachine):
    """The log, what a controller that may die keeps in memory, and everybody who writes to either."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.wanteds: dict[int, IndexGeneration] = {}
        self.old: list[IndexGeneration] = []
        self.states: dict[int, IndexGeneration] = {}
        self.evidence: dict[int, Evidence] = {}

    # what people and machines ask for

    @initialize(selection=SELECTIONS, serves=st.booleans())
    def begin(self, selection: tuple[str, ...], serves: bool) -> None:
        """A second generation that fills as it should, and mostly serves."""
        self._ask(wanted(2, selection=selection))
        self.hurry(1)
        if serves:
            self.sensible_wish(1, GenerationWish.SERVE)

    @rule(selection=SELECTIONS, window=st.sampled_from([256, 512]))
    def plan(self, selection: tuple[str, ...], window: int) -> None:
        """Another generation, up to the sixth."""
        number = max([RULES.baseline, *self.wanteds]) + 1
        if number <= 6:
            model = structs.replace(wanted(number).model, window=window)
            self._ask(wanted(number, selection=selection, model=model))

    @rule(at=NUMBERS, wish=st.sampled_from(GenerationWish), by=PEOPLE, why=REASONS, report=REPORTS, override=REASONS)
    def wish(self, at: int, wish: GenerationWish, by: str, why: str, report: str, override: str) -> None:
        """Anything, by anybody, also about the baseline."""
        side = self._side(at)
        self._ask(structs.replace(side, wish=wish, by=by, why=why, report=report, override=override))

    @rule(window=st.sampled_from([256, 512]), selection=SELECTIONS)
    @precondition(lambda self: len(self.wanteds) < 5)
    def overtake(self, window: int, selection: tuple[str, ...]) -> None:
        """The oldest that follows makes room, as far as it may, and another takes over from the next."""
        oldest = min(generations.following(self.states.values(), RULES.baseline))
        self.now += RULES.grace_ms
        self.sensible_wish(self._known().index(oldest), GenerationWish.RETIRE)
        self.plan(selection, window)
        at = len(self._known()) - 1
        self.hurry(at)
        self.sensible_wish(at, GenerationWish.SERVE)

    @rule(at=NUMBERS, wish=st.sampled_from([GenerationWish.SERVE, GenerationWish.ROLL_BACK, GenerationWish.RETIRE]))
    def sensible_wish(self, at: int, wish: GenerationWish) -> None:
        """What an operator asks for who knows what to do, with a reason that is new."""
        why = f"change {len(self.old)}"
        self._ask(structs.replace(self._side(at), wish=wish, by="ops@example", why=why, report="r1", override=""))
        self.hurry(at)

    @rule(at=NUMBERS, share=st.sampled_from([0.0, 5.0, 50.0]))
    def canary(self, at: int, share: float) -> None:
        """A share of the queries."""
        self._ask(structs.replace(self._side(at), canary=share))

    @rule(at=NUMBERS)
    @precondition(lambda self: self.old)
    def write_late(self, at: int) -> None:
        """Somebody who read a WANTED long ago writes it back."""
        self._ask(self.old[at % len(self.old)])

    @rule(at=NUMBERS, selection=SELECTIONS)
    def change_the_plan(self, at: int, selection: tuple[str, ...]) -> None:
        """Another selection under a known number."""
        self._ask(structs.replace(self._side(at), selection=selection))

    # what is found out

    @rule(at=NUMBERS, about=NUMBERS, found=FINDINGS)
    def learn(self, at: int, about: int, found: tuple[object, ...]) -> None:
        """Something is found out about one of them, good or bad."""
        number, other = self._number(at), self._number(about)
        known = self.evidence.get(number, Evidence())
        match found:
            case ("ground", str(trouble), int(chunk)):
                known = replace(known, ground=Ground(self.now, {0: 100}, 100, chunk, trouble))
            case ("progress", int(left), int(lag)):
                known = replace(known, progress=Progress(self.now, left, lag, lag))
            case ("parity", bool(clean), str(fault)):
                known = replace(known, parity={**known.parity, other: Parity(self.now, clean, "…", MODEL, fault)})
            case ("report", str(report), str(verdict)):
                known = replace(known, report=GateReport(self.now, report, verdict, generation=other))
            case ("alarm", str(reason)):
                known = replace(known, alarm=Alarm(self.now, reason))
        self.evidence[number] = known

    @rule(ms=st.sampled_from([500, 5_000, 40_000, 200_000]))
    def time_passes(self, ms: int) -> None:
        """Proofs grow old, grace periods end."""
        self.now += ms

    # what the controller does

    @rule()
    def crash(self) -> None:
        """Another controller leads: it knows the log, and nothing else."""
        self.evidence = {}

    @rule()
    def round(self) -> None:
        """Every generation once."""
        for number in sorted({RULES.baseline, *self.wanteds}):
            self._step(number)

    @rule(at=NUMBERS)
    def one(self, at: int) -> None:
        """One generation, before another change."""
        self._step(self._number(at))

    @rule(at=NUMBERS)
    def hurry(self, at: int) -> None:
        """All goes well for one of them, for a while: deep states are reached."""
        for _ in range(3):
            self._well(at)

    @rule(at=NUMBERS, flaw=st.sampled_from(FLAWS))
    def promote_with_a_flaw(self, at: int, flaw: str) -> None:
        """Everything is as it should be for a cutover, but for one thing."""
        number = self._number(at)
        by = {"machine": "reconciler", "nobody": " "}.get(flaw, "ops@example")
        override = "in a hurry" if flaw in ("machine", "nobody") else ""
        self._ask(
            structs.replace(
                self._side(at), wish=GenerationWish.SERVE, by=by, why=f"change {len(self.old)}", report="r1",
                override=override,
            )
        )  # fmt: skip
        good = self._good(number)
        bad = Parity(self.now, False, "missing 1", MODEL)
        old = {about: replace(one, at_ms=self.now - 2 * RULES.fresh_ms) for about, one in good.parity.items()}
        report = good.report or GateReport(self.now, "r1")
        self.evidence[number] = {
            "own index": replace(good, parity={**good.parity, number: bad}),
            "other index": replace(good, parity={**dict.fromkeys(good.parity, bad), number: good.parity[number]}),
            "old proof": replace(good, parity=old),
            "verdict": replace(good, report=replace(report, verdict="inconclusive")),
            "other's report": replace(good, report=replace(report, generation=number + 1)),
            "older report": replace(good, report=replace(report, report_id="r0")),
        }.get(flaw, replace(good, report=None))
        self._step(number)

    @rule(at=NUMBERS)
    def undo_and_write_late(self, at: int) -> None:
        """What was promoted is rolled back, and somebody writes back the wish that he read before."""
        number = self._number(at)
        asked = self.wanteds.get(number)
        if asked is not None and asked.wish is GenerationWish.SERVE:
            self._ask(structs.replace(asked, wish=GenerationWish.ROLL_BACK, why="no good"))
            self._step(number)
            self._ask(structs.replace(asked, rate=asked.rate + 1))
            self.hurry(at)

    @rule(at=NUMBERS, share=st.sampled_from([5.0, 50.0]))
    def canary_that_fails(self, at: int, share: float) -> None:
        """A canary is let through, answers badly, and is looked at again."""
        number = self._number(at)
        self._ask(structs.replace(self._side(at), canary=share, report="r1", why=f"change {len(self.old)}"))
        self.hurry(at)
        self.evidence[number] = replace(self._good(number), alarm=Alarm(self.now, "errors"))
        before = self.states.get(number)
        self._step(number)
        if before is not None and before.canary:
            self.hurry(at)
            assert self.states[number].canary == 0

    def _well(self, at: int) -> None:
        number = self._number(at)
        self.evidence[number] = self._good(number)
        self._step(number)

    def _good(self, number: int) -> Evidence:
        report = self.wanteds[number].report if number in self.wanteds else ""
        proof = {about: Parity(self.now, True, "exact", MODEL) for about in (RULES.baseline, *self.wanteds)}
        good = GateReport(self.now, report, "pass", generation=number)
        return Evidence(Ground(self.now, {0: 100}, 100), Progress(self.now, 0, 0, 0), proof, good, Alarm(self.now))

    # what must hold

    @invariant()
    def everybody_has_a_server_that_follows_the_log(self) -> None:
        """Whoever asks, what answers is kept in step."""
        rows = list(self.states.values())
        following = generations.following(rows, RULES.baseline)
        for tenant, domain in KNOWLEDGE_BASES:
            assert generations.serving(rows, tenant, domain, RULES.baseline) in following, (tenant, domain)

    @invariant()
    def there_is_one_answer(self) -> None:
        """No two cutovers have one number, so the order in which rows are read decides nothing."""
        cutovers = [row.cutover for row in self.states.values() if row.cutover]
        assert len(cutovers) == len(set(cutovers))
        for rows in itertools.islice(itertools.permutations(self.states.values()), 6):
            for tenant, domain in KNOWLEDGE_BASES:
                answer = generations.serving(rows, tenant, domain, RULES.baseline)
                assert answer == generations.serving(list(self.states.values()), tenant, domain, RULES.baseline)

    @invariant()
    def no_third_follows(self) -> None:
        """There is never more to keep in step than was provided for."""
        assert len(generations.following(self.states.values(), RULES.baseline)) <= RULES.limit

    @invariant()
    def histories_are_chains(self) -> None:
        """Each move begins where the one before it ended, and the last one ends in the state."""
        for row in self.states.values():
            if row.generation == RULES.baseline:
                assert row.state in (GenerationState.LIVE, GenerationState.RETIRED)
            for before, after in itertools.pairwise(row.history):
                assert before.after == after.before
            assert row.history[-1].after == row.state.value

    def _step(self, number: int) -> None:
        if not self.wanteds:
            return
        if RULES.baseline not in self.states:
            self.states[RULES.baseline] = states.baseline_row(RULES.baseline, self.now)
        if number not in self.wanteds and number not in self.states:
            return
        case = self._case(number)
        decision = decide(case)
        assert decide(case) == decision
        now = states.after(case, decision, decision.message)
        self._check(case, now)
        self.states[number] = now
        again = decide(self._case(number))
        if decision.move is not None and again.move is not None and decision.move.after == again.move.after:
            raise AssertionError(f"made twice: {decision.move}")
        if decision.move is not None or (case.state is not None and case.state.canary != now.canary):
            self.evidence[number] = Evidence(report=case.evidence.report)

    def _check(self, case: Case, now: IndexGeneration) -> None:
        before, asked, known = case.row.state, case.wanted, case.evidence
        if asked.wish is GenerationWish.ROLL_BACK and before is GenerationState.LIVE and not case.baseline:
            rest = [row for row in case.rows if row.generation != case.number]
            older = generations.following(rest, RULES.baseline)
            servers = {generations.serving(rest, *base, RULES.baseline) for base in KNOWLEDGE_BASES}
            assert (now.state is GenerationState.ROLLED_BACK) or not servers <= older
        if now.state is GenerationState.RETIRED and before is not GenerationState.RETIRED:
            rows = case.rows
            assert case.number not in {generations.serving(rows, *base, RULES.baseline) for base in KNOWLEDGE_BASES}
            assert before is GenerationState.FAILED or case.now_ms - case.last_switch_ms >= RULES.grace_ms
        if now.canary:
            assert now.state is GenerationState.SHADOW
        if now.state is not GenerationState.LIVE or before is GenerationState.LIVE:
            return
        person = bool(asked.override and asked.by and asked.by != "reconciler")
        gate = known.report is not None and known.report.verdict == "pass" and known.report.report_id == asked.report
        assert person or (gate and known.report is not None and known.report.generation == case.number)
        for number in [case.number] if person else [case.number, *case.beneath]:
            parity = known.parity[number]
            assert parity.clean
            assert self.now - parity.at_ms <= RULES.fresh_ms
        assert now.cutover > max(row.cutover for row in case.rows)
        assert marks.wish(asked) not in [move.evidence.get("wish") for move in case.row.history]

    def _case(self, number: int) -> Case:
        state = self.states.get(number)
        asked = self.wanteds.get(number) or state
        assert asked is not None
        known = self.evidence.get(number, Evidence())
        return Case(asked, state, tuple(self.states.values()), known, RULES, self.now)

    def _ask(self, side: IndexGeneration) -> None:
        self.wanteds[side.generation] = side
        self.old.append(side)

    def _known(self) -> list[int]:
        return sorted({RULES.baseline, *self.wanteds})

    def _number(self, at: int) -> int:
        return self._known()[at % len(self._known())]

    def _side(self, at: int) -> IndexGeneration:
        number = self._number(at)
        return self.wanteds.get(number) or wanted(number, side=GenerationSide.WANTED)


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
TestLife.__doc__ = "No sequence leaves a knowledge base without a server, or lets one serve that may not."
