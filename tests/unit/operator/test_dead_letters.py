"""Dead letters as operators see them: parsed, grouped, closed by jobs, selected."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from roggia_operator.dlq import reading
from roggia_operator.dlq.groups import OTHER, grouped
from roggia_operator.dlq.ledger import Closing, Fate, Ledger, pack, unpack
from roggia_operator.dlq.letters import Letter, Place, letter
from roggia_operator.dlq.looking import DeadLetters
from roggia_operator.dlq.selection import Selection, dlqs, place
from roggia_operator.errors import SelectionError
from roggia_operator.times import moment
from roggia_runtime import replay
from roggia_runtime.records import Partition, Record
from roggia_schemas import topics

from tests.support.dead_letters import MemoryLog, changed, codec, garbage

DLQ = topics.dlq(topics.DOC_CHANGED)


async def _all(letters: AsyncIterator[Letter]) -> list[Letter]:
    return [one async for one in letters]


async def _stream(letters: Sequence[Letter]) -> AsyncIterator[Letter]:
    for one in letters:
        yield one


def _letter(log: MemoryLog, doc_id: str = "a0", **refusal: str) -> Letter:
    return letter(log.refuse(log.append(changed(doc_id, 1)), **refusal))


def test_a_letter_says_where_its_record_lay_and_why_it_failed() -> None:
    """Place, source, cause, group and tenant come from headers and key; the value is not needed."""
    log = MemoryLog()
    log.append(changed("a0", 1))
    one = letter(log.refuse(log.append(changed("a0", 2))))
    assert one.place == Place(DLQ, 0, 0)
    assert one.source == one.origin == Place("doc.changed", 0, 1)
    assert (one.stage, one.kind, one.field, one.group, one.tenant) == (
        "ingest",
        "policy",
        "acl",
        "roggia.ingest",
        "acme",
    )
    assert one.live_born
    assert one.redrives == 0


def test_foreign_records_in_a_dlq_read_as_unknown() -> None:
    """Whatever lies in a DLQ is listed, never a crash: without our headers, with broken ones, without a key."""
    headers = (("__dlq.errors.topic", b"doc.changed"), ("__dlq.errors.offset", b"x"), ("roggia_dlq_redrives", b"-1"))
    one = letter(Record(DLQ, 0, 3, 5, None, b"", headers))
    assert (one.stage, one.kind, one.fingerprint, one.tenant) == ("?", "?", "?", "")
    assert (one.source, one.origin, one.redrives, one.live_born) == (None, None, 0, False)


def test_a_record_that_was_replayed_keeps_its_first_place() -> None:
    """The replay headers tell it for the topic that was replayed, not for what a later stage made of the record."""
    replayed = (
        ("roggia_replay_job", b"j"),
        ("roggia_replay_topic", b"doc.changed"),
        ("roggia_replay_partition", b"1"),
        ("roggia_replay_offset", b"7"),
    )
    log = MemoryLog()
    again = letter(log.refuse(Record("doc.changed.replay", 1, 99, 1, b"acme/a1", b"v", replayed)))
    child = letter(log.refuse(Record("doc.chunked.c1", 1, 42, 1, b"acme/a1", b"v", replayed)))
    assert (again.origin, again.live_born) == (Place("doc.changed", 1, 7), True)
    assert (child.origin, child.live_born) == (Place("doc.chunked.c1", 1, 42), True)


@pytest.mark.parametrize("offsets", [[], [0], [5], [0, 1, 2, 3], [7, 3, 3, 10**12]], ids=str)
def test_packed_places_come_back_sorted_and_once(offsets: list[int]) -> None:
    """What a job closed survives its record."""
    assert unpack(pack(offsets)).tolist() == sorted(set(offsets))


def test_many_places_fit_into_one_record() -> None:
    """A hundred thousand scattered letters take well under a tenth of the largest `ops.job` record."""
    assert len(pack(range(0, 700_000, 7))) < 1 << 20


@pytest.mark.parametrize("text", ["!", "AAAA"])
def test_broken_places_are_refused(text: str) -> None:
    """A record that cannot be read must not make closed letters look open."""
    with pytest.raises(ValueError, match="packed offsets"):
        unpack(text)


def test_the_newest_job_says_what_became_of_a_letter() -> None:
    """A letter that was redriven and then dropped is dropped; one that no job names is open."""
    first, second = Closing(), Closing()
    first.add(Fate.REDRIVEN, Place(DLQ, 0, 1))
    first.add(Fate.OVERTAKEN, Place(DLQ, 0, 2))
    second.add(Fate.DROPPED, Place(DLQ, 0, 1))
    ledger = Ledger()
    ledger.add("one", first.packed())
    ledger.add("two", second.packed())
    assert ledger.fate(Place(DLQ, 0, 1)) == (Fate.DROPPED, "two")
    assert ledger.fate(Place(DLQ, 0, 2)) == (Fate.OVERTAKEN, "one")
    assert ledger.fate(Place(DLQ, 1, 1)) is None
    assert Place(DLQ, 0, 2) in Closing(first.packed())


async def test_groups_count_exactly_and_show_the_newest_open_letter() -> None:
    """Open and ended letters of a cause, first and last seen, by DLQ; open causes come first."""
    log = MemoryLog()
    acl = [_letter(log, f"d{n}") for n in range(6)]
    schema = [_letter(log, f"s{n}", kind="schema", field="") for n in range(7)]
    closing = Closing()
    for one in [*acl[:2], acl[5], *schema]:
        closing.add(Fate.REDRIVEN, one.place)
    ledger = Ledger()
    ledger.add("job", closing.packed())
    first, second = await grouped(_stream([*acl, *schema]), ledger)
    assert (first.kind, first.status, first.letters, first.open) == ("policy", "open", 6, 3)
    assert (first.first_ms, first.last_ms) == (acl[0].timestamp_ms, acl[5].timestamp_ms)
    assert first.example == acl[4]
    assert (second.kind, second.status, second.open, second.fates) == ("schema", "ended", 0, {Fate.REDRIVEN: 7})


async def test_one_cause_with_different_reasons_shows_each() -> None:
    """A broken PDF must not hide a page that failed for another reason; sizes and names do not tell reasons apart."""
    log = MemoryLog()
    said = [
        "content: 900 bytes at 'a', more than 800",
        "content: PDF cannot be read",
        "content: 901 bytes at 'b', more than 800",
    ]
    found = [replace(_letter(log), message=text) for text in said]
    (group,) = await grouped(_stream(found), Ledger())
    assert sorted((reason.count, reason.example.message) for reason in group.reasons.values()) == [
        (1, said[1]),
        (2, said[2]),
    ]
    assert {reason.count: reason.alike for reason in group.reasons.values()} == {1: True, 2: False}


async def test_reasons_of_a_cause_are_bounded() -> None:
    """A message that is different every time does not grow the list without end."""
    log = MemoryLog()
    words = [f"{'x' * n} is wrong" for n in range(1, 50)]
    (group,) = await grouped(_stream([replace(_letter(log), message=w) for w in words]), Ledger())
    assert len(group.reasons) == 21
    assert sum(reason.count for reason in group.reasons.values()) == 49
    assert OTHER in group.reasons


@pytest.mark.parametrize("value", ["1" * 8_000 + "_", "a1" * 4_000 + "é", "1-." * 2_500 + "_", "0x1" * 2_500 + "_"])
async def test_a_value_in_a_message_cannot_hold_the_list_up(value: str) -> None:
    """What a message quotes of a document is the publisher's, and cut off where it is long: telling reasons apart takes
    no longer for one value than for another."""
    log = MemoryLog()
    found = [replace(_letter(log), message=f"field: '{value} is wrong")] * 10
    began = time.process_time()
    await grouped(_stream(found), Ledger())
    assert time.process_time() - began < 2, "seconds per letter, where the search begins anew at each digit"


async def test_letters_are_read_to_the_end_or_the_newest_alone() -> None:
    """Everything, the newest of each partition, and single places; what retention removed is not asked for."""
    log = MemoryLog()
    for number in range(10):
        _letter(log, f"d{number}")
    log.forget(Partition(DLQ, 0), 2)
    everything = await _all(reading.letters(log))
    assert [one.place[1:] for one in everything] == [(0, 2), (0, 3), (0, 4), *((1, n) for n in range(5))]
    assert [one.place[1:] for one in await _all(reading.letters(log, newest=2))] == [(0, 3), (0, 4), (1, 3), (1, 4)]
    chosen = Selection(places=(Place(DLQ, 1, 4), Place(DLQ, 0, 0), Place(DLQ, 1, 99)))
    assert [one.place[1:] for one in await _all(reading.letters(log, chosen))] == [(1, 4)]


async def test_a_selection_takes_what_holds_in_every_part() -> None:
    """Topic, stage, kind, cause, tenant and time each narrow."""
    log = MemoryLog()
    one = _letter(log)
    holds = Selection(
        topics=(DLQ,), stage="ingest", kind="policy", fingerprint=one.fingerprint, tenant="acme",
        since_ms=one.timestamp_ms, until_ms=one.timestamp_ms + 1,
    )  # fmt: skip
    assert holds.matches(one)
    for wrong in (
        Selection(topics=("x.dlq",)), Selection(stage="embed"), Selection(kind="schema"), Selection(fingerprint="f"),
        Selection(tenant="acm"), Selection(since_ms=one.timestamp_ms + 1), Selection(until_ms=one.timestamp_ms),
        Selection(places=(Place(DLQ, 0, 1),)),
    ):  # fmt: skip
        assert not wrong.matches(one), wrong


def test_a_topic_means_its_dlq_and_its_lanes() -> None:
    """A live topic stands for both; a DLQ for itself; what has none is refused with what there is."""
    known = ("doc.changed", DLQ, "doc.changed.replay.dlq", "doc.upserted.dlq")
    assert dlqs(known, "") == (DLQ, "doc.changed.replay.dlq", "doc.upserted.dlq")
    assert dlqs(known, "doc.changed") == (DLQ, "doc.changed.replay.dlq")
    assert dlqs(known, DLQ) == (DLQ,)
    assert dlqs(known, "doc.changed.replay") == ("doc.changed.replay.dlq",)
    with pytest.raises(SelectionError, match=r"TOPIC: 'x' has no DLQ here; there are doc\.changed\.dlq"):
        dlqs(known, "x")


@pytest.mark.parametrize(
    ("topic", "text", "said"),
    [
        (DLQ, "12", "PLACE: '12' is not"),
        (DLQ, "1:x", "PLACE"),
        ("doc.changed", "0:1", "TOPIC: 'doc.changed' is no DLQ"),
    ],
)
def test_a_place_that_is_none_is_refused(topic: str, text: str, said: str) -> None:
    """Names the argument, its value and what it should be."""
    with pytest.raises(SelectionError, match=said):
        place(topic, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 910_000), ("2m", 880_000), ("1970-01-01T00:00:05", 5_000), ("1970-01-01T01:00:05+01:00", 5_000)],
)
def test_times_are_read(text: str, expected: int) -> None:
    """Ago, or absolute; UTC where nothing else is said."""
    assert moment("--since", text, 1_000_000) == expected


def test_a_time_that_is_none_is_refused() -> None:
    """With examples of what works."""
    with pytest.raises(SelectionError, match="--since: 'soon' is no time; write 30m"):
        moment("--since", "soon", 0)


async def test_a_letter_is_shown_beside_its_error_and_remedy() -> None:
    """Decoded where it can be; as hex where not, with why; a place without a record is refused."""
    log = MemoryLog()
    good = log.refuse(log.append(changed("a0", 3)))
    bad = log.refuse(log.append(garbage("b0")), "schema", "")
    look = DeadLetters(log, codec())
    shown = await look.letter(Place(DLQ, 0, good.offset))
    assert (shown["value"]["revision"], shown["status"], shown["event"]) == (3, "open", "doc.changed")
    assert shown["remedy"].startswith("A setting or a tenant's")
    _, shown = await look.example(letter(bad).fingerprint)
    assert shown["hex"].startswith("00676172")
    assert (shown["size"], "value" in shown) == (8, False)
    assert shown["error"]
    with pytest.raises(SelectionError, match="holds no record at 0:99"):
        await look.letter(Place(DLQ, 0, 99))
    with pytest.raises(SelectionError, match="CAUSE: no dead letter has 'nix'"):
        await look.example("nix")


@pytest.mark.parametrize("number", [b"9" * 5_000, "²".encode(), b"1e3", b" 1"])
def test_numbers_that_are_none_read_as_unknown(number: bytes) -> None:
    """No header of a letter, however long or odd, keeps operators from seeing the others."""
    names = ("__dlq.errors.partition", "__dlq.errors.offset", "roggia_dlq_redrives", replay.PARTITION, replay.OFFSET)
    headers = (("__dlq.errors.topic", b"doc.changed"), (replay.TOPIC, b"doc.changed"))
    one = letter(Record(DLQ, 0, 3, 5, b"acme/a", b"", headers + tuple((name, number) for name in names)))
    assert (one.source, one.origin, one.redrives) == (None, None, 0)
    with pytest.raises(SelectionError, match="PLACE"):
        place(DLQ, f"{number.decode()}:1")
