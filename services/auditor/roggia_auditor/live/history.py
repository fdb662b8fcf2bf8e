"""The last hour of the topic, read again: what a new owner of a partition counts before it follows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.topics import INFERENCE_COMPLETED

from roggia_auditor.live.views import HORIZON_MS


class KafkaHistory:
    """Reads without a group, with a connection of its own each time: it is asked once for each assignment."""

    def __init__(self, settings: KafkaSettings, now: Callable[[], int]) -> None:
        self._settings, self._now = settings, now

    async def read(self, partition: int) -> AsyncGenerator[Record]:
        """Records from an hour before now to the end as it is now, in order. Raises `UnavailableError`."""
        place = Partition(INFERENCE_COMPLETED, partition)
        try:
            async with RangeReader(self._settings, "roggia-live-history") as reader:
                async for piece in reader.read({place: await self._span(reader, place)}):
                    for record in piece.records:
                        yield record
        except AdminError as error:
            raise UnavailableError(str(error)) from error

    async def _span(self, reader: RangeReader, place: Partition) -> Span:
        # The end comes first: what is appended between the two questions is read by whoever follows.
        end = (await reader.spans([place]))[place].end
        first = (await reader.at([place], self._now() - HORIZON_MS))[place]
        return Span(end if first is None else first, end)
