"""The lanes as a redrive uses them: what it put there before, and whether their groups have taken it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from roggia_runtime import replay
from roggia_runtime.records import Partition, Record
from roggia_schemas import topics

from roggia_operator.dlq.entries import Entry
from roggia_operator.dlq.letters import Place, whole
from roggia_operator.dlq.ports import Log
from roggia_operator.errors import JobError


async def check(log: Log, entries: Iterable[Entry]) -> None:
    """Raises `JobError` when a lane that is needed does not exist."""
    missing = {topics.replay(entry.base) for entry in entries} - (await log.partitions()).keys()
    if missing:
        raise JobError(f"topic {min(missing)} does not exist: create it (roggia topics apply), then redrive again")


async def sent_before(log: Log, job_id: str, entries: Iterable[Entry], starts: Mapping[Partition, int]) -> set[Place]:
    """Origins that a job put on the lanes since `starts`, whatever its last state knew of it."""
    lanes = {topics.replay(entry.base) for entry in entries}
    ours = {part: start for part, start in starts.items() if part.topic in lanes}
    ends = await log.bounds(ours)
    found: set[Place] = set()
    for part, start in ours.items():
        async for record in log.read(*part, start, end=ends[part].end):
            if replay.header(record.headers, replay.JOB) == job_id:
                found.add(_origin(record))
    return found


class Lanes:
    """What was sent last, by the group that refused it and must take it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._ends: dict[tuple[str, Partition], int] = {}

    def sent(self, entries: Sequence[Entry], places: Sequence[tuple[int, int]]) -> None:
        """Note where entries went. One whose letter names no group is waited for by nobody."""
        for entry, (number, offset) in zip(entries, places, strict=True):
            to = entry.letter.group, Partition(topics.replay(entry.base), number)
            if entry.letter.group:
                self._ends[to] = max(offset + 1, self._ends.get(to, 0))

    async def behind(self) -> str:
        """What is not taken yet, in words; empty when everything is."""
        committed = await self._log.committed(sorted({group for group, _ in self._ends}))
        self._ends = {to: end for to, end in self._ends.items() if committed[to[0]].get(to[1], 0) < end}
        for (group, lane), end in self._ends.items():
            return f"group {group} to take {lane.topic} {lane.number} up to offset {end}"
        return ""


def _origin(record: Record) -> Place:
    numbers = (replay.header(record.headers, name) for name in (replay.PARTITION, replay.OFFSET))
    return Place(replay.header(record.headers, replay.TOPIC), *(whole(text, -1) for text in numbers))
