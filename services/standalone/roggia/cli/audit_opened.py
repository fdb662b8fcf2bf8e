"""What commands of `roggia audit` read of Kafka: what the log says of prices and tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from roggia_auditor.adapters.price_log import KafkaPrices
from roggia_auditor.pricing.entries import PriceBook
from roggia_runtime.codec import EventCodec
from roggia_runtime.tables import Table
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig

from roggia.cli.connected import codec_of
from roggia.connection import Connection
from roggia.publishing.publisher import kafka_settings


class Logged(NamedTuple):
    """What the log says: how values are read and written, prices, tenants' configurations."""

    codec: EventCodec
    book: PriceBook
    tenants: Mapping[str, TenantConfig]


@asynccontextmanager
async def logged(where: Connection) -> AsyncIterator[Logged]:
    """Everything that the log says, read to its end. Raises `UnavailableError` where no broker answers."""
    async with codec_of(where, "audit") as codec:
        await codec.start()
        prices, tenants = KafkaPrices(kafka_settings(where), codec), _tenants(where, codec)
        await prices.start()
        try:
            book = await prices.current()
        finally:
            await prices.stop()
        await tenants.start()
        yield Logged(codec, book, tenants.rows)


def _tenants(where: Connection, codec: EventCodec) -> Table[TenantConfig]:
    return Table(kafka_settings(where), codec, topics.TENANT_CONFIG, TenantConfig)
