"""Parts of the loop that know no Kafka client: judging, dead letters, ticks, ids."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest
from roggia_runtime import ids
from roggia_runtime.consumer.dead_letters import dead_letter, fingerprint
from roggia_runtime.consumer.gaps import Gap
from roggia_runtime.consumer.judging import Judge
from roggia_runtime.consumer.ticking import Ticking
from roggia_runtime.errors import HandlerContractError, UnavailableError
from roggia_runtime.records import DeadLetter, Done, Drop, Output, Partition, Record


def _record(offset: int = 0, **values: object) -> Record:
    fields: dict[str, object] = {"key": b"k", "value": b"v", "headers": ()}
    return Record("t", 0, offset, 1, **{**fields, **values})  # type: ignore[arg-type]


def test_dead_letter_replaces_only_its_own_headers() -> None:
    """Headers of the source survive, doubled ones too; those of an earlier dead letter are replaced, not repeated."""
    headers = (("a", b"1"), ("a", b"2"), ("__dlq.errors.topic", b"old"), ("roggia_dlq_kind", b"old"))
    source = _record(7, key=None, value=b"\x00\xff", headers=headers)
    letter = dead_letter(source, DeadLetter("schema", "m" * 10_000, "f"), group="g", stage="s", attempts=2)
    assert (letter.topic, letter.key, letter.value) == ("t.dlq", None, b"\x00\xff")
    assert [value for name, value in letter.headers if name == "a"] == [b"1", b"2"]
    named = dict(letter.headers)
    assert len(named) == len(letter.headers) - 1
    assert named["__dlq.errors.topic"] == b"t"
    assert named["__dlq.errors.offset"] == b"7"
    assert named["roggia_dlq_fingerprint"] == fingerprint("s", "schema", "f").encode()
    assert named["roggia_dlq_attempts"] == b"2"
    assert len(named["__dlq.errors.message"]) == 8192


def test_a_record_that_fails_again_keeps_its_count_of_redrives() -> None:
    """The counter is the one of our headers that outlives a second failure, so that a loop shows."""
    source = _record(headers=(("roggia_dlq_redrives", b"2"), ("roggia_dlq_attempts", b"9")))
    named = dict(dead_letter(source, DeadLetter("invalid", "m"), group="g", stage="s", attempts=1).headers)
    assert (named["roggia_dlq_redrives"], named["roggia_dlq_attempts"]) == (b"2", b"1")


def test_a_dead_letter_without_key_and_value_can_be_sent() -> None:
    """The client refuses a record without either: its dead letter has an empty value, everything else stays."""
    dead = DeadLetter("invalid", "key: null", "key")
    for key, value, sent in [(None, None, b""), (b"k", None, None), (None, b"v", b"v")]:
        letter = dead_letter(_record(key=key, value=value), dead, group="g", stage="s", attempts=1)
        assert (letter.key, letter.value) == (key, sent)


def test_judge_collects_in_order() -> None:
    """Outputs keep the order of records; every verdict is counted under its name."""
    out = [Output("o", b"k", b"%d" % i) for i in range(3)]
    verdicts = [Done(out[:2]), Drop("stale"), DeadLetter("invalid", "m"), Done(out[2:])]
    judged = Judge("g", "s").apply([_record(i) for i in range(4)], verdicts, 1)
    assert [output.topic for output in judged.outputs] == ["o", "o", "t.dlq", "o"]
    assert dict(judged.counts) == {("t", "done"): 2, ("t", "drop"): 1, ("t", "dead_letter"): 1}
    assert judged.dead == 1


def test_letters_that_are_no_fault_go_out_and_stop_nobody() -> None:
    """They are produced and counted as letters are; the limit at which the consumer stops does not see them."""
    verdicts = [DeadLetter("limit", "m", is_fault=False), DeadLetter("invalid", "m")]
    judged = Judge("g", "s").apply([_record(i) for i in range(2)], verdicts, 1)
    assert (len(judged.outputs), judged.counts["t", "dead_letter"], judged.dead) == (2, 2, 1)


@pytest.mark.parametrize("verdicts", [[], [Done(), Done()], ["done"], [None]])
def test_judge_refuses_what_is_no_answer(verdicts: Sequence[object]) -> None:
    """A wrong number of verdicts, or something that is no verdict, is a bug of the handler."""
    with pytest.raises(HandlerContractError):
        Judge("g", "s").apply([_record()], verdicts, 1)  # type: ignore[arg-type]


def test_gap_says_what_is_missing() -> None:
    """A gap names the lost offsets; a log that ends too early is no loss of a known number of records."""
    assert Gap(Partition("t", 0), 10, 25).missing == 15
    assert "offsets 10 to 24" in Gap(Partition("t", 0), 10, 25).message
    assert Gap(Partition("t", 0), 10, 0).missing == 0


class _Ticker:
    """Fails when told to."""

    interval_s = 10.0
    down = False

    def __init__(self) -> None:
        self.calls = 0
        self.position = 0

    async def tick(self, partition: Partition, position: int) -> Sequence[Output]:
        """One output, or the failure."""
        self.calls += 1
        self.position = position
        if self.down:
            raise UnavailableError("down")
        return (Output("o", b"k", b"v"),)

    async def committed(self, partition: Partition) -> None:
        """Nothing to note."""


async def test_ticker_is_called_when_due() -> None:
    """Once after the assignment, then every interval; sooner after a failure; at once after a new assignment."""
    now, ticker = [100.0], _Ticker()
    ticking = Ticking(ticker, lambda: now[0])
    partitions = {Partition("t", 0): 7}
    assert len(await ticking.due(partitions)) == 1
    now[0] = 109.0
    assert await ticking.due(partitions) == []
    ticker.down, now[0] = True, 110.0
    assert await ticking.due(partitions) == []
    ticker.down, now[0] = False, 115.0
    assert len(await ticking.due(partitions)) == 1
    ticking.restart()
    assert len(await ticking.due(partitions)) == 1
    assert (ticker.calls, ticker.position) == (4, 7)


def test_ids_sort_by_time_and_repeat_by_input() -> None:
    """UUIDv7 grows with time; a derived id depends on parent, stage and fingerprint alone."""
    made = [ids.uuid7() for _ in range(200)]
    assert len(set(made)) == 200
    assert uuid.UUID(made[0]).version == 7
    assert made[0][:13] <= made[-1][:13]
    assert ids.derived("p", "s", "f") == ids.derived("p", "s", "f")
    assert len({ids.derived("p", "s", "f"), ids.derived("p", "s", "g"), ids.derived("p", "t", "f")}) == 3
