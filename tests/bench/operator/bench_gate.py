"""Is the gate a real test? Its verdicts over simulated golden sets: equal models, worse ones, at the margin, by size.

    python -m tests.bench.operator.bench_gate [--sets 500] [--sizes 20 75] [--sds 0.25]

The whole gate is asked, both measures and ten slices, with the settings that ship. Sets of one size are judged together
(`judge_all`), each as it would be alone. `worse` is a true loss of 0.05 MRR, `margin` one of 0.03, at which passing is
wrong as well. For comparison the usual percentile bootstrap, which has no further point, on such differences.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from roggia_operator.evaluation.gate import judge_all
from roggia_operator.evaluation.slices import EVERYTHING
from roggia_operator.evaluation.statistics import power
from roggia_operator.evaluation.verdict import GateSettings, Verdict

from tests.support.golden_sets import World, scores
from tests.support.measures import report

SIZES = (20, 75, 150, 300, 1_000)
SDS = (0.20, 0.25)
SLICES = 10
WORSE, MARGIN = -0.05, -0.03
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a world and a number of questions."""

    world: World
    questions: int


def share(said: Counter[Verdict], verdict: Verdict) -> float:
    """Share of a verdict."""
    return said[verdict] / said.total()


def ask(case: Case, sets: int, seed: int) -> Counter[Verdict]:
    """Verdicts of the gate over simulated sets."""
    random, config = np.random.default_rng(seed), GateSettings()
    everything = {EVERYTHING: np.ones(case.questions, dtype=bool)}
    slices = everything | {f"tag=t{at}": np.arange(case.questions) % SLICES == at for at in range(SLICES)}
    said: Counter[Verdict] = Counter()
    for start in range(0, sets, AT_ONCE):
        old, new = case.world.ranks(case.questions, min(AT_ONCE, sets - start), random)
        pairs = [(scores(one), scores(other)) for one, other in zip(old.T, new.T, strict=True)]
        said.update(result.verdict for result in judge_all(pairs, slices, config))
    return said


def usual(case: Case, sets: int, seed: int) -> float:
    """How often the usual bootstrap lets the set pass."""
    random = np.random.default_rng(seed)
    found = case.world.differences(case.questions, sets, random)
    counts = random.multinomial(case.questions, np.full(case.questions, 1 / case.questions), 2_000)
    low = np.quantile(counts @ found / case.questions, 0.05, axis=0)
    return float(np.mean(low > MARGIN))


@dataclass(slots=True)
class Told:
    """Verdicts by case, and the time that they took."""

    said: dict[Case, Counter[Verdict]] = field(default_factory=dict)
    seconds: float = 0.0

    def shares(self, verdict: Verdict, *, shift: float | None = None, questions: int | None = None) -> list[float]:
        """Shares of a verdict in the cases of a shift and size; a zero where there is none of them."""
        chosen = [
            said
            for case, said in self.said.items()
            if shift in (None, case.world.shift) and questions in (None, case.questions)
        ]
        return [share(said, verdict) for said in chosen]


def calibrate(sets: int, sizes: Sequence[int], sds: Sequence[float]) -> Told:
    """Ask every case, and print a table."""
    told = Told()
    print(f"{'shift':>6} {'sd':>5} {'n':>5}   pass   fail   open   usual bootstrap passes")
    cases = [Case(World(shift, sd), n) for shift in (0.0, MARGIN, WORSE) for sd in sds for n in sizes]
    for seed, case in enumerate(cases):
        began = time.perf_counter()
        said = told.said[case] = ask(case, sets, seed)
        told.seconds += time.perf_counter() - began
        shares = "  ".join(f"{share(said, verdict):5.3f}" for verdict in Verdict)
        plain = usual(case, sets, seed)
        print(f"{case.world.shift:6.2f} {case.world.sd:5.2f} {case.questions:5d}  {shares}   {plain:5.3f}")
    return told


def promises(told: Told, sets: int, most: int, least: int) -> None:
    """What the gate has to show; `most` and `least` questions of the cases asked."""
    note = f"{sets} sets for each of {len(told.said)} cases, whole gate with {SLICES} slices"
    worse, equal = told.shares(Verdict.PASS, shift=WORSE), told.shares(Verdict.FAIL, shift=0.0)
    report("gate: a model worse by 0.05 MRR passes, worst case", max(worse), at_most=0.05, note=note)
    report("gate: an equal model fails, worst case", max(equal), at_most=0.05, note=note)
    enough = min(told.shares(Verdict.PASS, shift=0.0, questions=most))
    report(
        f"gate: an equal model passes, {most:,} questions", enough, at_least=0.8 if most >= 1_000 else None, note=note
    )
    small = min(told.shares(Verdict.INCONCLUSIVE, questions=least))
    report(f"gate: {least} questions are inconclusive", small, at_least=0.95 if least <= 30 else None, note=note)
    caught = min(told.shares(Verdict.FAIL, shift=WORSE, questions=most))
    report(f"gate: a model worse by 0.05 MRR fails, {most:,} questions", caught, note=note)
    report(
        "gate: a model worse by just the margin passes, worst case",
        max(told.shares(Verdict.PASS, shift=MARGIN)),
        note=note,
    )
    asked = sets * len(told.said)
    report("gate: one verdict", told.seconds / asked * 1000, "ms", note=f"{asked:,} of them")


def needed(sets: int, sds: Sequence[float]) -> None:
    """Does the number of questions that the gate names do what it says?"""
    for sd in sds:
        questions = power.needed(sd, -MARGIN)
        assert questions is not None
        said = ask(Case(World(0.0, sd), questions), sets, 99)
        name = f"gate: an equal model passes with the {questions} questions it names, sd {sd:g}"
        report(
            name, share(said, Verdict.PASS), note="it says 80 %; here both measures have to pass, and no slice to fail"
        )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--sds", type=float, nargs="+", default=SDS)
    asked = parser.parse_args()
    told = calibrate(asked.sets, asked.sizes, asked.sds)
    promises(told, asked.sets, max(asked.sizes), min(asked.sizes))
    needed(asked.sets, asked.sds)


if __name__ == "__main__":
    main()
