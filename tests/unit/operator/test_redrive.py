"""A redrive's promises, one by one, over a log in memory."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from roggia_operator.dlq.comebacks import StoppedError
from roggia_operator.dlq.entries import NO_LANE, NO_PLACE, NO_RECORD, Entry
from roggia_operator.dlq.jobs import ledger_of, read_jobs
from roggia_operator.dlq.ledger import Ledger
from roggia_operator.dlq.letters import Place, letter
from roggia_operator.dlq.looking import DeadLetters
from roggia_operator.dlq.planning import plan_redrive
from roggia_operator.dlq.selection import Selection
from roggia_operator.dlq.windows import MAX_BYTES, Windows, runs
from roggia_operator.errors import JobError, SelectionError
from roggia_operator.jobs.running import JobCancelledError, Running
from roggia_runtime.consumer import gaps
from roggia_runtime.records import Output, Partition, Record
from roggia_schemas import topics
from roggia_schemas.events import JobStatus, JobWish

from tests.support.dead_letters import MemoryLog, changed, codec, garbage
from tests.support.redriving import LANE, Dying, Keeping, Killed, Stage, task, wanted

DLQ = topics.dlq(topics.DOC_CHANGED)


async def _redriven(log: MemoryLog, selection: Selection | None = None, **more: object) -> Keeping:
    keeping = Keeping(log, wanted(await task(log, selection, **more)))
    await keeping.run()
    return keeping


async def test_the_original_record_goes_to_the_lane_of_its_topic() -> None:
    """Same key, same bytes, own headers; what the letter added is off, the replay headers and the count are on."""
    log = MemoryLog()
    Stage(log)
    source = log.append(replace(changed("a0", 3), headers=(("ce_id", b"1"), ("roggia_dlq_kind", b"x"))))
    log.refuse(source)
    await _redriven(log)
    (sent,) = log.records(LANE)
    assert (sent.key, sent.value) == (source.key, source.value)
    assert dict(sent.headers) == {
        "ce_id": b"1",
        "roggia_replay_job": b"redrive-1",
        "roggia_replay_topic": b"doc.changed",
        "roggia_replay_partition": b"0",
        "roggia_replay_offset": b"0",
        "roggia_replay_mode": b"same",
        "roggia_dlq_redrives": b"1",
    }


async def test_a_letter_of_a_replay_keeps_its_mode_and_collection() -> None:
    """What was on its way to another collection, or to be renewed, goes on that way."""
    log = MemoryLog()
    Stage(log)
    more = {
        "job": b"j",
        "topic": b"doc.changed",
        "partition": b"0",
        "offset": b"0",
        "mode": b"renew",
        "collection": b"x",
    }
    headers = tuple((f"roggia_replay_{name}", value) for name, value in more.items())
    log.append(changed("a0", 1))
    log.refuse(log.append(Output(LANE, b"acme/a0", changed("a0", 1).value, headers)))
    await _redriven(log)
    sent = dict(log.records(LANE)[-1].headers)
    assert (sent["roggia_replay_mode"], sent["roggia_replay_collection"]) == (b"renew", b"x")
    assert (sent["roggia_replay_job"], sent["roggia_replay_offset"]) == (b"redrive-1", b"0")


async def test_letters_of_both_dlqs_go_in_original_order() -> None:
    """Order is that of the live topic, whatever DLQ a letter lies in and however late it came there."""
    log = MemoryLog()
    Stage(log)
    lived = [log.append(changed(f"{n}0", 1)) for n in range(4)]
    replayed = (("roggia_replay_topic", b"doc.changed"), ("roggia_replay_partition", b"0"))
    for n in (2, 0):
        mark = (*replayed, ("roggia_replay_offset", b"%d" % n))
        log.refuse(log.append(Output(LANE, lived[n].key, lived[n].value, mark)))
    for n in (3, 1):
        log.refuse(lived[n])
    start = len(log.records(LANE))
    await _redriven(log)
    assert [record.key for record in log.records(LANE)[start:]] == [record.key for record in lived]


@pytest.mark.parametrize(
    ("newer", "sent"),
    [
        (changed("a0", 4), 0), (changed("a0", 3), 1), (changed("a0", 2), 1), (changed("b0", 9), 1),
        (garbage("a0"), 1), (replace(changed("a0", 1), value=None), 0),
    ],
    ids=["newer", "same", "older", "other-key", "unreadable", "null"],
)  # fmt: skip
async def test_what_a_newer_revision_overtook_is_not_sent(newer: Output, sent: int) -> None:
    """A higher revision or a deletion behind it on the live topic: the letter is counted as overtaken, and closed."""
    log = MemoryLog()
    Stage(log)
    log.refuse(log.append(changed("a0", 3)))
    log.append(newer)
    plan = await plan_redrive(log, codec(), await task(log), Ledger())
    keeping = await _redriven(log)
    assert (plan.send, plan.overtaken) == (sent, 1 - sent)
    assert len(log.records(LANE)) == sent
    assert keeping.state is not None
    assert keeping.state.counts == ({"redriven": 1} if sent else {"overtaken": 1})
    if not sent:
        assert "doc.changed 0:1" in plan.examples[0][1]


@pytest.mark.parametrize("newer", [changed("a0", 1), garbage("a0")], ids=["readable", "unreadable"])
async def test_an_unreadable_letter_is_overtaken_by_anything_newer_of_its_key(newer: Output) -> None:
    """It has no revision to compare, so the later record wins; alone, it is sent, for a stage that may read it now."""
    log = MemoryLog()
    Stage(log)
    log.append(changed("a0", 1))
    log.refuse(log.append(garbage("a0")), "schema", "")
    assert (await plan_redrive(log, codec(), await task(log), Ledger())).send == 1
    log.append(newer)
    plan = await plan_redrive(log, codec(), await task(log), Ledger())
    assert (plan.send, plan.overtaken) == (0, 1)
    assert "no revision that can be read" in plan.examples[0][1]


async def test_what_comes_while_the_job_runs_overtakes_too() -> None:
    """The live topic is read on before every window."""
    log = MemoryLog()
    stage = Stage(log)
    for n in range(12):
        log.refuse(log.append(changed(f"{chr(97 + n)}0", 1)))
    stage.refuses = lambda record: bool(record.key == b"acme/a0" and log.append(changed("l0", 2)) and False)
    keeping = await _redriven(log)
    assert keeping.state is not None
    assert keeping.state.counts == {"redriven": 11, "overtaken": 1}
    assert b"acme/l0" not in {record.key for record in log.records(LANE)}


async def test_a_letter_is_not_sent_twice_by_accident() -> None:
    """A second redrive of the same letters finds nothing open; `again` sends them once more."""
    log = MemoryLog()
    Stage(log)
    log.refuse(log.append(changed("a0", 1)))
    (await _redriven(log)).publish()
    ledger = ledger_of(await read_jobs(log, codec()))
    with pytest.raises(SelectionError, match=r"no open letter matches; 1 are closed already \(--again"):
        await plan_redrive(log, codec(), await task(log), ledger)
    again = Keeping(log, wanted(await task(log), "redrive-2"))
    await again.run()
    assert len(log.records(LANE)) == 1
    forced = Keeping(log, wanted(await task(log, again=True), "redrive-3"))
    await forced.run()
    assert len(log.records(LANE)) == 2


async def test_one_record_in_several_letters_is_sent_once() -> None:
    """A stage that died may have told a failure twice: the newest letter is sent, the others are closed with it."""
    log = MemoryLog()
    Stage(log)
    source = log.append(changed("a0", 1))
    for _ in range(3):
        log.refuse(source)
    keeping = await _redriven(log)
    assert len(log.records(LANE)) == 1
    assert keeping.state is not None
    assert keeping.state.counts == {"redriven": 1, "duplicate": 2}
    keeping.publish()
    (group,) = await DeadLetters(log, codec()).groups(Selection(), every=True)
    assert (group.status, group.open) == ("ended", 0)


async def test_a_letter_that_fails_again_comes_back_open_with_its_count() -> None:
    """Its group shows it as come back; redriven once more, it counts two."""
    log = MemoryLog()
    Stage(log, lambda _: True)
    log.refuse(log.append(changed("a0", 1)))
    first = await _redriven(log)
    first.publish()
    assert first.state is not None
    assert first.state.counts == {"redriven": 1, "came_back": 1}
    (group,) = await DeadLetters(log, codec()).groups(Selection())
    assert (group.letters, group.open, group.came_back, group.example.redrives) == (2, 1, 1, 1)
    second = Keeping(log, wanted(await task(log), "redrive-2"))
    await second.run()
    assert [dict(r.headers)["roggia_dlq_redrives"] for r in log.records(LANE)] == [b"1", b"2"]
    assert letter(log.records("doc.changed.replay.dlq")[-1]).origin == Place("doc.changed", 0, 0)


async def test_a_cause_that_keeps_coming_back_stops_the_redrive() -> None:
    """More than N of one cause: the job fails and names it; what was not sent is open, and little was sent."""
    log = MemoryLog()
    Stage(log, lambda _: True)
    for n in range(60):
        log.refuse(log.append(changed(f"x{n}-0", 1)))
    keeping = Keeping(log, wanted(await task(log, stop_after=3)))
    with pytest.raises(
        StoppedError, match=r"stopped: 4 letters came back with cause \w{12} \(ingest, policy\), more than 3"
    ):
        await keeping.run()
    assert keeping.running is not None
    await keeping.running.save(JobStatus.FAILED, "", ended=True)
    keeping.publish()
    assert keeping.running.counts == {"redriven": 4, "came_back": 4}
    (group,) = await DeadLetters(log, codec()).groups(Selection())
    assert group.open == 56 + 4


@pytest.mark.parametrize("after", [False, True], ids=["before-the-send", "after-the-send"])
async def test_a_killed_redrive_goes_on_and_sends_nothing_twice(after: bool) -> None:
    """Whatever its last state knew: what lies on the lanes with its id is not sent again."""
    log = MemoryLog()
    Stage(log)
    for n in range(20):
        log.refuse(log.append(changed(f"x{n}-0", 1)))
    keeping = Keeping(log, wanted(await task(log)))
    with pytest.raises(Killed):
        await keeping.run(Dying(log, at=2, after=after))
    await keeping.run()
    origins = [dict(record.headers)["roggia_replay_offset"] for record in log.records(LANE)]
    assert origins == [b"%d" % n for n in range(20)]
    assert keeping.state is not None
    assert keeping.state.counts == {"redriven": 20}


async def test_letters_that_come_later_do_not_belong_to_the_job() -> None:
    """A job does what its plan showed."""
    log = MemoryLog()
    Stage(log)
    log.refuse(log.append(changed("a0", 1)))
    planned = await task(log)
    log.refuse(log.append(changed("b0", 1)))
    await Keeping(log, wanted(planned)).run()
    assert [record.key for record in log.records(LANE)] == [b"acme/a0"]


async def test_what_cannot_be_redriven_is_refused_with_why() -> None:
    """Gaps hold no record; foreign letters name no place; some topics have no lane."""
    log = MemoryLog()
    Stage(log)
    log.refuse(log.append(changed("a0", 1)))
    log.append(gaps.record(gaps.Gap(Partition(topics.DOC_CHANGED, 0), 3, 5), "g", "s"))
    log.append(Output(DLQ, b"k0", b"v"))
    log.refuse(log.append(Output(topics.DOC_UPSERTED, b"acme/a0", b"v")))
    plan = await plan_redrive(log, codec(), await task(log), Ledger())
    assert plan.refused == {NO_RECORD: 1, NO_PLACE: 1, NO_LANE: 1}
    assert plan.send == 1
    only = Selection(topics=("doc.upserted.dlq",))
    with pytest.raises(SelectionError, match=r"TOPIC: doc\.upserted has no replay lane"):
        await plan_redrive(log, codec(), await task(log, only), Ledger())


async def test_a_drop_closes_letters_and_keeps_them_on_the_log() -> None:
    """Dropped letters leave the list, gaps too; they are still there for who asks for all."""
    log = MemoryLog()
    log.refuse(log.append(changed("a0", 1)))
    log.append(gaps.record(gaps.Gap(Partition(topics.DOC_CHANGED, 0), 3, 5), "g", "s"))
    keeping = await _redriven(log, action="drop")
    keeping.publish()
    look = DeadLetters(log, codec())
    assert await look.groups(Selection()) == []
    assert {(group.letters, group.status) for group in await look.groups(Selection(), every=True)} == {(1, "ended")}
    assert (await look.letter(Place(DLQ, 0, 0)))["status"] == "dropped"
    assert log.records(LANE) == []


async def test_pause_and_cancel_hold_between_windows() -> None:
    """A paused job says so and goes on; a cancelled one leaves what it did not send open."""
    log = MemoryLog()
    Stage(log)
    for n in range(40):
        log.refuse(log.append(changed(f"x{n}-0", 1)))
    keeping = Keeping(log, wanted(await task(log)))
    wishes = iter([JobWish.RUN, JobWish.PAUSE, JobWish.RUN, JobWish.CANCEL])

    def change(running: Running) -> None:
        running.want(msgspec.structs.replace(running.wanted, wish=next(wishes, JobWish.CANCEL)))

    keeping.on_save = change
    with pytest.raises(JobCancelledError):
        await keeping.run()
    assert JobStatus.PAUSED in keeping.statuses
    assert 0 < len(log.records(LANE)) < 40


async def test_a_lane_that_does_not_exist_is_named() -> None:
    """With the command that makes it."""
    log = MemoryLog()
    log.refuse(log.append(changed("a0", 1)))
    log.lacks(LANE)
    with pytest.raises(JobError, match=r"topic doc\.changed\.replay does not exist: create it \(roggia topics apply\)"):
        await _redriven(log)


async def test_a_letter_that_retention_took_meanwhile_is_counted() -> None:
    """It cannot be sent; the job goes on."""
    log = MemoryLog()
    Stage(log)
    for n in range(8):
        log.refuse(log.append(changed(f"x{n}-0", 1)))
    keeping = Keeping(log, wanted(await task(log)))
    keeping.on_save = lambda running: log.forget(Partition(DLQ, 0), 6) if running.counts else None
    await keeping.run()
    assert keeping.state is not None
    assert keeping.state.counts == {"redriven": 6, "expired": 2}


def test_windows_grow_and_hold_few_bytes() -> None:
    """4, 8, 16 letters; a large value closes a window early, and one that is larger than all goes alone."""
    one = letter(Record(DLQ, 0, 0, 0, b"k", b"v", ()))

    def entries(sizes: list[int]) -> list[Entry]:
        return [Entry(one, Place("doc.changed", 0, n), None, size) for n, size in enumerate(sizes)]

    assert [len(window) for window in Windows(4).cut(entries([1] * 30))] == [4, 8, 16, 2]
    large = entries([MAX_BYTES // 2 + 1, MAX_BYTES // 2 + 1, 2 * MAX_BYTES, 1])
    assert [len(window) for window in Windows(4).cut(large)] == [1, 1, 1, 1]


def test_places_are_read_in_runs() -> None:
    """Near places in one go, far ones apart: a lone old letter does not have the whole DLQ read."""
    at = [Place("d", 0, 1), Place("d", 0, 150), Place("d", 0, 10_000), Place("d", 1, 10_001)]
    assert list(runs(at)) == [(at[0], at[1]), (at[2], at[2]), (at[3], at[3])]
    assert list(runs([])) == []
