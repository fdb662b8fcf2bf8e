"""How a session takes partitions over."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.protocol.commit import OffsetFetchResponse_v3
from roggia_runtime.consumer.dead_letters import DlqLimiter
from roggia_runtime.consumer.delivery import Finisher
from roggia_runtime.consumer.handling import Handling
from roggia_runtime.consumer.judging import Judge
from roggia_runtime.consumer.lanes import Lanes
from roggia_runtime.consumer.session import Parts, Session
from roggia_runtime.records import Done, Partition, Record, Verdict
from roggia_runtime.settings import BatchLimits, DlqLimits, KafkaSettings, LaneSettings

TP = TopicPartition("t", 0)


class Journal:
    """A client and a finisher in one that note what is asked of them; the former owner commits until it is fenced."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.position = 5

    async def assigned(self, _partitions: Collection[Partition]) -> None:
        """Fence; the former owner's last commit comes through just before."""
        self.position = 8
        self.calls.append("fence")

    @property
    def _coordinator(self) -> Journal:
        return self

    group_id = "g"

    async def ensure_coordinator_known(self) -> None:
        """It is."""

    async def _send_req(self, _request: object) -> OffsetFetchResponse_v3:
        """The committed offset as of now."""
        self.calls.append("committed")
        return OffsetFetchResponse_v3(0, [("t", [(0, self.position, "", 0)])], 0)

    def seek(self, _tp: TopicPartition, offset: int) -> None:
        """Note where to."""
        self.calls.append(f"seek {offset}")


class Nothing:
    """A handler that is never called here."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Done."""
        return [Done() for _ in batch]


async def test_a_partition_is_fenced_before_its_committed_offset_is_read() -> None:
    """What the former owner commits until it is fenced must not be read again: it would be processed twice."""
    journal, settings, stopping = Journal(), KafkaSettings(), asyncio.Event()
    parts = Parts(
        group="g",
        stage="s",
        topics=("t",),
        lanes=Lanes((), LaneSettings(), DlqLimits()),
        settings=settings,
        limits=BatchLimits(),
        limiter=DlqLimiter(DlqLimits()),
        judge=Judge("g", "s"),
        handling=Handling(Nothing(), "g", settings, stopping),
        ticking=None,
        on_assigned=None,
        stopping=stopping,
    )
    session = Session(parts, cast("Any", journal), cast("Finisher", journal))
    await session.member.on_partitions_assigned([TP])
    assert journal.calls == ["fence", "committed", "seek 8"]
