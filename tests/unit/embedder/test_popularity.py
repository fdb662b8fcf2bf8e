"""Counting what is served, and telling it: what counts, what is news, what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from roggia_embedder.popularity.counts import Counts, Rules
from roggia_embedder.popularity.decay import Score, rank_weight, weights
from roggia_embedder.popularity.intake import Intake
from roggia_embedder.popularity.telling import Telling
from roggia_runtime.errors import ProduceError, UnavailableError
from roggia_runtime.records import Output, Record
from roggia_runtime.tenancy import EVERYBODY_STAYS, Tenancy
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocPopularity, RetrievalServed
from roggia_schemas.topics import RETRIEVAL_SERVED

from tests.support.popularity import codec, served

HOUR = 3_600_000
NOW = 1_700_000_000_000
RULES = Rules(half_life_ms=HOUR, interval_ms=60_000, tolerance=0.1, floor=0.01, most=100)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        """Milliseconds."""
        return self.now


class Written:
    """A producer that applies records to rows as the table would, or refuses them."""

    def __init__(self) -> None:
        self.rows: dict[str, DocPopularity] = {}
        self.records: list[Output] = []
        self.refuses = False

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """Take them."""
        if self.refuses:
            raise ProduceError("no")
        for output in outputs:
            self.records.append(output)
            key = (output.key or b"").decode()
            if output.value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = Codec().decode(DocPopularity, output.value)


class Bench:
    """Counts, their telling, and what was written."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.clock, self.written = Clock(), Written()
        self.counts = Counts(rules, self.written.rows.get)
        self.telling = Telling(self.counts, rules, self.written.rows, codec(), self.written, self.clock, 1.0)

    def take(self, *doc_ids: str, tenant_id: str = "acme") -> None:
        """One answer, now."""
        self.counts.take(served(doc_ids, self.clock.now, tenant_id), self.clock.now)


def record(event: RetrievalServed, partition: int = 0) -> Record:
    """The record of an answer."""
    output = codec().output(RETRIEVAL_SERVED, event)
    return Record(RETRIEVAL_SERVED, partition, 0, NOW, output.key, output.value, output.headers)


def test_later_results_count_less_and_passages_of_one_document_once() -> None:
    """Rank 1 counts 1, rank 3 a half; a document with three passages in an answer was asked for once."""
    assert rank_weight(1) == 1.0
    assert rank_weight(3) == pytest.approx(0.5)
    assert weights(served(["a", "b", "a", "a"], NOW).results) == {"a": 1.0, "b": rank_weight(2)}


def test_a_clock_that_is_ahead_does_not_outweigh_the_others() -> None:
    """An answer from the future counts as one of now."""
    bench = Bench()
    bench.counts.take(served(["a"], NOW + 100 * HOUR), NOW)
    bench.take("b")
    assert dict(bench.counts.top(2, NOW)) == {"acme/a": 1.0, "acme/b": 1.0}


async def test_each_document_is_told_seldom() -> None:
    """At most one record per document and interval, however often it is asked for; the last state is told at last."""
    bench = Bench()
    for second in range(600):
        bench.clock.now = NOW + second * 1_000
        bench.take("a")
        await bench.telling.flush(closing=False)
    assert len(bench.written.records) == 10
    await bench.telling.flush()
    assert bench.written.rows["acme/a"].requests == 600


async def test_only_news_is_told() -> None:
    """Decay alone is no news: readers decay by themselves. Ten percent on top of it are."""
    bench = Bench()
    for _ in range(20):
        bench.take("a")
    await bench.telling.flush(closing=False)
    bench.clock.now += HOUR
    assert await bench.telling.flush() == 0
    bench.take("a")
    assert await bench.telling.flush() == 0, "1 on top of 10 is ten percent, not more"
    bench.take("a")
    assert await bench.telling.flush() == 1
    assert bench.written.rows["acme/a"].score == pytest.approx(12.0)


async def test_what_could_not_be_written_stays_due() -> None:
    """While Kafka refuses, the role is not ready and says why; then everything is told."""
    bench = Bench()
    bench.take("a", "b")
    bench.written.refuses = True
    assert await bench.telling.flush(closing=False) == 0
    assert bench.telling.health()
    bench.written.refuses = False
    assert await bench.telling.flush(closing=False) == 2
    assert not bench.telling.health()


async def test_what_is_asked_for_during_a_write_is_not_taken_for_told() -> None:
    """A request between naming a score and having written it is told later, not forgotten."""
    bench = Bench()
    bench.take("a")
    ((key, state),) = bench.counts.due(NOW, 10)
    bench.take("a")
    bench.counts.told(key, state.score, NOW)
    assert [state.requests for _, state in bench.counts.due(NOW, 10, closing=True)] == [2]


async def test_faded_documents_are_forgotten_everywhere() -> None:
    """Seven half-lives later 1.0 is below 0.01: a Kafka null takes it out of the topic, also when nobody counts it."""
    bench = Bench()
    bench.take("a")
    bench.take("b")
    await bench.telling.flush()
    bench.counts.forget("acme/b")
    bench.clock.now += 8 * HOUR
    bench.take("c")
    await bench.telling.flush()
    await bench.telling._fade()
    assert set(bench.written.rows) == {"acme/c"}
    assert len(bench.counts) == 1


async def test_memory_is_bounded_by_the_least_popular() -> None:
    """Beyond the bound the least popular leave memory; what was told of them stays, and is gone on from."""
    bench = Bench(Rules(HOUR, 0, 0.0, 0.001, most=8))
    for _ in range(3):
        bench.take("popular")
    for number in range(7):
        bench.take(f"d{number}")
    await bench.telling.flush()
    for number in range(7, 12):
        bench.take(f"d{number}")
    assert len(bench.counts) <= 8
    assert "acme/popular" in dict(bench.counts.top(1, NOW))
    bench.take("d0")
    await bench.telling.flush()
    assert bench.written.rows["acme/d0"].requests == 2


async def test_another_half_life_starts_anew() -> None:
    """Scores of different half-lives cannot be added: what was counted with the old one is left."""
    old = Bench()
    for _ in range(5):
        old.take("a")
    await old.telling.flush()
    counts = Counts(Rules(2 * HOUR, 0, 0.0, 0.001, most=8), old.written.rows.get)
    counts.take(served(["a"], NOW), NOW)
    assert dict(counts.top(1, NOW)) == {"acme/a": 1.0}


async def test_a_tenant_that_left_leaves_nothing() -> None:
    """Its rows become Kafka nulls, its counts go, and its answers count no more; refusal is said to whoever asked."""
    bench = Bench()
    bench.take("a")
    bench.take("a", tenant_id="other")
    await bench.telling.flush()
    bench.written.refuses = True
    with pytest.raises(UnavailableError):
        await bench.telling.remove("acme")
    bench.written.refuses = False
    assert await bench.telling.remove("acme") == 1
    assert set(bench.written.rows) == {"other/a"}

    class Gone(Tenancy):
        def leaving(self, tenant_id: str) -> bool:
            return tenant_id == "acme"

    intake = Intake(bench.counts, codec(), Gone({}), bench.clock)
    await intake.take(record(served(["a"], NOW)))
    assert len(bench.counts) == 1


async def test_unreadable_records_are_passed_over() -> None:
    """Rubbish, a Kafka null, and an answer about a document that cannot be raise nothing and count nothing."""
    bench = Bench()
    intake = Intake(bench.counts, codec(), EVERYBODY_STAYS, bench.clock)
    good = record(served(["a"], NOW))
    for value in (b"", None, b"\x00\x00\x00\x00\x05xx", (good.value or b"")[:-3]):
        await intake.take(Record(good.topic, 0, 1, NOW, good.key, value, good.headers))
    await intake.take(record(served([""], NOW)))
    await intake.take(good)
    assert dict(bench.counts.top(9, NOW)) == {"acme/a": 1.0}


async def test_tenants_of_lost_partitions_are_counted_elsewhere() -> None:
    """After a rebalance a worker forgets whom it does not read any more: it would go on from an old state otherwise."""
    bench = Bench()
    intake = Intake(bench.counts, codec(), EVERYBODY_STAYS, bench.clock)
    await intake.take(record(served(["a"], NOW, "acme"), 0))
    await intake.take(record(served(["a"], NOW, "other"), 1))
    intake.assigned({1, 2})
    assert [key for key, _ in bench.counts.top(9, NOW)] == ["other/a"]


def test_old_requests_cost_nothing_to_add() -> None:
    """A score of long ago underflows to zero rather than failing."""
    assert Score(5.0, 0).plus(Score(1.0, NOW), 1_000).value == 1.0
