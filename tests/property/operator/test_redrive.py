"""A redrive's laws over whatever a live topic, its DLQ and crashes may look like."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_operator.dlq.jobs import ledger_of, read_jobs
from roggia_operator.dlq.ledger import Fate, pack, unpack
from roggia_operator.dlq.letters import Letter, letter
from roggia_operator.dlq.selection import Selection
from roggia_runtime.records import Output, Record
from roggia_schemas import topics

from tests.support.dead_letters import MemoryLog, changed, codec, garbage
from tests.support.redriving import LANE, Dying, Keeping, Killed, Stage, task, wanted

DLQ = topics.dlq(topics.DOC_CHANGED)
KEYS = ("a0", "b0", "c1")
WHAT = st.tuples(st.sampled_from(KEYS), st.sampled_from(["good", "garbage", "null"]), st.integers(1, 6))
_KNOWN = {changed(key, revision).value: revision for key in KEYS for revision in range(1, 7)}
LIVE = st.lists(st.tuples(WHAT, st.sampled_from(["passes", "policy", "schema", "twice"])), min_size=1, max_size=25)


def _output(what: tuple[str, str, int]) -> Output:
    key, sort, revision = what
    if sort == "garbage":
        return garbage(key)
    return replace(changed(key, revision), value=None) if sort == "null" else changed(key, revision)


def _revision(record: Record) -> int | None:
    """What a model knows of a record, without the code under test."""
    return _KNOWN.get(record.value)


def _overtaken(record: Record, live: list[Record]) -> bool:
    later = [r for r in live if r.key == record.key and r.partition == record.partition and r.offset > record.offset]
    if any(r.value is None for r in later):
        return True
    mine = _revision(record)
    if mine is None:
        return bool(later)
    return any((_revision(r) or 0) > mine for r in later)


def _build(live: list[tuple[tuple[str, str, int], str]], late: list[int]) -> MemoryLog:
    log = MemoryLog()
    records = [(log.append(_output(what)), fate) for what, fate in live]
    for record, fate in records:
        for _ in range({"passes": 0, "twice": 2}.get(fate, 1)):
            log.refuse(record, "schema" if fate == "schema" else "policy")
    for n in late:  # a replay of a record that failed, in whatever order
        record, fate = records[n % len(records)]
        if fate != "passes":
            mark = {"topic": b"doc.changed", "partition": b"%d" % record.partition, "offset": b"%d" % record.offset}
            headers = tuple((f"roggia_replay_{name}", value) for name, value in {"job": b"replay-1", **mark}.items())
            log.refuse(log.append(Output(LANE, record.key, record.value, headers)))
    return log


async def _through(log: MemoryLog, selection: Selection, at: list[tuple[int, bool]]) -> Keeping:
    keeping = Keeping(log, wanted(await task(log, selection, stop_after=1000)))
    for number, after in at:
        try:
            await keeping.run(Dying(log, number, after))
        except Killed:
            continue
    await keeping.run()
    keeping.publish()
    return keeping


@settings(deadline=None, max_examples=60)
@given(
    LIVE,
    st.lists(st.integers(0, 24), max_size=6),
    st.sampled_from(["", "policy", "schema"]),
    st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=3),
)
def test_order_is_kept_nothing_overtaken_is_sent_and_nothing_twice(
    live: list[tuple[tuple[str, str, int], str]], late: list[int], kind: str, crashes: list[tuple[int, bool]]
) -> None:
    """For any log, any selection and any crashes: each record that nothing overtook goes once, per key in original
    order; every selected letter is closed; a second redrive sends nothing.
    """

    async def check() -> None:
        log = _build(live, late)
        Stage(log)
        before = len(log.records(LANE))
        originals = {(r.partition, r.offset): r for r in log.records("doc.changed")}
        selected = [one for one in _letters(log) if kind in ("", one.kind)]
        want = {one.origin[1:] for one in selected if one.origin} - {
            place for place, record in originals.items() if _overtaken(record, log.records("doc.changed"))
        }
        keeping = await _through(log, Selection(kind=kind), crashes)

        sent = [r for r in log.records(LANE) if dict(r.headers).get("roggia_replay_job") == b"redrive-1"]
        assert len(sent) == len(log.records(LANE)) - before
        places = [_place(record) for record in sent]
        assert sorted(places) == sorted(want)
        by_key: dict[bytes | None, list[int]] = defaultdict(list)
        for record, (_, offset) in zip(sent, places, strict=True):
            assert (record.key, record.value) == (originals[_place(record)].key, originals[_place(record)].value)
            by_key[record.key].append(offset)
        assert all(offsets == sorted(offsets) for offsets in by_key.values())

        ledger = ledger_of(await read_jobs(log, codec()))
        for one in _letters(log):
            assert (ledger.fate(one.place) is not None) == (one in selected)
        assert keeping.state is not None
        assert keeping.state.counts.get("redriven", 0) == len(want)
        again = Keeping(log, wanted(await task(log, Selection(kind=kind)), "redrive-2"))
        await again.run()
        assert len(log.records(LANE)) == before + len(want)

    asyncio.run(check())


@given(st.sets(st.integers(0, 2**50), max_size=200))
def test_any_places_survive_their_record(offsets: set[int]) -> None:
    """What a job closed is what it closed."""
    assert unpack(pack(offsets)).tolist() == sorted(offsets)


def test_fates_have_names_that_counts_may_have() -> None:
    """Counts of a job are shown by these names."""
    assert [fate.value for fate in Fate] == ["redriven", "overtaken", "duplicate", "dropped"]


def _letters(log: MemoryLog) -> list[Letter]:
    return [letter(record) for name in (DLQ, "doc.changed.replay.dlq") for record in log.records(name)]


def _place(record: Record) -> tuple[int, int]:
    named = dict(record.headers)
    return int(named["roggia_replay_partition"]), int(named["roggia_replay_offset"])
