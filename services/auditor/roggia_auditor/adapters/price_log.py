"""The price book as the topic price.changed holds it, read to its end whenever it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import UnavailableError
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import PriceChanged

from roggia_auditor.pricing.classes import TokenClass
from roggia_auditor.pricing.entries import Entry, PriceBook, Tariff

log = structlog.get_logger()
_ONLY = Partition(topics.PRICE_CHANGED, 0)
"""The topic has one partition: entries have one order."""


class KafkaPrices:
    """Reads the topic from its start, once, and what came since whenever it is asked. From one task at a time.

    An entry that cannot be read is refused with its place: an amount must not rest on prices that nobody understood.
    """

    def __init__(self, settings: KafkaSettings, codec: EventCodec) -> None:
        self._settings, self._codec = settings, codec
        self._reader: RangeReader | None = None
        self._next: int | None = None
        self._book = PriceBook()

    async def start(self) -> None:
        """Connect. Raises `UnavailableError`."""
        self._reader = await RangeReader(self._settings, "roggia-auditor-prices").__aenter__()

    async def stop(self) -> None:
        """Disconnect."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def current(self) -> PriceBook:
        """See `roggia_auditor.ports.PriceLog`."""
        if self._reader is None:
            raise UnavailableError("prices are not connected")
        span = (await self._reader.spans([_ONLY]))[_ONLY]
        start = span.first if self._next is None else self._next
        if start < span.end:
            await self._extend(self._reader, {_ONLY: Span(start, span.end)})
        return self._book

    async def _extend(self, reader: RangeReader, spans: Mapping[Partition, Span]) -> None:
        found: list[Entry] = []
        async for piece in reader.read(spans):
            found += [await self._entry(record) for record in piece.records]
        self._book = self._book.extended(found)
        self._next = spans[_ONLY].end

    async def _entry(self, record: Record) -> Entry:
        try:
            return entry_of(await self._codec.decode(PriceChanged, record), record.timestamp_ms)
        except SchemasError as error:
            raise UnavailableError(
                f"{record.topic}/{record.partition}@{record.offset} cannot be read ({error}): upgrade the auditor"
            ) from error


def entry_of(event: PriceChanged, known_from: int) -> Entry:
    """The entry in an event that the log has since `known_from`; a class that this version knows not is left out."""
    prices: dict[TokenClass, int] = {}
    for name, pico in event.pico_usd.items():
        if name in TokenClass._value2member_map_:
            prices[TokenClass(name)] = pico
        else:
            log.warning("unknown_token_class", name=name, provider=event.provider, model=event.model)
    return Entry(
        tariff=Tariff(event.provider, event.model, event.tier, event.batch),
        effective_from=event.effective_from,
        effective_to=event.effective_to,
        band_from=event.band_from,
        pico_usd=prices,
        version=event.version,
        source=event.source,
        sha256=event.sha256,
        known_from=known_from,
    )
