"""A head start against log order: traffic covered after a tenth of the work, and what index and order cost.

    python -m tests.bench.embedder.bench_head_start [--documents 20000] [--answers 20000]

Prints one JSON line per measurement. The simulation is `tests/support/coverage.py`: counting, order and share are the
real ones, time is not.
"""

from __future__ import annotations

import argparse
import random
import time

from roggia_embedder.generations.key_index import KeyIndex, Place
from roggia_embedder.generations.order import RULES, Candidate, OrderRules, ranked

from tests.support.coverage import Corpus, World, coverage, expected_in_log_order, with_head_start
from tests.support.measures import report

TENTH = 0.1


def covered(world: World, share: float, rules: OrderRules = RULES) -> tuple[float, float]:
    """Traffic covered by log order (on average over orders) and with a head start, after a tenth of the work."""
    corpus = Corpus(world)
    traffic = corpus.traffic(seed=world.seed + 2_000)
    scores = corpus.scores(seed=world.seed + 1_000)
    ordered = with_head_start(corpus, scores, TENTH, share, rules)
    return expected_in_log_order(corpus, TENTH, traffic), coverage(ordered, traffic)


def laws(documents: int, answers: int) -> None:
    """Zipf exponents from flat to steep, and shares of the encoder."""
    for exponent in (0.6, 0.8, 1.0, 1.2):
        log, head = covered(World(documents, exponent, answers), 0.5)
        note = f"{documents} documents, {answers} answers counted, other {answers} weighed; log order {log:.3f}"
        goal = {"at_least": 3.0} if exponent == 1.0 else {}
        report(f"coverage / log order at 10 % of the work, Zipf {exponent}", head / log, note=note, **goal)
        report(f"traffic covered at 10 % of the work, Zipf {exponent}", head, note=note)
    for share in (0.1, 0.25):
        log, head = covered(World(documents, 1.0, answers), share)
        report(f"coverage / log order, Zipf 1.0, {share:.0%} of the encoder", head / log, note=f"covered {head:.3f}")
    log, head = covered(World(documents, 1.0, answers // 25), 0.5)
    report("coverage / log order, Zipf 1.0, few answers", head / log, note=f"{answers // 25} answers counted")


def costs(keys: int) -> None:
    """Of the index and of the order, seconds of CPU."""
    index = KeyIndex(10 * keys)
    started = time.process_time()
    for offset in range(2 * keys):
        index.add(b"tenant/document-%d" % (offset % keys), Place(offset % 6, offset, 1_000))
    assert len(index) == keys
    seconds = time.process_time() - started
    report("index, bytes per key", index.nbytes / keys, "B", at_most=22, note=f"{keys} keys, two records each")
    report("index, records per CPU-second", 2 * keys / seconds, "1/s")
    chance = random.Random(3)
    waiting = [Candidate(str(n), chance.random(), chance.randrange(100_000), chance.random(), 0.0) for n in range(keys)]
    started = time.process_time()
    ranked(waiting)
    report("order, 100,000 candidates", (time.process_time() - started) * 100_000 / keys, "s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--keys", type=int, default=200_000)
    arguments = parser.parse_args()
    laws(arguments.documents, arguments.answers)
    costs(arguments.keys)


if __name__ == "__main__":
    main()
