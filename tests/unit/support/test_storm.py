"""The parts of a storm that need no process: its plan, and the model of the log."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from roggia_runtime import replay
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.events import DocChanged
from roggia_schemas.names import Version

from tests.support.ingesting import change, codec, delete, record
from tests.support.storm import judge, model, results
from tests.support.storm.plan import LONG, SHORT, plan

A = ("acme", "a")


def log(*events: DocChanged | None) -> list[Record]:
    """Records of one partition, in order; None is a Kafka null."""
    return [record(event, offset) for offset, event in enumerate(events)]


def chunked(*versions: Version) -> list[Record]:
    """Records of doc.chunked for document a, one per version: what a stage would have written."""
    from roggia_ingest.catalogue import DocKey, DocState
    from roggia_ingest.events import deletion

    made = []
    for offset, version in enumerate(versions):
        state = DocState(
            revision=version.revision, epoch=version.epoch, deleted=True, domain="docs",
            event_id=change("a", version.revision).event_id, topic="doc.changed", partition=0, offset=0,
        )  # fmt: skip
        value = codec().encode(deletion(DocKey(*A), state, 0), "doc.chunked.c1")
        made.append(Record("doc.chunked.c1", 0, offset, 0, b"acme/a", value))
    return made


async def verdict(records: Sequence[Record], seen: Sequence[Record], lane: Sequence[Record] = ()) -> list[str]:
    """Differences that the judge finds on doc.chunked."""
    expected = await model.expected(records, {}, codec())
    await model.lane(expected, lane, {}, codec())
    return await judge.chunked(expected, seen, codec())


def test_a_seed_fixes_its_plan() -> None:
    """The same seed gives the same schedule, another seed or size another one; scaling in follows scaling out."""
    assert plan(17) == plan(17, LONG)
    assert plan(17) != plan(18)
    assert plan(17) != plan(17, SHORT)
    for seed in range(1, 51):
        faults = [step.fault for step in plan(seed).steps]
        assert faults.index("scale out") < faults.index("scale in")
        assert {"freeze", "kill -9", "replay"} <= set(faults)
        assert any(step.fault == "freeze" and step.hold_s == 26.0 for step in plan(seed).steps)


async def test_the_model_folds_updates_nulls_and_expiries() -> None:
    """Stale revisions make nothing; a null ends what lives, once; an expiry that has come ends the newest state."""
    found = await model.expected(log(change("a", 5), change("a", 3), None, None, change("a", 7)), {}, codec())
    assert found.accepted[A] == [Version(5), Version(5, 1), Version(7)]
    assert not found.final[A].deleted
    found = await model.expected(log(change("a", 1, expires_at=1), change("a", 2, expires_at=1)), {}, codec())
    assert found.accepted[A] == [Version(1), Version(2), Version(2, 1)]
    assert found.perhaps[A] == {Version(1, 1)}
    assert found.final[A].deleted


async def test_a_move_leaves_every_former_domain() -> None:
    """The newest state knows all domains that ever held the document, but for its own."""
    moves = [change("a", n, domain=domain) for n, domain in enumerate(("x", "y", "z", "x"), 1)]
    found = await model.expected(log(*moves, delete("a", 9, domain="x")), {}, codec())
    assert (found.final[A].domain, found.final[A].left) == ("x", {"y", "z"})


async def test_the_judge_sees_what_is_lost_doubled_or_out_of_order() -> None:
    """Each kind of difference on doc.chunked is named; without one it says nothing."""
    records = log(change("a", 1), change("a", 2))
    one, two = Version(1), Version(2)
    assert await verdict(records, chunked(one, two)) == []
    assert await verdict(records, chunked(two)) != []
    assert await verdict(records, chunked(one, one, two)) == [
        "('acme', 'a') Version(revision=1, epoch=0): 2 times on doc.chunked"
    ]
    assert await verdict(records, chunked(two, one)) != []
    assert await verdict(records, chunked(one, two, Version(3))) != []


async def test_a_lane_may_show_a_version_again_and_renew_it() -> None:
    """As often as it was asked to, and no more."""
    records = log(change("a", 1), change("a", 2))
    headers = ((replay.JOB, b"j"), (replay.MODE, replay.SAME.encode()))
    again = Record(topics.replay(topics.DOC_CHANGED), 0, 0, 0, b"acme/a", records[1].value, headers)
    renewed = Record(again.topic, 0, 1, 0, again.key, again.value, ((replay.MODE, replay.RENEW.encode()),))
    one, two = Version(1), Version(2)
    assert await verdict(records, chunked(one, two, two), [again]) == []
    assert await verdict(records, chunked(one, two, two, two), [again]) != []
    assert await verdict(records, chunked(one, two, Version(2, 1)), [renewed]) == []
    assert await verdict(records, chunked(one, two, Version(2, 1))) != []


@pytest.mark.parametrize(("text", "want"), [("17", [17]), ("1-3", [1, 2, 3]), ("4,7-8", [4, 7, 8])])
def test_seeds_are_read(text: str, want: list[int]) -> None:
    """Single ones, ranges, and lists of both."""
    assert results.seeds(text) == want
