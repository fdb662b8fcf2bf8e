"""Collecting: how long records wait for more, and that none waits for it twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from roggia_runtime.consumer.collecting import POLL_MS, Collecting, waited
from roggia_runtime.consumer.lanes import Lanes
from roggia_runtime.records import Partition
from roggia_runtime.settings import BatchLimits, DlqLimits, LaneSettings

TP = TopicPartition("doc.changed", 0)
LIMITS = BatchLimits(max_wait_ms=50)


class Member:
    """Polls that were prepared; it remembers how long each was allowed to wait."""

    def __init__(self, *polls: int) -> None:
        self.ready = asyncio.Event()
        self.ready.set()
        self.asked: list[int] = []
        self._polls = list(polls)
        self._offset = 0

    async def poll(self, timeout_ms: int, max_records: int, tps: Sequence[TopicPartition]) -> dict[Any, Any]:
        """The next number of records."""
        self.asked.append(timeout_ms)
        count = self._polls.pop(0) if self._polls else 0
        if not count:
            await asyncio.sleep(timeout_ms / 1000)
            return {}
        return {TP: [self._record() for _ in range(count)]}

    def _record(self) -> Any:
        self._offset += 1
        return ConsumerRecord("doc.changed", 0, self._offset, 0, 0, b"k", b"v", None, 1, 1, ())


def collecting(member: Member, *lanes: str) -> Collecting:
    """For one live partition, and lanes that hold nothing."""

    async def now(_: Partition) -> int:
        return 0

    async def behind(_: object) -> bool:
        return True

    async def gap(*_: object) -> None:
        raise AssertionError("no gap was prepared")

    turns = Lanes(lanes, LaneSettings(), DlqLimits())
    made = Collecting(member, SimpleNamespace(now=now, behind=behind), turns, LIMITS, gap)  # type: ignore[arg-type]
    made.assigned([Partition("doc.changed", 0), *(Partition(name, 0) for name in lanes)])
    return made


@pytest.mark.parametrize("lanes", [(), ("doc.changed.replay",)])
async def test_what_waited_for_the_batch_in_hand_does_not_wait_again(lanes: tuple[str, ...]) -> None:
    """After a batch of 50 ms and more, what came meanwhile is the next batch at once, once: what comes later waits for
    more as ever."""
    member = Member(3, 1)
    made = collecting(member, *lanes)
    made.worked(0.2)
    assert (await made.collect()).count == 3
    assert member.asked == [0]
    member.asked.clear()
    assert (await made.collect()).count == 1
    assert sum(member.asked[1:]) > 40, "it did not wait for more"


async def test_a_shorter_batch_leaves_the_rest_of_the_wait() -> None:
    """Batches begin no closer than the wait: 20 ms in hand leave 30 ms for more."""
    member = Member(1)
    made = collecting(member)
    made.worked(0.02)
    assert (await made.collect()).count == 1
    assert 0 < member.asked[1] <= 30


async def test_nothing_there_after_a_batch_is_waited_for_as_ever() -> None:
    """An idle loop polls for its whole time."""
    member = Member()
    made = collecting(member)
    made.worked(0.2)
    assert not (await made.collect()).polled
    assert member.asked == [0, POLL_MS]


def test_a_wait_is_never_negative() -> None:
    """However long a batch took; limits that do not change are the same object."""
    assert waited(LIMITS, 7.0).max_wait_ms == 0
    assert waited(LIMITS, 0.0) is LIMITS
