"""The catalogue during one batch: what counts as settled, what the batch made of it, and what is to be saved."""

from __future__ import annotations

from collections.abc import Mapping

from roggia_runtime.records import Partition, Record

from roggia_ingest.catalogue.state import DocKey, DocState, Entry


class Ledger:
    """States of the documents of one batch, which starts at `start` in `source`.

    The catalogue and the Kafka transaction are not one: a crash between them leaves rows of a batch that was never
    committed. Those are the rows whose offset is not below `start`, because the loop starts again at the committed
    position. They are read as if that batch had never been: from `base`. So a redelivered batch is judged exactly as
    it was the first time, whatever it held and wherever the crash was.

    A base that itself is not below `start` was committed, so somebody has set the group back on purpose: then the
    current state holds, and only the record that made it is judged again.
    """

    def __init__(self, entries: Mapping[DocKey, Entry], source: Partition, start: int) -> None:
        self._source = source
        self._start = start
        self._entries = dict(entries)
        self._settled = {key: self._settle(entry) for key, entry in entries.items()}
        self._written: dict[DocKey, DocState] = {}

    def state(self, key: DocKey, record: Record) -> DocState | None:
        """What holds for `key` before `record`."""
        if key in self._written:
            return self._written[key]
        settled = self._settled.get(key)
        if settled is not None and self._made_by(settled, record):
            return self._entries[key].base
        return settled

    def write(self, key: DocKey, state: DocState) -> None:
        """`state` holds from now on."""
        self._written[key] = state

    def changes(self) -> dict[DocKey, Entry]:
        """Rows to save; an entry without a current state is to be removed."""
        changed = {key: Entry(settled, None) for key, settled in self._settled.items() if self._rolled_back(key)}
        for key, state in self._written.items():
            changed[key] = Entry(state, self._base(key))
        return changed

    def _settle(self, entry: Entry) -> DocState | None:
        if not self._ahead(entry.current) or self._ahead(entry.base):
            return entry.current
        return entry.base

    def _ahead(self, state: DocState | None) -> bool:
        return state is not None and state.source == self._source and state.offset >= self._start

    def _base(self, key: DocKey) -> DocState | None:
        settled = self._settled.get(key)
        return self._entries[key].base if self._ahead(settled) else settled

    def _rolled_back(self, key: DocKey) -> bool:
        return self._settled[key] != self._entries[key].current

    @staticmethod
    def _made_by(state: DocState, record: Record) -> bool:
        return state.source == (record.topic, record.partition) and state.offset == record.offset
