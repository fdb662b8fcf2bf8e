"""How far each source partition is surely committed, seen from the batches that are handed out."""

from __future__ import annotations

from collections.abc import Mapping

from roggia_runtime.records import Partition

from roggia_ingest.catalogue.ledger import Span


class Progress:
    """Remembers the starts of the last two batches of every source.

    When a batch is handed out, the transaction of the batch before it may still run, but not the one before that. So
    everything below the start of the batch before is committed; and when there is none, or it lies further on (the
    partition was taken over anew), everything below this batch's own start.
    """

    def __init__(self) -> None:
        self._starts: dict[Partition, tuple[int, int]] = {}
        self._ends: dict[Partition, int] = {}

    def restart(self, committed: Mapping[Partition, int]) -> None:
        """These positions are committed, and what lies beyond them will come (again)."""
        self._starts = {}
        self._ends = dict(committed)

    def span(self, source: Partition, start: int, end: int) -> Span:
        """The place of a batch, from `start` to before `end`. The same batch may come again (something was down)."""
        before, last = self._starts.get(source, (start, start))
        if last != start:
            before = min(last, start)
        self._starts[source] = before, start
        others = {partition: position for partition, position in self._ends.items() if partition != source}
        self._ends[source] = end
        return Span(source, before, start, others)
