"""Expiry: documents whose time has come end as deletions, by ingest's timer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from roggia_runtime import clock
from roggia_runtime.records import Output, Partition

from roggia_ingest import events, metrics
from roggia_ingest.catalogue import DocKey, Entry, judge
from roggia_ingest.ports import Catalogue, EventCodec

AT_ONCE = 200
"""Documents that one tick ends; the next one goes on."""


class Expiry:
    """The runtime's `Ticker`. The clock decides when a deletion is emitted, never what is in it.

    Rows are marked once their deletions are committed. A crash between the two emits the same bytes again; a catalogue
    that cannot be written does not, however long that lasts.
    """

    def __init__(
        self,
        *,
        topic: str,
        codec: EventCodec,
        catalogue: Catalogue,
        interval_s: float,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self._topic = topic
        self._codec = codec
        self._catalogue = catalogue
        self._interval_s = interval_s
        self._now_ms = now_ms
        self._emitted: dict[Partition, Mapping[DocKey, Entry]] = {}
        self._unmarked: dict[Partition, Mapping[DocKey, Entry]] = {}
        """Whose deletions are committed, and which the catalogue has not taken yet."""

    @property
    def interval_s(self) -> float:
        """Seconds between two looks."""
        return self._interval_s

    async def tick(self, partition: Partition, position: int) -> Sequence[Output]:
        """Deletions of the documents of `partition` that are due. Raises `CatalogueUnavailableError`.

        A state from a record that was never committed waits: its deletion would come before it, or without it. What
        was committed before and not marked is marked now, and if that still cannot be, nothing is emitted.
        """
        unmarked = self._unmarked.get(partition, {})
        ended, late = dict[DocKey, Entry](), dict[DocKey, Entry]()
        outputs = []
        for key, entry in (await self._catalogue.due(partition, self._now_ms(), AT_ONCE)).items():
            if (state := entry.current) is not None and state.offset < position:
                gone = judge.expired(state)
                # As it was when it was emitted: another owner may have gone on meanwhile.
                if unmarked.get(key) == Entry(gone, entry.older):
                    late[key] = Entry(gone, entry.older)
                    continue
                ended[key] = Entry(gone, entry.older)
                outputs.append(self._codec.output(self._topic, events.deletion(key, gone, state.expires_at or 0)))
        await self._mark(partition, late)
        self._emitted[partition] = ended
        return outputs

    async def committed(self, partition: Partition) -> None:
        """Mark what the last tick ended."""
        await self._mark(partition, self._emitted.pop(partition, {}))

    async def _mark(self, partition: Partition, ended: Mapping[DocKey, Entry]) -> None:
        self._unmarked[partition] = ended
        if ended:
            await self._catalogue.save(ended)
        self._unmarked[partition] = {}
        metrics.DELETIONS.labels("expiry").inc(len(ended))
