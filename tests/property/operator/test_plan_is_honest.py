"""A plan and the run over the same selection agree: to the record where it says exact, within its error where not."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from roggia_operator.replay import sampling
from roggia_operator.replay.bounds import Bounds, wanted
from roggia_operator.replay.estimate import Figure, Stratum, Window, share_bound, total
from roggia_operator.replay.gate import Gate
from roggia_operator.replay.matching import Matcher
from roggia_operator.replay.pressure import Pressure
from roggia_operator.replay.runner import Work
from roggia_operator.replay.selection import OffsetRange, Selection, selected
from roggia_operator.replay.survey import Effort, Found, survey
from roggia_operator.replay.throttle import Limits
from roggia_runtime.ranges import Piece, Span
from roggia_runtime.records import Output, Partition, Record
from roggia_schemas import topics

from tests.support.replaying import codec, document
from tests.unit.operator.test_replay_throttle import job

TENANTS = ("acme", "blue", "corp")
PARTITIONS = 3
PAIRS = 20


class Log:
    """A topic in memory. Compaction has left holes, and nulls lie between the documents."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self.rng, self.codec = rng, codec()
        self.records: dict[Partition, list[Record]] = {}
        for number in range(PARTITIONS):
            self.records[Partition(topics.DOC_CHANGED, number)] = self._partition(number, size // PARTITIONS)
        self.held = {part: Span(held[0].offset, held[-1].offset + 1) for part, held in self.records.items()}

    def _partition(self, number: int, size: int) -> list[Record]:
        offset, made = self.rng.randrange(50), []
        for turn in range(size):
            offset += self.rng.choice((1, 1, 1, 2, 7))
            # Tenants come in runs, as bulk loads do: a sample of neighbours is not a sample of independent records.
            tenant = TENANTS[turn // 40 % len(TENANTS)] if self.rng.random() < 0.7 else self.rng.choice(TENANTS)
            doc_id = f"p{number}-{self.rng.randrange(size // 3 + 1)}"
            text = "x" * self.rng.randrange(1, 400)
            event = document(doc_id, offset, tenant=tenant, domain=self.rng.choice(("kb", "faq")), text=text)
            made_of = self.codec.output(topics.DOC_CHANGED, event)
            value = None if self.rng.random() < 0.03 else made_of.value
            made.append(Record(topics.DOC_CHANGED, number, offset, 1_000_000 + turn * 1000, made_of.key, value))
        return made

    async def read(self, spans: Mapping[Partition, Span]) -> AsyncIterator[Piece]:
        """See `Ranges`."""
        for part, span in spans.items():
            found = tuple(r for r in self.records[part] if span.first <= r.offset < span.end)
            yield Piece(part, found, span.end)

    def selection(self) -> Selection:
        """Any selection that there is."""
        rng, tenant = self.rng, self.rng.choice(("", *TENANTS))
        keys = [(r.key or b"").decode() for held in self.records.values() for r in held]
        chosen = rng.sample(keys, min(len(keys), 50)) if rng.random() < 0.25 else []
        spans = rng.sample(sorted(self.held.items()), rng.randrange(1, PARTITIONS + 1))
        thirds = [OffsetRange(p.number, s.first + 3, s.first + (s.end - s.first) * 2 // 3) for p, s in spans]
        return selected(
            Selection(
                topic=topics.DOC_CHANGED,
                tenant=tenant,
                domain=rng.choice(("", "kb")) if tenant else "",
                documents=tuple(dict.fromkeys(key for key in chosen if not tenant or key.startswith(tenant))),
                from_ms=1_000_000 + rng.randrange(200_000) if rng.random() < 0.3 else None,
                to_ms=2_000_000 + rng.randrange(2_000_000) if rng.random() < 0.3 else None,
                offsets=tuple(thirds) if rng.random() < 0.3 else (),
            )
        )

    def bounds(self, selection: Selection) -> Bounds:
        """What the broker would say."""
        return Bounds(wanted(selection, self.held, self._at(selection.from_ms), {}), self.held)

    def _at(self, ms: int | None) -> dict[Partition, int | None]:
        if ms is None:
            return {}
        return {p: next((r.offset for r in held if r.timestamp_ms >= ms), None) for p, held in self.records.items()}

    async def plan(self, selection: Selection, effort: Effort) -> Found:
        """What `roggia replay plan` finds."""
        return await survey(self, Matcher(selection, self.codec), self.bounds(selection), effort)

    async def run(self, selection: Selection) -> tuple[list[Output], Mapping[str, int]]:
        """What a job sends, and what it counts."""
        sink, running = Sink(), job()
        gate = Gate(running, Pressure(Limits(window=10**9)))
        work = Work(running, Matcher(selection, self.codec), sink, gate)
        async for piece in self.read(self.bounds(selection).wanted):
            await work.piece(piece)
        return sink.sent, running.counts


class Sink:
    """A producer that keeps what it gets."""

    def __init__(self) -> None:
        self.sent: list[Output] = []

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """See `runner.Sink`."""
        self.sent += outputs


def facts(sent: Sequence[Output], counts: Mapping[str, int]) -> dict[str, int]:
    """What a run did, by the names of the plan's figures."""
    return {
        "records": len(sent),
        "documents": len({output.key for output in sent}),
        "bytes": sum(len(output.key or b"") + len(output.value or b"") for output in sent),
        "tokens": counts.get("tokens", 0),
    }


@pytest.mark.parametrize("seed", range(PAIRS))
async def test_an_exact_plan_is_what_the_run_did(seed: int) -> None:
    """Twenty random selections of random logs: records, documents, bytes and tokens to the last one."""
    log = Log(random.Random(seed), 1500)
    selection = log.selection()
    plan = await log.plan(selection, Effort())
    did = facts(*await log.run(selection))

    assert {name: getattr(plan, name) for name in did} == {name: Figure.counted(n) for name, n in did.items()}


@pytest.mark.parametrize("seed", range(PAIRS))
async def test_a_sampled_plan_holds_the_run_within_its_error(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty random selections of larger logs of which a tenth is read: every figure lies between its bounds.

    The same windows in every run: bounds that hold 999 times in 1,000 would fail one run of this in thirty or so.
    """
    monkeypatch.setattr(sampling, "_random", random.Random(seed))
    log = Log(random.Random(1000 + seed), 12_000)
    selection = log.selection()
    plan = await log.plan(selection, Effort(exact_below=200, sample=3000))
    did = facts(*await log.run(selection))

    for name, number in did.items():
        figure: Figure = getattr(plan, name)
        assert figure.low <= number <= figure.high, f"{name}: {number} not in {figure} of {selection}"


@pytest.mark.parametrize("seed", range(5))
async def test_documents_with_a_newer_version_outside_are_counted(seed: int) -> None:
    """As a plain look at the whole log counts them: a newer revision, or a null that lies behind."""
    log = Log(random.Random(seed), 600)
    selection = selected(Selection(topic=topics.DOC_CHANGED, offsets=(OffsetRange(0, 0, 400), OffsetRange(1, 0, 300))))
    plan = await log.plan(selection, Effort())
    matcher = Matcher(selection, log.codec)
    newest: dict[bytes, tuple[int, bool]] = {}
    inside: set[bytes] = set()
    for record in [r for held in log.records.values() for r in held]:
        ours = await matcher.matches(record)
        newest[record.key or b""] = (record.offset, ours)
        inside |= {record.key or b""} if ours else set()

    assert plan.overtaken == sum(not newest[key][1] for key in inside)


def _truly_overtaken(log: Log, selection: Selection, among: set[bytes]) -> set[bytes]:
    """Those documents whose newest record does not match, by a plain look at the whole log."""
    plain, last = Matcher(selection, log.codec), dict[bytes, bool]()
    for record in [r for held in log.records.values() for r in held]:
        last[record.key or b""] = record.value is not None and plain.placed(record) and plain.named(record)
    return {key for key in among if not last[key]}


@pytest.mark.parametrize("seed", range(3))
async def test_what_overtakes_a_few_of_many_lies_within_the_stated_error(seed: int) -> None:
    """The selection is read whole and a part of the outside: at least what is said is overtaken, and not more. At the
    topic's end nearly nothing is, at its beginning much."""
    log = Log(random.Random(3000 + seed), 12_000)
    for first, end in ((0, 900), (3_000, 3_900), (6_000, 10**6)):
        ranges = (OffsetRange(0, first, end), OffsetRange(2, first, end))
        selection = selected(Selection(topic=topics.DOC_CHANGED, offsets=ranges))
        plan = await log.plan(selection, Effort(exact_below=11_000, sample=2_000))

        assert plan.overtaken is None
        assert plan.newer is not None
        found, truth = plan.newer.found, len(_truly_overtaken(log, selection, set(plan.keys)))
        assert plan.newer.documents == plan.documents.value
        assert found.low <= truth <= found.high
        assert found.low > 30 or first == 6_000


@pytest.mark.parametrize("seed", range(3))
async def test_a_sampled_selection_says_what_overtakes_what_it_saw(seed: int) -> None:
    """What is counted for certain has something newer that does not match; all of the outside read, all is found."""
    log = Log(random.Random(4000 + seed), 12_000)
    ranges = tuple(OffsetRange(number, 0, 2_000) for number in range(PARTITIONS))
    selection = selected(Selection(topic=topics.DOC_CHANGED, offsets=ranges))
    few, much = [await log.plan(selection, Effort(exact_below=200, sample=size)) for size in (1_500, 10**6)]
    for plan in (few, much):
        assert plan.newer is not None
        truth = len(_truly_overtaken(log, selection, set(plan.keys)))
        assert plan.newer.found.low <= truth <= plan.newer.found.high
        assert plan.newer.documents == len(plan.keys)
    assert much.newer is not None
    assert much.newer.found == Figure.counted(truth)


@pytest.mark.parametrize(("share", "spread"), [(0.5, 0.0), (0.05, 0.5), (0.004, 0.0)])
def test_the_stated_error_holds_in_all_but_a_few_of_many_samples(share: float, spread: float) -> None:
    """A thousand samples of one population, even of a rare and clustered one: at most 5 miss at 99.9 %."""
    rng = random.Random(7)
    population = []
    for _ in range(1000):
        here = min(1.0, share * (rng.choice((0, 4)) if spread else 1))
        population.append(Window(sum(rng.random() < here for _ in range(100))))
    truth = sum(window.records for window in population)
    missed = 0
    for _ in range(1000):
        figure = total([Stratum(1000, rng.sample(population, 60))], lambda window: window.records, 100)
        missed += not figure.low <= truth <= figure.high
    assert missed <= 5


def test_a_share_that_was_never_seen_is_still_bounded() -> None:
    """Nothing in n windows does not mean nothing: the bound is about 7.6 / n at 99.95 %."""
    assert 0.06 < share_bound(0, 100) < 0.08
    assert share_bound(5, 5) == 1.0
    assert share_bound(1, 100) > share_bound(0, 100)
