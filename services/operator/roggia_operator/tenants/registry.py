"""Reads and writes `tenant.config`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from msgspec.structs import replace
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.ids import uuid7
from roggia_runtime.producer import Producer
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.tables import Table
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig, TenantPlacement, TenantStatus


class TenantRegistry:
    """Use it as a context manager. Raises `UnavailableError`, `AdminError` and `ProduceError`."""

    def __init__(self, kafka: KafkaSettings, codec: EventCodec) -> None:
        self._kafka, self._codec = kafka, codec
        self._producer = Producer(kafka, "roggia-tenants")
        self._producing = False

    async def __aenter__(self) -> Self:
        await self._codec.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def held(self) -> Mapping[str, TenantConfig]:
        """What holds now, by tenant."""
        table = Table(self._kafka, self._codec, topics.TENANT_CONFIG, TenantConfig)
        await table.start()
        return table.rows

    async def write(self, configs: Iterable[TenantConfig]) -> None:
        """Make these hold; returns once the brokers have them."""
        outputs = [self._codec.output(topics.TENANT_CONFIG, config) for config in configs]
        if outputs:
            if not self._producing:
                await self._producer.start()
                self._producing = True
            await self._producer.send_all(outputs)

    async def mark(self, tenant_id: str, status: TenantStatus, by: str) -> None:
        """Set a tenant's status; everything else stays as it is. Writes nothing where it has it already."""
        held = (await self.held()).get(tenant_id)
        if held is None:
            held = TenantConfig(
                event_id="", occurred_at=0, tenant_id=tenant_id, status=status, placement=TenantPlacement.DEDICATED
            )
        elif held.status is status:
            return
        await self.write([replace(held, event_id=uuid7(), occurred_at=now_ms(), status=status, updated_by=by)])
