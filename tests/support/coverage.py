"""How much of the traffic a filling generation covers after a share of the work: a simulation in units of chunks.

Real are the counting of `retrieval.served`, the order, the lane's batches and its share of the encoder; simulated are
time (a chunk takes one unit) and the log pass (documents in the order of the log, those that the lane did first cost
nothing). What counts is other traffic than the one that was counted: the same people, later.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from roggia_embedder.generations.order import Candidate, OrderRules, ahead, batches, ranked
from roggia_embedder.generations.share import EncoderShare
from roggia_embedder.popularity.counts import Counts, Rules

from tests.support.popularity import Zipf, served

NOW = 1_700_000_000_000
DAY = 86_400_000
BYTES_PER_CHUNK = 2_500
RULES = Rules(half_life_ms=7 * DAY, interval_ms=60_000, tolerance=0.1, floor=0.01, most=200_000)


@dataclass(frozen=True, slots=True)
class World:
    """A corpus and who asks for it. `exponent` of the Zipf law, `answers` counted over `days` before the filling."""

    documents: int = 20_000
    exponent: float = 1.0
    answers: int = 50_000
    results: int = 5
    days: float = 14.0
    seed: int = 1


class Corpus:
    """Documents in the order of the log, with chunks each; what is popular has nothing to do with either."""

    def __init__(self, world: World) -> None:
        chance = random.Random(world.seed)
        self.world = world
        self.log = list(range(world.documents))
        chance.shuffle(self.log)
        self.chunks = [max(1, round(chance.lognormvariate(1.0, 0.8))) for _ in range(world.documents)]
        self.place = {document: offset for offset, document in enumerate(self.log)}
        self.work = sum(self.chunks)

    def asked(self, seed: int) -> Iterator[tuple[float, list[str]]]:
        """Answers: when (0 to 1), and the documents in them, best first. A result is a draw by the Zipf law."""
        draws, times = Zipf(self.world.documents, self.world.exponent, seed), random.Random(seed)
        for _ in range(self.world.answers):
            found = list(dict.fromkeys(draws.draw(self.world.results)))
            yield times.random(), [f"d{document}" for document in found]

    def scores(self, seed: int) -> dict[int, float]:
        """What the popularity role makes of such answers, by document."""
        counts = Counts(RULES, {}.get)
        for moment, found in sorted(self.asked(seed)):
            at = NOW - round((1.0 - moment) * self.world.days * DAY)
            counts.take(served(found, at), at)
        told = counts.due(NOW, self.world.documents, closing=True)
        return {int(state.doc_id[1:]): state.score.at(NOW, RULES.half_life_ms) for _, state in told}

    def traffic(self, seed: int) -> Counter[int]:
        """Requests of other answers, by document: what coverage is weighed with."""
        return Counter(int(doc_id[1:]) for _, found in self.asked(seed) for doc_id in found)


def in_log_order(corpus: Corpus, share_of_work: float, log: Sequence[int] = ()) -> set[int]:
    """Documents that the log pass alone has embedded after a share of the work; `log`: in another order than the
    corpus's."""
    done, spent = set(), 0
    for document in log or corpus.log:
        if spent >= share_of_work * corpus.work:
            break
        done.add(document)
        spent += corpus.chunks[document]
    return done


def expected_in_log_order(corpus: Corpus, share_of_work: float, traffic: Counter[int], orders: int = 20) -> float:
    """Coverage of log order, averaged over orders: with Zipf traffic, one order may have the busiest documents in its
    first tenth by luck."""
    chance = random.Random(corpus.world.seed)
    logs = [chance.sample(corpus.log, len(corpus.log)) for _ in range(orders)]
    return sum(coverage(in_log_order(corpus, share_of_work, log), traffic) for log in logs) / orders


def with_head_start(
    corpus: Corpus, scores: dict[int, float], share_of_work: float, share: float, rules: OrderRules
) -> set[int]:
    """The same with a lane that has `share` of the encoder."""
    encoder = EncoderShare(share, idle_s=1e9)
    lane = _lane(corpus, scores, rules)
    done: set[int] = set()
    log, spent = iter(corpus.log), 0
    while spent < share_of_work * corpus.work:
        batch = next(lane, None) if encoder.may() else None
        if batch is not None:
            new, told = [d for d in batch if d not in done], encoder.lane
        else:
            document = next(log)
            new, told = [document] if document not in done else [], encoder.log
        chunks = sum(corpus.chunks[document] for document in new)
        told(chunks)
        done.update(new)
        spent += chunks
    return done


def _lane(corpus: Corpus, scores: dict[int, float], rules: OrderRules) -> Iterator[Sequence[int]]:
    waiting = [
        Candidate(
            str(document),
            score,
            corpus.chunks[document] * BYTES_PER_CHUNK,
            ahead(corpus.place[document], 0, len(corpus.log)),
            0.0,
        )
        for document, score in scores.items()
    ]
    for batch in batches(ranked(waiting, rules), 64 << 10):
        yield [int(one.name) for one in batch]


def coverage(done: set[int], traffic: Counter[int]) -> float:
    """Share of requests whose document is embedded."""
    return sum(count for document, count in traffic.items() if document in done) / traffic.total()
