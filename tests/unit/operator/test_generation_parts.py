"""What surrounds the moves: alarms, pace, ports' adapters, plans, the client's table, and the controller's haste."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import structs
from roggia_operator.console.views import CollectionRow
from roggia_operator.errors import SelectionError
from roggia_operator.generations.adapters.index_service import (
    IndexService,
    fingerprints,
    knowledge_base,
    mixed,
    requests,
    selected,
)
from roggia_operator.generations.adapters.kafka_lag import behind
from roggia_operator.generations.adapters.query_metrics import summed
from roggia_operator.generations.adapters.report_files import ReportFiles
from roggia_operator.generations.alarms import Counts, Limits, reason, total
from roggia_operator.generations.client import next_number
from roggia_operator.generations.controller import Controller
from roggia_operator.generations.pace import Pace
from roggia_operator.generations.planning import check_bases, check_chunker, check_model, check_store
from roggia_operator.generations.table import GenerationTable
from roggia_operator.generations.values import Progress, Rules
from roggia_runtime.codec import EventCodec, generation_key
from roggia_runtime.errors import UnavailableError
from roggia_runtime.leadership import FencedWriter, LeadershipLostError
from roggia_runtime.ranges import Span
from roggia_runtime.records import Output, Partition, Record
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas import topics
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.events import GenerationModel, GenerationState, GenerationWish, IndexGeneration

from tests.support.generation_cases import NOW, Told, passed, state, wanted

CODEC = EventCodec(RegistrySettings(), source="/test")
OLD = Counts(1000, 5, 20, {0.1: 900, 0.5: 990, float("inf"): 1000})


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (Counts(49, 49, 49), ""),
        (Counts(100, 1, 3, {0.1: 90, 0.5: 99, float("inf"): 100}), ""),
        (Counts(100, 20, 0), "errors: 20 of 100, before 5 of 1000"),
        (Counts(100, 0, 40), "queries without a result: 40 of 100, before 20 of 1000"),
        (Counts(100, 0, 0, {0.5: 90, 2.5: 100, float("inf"): 100}), "latency: 95 % within 2.5 s, before 0.5 s"),
        (Counts(100, 0, 0, {0.5: 90, 1.0: 100, float("inf"): 100}), ""),
    ],
)
def test_what_answers_worse_is_told_apart(new: Counts, said: str) -> None:
    """Errors, empty answers and slowness beyond the generation before; a few queries decide nothing."""
    assert reason(new, OLD, Limits()) == said


def test_a_generation_without_a_forerunner_is_judged_on_its_own() -> None:
    """After a restart nothing may be known of the one before: shares alone decide."""
    assert reason(Counts(100, 20), Counts(), Limits()).startswith("errors")
    assert reason(Counts(100, 0), Counts(), Limits()) == ""


def test_noise_raises_no_alarm() -> None:
    """Of 2,000 looks at an equal generation with 2 % of errors, at most two raise one (three standard errors)."""
    import numpy as np

    drawn = np.random.default_rng(7).binomial(200, 0.02, 2_000)
    assert sum(bool(reason(Counts(200, int(bad)), Counts(10_000, 200), Limits(errors=0.0))) for bad in drawn) <= 2


def test_counts_begin_anew_with_the_process_that_counted() -> None:
    """A lower counter is a new one: nothing negative comes of it."""
    assert OLD.since(Counts(400, 2, 10, {0.1: 300})) == Counts(600, 3, 10, {0.1: 600, 0.5: 990, float("inf"): 1000})
    assert Counts(3, 1).since(OLD) == Counts(3, 1)
    assert total([OLD, Counts(1, 1, 1)]).requests == 1001


def test_pace_is_that_of_the_last_half_minute() -> None:
    """A pause before it does not count, nor does what went faster long ago."""
    pace = Pace()
    pace(Progress(NOW, 10_000, 0, 0))
    assert pace(Progress(NOW + 1_000, 9_000, 0, 0)).rate == 1_000
    for second in range(2, 62):
        seen = pace(Progress(NOW + second * 1_000, 9_000 - second * 10, 0, 0))
    assert seen.rate == pytest.approx(10)
    assert seen.left_s == pytest.approx(seen.left / 10)
    assert Pace()(Progress(NOW, 5, 0, 0)).left_s is None


def test_a_group_is_behind_by_what_it_has_not_committed() -> None:
    """Compacted beginnings count as read, a group that never committed has all before it."""
    one, two = Partition("t", 0), Partition("t", 1)
    assert behind({one: Span(10, 50), two: Span(0, 5)}, {one: 20}) == 35
    assert behind({one: Span(10, 50)}, {one: 4}) == 40
    assert behind({one: Span(10, 50)}, {one: 60}) == 0


def test_a_selection_is_compared_entry_by_entry() -> None:
    """Everything, a tenant, or one knowledge base: never what the generation does not hold."""
    asked = [(one.tenant, one.domain, one.generation) for one in requests(2, ("acme/*", "other/docs"))]
    assert asked == [("acme", "", 2), ("other", "docs", 2)]
    assert [one.generation for one in requests(3, ())] == [3]
    row = CollectionRow(name="kb_acme_docs__g2", alias="", generation=2, model="m", dimension=8, points=1)
    assert selected(row, ("acme/*",))
    assert not selected(row, ("other/docs",))
    assert [knowledge_base(name) for name in ("kb_a_b__g2", "kb_a__g2", "kb_a_b", "x_a_b__g1")] == [
        ("a", "b"), None, None, None
    ]  # fmt: skip


def test_vectors_of_more_than_one_model_are_a_fault() -> None:
    """Two models in one generation, or another than was planned; one that nobody named is right."""
    named = state(2, GenerationState.FILLING, model=GenerationModel(uri="stub:2", fingerprint="a"))
    assert mixed(named, {"a"}) == ""
    assert "not of a" in mixed(named, {"b"})
    assert "2 models" in mixed(named, {"a", "b"})
    assert mixed(structs.replace(named, model=GenerationModel(uri="stub:2")), {"b"}) == ""


def test_vectors_elsewhere_are_not_a_generations() -> None:
    """A collection of its name in another store says nothing about the one that it is in."""
    named = state(2, GenerationState.FILLING, store="pg")
    rows = [
        CollectionRow("kb_acme_docs__g2", "", 2, model, 8, 1, store)
        for model, store in (("a", "pg"), ("b", ""), ("c", "far"))
    ]
    assert fingerprints(rows, named, ()) == {"a"}
    assert fingerprints(rows, structs.replace(named, store=""), ()) == {"b"}


async def test_an_index_without_the_store_proves_nothing() -> None:
    """A query role that does not know the store, an older one for instance, compares something else: its word does not
    count, and the reason names the store."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"collections": []})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        service = IndexService(str(server.make_url("/")).rstrip("/"))
        found = await service.compare(state(2, GenerationState.FILLING, store="pg"), ())
    assert (found.clean, asked) == (False, ["/v1/collections"])
    assert "has no store 'pg'" in found.detail


def test_a_store_is_one_that_the_index_has() -> None:
    """What is no name, and what nobody has, is refused with the names that there are."""
    assert check_store("pg", ("far", "pg")) == check_store("pg", None) == "pg"
    with pytest.raises(SelectionError, match="has far, pg; name it in ROGGIA_EMBEDDER_STORES"):
        check_store("gp", ("far", "pg"))
    with pytest.raises(SelectionError, match="has no named ones"):
        check_store("pg", ())
    with pytest.raises(InvalidNameError):
        check_store("postgresql://host/db", None)


async def test_reports_are_read_from_files_and_from_wishes(tmp_path: Path) -> None:
    """What is no report says why, and no id leads out of the folder."""
    files = ReportFiles(tmp_path)
    (tmp_path / "r1.json").write_text('{"verdict": "pass", "generation": 2, "compared": []}')
    (tmp_path / "r2.json").write_text('{"verdict": "perhaps"}')
    (tmp_path / "r3.json").write_text("no JSON")
    (tmp_path.parent / "out.json").write_text('{"verdict": "pass"}')
    assert (await files.report("r1")).passed
    assert (await files.report('{"verdict": "fail", "fingerprint": "m"}')).fingerprint == "m"
    for report_id, said in (("r2", "none of pass"), ("r3", "no report"), ("r4", "not there"), ("../out", "no id")):
        found = await files.report(report_id)
        assert (found.passed, said in found.reason) == (False, True), found


def test_counts_of_several_processes_are_added() -> None:
    """By generation; a page that is no metrics is an error, not zero."""
    page = (
        "# TYPE roggia_query_generation_requests counter\n"
        'roggia_query_generation_requests_total{generation="2",outcome="ok"} 7\n'
        'roggia_query_generation_requests_total{generation="2",outcome="error"} 1\n'
        'roggia_query_generation_requests_total{generation="2",outcome="empty"} 2\n'
        "# TYPE roggia_query_generation_seconds histogram\n"
        'roggia_query_generation_seconds_bucket{generation="2",le="0.5"} 9\n'
        'roggia_query_generation_seconds_bucket{generation="2",le="+Inf"} 10\n'
    )
    assert summed([page, page]) == {2: Counts(20, 2, 4, {0.5: 18, float("inf"): 20})}
    with pytest.raises(UnavailableError):
        summed(["{ 1"])


@pytest.mark.parametrize("uri", ["", "MiniLM", "model:/a/1", "models:/a", "models:/a/x", "file:relative", "stub:"])
def test_a_model_that_is_none_is_refused(uri: str) -> None:
    """The error names field, value and what can be written."""
    with pytest.raises(InvalidNameError, match="model"):
        check_model(GenerationModel(uri=uri))


def test_a_remote_model_has_a_name_and_a_version() -> None:
    """Without a version its weights could change under one fingerprint."""
    with pytest.raises(InvalidNameError, match="version"):
        check_model(GenerationModel(uri="https://models.example/v1", name="m"))
    for uri in ("bundled:all-MiniLM-L6-v2", "file:///srv/model", "models:/handbook/4", "stub:7"):
        assert check_model(GenerationModel(uri=uri)).uri == uri


def test_typing_errors_are_found_before_anything_is_asked() -> None:
    """A knowledge base or chunker that is not there is refused with what there is."""
    known = {("acme", "handbook"), ("acme", "notes")}
    assert check_bases(["acme/handbook"], known) == ("acme/handbook",)
    assert check_bases(["new/one"], None) == ("new/one",)
    with pytest.raises(SelectionError, match=r"'acme/handbok'.*did you mean acme/handbook"):
        check_bases(["acme/handbok"], known)
    with pytest.raises(SelectionError, match=r"chunker: 2: there is no topic doc\.chunked\.c2; there are 1"):
        check_chunker(2, [topics.doc_chunked(1), topics.replay(topics.doc_chunked(1))])


async def test_the_table_believes_keys_and_values_only_together() -> None:
    """A record under another's key would be compacted into its place: it is left out. A null takes a side away."""
    table = GenerationTable()
    one = wanted(2)
    assert await table.take(_record(one), CODEC) == one
    assert await table.take(_record(one, key=b"g3/wanted"), CODEC) is None
    await table.take(Record(topics.INDEX_GENERATION, 0, 1, 0, b"g2/state", None), CODEC)
    assert table.get(2) is not None
    await table.take(Record(topics.INDEX_GENERATION, 0, 1, 0, b"g2/wanted", None), CODEC)
    assert table.get(2) is None
    table.put(wanted(7))
    assert next_number(table, 1) == 8


class _Writer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.states: list[IndexGeneration] = []

    async def write(self, outputs: list[Output]) -> None:
        """See `FencedWriter`."""
        for one in outputs:
            self.states.append(
                await CODEC.decode(IndexGeneration, Record(one.topic, 0, 0, 0, one.key, one.value, one.headers))
            )


async def test_a_rollback_waits_for_no_comparison() -> None:
    """While an index is compared, which takes minutes, a rollback of another generation is written at once."""
    told, writer = Told(), _Writer()
    told.reports["r1"] = passed(3)
    controller = _controller(told)
    for side in (
        state(2, GenerationState.LIVE, cutover=1),
        wanted(2, GenerationWish.SERVE),
        state(1, GenerationState.RETIRED),
    ):
        controller._table.put(side)
    controller._table.put(state(3, GenerationState.SHADOW))
    controller._table.put(wanted(3, GenerationWish.SERVE, report="r1"))
    controller._table.put(state(1, GenerationState.LIVE))
    told.slow.clear()
    deciding = asyncio.create_task(controller._decide(cast("FencedWriter", writer)))
    await _until(lambda: "parity g3" in told.asked)
    controller._table.put(wanted(2, GenerationWish.ROLL_BACK))
    controller._changed.set()
    await _until(lambda: any(one.state is GenerationState.ROLLED_BACK for one in writer.states))
    deciding.cancel()
    await controller._gatherer.close()


async def test_nothing_new_is_not_written() -> None:
    """Decisions come at every tick; records only when there is something to tell, progress once a second at most."""
    told, writer = Told(), _Writer()
    told.left, controller = 50, _controller(told)
    controller._table.put(wanted(2))
    deciding = asyncio.create_task(controller._decide(cast("FencedWriter", writer)))
    await _until(lambda: any(one.state is GenerationState.FILLING for one in writer.states))
    began, at_first = time.monotonic(), len(writer.states)
    while time.monotonic() - began < 1.5:
        told.left = max(1, told.left - 1)
        await asyncio.sleep(0.02)
    assert 1 <= len(writer.states) - at_first <= 2 + time.monotonic() - began
    deciding.cancel()
    await controller._gatherer.close()


class _Fenced(_Writer):
    """A writer of which nothing becomes final: somebody else leads."""

    async def write(self, outputs: list[Output]) -> None:
        """See `FencedWriter`."""
        raise LeadershipLostError("another leads")


async def test_what_is_left_is_deleted_only_after_the_fence_is_proved() -> None:
    """The state that says what goes is written first; whoever cannot write it any more deletes nothing."""
    told, writer = Told(), _Writer()
    told.groups, controller = ["roggia.embed.g2"], _controller(told)
    rows = state(2, GenerationState.RETIRED, wish=GenerationWish.RETIRE), wanted(2, GenerationWish.RETIRE)
    for side in rows:
        controller._table.put(side)
    deciding = asyncio.create_task(controller._decide(cast("FencedWriter", writer)))
    await _until(lambda: any("free g2" in one for one in told.asked))
    assert "retired; deletes roggia.embed.g2" in [one.message for one in writer.states]
    await _until(lambda: writer.states[-1].message == "retired; nothing of it is left")
    deciding.cancel()
    await controller._gatherer.close()

    told = Told()
    told.groups, controller = ["roggia.embed.g2"], _controller(told)
    for side in (*rows, state(1, GenerationState.LIVE)):
        controller._table.put(side)
    with pytest.raises(LeadershipLostError):
        async with asyncio.timeout(10):
            await controller._decide(cast("FencedWriter", _Fenced()))
    await controller._gatherer.close()
    assert not [one for one in told.asked if one.startswith("free")]


def _controller(told: Told) -> Controller:
    return Controller(KafkaSettings(), CODEC, told.ports, Rules(tick_ms=20, again_ms=100))


async def _until(seen: Any) -> None:
    async with asyncio.timeout(10):
        while not seen():
            await asyncio.sleep(0.01)


def _record(event: IndexGeneration, key: bytes | None = None) -> Record:
    value = CODEC.encode(event, topics.INDEX_GENERATION)
    return Record(topics.INDEX_GENERATION, 0, 0, 0, key or generation_key(event.generation, event.side), value)
