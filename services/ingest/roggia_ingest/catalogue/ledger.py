"""The catalogue during one batch: what counts as settled, what the batch made of it, and what is to be saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roggia_runtime.records import Partition, Record
from roggia_schemas import topics

from roggia_ingest.catalogue import judge
from roggia_ingest.catalogue.state import DocKey, DocState, Entry

_NO_ENTRY = Entry(None)


@dataclass(frozen=True, slots=True)
class Span:
    """Where a batch begins in its source, and what lies surely behind it.

    Everything below `floor` is committed. What lies between `floor` and `start` was handed out before but its
    transaction may still run: the loop handles one batch while it commits the one before.

    `others` are the committed positions of this process's other partitions, a lane's or its live topic's among them:
    nothing of those is under way while this batch is.
    """

    source: Partition
    floor: int
    start: int
    others: Mapping[Partition, int] = field(default_factory=dict)

    def is_ahead(self, live: Partition, origin: int | None) -> bool:
        """Whether the record at `origin` of a live partition is still to come there."""
        return origin is not None and origin >= self.others.get(live, origin + 1)

    def made_by_rest(self, state: DocState | None) -> bool:
        """Whether `state` comes from this batch or a later one: from a try that was never committed."""
        if state is None:
            return False
        start = self.start if state.source == self.source else self.others.get(state.source)
        return start is not None and state.offset >= start

    def is_committed(self, state: DocState | None) -> bool:
        """Whether `state` can never be taken back. The absence of a document (None) is older than all of its states."""
        if state is None:
            return True
        floor = self.floor if state.source == self.source else self.others.get(state.source)
        return floor is None or state.offset < floor


class Ledger:
    """States of the documents of one batch.

    The catalogue and the Kafka transaction are not one: a crash between them leaves states of batches that were never
    committed. Those are the states whose offset is not below the batch's start, because the loop starts again at the
    committed position. They are passed over for the newest state below it. So a redelivered batch is judged exactly
    as it was the first time, whatever it held and wherever the crash was.

    When every known state lies at or above the start, somebody has set the group back on purpose: then the current
    state holds, and only the record that made it is judged again.
    """

    def __init__(self, entries: Mapping[DocKey, Entry], span: Span) -> None:
        self._span = span
        self._entries = dict(entries)
        self._settled = {key: self._settle(entry) for key, entry in entries.items()}
        self._written: dict[DocKey, DocState] = {}

    def state(self, key: DocKey, record: Record) -> DocState | None:
        """What holds for `key` before `record`."""
        if key in self._written:
            return self._written[key]
        below = self._settled.get(key, ())
        if below and below[0] is not None and _made_by(below[0], record):
            below = below[1:] or below
        return below[0] if below else None

    def is_ahead(self, record: Record) -> bool:
        """Whether a lane's record is still to come in its live topic: that one counts."""
        live = Partition(topics.base(record.topic), record.partition)
        return self._span.is_ahead(live, judge.origin(record))

    def write(self, key: DocKey, state: DocState) -> None:
        """`state` holds from now on."""
        self._written[key] = state

    def lives(self, key: DocKey) -> bool:
        """Whether the row that is to be saved of `key` is a living document's."""
        return _alive(self._written.get(key) or next(iter(self._settled.get(key, ())), None))

    def grown(self, tenant_id: str) -> int:
        """How many more living documents the tenant's rows that are to be saved hold than those that were loaded."""
        keys = [key for key in self._entries.keys() | self._written.keys() if key.tenant_id == tenant_id]
        return sum(self.lives(key) - _alive(self._entries.get(key, _NO_ENTRY).current) for key in keys)

    def changes(self) -> dict[DocKey, Entry]:
        """Rows to save; an entry without a current state is to be removed."""
        rows = {key: _entry(states) for key, states in self._settled.items() if _entry(states) != self._entries[key]}
        for key, state in self._written.items():
            rows[key] = Entry(state, self._older(key, state))
        return rows

    def _settle(self, entry: Entry) -> tuple[DocState | None, ...]:
        """The entry's states from the settled one on, newest first."""
        states = (entry.current, *entry.older)
        for number, state in enumerate(states):
            if not self._span.made_by_rest(state):
                return states[number:]
        return states

    def _older(self, key: DocKey, state: DocState) -> tuple[DocState | None, ...]:
        """What to return to should `state` be taken back: down to the first that can never be."""
        kept: list[DocState | None] = []
        for older in self._settled.get(key, (None,)):
            if older is not None and older.source == state.source and older.offset == state.offset:
                continue
            kept.append(older)
            if self._span.is_committed(older):
                break
        return tuple(kept)


def _entry(states: Sequence[DocState | None]) -> Entry:
    return Entry(states[0], tuple(states[1:]))


def _alive(state: DocState | None) -> bool:
    return state is not None and not state.deleted


def _made_by(state: DocState, record: Record) -> bool:
    return state.source == (record.topic, record.partition) and state.offset == record.offset
