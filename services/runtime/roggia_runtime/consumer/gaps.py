"""Offsets that the log no longer holds: recorded where operators look, never skipped in silence. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from roggia_schemas import topics

from roggia_runtime.clock import now_ms
from roggia_runtime.consumer.dead_letters import fingerprint
from roggia_runtime.records import Output, Partition


@dataclass(frozen=True, slots=True)
class Gap:
    """What a group wanted to read and what it gets instead.

    `missing` offsets before `restart` are gone (retention, DeleteRecords). It is 0 when the log ends before `wanted`:
    the topic was made anew or cut, and everything in it is read again.
    """

    partition: Partition
    wanted: int
    restart: int

    @property
    def missing(self) -> int:
        """Offsets lost for this group."""
        return max(0, self.restart - self.wanted)

    @property
    def message(self) -> str:
        """What happened, for operators."""
        if self.missing:
            last = self.restart - 1
            return (
                f"offsets {self.wanted} to {last} were removed before this group read them: republish what they held, "
                f"raise the topic's retention; reading goes on at {self.restart}"
            )
        return f"the log ends before {self.wanted}: it was cut or made anew; reading starts again at {self.restart}"


def record(gap: Gap, group: str, stage: str) -> Output:
    """The gap as a record of the topic's DLQ: no key and an empty value, everything in the headers."""
    headers = {
        "__dlq.errors.topic": gap.partition.topic,
        "__dlq.errors.partition": str(gap.partition.number),
        "__dlq.errors.offset": str(gap.wanted),
        "__dlq.errors.group": group,
        "__dlq.errors.message": gap.message,
        "roggia_dlq_kind": "gap",
        "roggia_dlq_field": "",
        "roggia_dlq_fingerprint": fingerprint(stage, "gap", ""),
        "roggia_dlq_stage": stage,
        "roggia_dlq_failed_at": str(now_ms()),
        "roggia_dlq_attempts": "0",
    }
    named = tuple((name, value.encode()) for name, value in headers.items())
    return Output(topics.dlq(gap.partition.topic), None, b"", named)
