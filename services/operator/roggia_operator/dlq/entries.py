"""The letters of one redrive, ready to be put in order: some words each, no values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roggia_runtime.codec import EventCodec
from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition, Record
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError

from roggia_operator.dlq.jobs import Task
from roggia_operator.dlq.ledger import Closing, Ledger
from roggia_operator.dlq.letters import GAP, Letter, Place, letter
from roggia_operator.dlq.ports import Log
from roggia_operator.dlq.reading import ranges
from roggia_operator.errors import SelectionError
from roggia_operator.reading.records import event_class

MAX_LETTERS = 100_000
"""Letters in one job: their places must fit into one record of `ops.job`, their keys into memory."""
NO_RECORD = "tells of lost offsets and holds no record"
NO_PLACE = "does not say where its record lay"
NO_LANE = "its topic has no replay lane"


@dataclass(frozen=True, slots=True)
class Entry:
    """One letter to redrive. `version` is its record's (revision, epoch), None where the value cannot be decoded."""

    letter: Letter
    origin: Place
    version: tuple[int, int] | None
    size: int

    @property
    def base(self) -> str:
        """The live topic."""
        return self.letter.base

    @property
    def partition(self) -> Partition:
        """The live partition of its key: lanes have the same number of partitions."""
        return Partition(self.base, self.origin.partition)

    @property
    def order(self) -> tuple[str, int, bool, int]:
        """Original order: what was on the live topic by its offset there, then what was born in the lane."""
        return self.base, self.origin.partition, not self.letter.live_born, self.origin.offset


@dataclass(slots=True)
class Chosen:
    """What a task selects. `duplicates` hold the same record as an entry; `refused` can never be redriven, by why."""

    entries: list[Entry] = field(default_factory=list)
    duplicates: list[Letter] = field(default_factory=list)
    refused: dict[str, list[Letter]] = field(default_factory=dict)
    closed: int = 0
    """Letters that an earlier job closed: they are left out unless the task says `again`."""

    @property
    def letters(self) -> int:
        """Letters that the selection means and that are not closed."""
        return len(self.entries) + len(self.duplicates) + sum(map(len, self.refused.values()))


async def choose(log: Log, codec: EventCodec, task: Task, ledger: Ledger, done: Closing | None = None) -> Chosen:
    """Read the letters of a task, in original order; without those that are `done` already.

    Raises `SelectionError` when there are more than `MAX_LETTERS`.
    """
    chosen, newest = Chosen(), dict[Place, Entry]()
    async for record in ranges(log, task.selection, await within(log, task)):
        one = letter(record)
        if not task.selection.matches(one) or (done is not None and one.place in done):
            continue
        if not task.again and ledger.fate(one.place) is not None:
            chosen.closed += 1
            continue
        await _take(chosen, newest, one, record, codec)
        if chosen.letters + len(newest) > MAX_LETTERS:
            raise SelectionError(f"more than {MAX_LETTERS:,} letters: narrow them by tenant, kind, --since or --until")
    chosen.entries = sorted(newest.values(), key=lambda entry: entry.order)
    return chosen


async def within(log: Log, task: Task) -> Mapping[Partition, Span]:
    """The offsets of each DLQ partition that belong to a task and are still kept."""
    named = [Partition(name.rpartition("/")[0], int(name.rpartition("/")[2])) for name in task.ends]
    known = await log.partitions()
    held = await log.bounds([part for part in named if part in known.get(part.topic, ())])
    return {part: Span(bounds.first, min(bounds.end, task.within(part))) for part, bounds in held.items()}


async def _take(chosen: Chosen, newest: dict[Place, Entry], one: Letter, record: Record, codec: EventCodec) -> None:
    why = refusal(one)
    if why or one.origin is None:
        chosen.refused.setdefault(why or NO_PLACE, []).append(one)
        return
    entry = Entry(one, one.origin, await version(record, one.base, codec), len(record.value or b""))
    before = newest.get(one.origin)
    if before is not None:
        entry, older = (entry, before) if _later(entry) >= _later(before) else (before, entry)
        chosen.duplicates.append(older.letter)
    newest[one.origin] = entry


def refusal(one: Letter) -> str:
    """Why a letter can never be redriven; empty when it can."""
    if one.kind == GAP:
        return NO_RECORD
    if one.origin is None:
        return NO_PLACE
    return "" if has_lane(one.base) else NO_LANE


def has_lane(topic: str) -> bool:
    """Whether the catalogue gives a live topic a replay lane."""
    return any(file.replayed and file.matches(topic) for file in topics.files())


async def version(record: Record, base: str, codec: EventCodec) -> tuple[int, int] | None:
    """(revision, epoch) of a record's event; None where it cannot be decoded. Raises `UnavailableError`."""
    if not record.value:
        return None
    try:
        event = await codec.decode(event_class(base), record)
    except SchemasError:
        return None
    return int(getattr(event, "revision", 0)), int(getattr(event, "epoch", 0))


def _later(entry: Entry) -> tuple[int, int, Place]:
    return entry.letter.redrives, entry.letter.timestamp_ms, entry.letter.place
