"""What a group has committed: an answer without partitions is not always an answer."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, GroupLoadInProgressError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchResponse_v1, OffsetFetchResponse_v3
from roggia_runtime import committed

HERE, NEW = TopicPartition("doc.changed", 0), TopicPartition("doc.changed", 1)
TOPICS = [("doc.changed", [(0, 42, "", 0), (1, -1, "", 0)])]
LOADING, MOVED, DENIED = 14, 16, 30


class FakeCoordinator:
    """Answers in turn, as aiokafka's coordinator hands answers on."""

    group_id = "roggia.ingest"

    def __init__(self, answers: Iterator[Any]) -> None:
        self._answers, self.forgotten = answers, 0

    async def ensure_coordinator_known(self) -> None:
        """It is."""

    def coordinator_dead(self) -> None:
        """To be looked for anew."""
        self.forgotten += 1

    async def _send_req(self, _request: object) -> Any:
        return next(self._answers)


def consumer(*answers: Any) -> Any:
    """A group member whose coordinator answers so."""
    return SimpleNamespace(_coordinator=FakeCoordinator(iter(answers)))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committed, "_WAIT_S", 0.0)


async def test_a_coordinator_that_loads_is_asked_again() -> None:
    """Its answer holds no partition: taken for "nothing is committed", everything would be processed once more."""
    member = consumer(OffsetFetchResponse_v3(0, [], LOADING), OffsetFetchResponse_v3(0, TOPICS, 0))
    assert await committed.of_member(member, [HERE, NEW]) == {HERE: 42}


async def test_a_coordinator_that_the_group_left_is_looked_for_anew() -> None:
    """The group's offsets are elsewhere now."""
    member = consumer(OffsetFetchResponse_v3(0, [], MOVED), OffsetFetchResponse_v3(0, TOPICS, 0))
    assert (await committed.of_member(member, [HERE]), member._coordinator.forgotten) == ({HERE: 42}, 1)


async def test_a_refusal_is_raised() -> None:
    """Trying again would not help."""
    with pytest.raises(GroupAuthorizationFailedError):
        await committed.of_member(consumer(OffsetFetchResponse_v3(0, [], DENIED)), [HERE])


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (OffsetFetchResponse_v3(0, [], LOADING), GroupLoadInProgressError),
        (OffsetFetchResponse_v1([("doc.changed", [(0, -1, "", MOVED)])]), NotCoordinatorForGroupError),
    ],
)
def test_an_error_is_never_no_commit(response: Any, error: type[Exception]) -> None:
    """Neither that of the whole answer nor that of a partition, which is where brokers before 0.10.2 put it."""
    with pytest.raises(error):
        committed.told(response)
